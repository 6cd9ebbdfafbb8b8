"""How far a pooled figure might lie from this one, had other craters been labelled."""

from collections.abc import Sequence

import numpy as np

from ejectamap.evaluation.counts import Counts, none_if_nan

Interval = list[float | None]

_ROUNDS = 2000
_PERCENTILES = (2.5, 97.5)


def intervals(counts: Sequence[Counts], seed: int = 0) -> dict[str, Interval]:
    """95 % intervals of pooled F1, precision, recall and IoU, by the percentile bootstrap over craters.

    Whole craters are drawn with replacement, as pixels of one crater depend on one another (Efron and Tibshirani
    1993, An Introduction to the Bootstrap, ch. 13).

    Parameters
    ----------
    counts : sequence of Counts
        One per crater.
    seed : int

    Returns
    -------
    dict of str to [low, high]; None for both with fewer than two craters, or where a figure is never defined.
    """
    table = np.array([(c.tp, c.fp, c.fn) for c in counts], np.float64).reshape(-1, 3)
    n = len(table)
    if n < 2:
        return {name: [None, None] for name in ("f1", "precision", "recall", "iou")}
    draws = np.random.default_rng(seed).integers(0, n, (_ROUNDS, n))
    tp, fp, fn = table[draws].sum(axis=1).T
    parts = {
        "f1": (2 * tp, 2 * tp + fp + fn),
        "precision": (tp, tp + fp),
        "recall": (tp, tp + fn),
        "iou": (tp, tp + fp + fn),
    }
    found = {}
    for name, (part, whole) in parts.items():
        figures = part[whole > 0] / whole[whole > 0]
        low, high = np.percentile(figures, _PERCENTILES) if figures.size else (np.nan, np.nan)
        found[name] = [none_if_nan(float(low)), none_if_nan(float(high))]
    return found
