"""Calibration of probabilities: its formula, its limits, and its fit."""

import numpy as np
import pytest
from scipy.special import expit, logit

from ejectamap.networks.calibration import RangeCalibration
from ejectamap.training.calibration import fit_calibration

CALIBRATION = RangeCalibration(level=-0.5, slope=0.7, range_level=0.5, range_slope=-0.2)


def test_the_formula_by_hand() -> None:
    predicted = np.array([[0.5, 0.9], [0.2, 0.2]], np.float32)
    calibrated = CALIBRATION.apply(predicted, np.array([1.0, 10.0]))
    nine = np.log(9)
    expected = [[-0.5, -0.5 + 0.7 * nine], [0.5 * np.log(0.25)] * 2]
    assert calibrated.dtype == np.float32
    assert calibrated == pytest.approx(expit(np.array(expected)), rel=1e-5)


def test_results_are_finite_and_increasing_and_constant_beyond_30_radii() -> None:
    predicted = np.linspace(0, 1, 50, dtype=np.float32)[None]
    calibrated = CALIBRATION.apply(predicted, np.array([300.0]))
    assert np.array_equal(calibrated, CALIBRATION.apply(predicted, np.array([30.0])))
    assert calibrated[0, 0] == 0
    assert np.isfinite(calibrated).all()
    assert (np.diff(calibrated) > 0).all()


def test_a_fit_recovers_the_coefficients_of_simulated_data() -> None:
    rng = np.random.default_rng(0)
    radii = np.exp(rng.uniform(0, np.log(30), 200_000))
    predicted = expit(rng.normal(-1, 2, radii.size))
    truth = rng.random(radii.size) < expit(
        -0.5 + 0.5 * np.log10(radii) + (0.7 - 0.2 * np.log10(radii)) * logit(predicted)
    )
    fitted = fit_calibration(predicted, radii, truth, np.ones(radii.size))
    coefficients = [fitted.level, fitted.slope, fitted.range_level, fitted.range_slope]
    assert coefficients == pytest.approx([-0.5, 0.7, 0.5, -0.2], abs=0.05)


def test_weights_count_and_low_probabilities_do_not() -> None:
    predicted, radii = np.full(400, 0.3), np.full(400, 5.0)
    truth = np.arange(400) % 4 == 0
    weight = np.where(truth, 3.0, 1.0)
    calibrated = fit_calibration(predicted, radii, truth, weight).apply(
        np.full((1, 1), 0.3, np.float32), np.array([5.0])
    )
    assert calibrated[0, 0] == pytest.approx(0.5, abs=1e-3)
    low = np.full(100, 0.001)
    with_low = fit_calibration(
        np.r_[predicted, low], np.r_[radii, low + 5], np.r_[truth, low > 1], np.r_[weight, low]
    )
    assert with_low == fit_calibration(predicted, radii, truth, weight)
