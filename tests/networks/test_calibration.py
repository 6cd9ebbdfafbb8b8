"""Probabilities are brought to what they are worth."""

import numpy as np
import pytest
from scipy.special import expit, logit

from ejectamap.networks.calibration import RangeCalibration, fit_calibration

FAINT_FAR = RangeCalibration(level=-0.5, slope=0.7, range_level=0.5, range_slope=-0.2)


def test_the_formula_by_hand() -> None:
    said = np.array([[0.5, 0.9], [0.2, 0.2]], np.float32)
    found = FAINT_FAR.apply(said, np.array([1.0, 10.0]))
    nine = np.log(9)
    expected = [[-0.5, -0.5 + 0.7 * nine], [0.5 * np.log(0.25)] * 2]
    assert found.dtype == np.float32
    assert found == pytest.approx(expit(np.array(expected)), rel=1e-5)


def test_certainty_stays_finite_and_order_stays() -> None:
    said = np.linspace(0, 1, 50, dtype=np.float32)[None]
    found = FAINT_FAR.apply(said, np.array([300.0]))
    assert np.array_equal(found, FAINT_FAR.apply(said, np.array([30.0])))
    assert found[0, 0] == 0
    assert np.isfinite(found).all()
    assert (np.diff(found) > 0).all()


def test_a_fit_finds_what_made_the_data() -> None:
    rng = np.random.default_rng(0)
    radii = np.exp(rng.uniform(0, np.log(30), 200_000))
    said = expit(rng.normal(-1, 2, radii.size))
    truth = rng.random(radii.size) < expit(
        -0.5 + 0.5 * np.log10(radii) + (0.7 - 0.2 * np.log10(radii)) * logit(said)
    )
    found = fit_calibration(said, radii, truth, np.ones(radii.size))
    numbers = [found.level, found.slope, found.range_level, found.range_slope]
    assert numbers == pytest.approx([-0.5, 0.7, 0.5, -0.2], abs=0.05)


def test_weights_count_and_hopeless_cells_do_not() -> None:
    said, radii = np.full(400, 0.3), np.full(400, 5.0)
    truth = np.arange(400) % 4 == 0
    weight = np.where(truth, 3.0, 1.0)
    worth = fit_calibration(said, radii, truth, weight).apply(
        np.full((1, 1), 0.3, np.float32), np.array([5.0])
    )
    assert worth[0, 0] == pytest.approx(0.5, abs=1e-3)
    empty = np.full(100, 0.001)
    with_empty = fit_calibration(
        np.r_[said, empty], np.r_[radii, empty + 5], np.r_[truth, empty > 1], np.r_[weight, empty]
    )
    assert with_empty == fit_calibration(said, radii, truth, weight)
