from collections.abc import Callable

import numpy as np
import pytest
import torch

from ejectamap.project.augmentation import ChipAugmentation, CorridorAugmentation
from ejectamap.project.fitting import Connection, Segmentation
from ejectamap.project.settings import Views
from ejectamap.training.augment import augment_chip, augment_corridor
from ejectamap.training.datasets import AnyEjectaDataset, ChipDataset, CorridorDataset
from ejectamap.training.pairs import make_pairs
from ejectamap.training.sources import Source, connected_only, once_per_tile
from ejectamap.training.weights import share_weight
from ejectamap.views.chip import largest_chip
from ejectamap.views.inputs import BandScaling, crater_metadata
from ejectamap.views.sight import chip_sight, corridor_sight
from ejectamap.world.world import World

VIEWS = Views(chip_px=48, corridor_px=(64, 16))
EVEN = Segmentation(share_weights=False)


def scaling_of(source: Source) -> BandScaling:
    return BandScaling.for_mosaic(source.world.mosaic, "255")


@pytest.fixture(scope="module")
def source(make_world: Callable[..., World]) -> Source:
    world = make_world()
    return Source(world, make_pairs(world, 8))


def test_corridors_and_their_answers(source: Source) -> None:
    data = CorridorDataset([source], VIEWS, Connection(), augmented=False, seed=0)
    assert len(data) == len(source.pairs)
    grid = source.world.mosaic.grid
    for index in (0, 10, len(data) - 1):
        sample, pair = data[0, index], source.pairs[index]
        assert sample["inputs"].shape == (3, 16, 64)
        assert sample["inputs"].dtype == torch.float32
        assert sample["target"] == float(pair.connected)
        assert sample["weight"] == 1
        chip = largest_chip(pair.crater, pair.window, grid)
        seen = corridor_sight(source.world.mosaic, scaling_of(source), pair.crater, (64, 16)).look(
            chip
        )
        assert np.allclose(sample["inputs"], seen, atol=1e-3)
    batch = torch.utils.data.default_collate([data[0, 0], data[0, 1]])
    assert batch["target"].shape == batch["weight"].shape == (2,)


def test_chips_have_their_truth(source: Source) -> None:
    some = connected_only([source, source])
    connected = [pair for pair in source.pairs if pair.connected]
    data = ChipDataset(some, VIEWS, Segmentation(), augmented=False, seed=0)
    assert len(data) == 2 * len(connected)
    world = source.world
    assert world.labels is not None
    for index in (0, 7, len(connected) + 3):
        sample, pair = data[0, index], connected[index % len(connected)]
        chip = largest_chip(pair.crater, pair.window, world.mosaic.grid)
        seen = chip_sight(world.mosaic, scaling_of(source), pair.crater, 48).look(chip)
        places = chip.places(pair.crater, world.mosaic.grid.radius_m, 48)
        truth = world.labels.sample(pair.crater.crater_id, *places)
        assert sample["inputs"].shape == (3, 48, 48)
        assert np.allclose(sample["inputs"], seen, atol=1e-6)
        assert np.array_equal(sample["target"], truth)
        about = crater_metadata(world.mosaic, scaling_of(source), pair.crater, (2.0, 3.0))
        assert np.array_equal(sample["metadata"], about)
        assert sample["weight"] == pytest.approx(share_weight(pair.share))
    even = ChipDataset([source], VIEWS, EVEN, augmented=False, seed=0)
    assert len(even) == len(source.pairs)
    assert all(even[0, k]["weight"] == 1 for k in range(len(even)))
    empty = next(k for k, pair in enumerate(source.pairs) if not pair.connected)
    assert not even[0, empty]["target"].any()


def test_turned_chips_show_rivals_and_keep_what_is_up(source: Source) -> None:
    """Only mirrored copies: the crater stays below."""
    views = VIEWS.model_copy(update={"rivals": True, "radial_up": True})
    some = connected_only([source])
    how = ChipAugmentation(flips=True, quarter_turns=True, contrast=0.2)
    plain = ChipDataset(some, views, Segmentation(), augmented=False, seed=0)
    lit = ChipDataset(some, views, Segmentation(augment=how), augmented=True, seed=0)
    world, mirrored = source.world, 0
    assert world.labels is not None
    for index, pair in enumerate(some[0].pairs):
        chip = largest_chip(pair.crater, pair.window, world.mosaic.grid, radial_up=True)
        scaling, rivals = scaling_of(source), world.craters
        seen = chip_sight(world.mosaic, scaling, pair.crater, 48, rivals=rivals).look(chip)
        assert np.array_equal(plain[0, index]["inputs"], seen)
        places = chip.places(pair.crater, world.mosaic.grid.radius_m, 48)
        truth = world.labels.sample(pair.crater.crater_id, *places)
        assert np.array_equal(plain[0, index]["target"], truth)
        changed = lit[0, index]["inputs"].numpy()
        flipped = not np.array_equal(changed[2:], seen[2:])
        if flipped:
            assert np.array_equal(changed[2:], seen[2:, :, ::-1])
        assert not np.array_equal(changed[0], seen[0, :, ::-1] if flipped else seen[0])
        mirrored += flipped
    assert 0.2 < mirrored / len(plain) < 0.8


def test_any_crater_s_ejecta_and_no_distance(source: Source) -> None:
    (alone,) = once_per_tile([source])
    assert len(alone.pairs) == len({p.tile_id for p in source.pairs}) < len(source.pairs)
    for pair in alone.pairs:
        rivals = [p.distance_m for p in source.pairs if p.tile_id == pair.tile_id]
        assert pair.distance_m == min(rivals)
    data = AnyEjectaDataset([alone], VIEWS, EVEN, augmented=False, seed=0)
    labels = source.world.labels
    assert labels is not None
    more = 0
    assert len(data) == len(alone.pairs)
    for index, pair in enumerate(alone.pairs):
        sample = data[0, index]
        chip = largest_chip(pair.crater, pair.window, source.world.mosaic.grid)
        seen = chip_sight(source.world.mosaic, scaling_of(source), pair.crater, 48).look(chip)
        assert np.array_equal(sample["inputs"], seen[:2])
        places = chip.places(pair.crater, source.world.mosaic.grid.radius_m, 48)
        truth = labels.sample(1, *places) | labels.sample(2, *places)
        assert np.array_equal(sample["target"], truth)
        more += bool((truth & ~labels.sample(pair.crater.crater_id, *places)).any())
    assert more > 0


# --- changed copies


def relit(changed: np.ndarray, original: np.ndarray) -> bool:
    """Whether one channel is the other with changed contrast and brightness."""
    x, y = original.ravel().astype(float), changed.ravel().astype(float)
    fit = np.polyfit(x, y, 1)
    return 0.75 < fit[0] < 1.25 and bool(np.abs(np.polyval(fit, x) - y).max() < 1e-5)


def test_a_changed_corridor_still_runs_from_crater_to_chip() -> None:
    rng = np.random.default_rng(0)
    picture = rng.random((3, 16, 64)).astype(np.float32)
    picture[2] = rng.random((16, 64)) > 0.7
    how = CorridorAugmentation(flips=True, contrast=0.2, brightness=0.2)
    mirrored = 0
    for _ in range(20):
        changed = augment_corridor(picture, how, rng)
        flipped = not np.array_equal(changed[2], picture[2])
        expected = picture[:, ::-1] if flipped else picture
        assert np.array_equal(changed[2], expected[2])
        assert relit(changed[0], expected[0])
        assert relit(changed[1], expected[1])
        mirrored += flipped
    assert 3 < mirrored < 17


def test_a_changed_chip_turns_with_its_distances_and_label() -> None:
    rng = np.random.default_rng(0)
    picture = rng.random((4, 12, 12)).astype(np.float32)
    turns = [np.rot90(turn, k, (1, 2)) for turn in (picture, picture[..., ::-1]) for k in range(4)]
    how = ChipAugmentation(flips=True, quarter_turns=True, contrast=0.2, brightness=0.2)
    seen = set()
    for _ in range(100):
        changed = augment_chip(picture, how, rng)
        (k,) = (k for k, view in enumerate(turns) if np.array_equal(changed[3], view[3]))
        assert np.array_equal(changed[2], turns[k][2])
        assert relit(changed[0], turns[k][0])
        seen.add(k)
    assert seen == set(range(8))


def changed_by(**how: object) -> np.ndarray:
    """The same chip, changed by some pieces with the same random numbers."""
    picture = np.random.default_rng(3).random((4, 12, 12)).astype(np.float32)
    return augment_chip(picture, ChipAugmentation(**how), np.random.default_rng(5))  # type: ignore[arg-type]


def test_pieces_of_augmentation_work_alone_and_together() -> None:
    same = changed_by()
    assert np.array_equal(same, np.random.default_rng(3).random((4, 12, 12)).astype(np.float32))
    brighter = changed_by(brightness=0.5)[:2] - same[:2]
    assert np.allclose(brighter, brighter[:, :1, :1], atol=1e-6)
    assert (np.abs(brighter) > 0.01).all()
    blurred = changed_by(blur_px=3.0)
    assert (blurred[:2].std(axis=(1, 2)) < 0.5 * same[:2].std(axis=(1, 2))).all()
    assert np.allclose(blurred[:2].mean(axis=(1, 2)), same[:2].mean(axis=(1, 2)), atol=0.05)
    assert np.array_equal(blurred[2:], same[2:])
    # One more piece leaves the others' random numbers as they are.
    both = changed_by(flips=True, quarter_turns=True, contrast=0.3)
    assert np.array_equal(both[2:], changed_by(flips=True, quarter_turns=True)[2:])


def test_changes_are_a_matter_of_seed_epoch_and_index(source: Source) -> None:
    settings = Segmentation(augment=ChipAugmentation(contrast=0.5))
    one, two = (ChipDataset([source], VIEWS, settings, augmented=True, seed=s) for s in (1, 2))
    before = one.pictures[0].copy()
    first = one[0, 0]["inputs"]
    assert not torch.equal(first, one[1, 0]["inputs"])
    assert not torch.equal(first, two[0, 0]["inputs"])
    assert torch.equal(first, one[0, 0]["inputs"])
    assert np.array_equal(one.pictures[0], before)
