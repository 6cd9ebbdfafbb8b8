from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from ejectamap.project.pairs import (
    Pair,
    distance_class,
    make_pairs,
    split_pairs,
    strata,
)
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.labels import Tile
from ejectamap.world.sphere import distance
from ejectamap.world.world import World

MakeWorld = Callable[..., World]
WINDOW = Window(0, 0, 4, 4)


def pair(tile_id: int, distance_m: float, connected: bool) -> Pair:
    return Pair(Crater(1, "A", 0, 0, 1e4), tile_id, WINDOW, distance_m, connected, 1.0)


def many_pairs(count: int) -> list[Pair]:
    rng = np.random.default_rng(0)
    return [pair(k, 2e6 * np.sqrt(rng.random()), rng.random() < 0.2) for k in range(count)]


def keys(pairs: list[Pair]) -> set[int]:
    return {p.tile_id for p in pairs}


# --- making


def test_every_labelled_crater_is_paired_with_every_tile_in_its_reach(
    make_world: MakeWorld, grid: Grid
) -> None:
    world = make_world()
    pairs = make_pairs(world, 8)
    assert {p.crater.crater_id for p in pairs} == {1, 2}
    assert len({(p.crater.crater_id, p.tile_id) for p in pairs}) == len(pairs)
    for p in pairs:
        w = p.window
        lon, lat = grid.to_lonlat(w.col + w.width / 2, w.row + w.height / 2)
        distance_m = distance(p.crater.lon, p.crater.lat, lon, lat, grid.radius_m)
        assert p.distance_m == pytest.approx(float(distance_m))
        assert distance_m <= p.crater.reach_m(grid.radius_m)


def test_connected_and_ejecta_ratio_follow_from_counts_of_the_labels(make_world: MakeWorld) -> None:
    world = make_world()
    assert world.labels is not None
    one, two = (world.labels.read(crater_id, world.mosaic.grid.whole) for crater_id in (1, 2))
    pairs = make_pairs(world, 8)
    for p in pairs:
        w = p.window
        pixels = np.s_[w.row : w.row + w.height, w.col : w.col + w.width]
        own = (one if p.crater.crater_id == 1 else two)[pixels].sum()
        assert p.connected == (own > 0)
        assert p.ejecta_ratio == ((one | two)[pixels].sum() / own if own else np.inf)
    ratios = [p.ejecta_ratio for p in pairs if p.connected]
    assert min(ratios) == 1
    assert 1 < max(ratios) < np.inf


def test_given_tiles_are_paired_with_every_crater_in_reach(make_world: MakeWorld) -> None:
    tiles = (
        Tile(7, Window(24, 66, 8, 8)),
        Tile(9, Window(40, 8, 8, 8)),
        Tile(11, Window(0, 0, 4, 4)),
    )
    pairs = make_pairs(make_world(tiles), 8)
    assert [(p.crater.crater_id, p.tile_id, p.connected) for p in pairs] == [
        (1, 7, True),
        (2, 7, True),
        (3, 9, False),
    ]


def test_a_tile_that_was_labelled_for_some_craters_is_paired_with_these(
    make_world: MakeWorld,
) -> None:
    window = Window(24, 66, 8, 8)
    tiles = (Tile(7, window, frozenset({2, 3})), Tile(8, window, frozenset({3})))
    pairs = make_pairs(make_world(tiles), 8)
    assert [(p.crater.crater_id, p.tile_id) for p in pairs] == [(2, 7)]


def test_a_tile_across_the_edge_of_the_mosaic_is_one_tile(make_world: MakeWorld) -> None:
    world = make_world((Tile(1, Window(40, 124, 8, 8)),))
    (only,) = make_pairs(world, 8)
    assert only.crater.crater_id == 3
    assert only.distance_m < 1.5e6


def test_there_are_no_pairs_without_labels(make_world: MakeWorld) -> None:
    assert make_pairs(make_world(labelled=False), 8) == []


# --- splitting


def test_strata_are_connectedness_and_five_intervals() -> None:
    pairs = [
        pair(k, d, c)
        for k, (d, c) in enumerate([(0, False), (1, True), (999e3, True), (1e6, False)])
    ]
    assert strata(pairs) == [0, 1, 9, 8]
    assert [distance_class(p, 1e6) for p in pairs] == [0, 0, 4, 4]
    counts = Counter(strata([pair(k, k * 1e4, False) for k in range(100)]))
    assert counts == {0: 20, 2: 20, 4: 20, 6: 20, 8: 20}


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5])
def test_a_split_is_disjoint_complete_and_stratified(fraction: float) -> None:
    pairs = many_pairs(600)
    large, small = split_pairs(pairs, fraction, seed=3)
    assert keys(large).isdisjoint(keys(small))
    assert keys(large) | keys(small) == set(range(600))
    assert len(small) == round(fraction * 600)
    classes = strata(pairs)
    all_counts, small_counts = Counter(classes), Counter(classes[p.tile_id] for p in small)
    for stratum, count in all_counts.items():
        assert abs(small_counts[stratum] - fraction * count) <= 1


def test_the_split_depends_on_the_seed() -> None:
    pairs = many_pairs(200)
    assert split_pairs(pairs, 0.2, 1) == split_pairs(pairs, 0.2, 1)
    assert split_pairs(pairs, 0.2, 1) != split_pairs(pairs, 0.2, 2)
    large, _ = split_pairs(pairs, 0.2, 1)
    assert [p.tile_id for p in large] == sorted(keys(large))


def test_a_stratum_of_one_goes_to_the_large_part() -> None:
    pairs = [*(pair(k, 1e5, False) for k in range(20)), pair(99, 2e6, True)]
    for seed in range(5):
        large, small = split_pairs(pairs, 0.2, seed)
        assert 99 in keys(large)
        assert len(small) == 4


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_pairs_are_not_split(count: int) -> None:
    pairs = [pair(k, 1e5 + k, k % 2 == 0) for k in range(count)]
    assert split_pairs(pairs, 0.2, 0) == (pairs, [])


def test_a_fraction_of_0_leaves_all_in_the_large_part() -> None:
    pairs = many_pairs(50)
    assert split_pairs(pairs, 0.0, 0) == (pairs, [])
