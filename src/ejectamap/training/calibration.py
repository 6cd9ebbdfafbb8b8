"""Fit the calibration of a context network's probabilities to cells whose labels are known."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logit

from ejectamap.networks.calibration import (
    LIMIT,
    MAX_RANGE_RADII,
    MIN_PROBABILITY,
    RangeCalibration,
)
from ejectamap.world.sphere import Array


def fit_calibration(
    probability: npt.ArrayLike,
    range_radii: npt.ArrayLike,
    ejecta: npt.ArrayLike,
    weight: npt.ArrayLike,
) -> RangeCalibration:
    """Fit a calibration to labelled cells, by maximum likelihood.

    Parameters
    ----------
    probability : array_like (n,)
        Predicted probability of each cell, in [0, 1].
    range_radii : array_like (n,)
        Range in crater radii; above 0.
    ejecta : array_like (n,)
        Whether the cell is ejecta, bool.
    weight : array_like (n,)
        Weight of the cell, its area.
    """
    predicted = np.asarray(probability, np.float64)
    used = predicted >= MIN_PROBABILITY
    log_odds = logit(np.clip(predicted[used], LIMIT, 1 - LIMIT))
    log_range = np.log10(np.minimum(np.asarray(range_radii, np.float64)[used], MAX_RANGE_RADII))
    terms = np.stack([np.ones_like(log_odds), log_odds, log_range, log_odds * log_range])
    sign = np.where(np.asarray(ejecta)[used], 1.0, -1.0)
    fraction = np.asarray(weight, np.float64)[used]
    fraction = fraction / fraction.sum()

    def negative_log_likelihood(coefficients: Array) -> tuple[float, Array]:
        margin = sign * (coefficients @ terms)
        gradient = -terms @ (fraction * sign * expit(-margin))
        return float(fraction @ np.logaddexp(0, -margin)), gradient

    start = np.array([0.0, 1.0, 0.0, 0.0])
    coefficients = minimize(negative_log_likelihood, start, jac=True).x
    return RangeCalibration(*(float(coefficient) for coefficient in coefficients))
