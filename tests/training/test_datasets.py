from collections.abc import Callable

import numpy as np
import pytest
import torch

from ejectamap.project.settings import Views
from ejectamap.training.augment import augment_chip, augment_corridor
from ejectamap.training.datasets import AnyEjectaDataset, ChipDataset, CorridorDataset
from ejectamap.training.pairs import make_pairs, share_weight
from ejectamap.training.sources import Source, connected_only, once_per_tile
from ejectamap.views.chip import largest_chip
from ejectamap.views.inputs import BandScaling, chip_input, corridor_input, crater_metadata
from ejectamap.world.world import World

VIEWS = Views(chip_px=48, corridor_px=(64, 16))


@pytest.fixture(scope="module")
def source(make_world: Callable[..., World]) -> Source:
    world = make_world()
    return Source(world, BandScaling.for_mosaic(world.mosaic, "255"), make_pairs(world, 8))


def test_corridors_and_their_answers(source: Source) -> None:
    data = CorridorDataset([source], VIEWS, augment=False)
    assert len(data) == len(source.pairs)
    grid = source.world.mosaic.grid
    for index in (0, 10, len(data) - 1):
        sample, pair = data[index], source.pairs[index]
        assert sample["inputs"].shape == (3, 16, 64)
        assert sample["inputs"].dtype == torch.float32
        assert sample["target"] == float(pair.connected)
        assert sample["weight"] == 1
        chip = largest_chip(pair.crater, pair.window, grid)
        seen = corridor_input(source.world.mosaic, source.scaling, pair.crater, chip, (64, 16))
        assert np.allclose(sample["inputs"], seen, atol=1e-3)
    batch = torch.utils.data.default_collate([data[0], data[1]])
    assert batch["target"].shape == batch["weight"].shape == (2,)


def test_chips_have_their_truth(source: Source) -> None:
    some = connected_only([source, source])
    connected = [pair for pair in source.pairs if pair.connected]
    data = ChipDataset(some, VIEWS, share_weights=True, augment=False)
    assert len(data) == 2 * len(connected)
    world = source.world
    assert world.labels is not None
    for index in (0, 7, len(connected) + 3):
        sample, pair = data[index], connected[index % len(connected)]
        chip = largest_chip(pair.crater, pair.window, world.mosaic.grid)
        seen = chip_input(world.mosaic, source.scaling, pair.crater, chip, 48)
        places = chip.places(pair.crater, world.mosaic.grid.radius_m, 48)
        truth = world.labels.sample(pair.crater.crater_id, *places)
        assert sample["inputs"].shape == (3, 48, 48)
        assert np.allclose(sample["inputs"], seen, atol=4e-3)
        assert np.array_equal(sample["target"], truth)
        about = crater_metadata(world.mosaic, source.scaling, pair.crater, (2.0, 3.0))
        assert np.array_equal(sample["metadata"], about)
        assert sample["weight"] == pytest.approx(share_weight(pair.share))
    even = ChipDataset([source], VIEWS, share_weights=False, augment=False)
    assert len(even) == len(source.pairs)
    assert all(even[k]["weight"] == 1 for k in range(len(even)))
    empty = next(k for k, pair in enumerate(source.pairs) if not pair.connected)
    assert not even[empty]["target"].any()


def test_any_crater_s_ejecta_and_no_distance(source: Source) -> None:
    (alone,) = once_per_tile([source])
    assert len(alone.pairs) == len({p.tile_id for p in source.pairs}) < len(source.pairs)
    for pair in alone.pairs:
        rivals = [p.distance_m for p in source.pairs if p.tile_id == pair.tile_id]
        assert pair.distance_m == min(rivals)
    data = AnyEjectaDataset([alone], VIEWS, share_weights=False, augment=False)
    labels = source.world.labels
    assert labels is not None
    more = 0
    for sample, pair in zip(data, alone.pairs, strict=True):
        chip = largest_chip(pair.crater, pair.window, source.world.mosaic.grid)
        seen = chip_input(source.world.mosaic, source.scaling, pair.crater, chip, 48)
        assert np.array_equal(sample["inputs"], seen[:2])
        places = chip.places(pair.crater, source.world.mosaic.grid.radius_m, 48)
        truth = labels.sample(1, *places) | labels.sample(2, *places)
        assert np.array_equal(sample["target"], truth)
        more += bool((truth & ~labels.sample(pair.crater.crater_id, *places)).any())
    assert more > 0


def relit(changed: torch.Tensor, original: torch.Tensor) -> bool:
    """Whether one channel is the other with changed contrast and brightness."""
    x, y = original.numpy().ravel().astype(float), changed.numpy().ravel().astype(float)
    fit = np.polyfit(x, y, 1)
    return 0.75 < fit[0] < 1.25 and bool(np.abs(np.polyval(fit, x) - y).max() < 1e-5)


def test_a_changed_corridor_still_runs_from_crater_to_chip() -> None:
    torch.manual_seed(0)
    picture = torch.rand(3, 16, 64)
    picture[2] = (torch.rand(16, 64) > 0.7).float()
    mirrored = 0
    for _ in range(20):
        changed = augment_corridor(picture)
        flipped = not torch.equal(changed[2], picture[2])
        expected = picture.flip(1) if flipped else picture
        assert torch.equal(changed[2], expected[2])
        assert relit(changed[0], expected[0])
        assert relit(changed[1], expected[1])
        mirrored += flipped
    assert 3 < mirrored < 17


def test_a_changed_chip_turns_with_its_distances_and_label() -> None:
    torch.manual_seed(0)
    picture = torch.rand(4, 12, 12)
    views = [turn.rot90(k, (1, 2)) for turn in (picture, picture.flip(2)) for k in range(4)]
    seen = set()
    for _ in range(100):
        changed = augment_chip(picture)
        (k,) = (k for k, view in enumerate(views) if torch.equal(changed[3], view[3]))
        assert torch.equal(changed[2], views[k][2])
        assert relit(changed[0], views[k][0])
        seen.add(k)
    assert seen == set(range(8))


def test_changes_leave_the_kept_picture_alone(source: Source) -> None:
    data = ChipDataset([source], VIEWS, share_weights=True, augment=True)
    before = data.pictures[0].copy()
    torch.manual_seed(1)
    samples = [data[0]["inputs"] for _ in range(4)]
    assert np.array_equal(data.pictures[0], before)
    assert not torch.equal(samples[0], samples[1])
