"""What a context network's probabilities are worth, near the crater and far from it.

A network that learns to overlap with ejecta (Dice) rather than to bet on them hardly ever says "perhaps", and far out,
where rays are faint, its "hardly" proves right a third of the time. What it says is therefore brought to the share of
cells that are ejecta, as was measured on planets that it did not learn from.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logit

Floats = npt.NDArray[np.float64]
_SURE = 1e-6
# Most of a planet is plainly empty, and would decide a fit alone: less than this is not looked at.
_LEAST = 0.02
# In crater radii; farther out there are too few rays to measure anything by.
_FARTHEST = 30.0


@dataclass(frozen=True)
class RangeCalibration:
    """Logistic calibration (Platt 1999) whose two coefficients change with log10 of range in crater radii.

    Log-odds become `level + range_level log10 r + (slope + range_slope log10 r) log-odds`, with r no more than 30.
    Probabilities below 0.02 are no more than in proportion to what becomes of 0.02.
    """

    level: float
    slope: float
    range_level: float
    range_slope: float

    def apply(
        self, probability: npt.NDArray[np.float32], range_radii: Floats
    ) -> npt.NDArray[np.float32]:
        """Calibrate the probabilities of a polar view.

        Parameters
        ----------
        probability : float32 array (rows, cols)
            In [0, 1].
        range_radii : array (rows,)
            Range of each row in crater radii; above 0.
        """
        log_range = np.log10(np.minimum(range_radii, _FARTHEST))[:, None]
        said = logit(np.clip(probability.astype(np.float64), _LEAST, 1 - _SURE))
        level = self.level + self.range_level * log_range
        slope = self.slope + self.range_slope * log_range
        faint = np.minimum(probability / _LEAST, 1.0)
        return np.asarray(faint * expit(level + slope * said), np.float32)


def fit_calibration(
    probability: npt.ArrayLike,
    range_radii: npt.ArrayLike,
    ejecta: npt.ArrayLike,
    weight: npt.ArrayLike,
) -> RangeCalibration:
    """Fit a calibration to cells whose truth is known, by maximum likelihood.

    Parameters
    ----------
    probability, range_radii, ejecta, weight : array_like (n,)
        What the network said, at what range, whether it was right, and how much the cell counts (its area).
    """
    said = np.asarray(probability, np.float64)
    count = said >= _LEAST
    odds = logit(np.clip(said[count], _SURE, 1 - _SURE))
    log_range = np.log10(np.minimum(np.asarray(range_radii, np.float64)[count], _FARTHEST))
    terms = np.stack([np.ones_like(odds), odds, log_range, odds * log_range])
    sign = np.where(np.asarray(ejecta)[count], 1.0, -1.0)
    share = np.asarray(weight, np.float64)[count]
    share = share / share.sum()

    def surprise(numbers: Floats) -> tuple[float, Floats]:
        margin = sign * (numbers @ terms)
        gradient = -terms @ (share * sign * expit(-margin))
        return float(share @ np.logaddexp(0, -margin)), gradient

    found = minimize(surprise, np.array([0.0, 1.0, 0.0, 0.0]), jac=True).x
    return RangeCalibration(*(float(number) for number in found))
