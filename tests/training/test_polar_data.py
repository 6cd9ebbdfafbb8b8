"""Data set of polar views: inputs, targets, masks, augmentation."""

from collections.abc import Callable

import numpy as np
import torch

from ejectamap.project.pairs import make_pairs
from ejectamap.project.settings import Context, PolarAugmentation, Views
from ejectamap.training.loaders import make_loader
from ejectamap.training.polar_data import PolarDataset
from ejectamap.training.sources import Source
from ejectamap.views.polar import PolarView
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Window
from ejectamap.world.labels import Tile
from ejectamap.world.world import World

VIEWS = Views(polar_px=(32, 64))
SETTINGS = Context(
    scaling="mosaic",
    augment=PolarAugmentation(flips=True, turns=True, stretch=1.3, contrast=0.3, brightness=0.3),
)
NO_AUGMENTATION = PolarAugmentation(
    flips=False, turns=False, stretch=1, contrast=0, brightness=0, blur_px=0, fewer_bands=0
)
MakeWorld = Callable[..., World]


def source_of(world: World, tile_px: int = 8) -> Source:
    return Source(world, make_pairs(world, tile_px))


def view_of(crater: Crater, world: World) -> PolarView:
    radius_m = world.mosaic.grid.radius_m
    return PolarView(crater, radius_m, crater.reach_m(radius_m), 32, 64)


def test_a_sample_is_the_polar_view_of_a_crater(make_world: MakeWorld) -> None:
    world = make_world()
    data = PolarDataset([source_of(world)], VIEWS, SETTINGS, augmented=False, seed=0)
    assert len(data) == 2
    sample = data[0, 0]
    assert {name: tuple(part.shape) for name, part in sample.items()} == {
        "inputs": (9, 32, 64),
        "target": (32, 64),
        "mask": (32, 64),
    }
    assert all(part.dtype == torch.float32 for part in sample.values())
    # The ejecta of this crater are a disc of 900 km, the same rows in all columns.
    within = view_of(world.craters[0], world).row_ranges_m() < 900e3
    assert (sample["target"][within].mean() > 0.95) and (sample["target"][~within].mean() < 0.05)
    assert torch.equal(data[0, 0]["inputs"], sample["inputs"])


def test_without_augmentation_every_epoch_is_the_same(make_world: MakeWorld) -> None:
    """Validation data, whatever the settings of augmentation."""
    source = source_of(make_world())
    validation = PolarDataset([source], VIEWS, SETTINGS, augmented=False, seed=0)
    settings = SETTINGS.model_copy(update={"augment": NO_AUGMENTATION})
    plain = PolarDataset([source], VIEWS, settings, augmented=True, seed=1)
    for epoch in range(3):
        for name, values in plain[0, 1].items():
            assert torch.equal(validation[epoch, 1][name], values)


def test_the_mask_is_0_outside_the_tiles(make_world: MakeWorld) -> None:
    tiles = (Tile(0, Window(24, 66, 8, 8)), Tile(1, Window(20, 80, 8, 8)))
    world = make_world(tiles)
    data = PolarDataset([source_of(world)], VIEWS, SETTINGS, augmented=False, seed=0)
    places = view_of(world.craters[0], world).places()
    col, row = world.mosaic.grid.to_pixel(*places)
    inside = np.zeros(col.shape, bool)
    for tile in tiles:
        w = tile.window
        inside |= (
            (col >= w.col) & (col < w.col + w.width) & (row >= w.row) & (row < w.row + w.height)
        )
    assert 0 < inside.mean() < 0.5
    assert np.array_equal(data[0, 0]["mask"] > 0, inside)


def test_the_mask_of_a_tile_across_the_edge_of_the_mosaic(make_world: MakeWorld) -> None:
    world = make_world((Tile(0, Window(40, 122, 8, 12)),))
    data = PolarDataset([source_of(world)], VIEWS, SETTINGS, augmented=False, seed=0)
    (crater,) = {labelled.crater for labelled in data.craters}
    col, row = world.mosaic.grid.to_pixel(*view_of(crater, world).places())
    inside = ((col >= 122) | (col < 6)) & (row >= 40) & (row < 48)
    assert inside.any()
    assert np.array_equal(data[0, 0]["mask"] > 0, inside)


def test_the_mask_depends_on_the_area_of_cells(make_world: MakeWorld) -> None:
    world = make_world()
    data = PolarDataset([source_of(world, 4)], VIEWS, SETTINGS, augmented=False, seed=0)
    mask = data[0, 0]["mask"].numpy()
    area = view_of(world.craters[0], world).cell_area_m2()
    expected = np.broadcast_to(0.2 + 0.8 * area / area.mean(), mask.shape)
    assert np.allclose(mask[mask > 0], expected[mask > 0], rtol=1e-5)
    # The tiles whose centre is in reach cover all of it except its rim.
    assert (mask[:-3] > 0).all()


def test_the_mask_is_0_beyond_the_reach_and_without_data(make_world: MakeWorld) -> None:
    """Augmented views extend beyond the reach; rows 0 to 3 of the mosaic have no data."""
    world = make_world()
    polar = World(world.mosaic, (Crater(1, "A", 20, 60, 100e3), *world.craters[1:]), world.labels)
    data = PolarDataset([source_of(polar, 16)], VIEWS, SETTINGS, augmented=True, seed=0)
    reach_m = polar.craters[0].reach_m(polar.mosaic.grid.radius_m)
    beyond = 0
    for epoch in range(20):
        sample = data[epoch, 0]
        # Channel 6 is log10 of the range in metres, after two bands, twice, the similarity and the range in radii.
        range_m = 10 ** sample["inputs"][6]
        mask, valid = sample["mask"], sample["inputs"][-1]
        assert (mask[range_m > reach_m * 1.001] == 0).all()
        assert (mask[valid == 0] == 0).all()
        assert (valid == 0).any()
        assert mask.any()
        beyond += int((range_m > reach_m).any())
    assert beyond > 2


def test_augmentation_changes_inputs_and_target_alike(make_world: MakeWorld) -> None:
    """On a planet whose first band is the label, bright cells (or dark ones, by contrast) are the target."""
    world = make_world()
    assert world.labels is not None
    truth = world.labels.read(1, world.mosaic.grid.whole)
    bands = np.stack([np.where(truth, 200, 50), np.full(truth.shape, 9)]).astype(np.uint8)
    mosaic = type(world.mosaic).from_array(
        bands, np.ones(truth.shape, bool), world.mosaic.grid, ("a", "b")
    )
    changed = World(mosaic, world.craters, world.labels)
    data = PolarDataset([source_of(changed)], VIEWS, SETTINGS, augmented=True, seed=0)
    pictures = []
    for epoch in range(8):
        sample = data[epoch, 0]
        band, target = sample["inputs"][0], sample["target"] > 0.5
        agreement = ((band > (band.min() + band.max()) / 2) == target).float().mean()
        assert max(agreement, 1 - agreement) > 0.97
        pictures.append(sample["inputs"])
    assert not torch.equal(pictures[0], pictures[1])


def test_a_sample_depends_only_on_seed_epoch_and_index(make_world: MakeWorld) -> None:
    source = source_of(make_world())
    one, two, other = (PolarDataset([source], VIEWS, SETTINGS, True, s) for s in (1, 1, 2))
    one[0, 1]
    assert torch.equal(one[3, 0]["inputs"], two[3, 0]["inputs"])
    assert not torch.equal(one[3, 0]["inputs"], two[4, 0]["inputs"])
    assert not torch.equal(one[3, 0]["inputs"], other[3, 0]["inputs"])


def test_blurring_changes_only_the_bands(make_world: MakeWorld) -> None:
    source = source_of(make_world())
    settings = Context(scaling="mosaic", augment=NO_AUGMENTATION)
    plain = PolarDataset([source], VIEWS, settings, True, 0)
    assert torch.equal(plain[0, 0]["inputs"], plain[1, 0]["inputs"])
    blur = NO_AUGMENTATION.model_copy(update={"blur_px": 2.0})
    settings = Context(scaling="mosaic", augment=blur)
    blurred = PolarDataset([source], VIEWS, settings, True, 0)[0, 0]["inputs"]
    assert (blurred[:4].std((1, 2)) < plain[0, 0]["inputs"][:4].std((1, 2))).all()
    assert torch.equal(blurred[4:], plain[0, 0]["inputs"][4:])


def test_worker_processes_make_the_same_batches(make_world: MakeWorld) -> None:
    data = PolarDataset([source_of(make_world())], VIEWS, SETTINGS, augmented=True, seed=0)

    def epoch(number: int, workers: int) -> list[torch.Tensor]:
        loader = make_loader(data, 1, 3, workers, shuffle=True)
        loader.batch_sampler.sampler.set_epoch(number)
        return [batch["inputs"] for batch in loader]

    for without, with_workers in zip(epoch(4, 0), epoch(4, 2), strict=True):
        assert torch.equal(without, with_workers)
