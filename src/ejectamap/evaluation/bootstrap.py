"""Percentile bootstrap over craters: 95 % intervals of figures that are pooled over several craters."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ejectamap.evaluation.counts import Counts, none_if_nan
from ejectamap.world.sphere import Array

Interval = list[float | None]
Draws = npt.NDArray[np.int64]

_DRAWS = 2000
_PERCENTILES = (2.5, 97.5)


def bootstrap_interval(
    craters: int, statistics: Callable[[Draws], Array], seed: int, draws: int = _DRAWS
) -> tuple[Array, Array]:
    """95 % interval of one or more statistics by the percentile bootstrap over craters.

    Whole craters are drawn with replacement, because the pixels (or pairs) of one crater depend on one another (Efron
    and Tibshirani 1993, An Introduction to the Bootstrap, ch. 13).

    Parameters
    ----------
    craters : int
        Number of craters, at least 2.
    statistics : callable
        Indices of the craters in each draw, shape (draws, craters), to the statistics of each draw, shape (draws, k);
        nan where a draw leaves one undefined.
    seed : int
    draws : int

    Returns
    -------
    low, high : float array (k,)
        nan for a statistic that no draw defines.
    """
    # scipy.stats.bootstrap makes the same draws, but returns nan as soon as one draw leaves the statistic undefined
    # (draws of craters without ejecta do), and its percentiles differ in the last digit, so that files written earlier
    # would change.
    samples = np.random.default_rng(seed).integers(0, craters, (draws, craters))
    values = statistics(samples)
    low, high = np.full((2, values.shape[1]), np.nan)
    for k, column in enumerate(values.T):
        defined = column[~np.isnan(column)]
        if defined.size:
            low[k], high[k] = np.percentile(defined, _PERCENTILES)
    return low, high


def pooled_intervals(counts: Sequence[Counts], seed: int = 0) -> dict[str, Interval]:
    """95 % intervals of pooled F1, precision, recall and IoU, by the percentile bootstrap over craters.

    Parameters
    ----------
    counts : sequence of Counts
        One per crater.
    seed : int

    Returns
    -------
    dict of str to [low, high]
        None for both with fewer than two craters, or where no draw defines the figure.
    """
    names = ("f1", "precision", "recall", "iou")
    table = np.array([(c.tp, c.fp, c.fn) for c in counts], np.float64).reshape(-1, 3)
    if len(table) < 2:
        return {name: [None, None] for name in names}

    def figures(samples: Draws) -> Array:
        tp, fp, fn = table[samples].sum(axis=1).T
        parts = np.stack([2 * tp, tp, tp, tp], axis=1)
        wholes = np.stack([2 * tp + fp + fn, tp + fp, tp + fn, tp + fp + fn], axis=1)
        ratios = np.full(parts.shape, np.nan)  # nan where undefined
        np.divide(parts, wholes, out=ratios, where=wholes > 0)
        return ratios

    low, high = bootstrap_interval(len(table), figures, seed)
    return {
        name: [none_if_nan(float(low[k])), none_if_nan(float(high[k]))]
        for k, name in enumerate(names)
    }
