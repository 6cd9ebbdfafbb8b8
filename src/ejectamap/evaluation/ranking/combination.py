"""The weighted sum of figures that agrees best with people, tested on craters that it was not fitted to."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.model_selection import GroupKFold

from ejectamap.evaluation.ranking.agreement import Agreement, agreement, kendall_tau
from ejectamap.world.sphere import Array

Rows = npt.NDArray[np.intp]

_FOLDS = 5
_PENALTIES = np.logspace(-4, -1, 7)  # L1 penalties of the weights, in units of the mean log loss
_MIN_CRATERS = 4


@dataclass(frozen=True)
class Combination:
    """A weighted sum of figures, higher for the better map.

    Attributes
    ----------
    weights : dict of str to float
        By figure; figures of weight 0 are left out.
    held_out : Agreement
        Of the weighted sum with people, each crater judged by weights that were fitted to other craters.
    best_single : Agreement
        The same for the single figure that agreed best on the other craters.
    chosen : dict of str to int
        Number of folds in which each figure was that one.
    """

    weights: dict[str, float]
    held_out: Agreement
    best_single: Agreement
    chosen: dict[str, int]


def fit_combination(pairs: pd.DataFrame, differences: pd.DataFrame) -> Combination | None:
    """Fit a logistic regression of people's choices on the differences of figures, with an L1 penalty on the weights.

    Weights are at least 0, so that a better figure never lowers the sum. The penalty is the one with the best agreement
    in a cross-validation over craters; an outer cross-validation measures the agreement of the sum.

    Parameters
    ----------
    pairs, differences : DataFrame
        As of `agreement.figure_differences`. Figures that are nan for some map, or that never differ, are left out.

    Returns
    -------
    Combination or None
        None with fewer than four craters, or if all outcomes are ties.
    """
    usable = differences.columns[differences.notna().all() & (differences.abs() > 0).any()]
    crater = pd.factorize(pairs["crater_id"])[0]
    outcome, judges = pairs["outcome"].to_numpy(np.float64), pairs["judges"].to_numpy(np.float64)
    if crater.max(initial=-1) + 1 < _MIN_CRATERS or not outcome.any() or usable.empty:
        return None
    data = _Sample(differences[usable].to_numpy(np.float64), outcome, judges, crater)
    combined, single = np.zeros(len(pairs)), np.zeros(len(pairs))
    chosen: dict[str, int] = {}
    for train, test in data.folds():
        weights = _fit(data.part(train))
        combined[test] = data.differences[test] @ weights
        best = _best_single(data.part(train))
        single[test] = data.differences[test, best]
        chosen[usable[best]] = chosen.get(usable[best], 0) + 1
    weights = _fit(data)
    return Combination(
        {name: float(w) for name, w in zip(usable, weights, strict=True) if w},
        agreement(combined, outcome, crater),
        agreement(single, outcome, crater),
        dict(sorted(chosen.items(), key=lambda item: -item[1])),
    )


@dataclass(frozen=True)
class _Sample:
    """Differences (pairs, figures), mean outcomes, numbers of judges and craters (pairs,)."""

    differences: Array
    outcome: Array
    judges: Array
    crater: Rows

    def part(self, rows: Rows) -> "_Sample":
        return _Sample(
            self.differences[rows], self.outcome[rows], self.judges[rows], self.crater[rows]
        )

    def folds(self) -> Iterator[tuple[Rows, Rows]]:
        """Rows to fit to and rows to test on; all rows of a crater are in the same fold."""
        folds = GroupKFold(min(_FOLDS, len(np.unique(self.crater))))
        yield from folds.split(self.differences, groups=self.crater)


def _fit(data: _Sample) -> Array:
    """Weights of the figures, with the penalty that agrees best in a cross-validation over craters."""
    scale = np.sqrt(np.mean(data.differences**2, axis=0))
    scale[scale == 0] = np.inf
    scaled = _Sample(data.differences / scale, data.outcome, data.judges, data.crater)
    taus = []
    for penalty in _PENALTIES:
        combined = np.zeros(len(data.outcome))
        for train, test in scaled.folds():
            combined[test] = scaled.differences[test] @ _regress(scaled.part(train), penalty)
        tau = kendall_tau(combined, data.outcome)
        taus.append(-1.0 if np.isnan(tau) else tau)
    return np.asarray(_regress(scaled, _PENALTIES[int(np.argmax(taus))]) / scale)


def _regress(data: _Sample, penalty: float) -> Array:
    """Weights, at least 0, of one logistic regression; a tie counts as half a choice for either side."""
    votes = data.judges / data.judges.sum()
    won = (1 + data.outcome) / 2

    def loss(weights: Array) -> tuple[float, Array]:
        logit = data.differences @ weights
        value = votes @ (np.logaddexp(0, logit) - won * logit) + penalty * weights.sum()
        return float(value), data.differences.T @ (votes * (expit(logit) - won)) + penalty

    start = np.zeros(data.differences.shape[1])
    result = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * start.size)
    return np.asarray(result.x, np.float64)


def _best_single(data: _Sample) -> int:
    """Index of the single figure that agrees best."""
    taus = [kendall_tau(column, data.outcome) for column in data.differences.T]
    return int(np.nanargmax(np.nan_to_num(taus, nan=-1.0)))
