"""Calibration of a context network's probabilities, depending on the distance from the crater.

Networks trained with an overlap loss (Dice) predict few intermediate probabilities. Far from the crater, where rays are
faint, they are underconfident: about a third of the cells with a low probability are ejecta. The calibration maps a
predicted probability to the fraction of such cells that are ejecta, measured on planets not used for training
(`training.calibration`).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from ejectamap.world.sphere import Array

LIMIT = 1e-6
"""Probabilities are limited to this distance from 0 and 1, so that their log-odds are finite."""
MIN_PROBABILITY = 0.02
"""Lower probabilities are left out of a fit: they belong to most of a planet's cells, and would dominate it."""
MAX_RANGE_RADII = 30.0
"""In crater radii. At greater ranges there are too few rays to fit the dependence on range."""


@dataclass(frozen=True)
class RangeCalibration:
    """Logistic calibration (Platt 1999) whose two coefficients change with log10 of range in crater radii.

    The calibrated log-odds are `level + range_level log10 r + (slope + range_slope log10 r) log-odds`, where r is the
    range, but at most 30. A probability p below 0.02 becomes p / 0.02 times the calibrated value of 0.02.
    """

    level: float
    slope: float
    range_level: float
    range_slope: float

    def apply(
        self, probability: npt.NDArray[np.float32], range_radii: Array
    ) -> npt.NDArray[np.float32]:
        """Calibrate the probabilities of a polar view.

        Parameters
        ----------
        probability : float32 array (rows, cols)
            In [0, 1].
        range_radii : array (rows,)
            Range of each row in crater radii; above 0.
        """
        return self.at(probability, range_radii[:, None])

    def at(
        self, probability: npt.NDArray[np.floating], range_radii: Array
    ) -> npt.NDArray[np.float32]:
        """Calibrate probabilities at ranges, in crater radii; the two arrays broadcast."""
        log_range = np.log10(np.minimum(range_radii, MAX_RANGE_RADII))
        log_odds = logit(np.clip(probability.astype(np.float64), MIN_PROBABILITY, 1 - LIMIT))
        level = self.level + self.range_level * log_range
        slope = self.slope + self.range_slope * log_range
        factor = np.minimum(probability / MIN_PROBABILITY, 1.0)
        return np.asarray(factor * expit(level + slope * log_odds), np.float32)
