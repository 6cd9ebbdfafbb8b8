"""Far rays that a context network predicts at too low a level.

Around a crater whose rays cross the planet a network may predict most of the far ones at probabilities of 0.05 to 0.3,
as streaks that stand out clearly from the ground beside them: it has the rays, but not their level. Such a crater shows
it: these streaks then cover more ground than all far rays that the network is sure of. Only there, their probabilities
are raised to what was measured on planets with known ejecta; where the network is sure of most far rays, as many of the
faint streaks are false, and nothing is changed.
"""

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.special import logit

from ejectamap.world.grid import Bools
from ejectamap.world.mosaic import Floats
from ejectamap.world.sphere import Array

FAR_RADII = 10.0
"""Range in crater radii beyond which probabilities may be raised."""
FAINT, CLEAR = 0.05, 0.3
"""Probabilities of faint streaks; above the second one a ray is clear."""
LIFT, LARGEST = 0.26, 0.56
"""What is added to the probability of a faint streak, up to the second value.

On seven such craters of simulated planets (of 32 with a reach above 0.25, other seeds than those of any training) 0.31
to 0.53 of the faint streaks, whose mean probability was 0.16, were ejecta.
"""
MIN_RATIO = 1.1
"""Ground of faint streaks over that of clear far rays at which probabilities are raised.

Most giants of simulated planets, and all simulated ones on real mosaics, gain from 0.7 on; but around Debussy and Degas
on Mercury, whose ratios are 0.7 to 1.0, people trace fewer faint rays than that.
"""

_STANDS_OUT = 1.5  # standard deviations of the surroundings' log-odds
_SURROUNDINGS = 31, 61  # rows and columns
_ALONG_RANGE = 3  # rows over which log-odds are averaged: rays run along the range
_MIN_DEVIATION = 0.3  # on even ground anything would stand out
_MIN_PROBABILITY = 1e-5


def raise_faint_rays(probability: Floats, range_radii: Array, cell_area_m2: Array) -> Floats:
    """Raise the probabilities of far, faint streaks if they cover more ground than the clear far rays.

    Parameters
    ----------
    probability : float32 array (rows, cols)
        Calibrated probabilities in a polar view, in [0, 1].
    range_radii : array (rows,)
        Range of each row, in crater radii.
    cell_area_m2 : array (rows, 1)
        Area of a cell of each row.

    Returns
    -------
    float32 array (rows, cols)
        In [0, 1], nowhere lower; the argument itself if nothing is raised.
    """
    far = range_radii[:, None] > FAR_RADII
    candidates = far & (probability > FAINT) & _stands_out(probability)
    faint_m2 = ((candidates & (probability <= CLEAR)) * cell_area_m2).sum()
    clear_m2 = ((far & (probability > CLEAR)) * cell_area_m2).sum()
    if faint_m2 == 0 or faint_m2 < MIN_RATIO * clear_m2:
        return probability
    raised = np.maximum(probability, np.minimum(probability + LIFT, LARGEST))
    return np.where(candidates, raised, probability).astype(np.float32)


def _stands_out(probability: Floats) -> Bools:
    """Whether the log-odds of each cell stand out from those of its surroundings; bool (rows, cols)."""
    limited = np.clip(probability.astype(np.float64), _MIN_PROBABILITY, 1 - _MIN_PROBABILITY)
    log_odds = uniform_filter1d(logit(limited), _ALONG_RANGE, axis=0, mode="nearest")
    mean = _local_mean(log_odds)
    variance = _local_mean(log_odds**2) - mean**2
    deviation = np.sqrt(np.maximum(variance, _MIN_DEVIATION**2))
    return np.asarray(log_odds - mean > _STANDS_OUT * deviation)


def _local_mean(values: Array) -> Array:
    """Mean over the surroundings of each cell; columns are a closed circle."""
    rows, cols = _SURROUNDINGS
    along = uniform_filter1d(values, cols, axis=1, mode="wrap")
    return np.asarray(uniform_filter1d(along, rows, axis=0, mode="nearest"))
