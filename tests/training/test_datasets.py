"""Data sets of corridors and chips: inputs, targets, weights, augmentation."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from ejectamap.project.pairs import Pair, make_pairs
from ejectamap.project.settings import (
    ChipAugmentation,
    Connection,
    CorridorAugmentation,
    Segmentation,
    Views,
)
from ejectamap.training.augment import augment_chip, augment_corridor
from ejectamap.training.datasets import (
    AgnosticDataset,
    ChipDataset,
    CorridorDataset,
    DistanceOnlyDataset,
    connection_weights,
    ejecta_ratio_weight,
)
from ejectamap.training.sources import Source, connected_only, once_per_tile
from ejectamap.views.chip import largest_chip
from ejectamap.views.chip_sampler import chip_sampler, corridor_sampler
from ejectamap.views.inputs import crater_metadata
from ejectamap.views.scaling import ChannelScaling
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Window
from ejectamap.world.world import World

VIEWS = Views(chip_px=48, corridor_px=(64, 16))
SEGMENTATION = Segmentation(scaling="255")
EQUAL_WEIGHTS = Segmentation(scaling="255", ejecta_ratio_weights=False)
CONNECTION = Connection(scaling="255", balance_weights=False)
NO_AUGMENTATION = {
    "flips": False,
    "contrast": 0.0,
    "brightness": 0.0,
    "blur_px": 0.0,
    "quarter_turns": False,
}
PAIRS = [
    Pair(Crater(1, "A", 0, 0, 1e4), k, Window(0, 0, 4, 4), 1e5 * k, k == 0, 1.0) for k in range(5)
]


def scaling_of(source: Source) -> ChannelScaling:
    return ChannelScaling.of_bands(source.world.mosaic, "255")


@pytest.fixture(scope="module")
def source(make_world: Callable[..., World]) -> Source:
    world = make_world()
    return Source(world, make_pairs(world, 8))


def test_corridors_with_their_targets_and_weights(source: Source) -> None:
    data = CorridorDataset([source], VIEWS, CONNECTION, augmented=False, seed=0)
    assert len(data) == len(source.pairs)
    grid = source.world.mosaic.grid
    for index in (0, 10, len(data) - 1):
        sample, pair = data[0, index], source.pairs[index]
        assert sample["inputs"].shape == (3, 16, 64)
        assert sample["inputs"].dtype == torch.float32
        assert sample["target"] == float(pair.connected)
        assert sample["weight"] == 1
        chip = largest_chip(pair.crater, pair.window, grid)
        mosaic, scaling = source.world.mosaic, scaling_of(source)
        expected = corridor_sampler(mosaic, scaling, pair.crater, (64, 16)).read(chip)
        assert np.allclose(sample["inputs"], expected, atol=1e-3)
    batch = torch.utils.data.default_collate([data[0, 0], data[0, 1]])
    assert batch["target"].shape == batch["weight"].shape == (2,)


def test_chips_with_their_targets_metadata_and_weights(source: Source) -> None:
    sources = connected_only([source, source])
    connected = [pair for pair in source.pairs if pair.connected]
    data = ChipDataset(sources, VIEWS, SEGMENTATION, augmented=False, seed=0)
    assert len(data) == 2 * len(connected)
    world = source.world
    assert world.labels is not None
    for index in (0, 7, len(connected) + 3):
        sample, pair = data[0, index], connected[index % len(connected)]
        chip = largest_chip(pair.crater, pair.window, world.mosaic.grid)
        expected = chip_sampler(world.mosaic, scaling_of(source), pair.crater, 48).read(chip)
        places = chip.places(pair.crater, world.mosaic.grid.radius_m, 48)
        truth = world.labels.sample(pair.crater.crater_id, *places)
        assert sample["inputs"].shape == (3, 48, 48)
        assert np.allclose(sample["inputs"], expected, atol=1e-6)
        assert np.array_equal(sample["target"], truth)
        metadata = crater_metadata(world.mosaic, scaling_of(source), pair.crater, (2.0, 3.0))
        assert np.array_equal(sample["metadata"], metadata)
        assert sample["weight"] == pytest.approx(ejecta_ratio_weight(pair.ejecta_ratio))
    equal = ChipDataset([source], VIEWS, EQUAL_WEIGHTS, augmented=False, seed=0)
    assert len(equal) == len(source.pairs)
    assert all(equal[0, k]["weight"] == 1 for k in range(len(equal)))
    empty = next(k for k, pair in enumerate(source.pairs) if not pair.connected)
    assert not equal[0, empty]["target"].any()


def test_distance_only_chips_equal_those_of_the_segmentation_network(source: Source) -> None:
    chips = ChipDataset([source], VIEWS, EQUAL_WEIGHTS, augmented=False, seed=0)
    data = DistanceOnlyDataset([source], VIEWS, EQUAL_WEIGHTS, augmented=False, seed=0)
    assert len(data) == len(chips)
    for index in (0, 7):
        assert torch.equal(data[0, index]["inputs"], chips[0, index]["inputs"])
        assert torch.equal(data[0, index]["target"], chips[0, index]["target"])


def test_agnostic_chips_have_any_crater_s_ejecta_and_no_distance(source: Source) -> None:
    (reduced,) = once_per_tile([source])
    assert len(reduced.pairs) == len({p.tile_id for p in source.pairs}) < len(source.pairs)
    for pair in reduced.pairs:
        distances_m = [p.distance_m for p in source.pairs if p.tile_id == pair.tile_id]
        assert pair.distance_m == min(distances_m)
    data = AgnosticDataset([reduced], VIEWS, EQUAL_WEIGHTS, augmented=False, seed=0)
    labels = source.world.labels
    assert labels is not None
    with_other_ejecta = 0
    assert len(data) == len(reduced.pairs)
    for index, pair in enumerate(reduced.pairs):
        sample = data[0, index]
        chip = largest_chip(pair.crater, pair.window, source.world.mosaic.grid)
        sampler = chip_sampler(source.world.mosaic, scaling_of(source), pair.crater, 48)
        assert np.array_equal(sample["inputs"], sampler.read(chip)[:2])
        places = chip.places(pair.crater, source.world.mosaic.grid.radius_m, 48)
        truth = labels.sample(1, *places) | labels.sample(2, *places)
        assert np.array_equal(sample["target"], truth)
        own = labels.sample(pair.crater.crater_id, *places)
        with_other_ejecta += bool((truth & ~own).any())
    assert with_other_ejecta > 0


# --- weights


def test_the_ejecta_ratio_weight_is_the_published_one() -> None:
    assert ejecta_ratio_weight(10) == pytest.approx(0.95, abs=1e-3)
    assert ejecta_ratio_weight(1) == pytest.approx(1 / (1 + np.exp(-0.294)))
    assert ejecta_ratio_weight(2) > ejecta_ratio_weight(1)
    assert ejecta_ratio_weight(np.inf) == 1


def test_weights_of_pairs_are_1_without_the_settings() -> None:
    assert connection_weights(PAIRS, Connection(balance_weights=False)) == [1.0] * 5
    assert connection_weights([], Connection(balance_weights=True, distance_weight=1)) == []


def test_balanced_weights_are_inverse_to_the_size_of_the_class() -> None:
    weights = connection_weights(PAIRS, Connection(balance_weights=True))
    assert weights == pytest.approx([2.5, *[0.625] * 4])
    assert weights[0] == pytest.approx(sum(weights[1:]))


def test_the_distance_weight_increases_linearly() -> None:
    weights = connection_weights(PAIRS, Connection(distance_weight=2.0, balance_weights=False))
    assert weights == pytest.approx([1, 1.5, 2, 2.5, 3])
    both = connection_weights(PAIRS, Connection(distance_weight=2.0, balance_weights=True))
    assert both == pytest.approx(np.array(weights) * [2.5, *[0.625] * 4])


# --- augmentation


def is_jittered(changed: np.ndarray, original: np.ndarray) -> bool:
    """Whether one channel is the other with a small change of contrast and brightness."""
    x, y = original.ravel().astype(float), changed.ravel().astype(float)
    fit = np.polyfit(x, y, 1)
    return 0.75 < fit[0] < 1.25 and bool(np.abs(np.polyval(fit, x) - y).max() < 1e-5)


def test_an_augmented_corridor_keeps_its_direction_and_marker() -> None:
    rng = np.random.default_rng(0)
    picture = rng.random((3, 16, 64)).astype(np.float32)
    picture[2] = rng.random((16, 64)) > 0.7
    augmentation = CorridorAugmentation(flips=True, contrast=0.2, brightness=0.2)
    mirrored = 0
    for _ in range(20):
        changed = augment_corridor(picture, augmentation, rng)
        flipped = not np.array_equal(changed[2], picture[2])
        expected = picture[:, ::-1] if flipped else picture
        assert np.array_equal(changed[2], expected[2])
        assert is_jittered(changed[0], expected[0])
        assert is_jittered(changed[1], expected[1])
        mirrored += flipped
    assert 3 < mirrored < 17


def test_distance_and_target_of_a_chip_are_flipped_and_turned_with_its_bands() -> None:
    rng = np.random.default_rng(0)
    picture = rng.random((4, 12, 12)).astype(np.float32)
    turns = [np.rot90(turn, k, (1, 2)) for turn in (picture, picture[..., ::-1]) for k in range(4)]
    augmentation = ChipAugmentation(flips=True, quarter_turns=True, contrast=0.2, brightness=0.2)
    drawn = set()
    for _ in range(100):
        changed = augment_chip(picture, augmentation, rng)
        (k,) = (k for k, view in enumerate(turns) if np.array_equal(changed[3], view[3]))
        assert np.array_equal(changed[2], turns[k][2])
        assert is_jittered(changed[0], turns[k][0])
        drawn.add(k)
    assert drawn == set(range(8))


def augmented_chip(**settings: object) -> np.ndarray:
    """The same chip, augmented with some settings and the same random numbers."""
    picture = np.random.default_rng(3).random((4, 12, 12)).astype(np.float32)
    augmentation = ChipAugmentation(**(NO_AUGMENTATION | settings))  # type: ignore[arg-type]
    return augment_chip(picture, augmentation, np.random.default_rng(5))


def test_settings_of_augmentation_act_alone_and_together() -> None:
    same = augmented_chip()
    assert np.array_equal(same, np.random.default_rng(3).random((4, 12, 12)).astype(np.float32))
    brighter = augmented_chip(brightness=0.5)[:2] - same[:2]
    assert np.allclose(brighter, brighter[:, :1, :1], atol=1e-6)
    assert (np.abs(brighter) > 0.01).all()
    blurred = augmented_chip(blur_px=3.0)
    assert (blurred[:2].std(axis=(1, 2)) < 0.5 * same[:2].std(axis=(1, 2))).all()
    assert np.allclose(blurred[:2].mean(axis=(1, 2)), same[:2].mean(axis=(1, 2)), atol=0.05)
    assert np.array_equal(blurred[2:], same[2:])
    # Another setting does not change the random numbers of the others.
    both = augmented_chip(flips=True, quarter_turns=True, contrast=0.3)
    assert np.array_equal(both[2:], augmented_chip(flips=True, quarter_turns=True)[2:])


def test_augmentation_depends_only_on_seed_epoch_and_index(source: Source) -> None:
    augmentation = ChipAugmentation(**(NO_AUGMENTATION | {"contrast": 0.5}))  # type: ignore[arg-type]
    settings = Segmentation(scaling="255", augment=augmentation)
    one, two = (ChipDataset([source], VIEWS, settings, augmented=True, seed=s) for s in (1, 2))
    before = one.arrays[0].copy()
    first = one[0, 0]["inputs"]
    assert not torch.equal(first, one[1, 0]["inputs"])
    assert not torch.equal(first, two[0, 0]["inputs"])
    assert torch.equal(first, one[0, 0]["inputs"])
    assert np.array_equal(one.arrays[0], before)
