"""Percentile bootstrap over craters: 95 % intervals of figures that are pooled over several craters."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ejectamap.evaluation.counts import Counts, none_if_nan
from ejectamap.world.sphere import Array

Interval = list[float | None]
Draws = npt.NDArray[np.int64]

_DRAWS = 2000
_MOST_DRAWS = 100_000  # more would take too much memory
_TAIL_PERCENT = 2.5  # left out at either end of an interval


def bootstrap_interval(
    craters: int | Sequence[int],
    statistics: Callable[[Draws], Array],
    seed: int,
    draws: int = _DRAWS,
    comparisons: int = 1,
) -> tuple[Array, Array]:
    """95 % interval of one or more statistics by the percentile bootstrap over craters.

    Whole craters are drawn with replacement, because the pixels (or pairs) of one crater depend on one another (Efron
    and Tibshirani 1993, An Introduction to the Bootstrap, ch. 13).

    Parameters
    ----------
    craters : int, or sequence of int
        Number of craters, at least 2; or of each of several planets, whose craters are drawn apart.
    statistics : callable
        Indices of the craters in each draw, shape (draws, craters), to the statistics of each draw, shape (draws, k);
        nan where a draw leaves one undefined. Craters of several planets stand side by side, and are numbered on.
    seed : int
    draws : int
    comparisons : int
        Of how many such intervals all are to hold together with 95 % probability (Bonferroni's correction); there are
        up to as many times more draws.

    Returns
    -------
    low, high : float array (k,)
        nan for a statistic that no draw defines.
    """
    # scipy.stats.bootstrap makes the same draws, but returns nan as soon as one draw leaves the statistic undefined
    # (draws of craters without ejecta do), and its percentiles differ in the last digit, so that files written earlier
    # would change.
    sizes = [craters] if isinstance(craters, int) else craters
    rng = np.random.default_rng(seed)
    number = min(draws * comparisons, max(draws, _MOST_DRAWS))
    samples = [rng.integers(0, n, (number, n)) + sum(sizes[:k]) for k, n in enumerate(sizes)]
    values = statistics(np.concatenate(samples, axis=1))
    low, high = np.full((2, values.shape[1]), np.nan)
    tail = _TAIL_PERCENT / comparisons
    for k, column in enumerate(values.T):
        defined = column[~np.isnan(column)]
        if defined.size:
            low[k], high[k] = np.percentile(defined, (tail, 100 - tail))
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
