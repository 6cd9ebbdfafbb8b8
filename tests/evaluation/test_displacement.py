"""Figures of displacement against values computed by hand."""

import math

import numpy as np
import pytest

from ejectamap.evaluation.counts import harmonic_mean
from ejectamap.evaluation.crater_rasters import CraterRasters
from ejectamap.evaluation.structure import displacement_figures

SIDE = 120
ROW, COL = np.indices((SIDE, SIDE)) + 0.5 - SIDE / 2
AWAY = np.hypot(ROW, COL)
RAY = (COL > -3) & (COL < 3) & (ROW < 0) & (AWAY < 50)
"""A ray to the north, 30 km wide and 500 km long."""


def figures(truth, prediction, spacing_km=10.0, rim_km=20.0):
    centre = SIDE / 2, SIDE / 2
    everywhere = np.ones_like(truth)
    return displacement_figures(
        CraterRasters(truth, prediction, everywhere, spacing_km, centre, rim_km)
    )


def bar(*slices):
    mask = np.zeros((SIDE, SIDE), bool)
    for part in slices:
        mask[part] = True
    return mask


def test_the_score_of_a_false_cell_decreases_with_its_distance_from_the_truth():
    truth = bar(np.s_[10, 20:30])
    # A cell displaced by three cells of 10 km scores 1/2, by six cells 1 / (1 + 2²).
    assert figures(truth, bar(np.s_[13, 20:30]))["structure_precision"] == pytest.approx(1 / 2)
    assert figures(truth, bar(np.s_[4, 20:30]))["structure_precision"] == pytest.approx(1 / 5)
    both = figures(truth, bar(np.s_[10, 20:30], np.s_[13, 20:30]))
    assert both["structure_precision"] == pytest.approx(3 / 4)


def test_a_gap_is_missed_however_near_the_ray_continues():
    truth = AWAY < 50
    ring = (AWAY >= 20) & (AWAY < 26)
    result = figures(truth, truth & ~ring)
    # By area of the ring, whose ends are jagged, over all beyond the rim at two cells.
    missed = (26**2 - 20**2) / (50**2 - 2**2)
    assert result["structure_recall"] == pytest.approx(1 - missed, abs=0.02)
    assert result["structure_precision"] == 1
    assert result["structure"] == pytest.approx(harmonic_mean(1, result["structure_recall"]))


def test_a_ray_beside_its_place_counts_nearly_whole():
    # Moved by two cells: of its six cells across, two are missed, by two cells and by one.
    beside = figures(RAY, np.roll(RAY, 2, 1))
    expected = (4 + 1 / (1 + (1 / 3) ** 2) + 1 / (1 + (2 / 3) ** 2)) / 6
    assert beside["structure_precision"] == pytest.approx(expected, abs=0.01)
    assert beside["structure_recall"] == pytest.approx(expected, abs=0.03)
    broken = figures(RAY, RAY & (-ROW % 10 < 5))
    assert broken["structure_recall"] == pytest.approx(0.5, abs=0.05)
    assert broken["structure"] < beside["structure"]


def test_ranges_without_mapped_cells_have_no_recall():
    cut_off = figures(RAY, RAY & (AWAY < 26))
    # A ray as wide everywhere: by length.
    assert cut_off["structure_recall"] == pytest.approx((26 - 2) / (50 - 2), abs=0.03)


def test_first_and_last_azimuth_are_neighbours():
    north = (COL < 0) & (COL > -2) & (ROW < 0) & (AWAY < 50)
    other_side = (COL > 0) & (COL < 2) & (ROW < 0) & (AWAY < 50)
    assert figures(north, other_side)["structure_recall"] > 0.8


def test_the_score_depends_on_kilometres_not_cells():
    shifted = np.roll(RAY, 3, 1)
    coarse, fine = (figures(RAY, shifted, km, 2 * km) for km in (10.0, 1.0))
    assert fine["structure"] > coarse["structure"]
    assert fine["structure"] > 0.98


@pytest.mark.parametrize("turns", range(4))
def test_invariant_to_rotation(turns):
    rng = np.random.default_rng(0)
    prediction = RAY & (rng.random(RAY.shape) < 0.5)
    one = figures(RAY, prediction)
    other = figures(np.rot90(RAY, turns), np.rot90(prediction, turns))
    assert other == pytest.approx(one, abs=0.02)


def test_perfect_empty_and_nothing_beyond_the_rim():
    assert figures(RAY, RAY) == {"structure": 1, "structure_precision": 1, "structure_recall": 1}
    nothing = figures(RAY, np.zeros_like(RAY))
    assert nothing == {"structure": 0, "structure_precision": 0, "structure_recall": 0}
    inside = figures(AWAY < 1, AWAY < 1, rim_km=30.0)
    assert math.isnan(inside["structure_recall"])
    assert math.isnan(inside["structure"])
