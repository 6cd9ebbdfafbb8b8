"""Rings, deciles and sectors against plain numpy on the sphere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ejectamap.evaluation.counts import compare
from ejectamap.evaluation.rings import (
    DECILES,
    SECTORS,
    RingTable,
    decile_edges_m,
    true_decile_edges_m,
    within_reach,
)
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Window
from ejectamap.world.sphere import bearing, distance


def filled(grid, crater, reach_m, seed=0):
    """A table of random masks over the whole globe, and these masks."""
    rng = np.random.default_rng(seed)
    truth, prediction = rng.random((2, *grid.shape)) < 0.3
    stored = rng.integers(0, 256, grid.shape).astype(np.uint8)
    lon, lat = np.broadcast_arrays(*grid.centres(grid.whole))
    away_m = distance(crater.lon, crater.lat, lon, lat, grid.radius_m)
    area = np.broadcast_to(grid.row_area_m2[:, None], grid.shape)
    true = truth & (away_m >= crater.radius_m) & (away_m <= reach_m)
    edges_m = decile_edges_m(away_m[true], area[true])
    table = RingTable.empty(crater, reach_m, edges_m)
    table.count(grid, grid.whole, truth, prediction, stored)
    return table, truth, prediction, away_m, bearing(crater.lon, crater.lat, lon, lat)


@settings(max_examples=15)
@given(st.floats(-180, 179), st.floats(-90, 90), st.sampled_from([0.2, 0.4, 1.1]))
def test_rings_against_numpy(grid, lon, lat, reach):
    crater = Crater(0, "A", lon, lat, 130e3)
    reach_m = reach * np.pi * grid.radius_m
    table, truth, prediction, away_m, direction = filled(grid, crater, reach_m)
    area_km2 = grid.row_area_m2[:, None] / 1e6
    within = away_m <= reach_m
    beyond = within & (away_m >= crater.radius_m)
    ratio = away_m / crater.radius_m
    assert table.distances()["3-10"] == compare(
        prediction, truth, within & (ratio >= 3) & (ratio < 10)
    )
    assert table.pixels.sum() == within.sum() == table.levels.sum()
    for name, counts in table.reliability().items():
        classed = table.distances()[name]
        assert counts.levels[1].sum() == classed.tp + classed.fn
    expected = compare(prediction, truth, beyond, area_km2)
    assert table.outside_km2().to_dict() == pytest.approx(expected.to_dict(), nan_ok=True)
    for k, name in enumerate(SECTORS):
        expected = compare(prediction, truth, beyond & (direction // 45 == k), area_km2)
        assert table.sectors()[name].tp == pytest.approx(expected.tp, abs=1e-3)
        assert table.sectors()[name].tn == pytest.approx(expected.tn, abs=1e-3)


def test_each_decile_holds_a_tenth_of_the_true_ejecta(grid):
    crater = Crater(0, "A", 30.0, 40.0, 130e3)
    reach_m = 0.5 * np.pi * grid.radius_m
    table, truth, _, away_m, _ = filled(grid, crater, reach_m)
    rows = table.deciles()
    true_km2 = [row.tp + row.fn for row in rows]
    assert true_km2 == pytest.approx([np.mean(true_km2)] * DECILES, rel=0.03)
    total = sum(row.tp + row.fp + row.fn + row.tn for row in rows)
    beyond = table.outside_km2()
    assert total == pytest.approx(beyond.tp + beyond.fp + beyond.fn + beyond.tn)
    inner = truth & (away_m >= crater.radius_m) & (away_m < table.deciles_m[0])
    inner_km2 = (inner * grid.row_area_m2[:, None]).sum() / 1e6
    assert true_km2[0] == pytest.approx(inner_km2)


def test_ten_equal_pixels_are_a_decile_each():
    away_m = np.array([7.0, 1, 9, 3, 0, 5, 2, 8, 4, 6])
    np.testing.assert_array_equal(decile_edges_m(away_m, np.full(10, 0.1)), np.arange(1, 10))
    assert (decile_edges_m(np.zeros(0), np.zeros(0)) == 0).all()


@settings(max_examples=15)
@given(st.floats(-180, 179), st.floats(-90, 90), st.sampled_from([0.2, 1.1]), st.integers(0, 9))
def test_deciles_computed_window_by_window(grid, lon, lat, reach, seed):
    crater = Crater(0, "A", lon, lat, 130e3)
    reach_m = reach * np.pi * grid.radius_m
    truth = np.random.default_rng(seed).random(grid.shape) < 0.05 * (seed > 0)
    places = np.broadcast_arrays(*grid.centres(grid.whole))
    away_m = distance(crater.lon, crater.lat, *places, grid.radius_m)
    near = within_reach(crater, grid, grid.whole, truth, reach_m)
    assert (near == (truth & (away_m <= reach_m))).all()
    true = near & (away_m >= crater.radius_m)
    area = np.broadcast_to(grid.row_area_m2[:, None], grid.shape)
    windows = [Window(row, 32 * k, 16, 32) for row in range(0, 64, 16) for k in range(4)]

    def read(window):
        return truth[
            window.row : window.row + window.height, window.col : window.col + window.width
        ]

    edges_m = true_decile_edges_m(crater, grid, reach_m, read, windows)
    # Rounding may put pixels at the same distance in either order; the edge is then the distance of either.
    assert edges_m == pytest.approx(decile_edges_m(away_m[true], area[true]), abs=0.01)
