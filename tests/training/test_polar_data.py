from collections.abc import Callable

import numpy as np
import pytest
import torch

from ejectamap.project.settings import Views
from ejectamap.training.pairs import make_pairs
from ejectamap.training.polar import PolarDataset, SizeBatches
from ejectamap.training.sources import Source
from ejectamap.views.inputs import BandScaling
from ejectamap.views.polar import PolarView
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Window
from ejectamap.world.labels import Tile
from ejectamap.world.world import World

VIEWS = Views(polar_px=(32, 64))
MakeWorld = Callable[..., World]


def source_of(world: World, tile_px: int = 8) -> Source:
    return Source(world, BandScaling.for_mosaic(world.mosaic, "mosaic"), make_pairs(world, tile_px))


def view_of(crater: Crater, world: World) -> PolarView:
    radius_m = world.mosaic.grid.radius_m
    return PolarView(crater, radius_m, crater.reach_m(radius_m), 32, 64)


def test_a_sample_is_a_whole_crater(make_world: MakeWorld) -> None:
    world = make_world()
    data = PolarDataset([source_of(world)], VIEWS, augment=False, seed=0)
    assert len(data) == 2
    sample = data[0]
    assert {name: tuple(part.shape) for name, part in sample.items()} == {
        "inputs": (8, 32, 64),
        "target": (32, 64),
        "mask": (32, 64),
    }
    assert all(part.dtype == torch.float32 for part in sample.values())
    # The ejecta of this crater are a disc of 900 km: the same rows in all columns.
    within = view_of(world.craters[0], world).row_ranges_m() < 900e3
    assert (sample["target"][within].mean() > 0.95) and (sample["target"][~within].mean() < 0.05)
    assert torch.equal(data[0]["inputs"], sample["inputs"])


def test_the_mask_is_the_tiles(make_world: MakeWorld) -> None:
    tiles = (Tile(0, Window(24, 66, 8, 8)), Tile(1, Window(20, 80, 8, 8)))
    world = make_world(tiles)
    data = PolarDataset([source_of(world)], VIEWS, augment=False, seed=0)
    places = view_of(world.craters[0], world).places()
    col, row = world.mosaic.grid.to_pixel(*places)
    inside = np.zeros(col.shape, bool)
    for tile in tiles:
        w = tile.window
        inside |= (
            (col >= w.col) & (col < w.col + w.width) & (row >= w.row) & (row < w.row + w.height)
        )
    assert 0 < inside.mean() < 0.5
    assert np.array_equal(data[0]["mask"] > 0, inside)


def test_the_mask_of_a_tile_over_the_edge(make_world: MakeWorld) -> None:
    world = make_world((Tile(0, Window(40, 122, 8, 12)),))
    data = PolarDataset([source_of(world)], VIEWS, augment=False, seed=0)
    (crater,) = {scene.crater for scene in data.scenes}
    col, row = world.mosaic.grid.to_pixel(*view_of(crater, world).places())
    inside = ((col >= 122) | (col < 6)) & (row >= 40) & (row < 48)
    assert inside.any()
    assert np.array_equal(data[0]["mask"] > 0, inside)


def test_far_cells_weigh_more_for_their_ground(make_world: MakeWorld) -> None:
    world = make_world()
    data = PolarDataset([source_of(world, 4)], VIEWS, augment=False, seed=0)
    mask = data[0]["mask"].numpy()
    area = view_of(world.craters[0], world).cell_area_m2()
    expected = np.broadcast_to(0.5 + 0.5 * area / area.mean(), mask.shape)
    assert np.allclose(mask[mask > 0], expected[mask > 0], rtol=1e-5)
    assert (
        mask[:-3] > 0
    ).all()  # whole-planet tiles whose middle is in reach cover all but its rim


def test_labels_say_nothing_beyond_the_reach_and_without_data(make_world: MakeWorld) -> None:
    """Changed copies look further than the reach; rows 0 to 3 of the mosaic have no data."""
    world = make_world()
    polar = World(world.mosaic, (Crater(1, "A", 20, 60, 100e3), *world.craters[1:]), world.labels)
    data = PolarDataset([source_of(polar, 16)], VIEWS, augment=True, seed=0)
    reach_m = polar.craters[0].reach_m(polar.mosaic.grid.radius_m)
    beyond = 0
    for _ in range(20):
        sample = data[0]
        # Channel 5 is log10 of the range in metres: two bands, twice, and the range in radii before.
        range_m = 10 ** sample["inputs"][5]
        mask, valid = sample["mask"], sample["inputs"][-1]
        assert (mask[range_m > reach_m * 1.001] == 0).all()
        assert (mask[valid == 0] == 0).all()
        assert (valid == 0).any()
        assert mask.any()
        beyond += int((range_m > reach_m).any())
    assert beyond > 2


def test_changed_copies_keep_picture_and_answer_together(make_world: MakeWorld) -> None:
    """A planet whose first band is its label: bright is ejecta, however it is turned and stretched."""
    world = make_world()
    assert world.labels is not None
    truth = world.labels.read(1, world.mosaic.grid.whole)
    bands = np.stack([np.where(truth, 200, 50), np.full(truth.shape, 9)]).astype(np.uint8)
    mosaic = type(world.mosaic).from_array(
        bands, np.ones(truth.shape, bool), world.mosaic.grid, ("a", "b")
    )
    same = World(mosaic, world.craters, world.labels)
    data = PolarDataset([source_of(same)], VIEWS, augment=True, seed=0)
    pictures = []
    for _ in range(8):
        sample = data[0]
        band, target = sample["inputs"][0], sample["target"] > 0.5
        agreement = ((band > (band.min() + band.max()) / 2) == target).float().mean()
        assert agreement > 0.97
        pictures.append(sample["inputs"])
    assert not torch.equal(pictures[0], pictures[1])


def test_a_seed_is_a_sequence(make_world: MakeWorld) -> None:
    source = source_of(make_world())
    one, two, other = (PolarDataset([source], VIEWS, augment=True, seed=s)[0] for s in (1, 1, 2))
    assert torch.equal(one["inputs"], two["inputs"])
    assert not torch.equal(one["inputs"], other["inputs"])


@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_are_of_one_size_and_complete(make_world: MakeWorld, shuffle: bool) -> None:
    world = make_world()
    far = Crater(2, "B", 35, 10, 150e3, reach=0.75)
    mixed = World(world.mosaic, (world.craters[0], far), world.labels)
    sources = [source_of(world), source_of(mixed), source_of(world)]
    data = PolarDataset(sources, VIEWS, augment=False, seed=0)
    batches = SizeBatches(data, 2, shuffle, seed=0)
    drawn = list(batches)
    assert len(drawn) == len(batches)
    assert sorted(k for batch in drawn for k in batch) == list(range(6))
    assert all(len({data.size(k) for k in batch}) == 1 for batch in drawn)
    assert (list(batches) == drawn) != shuffle
