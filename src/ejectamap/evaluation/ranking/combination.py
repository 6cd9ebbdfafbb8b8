"""The weighted sum of figures that agrees best with people, tried on craters that it was not fitted to."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.model_selection import GroupKFold

from ejectamap.evaluation.ranking.agreement import Agreement, agreement, kendall
from ejectamap.world.sphere import Array

Rows = npt.NDArray[np.intp]

_FOLDS = 5
_PRICES = np.logspace(-4, -1, 7)  # of a weight, in mean logarithms of odds
_LEAST_CRATERS = 4


@dataclass(frozen=True)
class Combination:
    """A weighted sum of figures, higher for the better map.

    Attributes
    ----------
    weights : dict of str to float
        By figure; figures of weight 0 are left out.
    held_out : Agreement
        With people, on craters that the weights of that fold were not fitted to.
    best_single : Agreement
        The same of the one figure that agreed best on the other craters.
    chosen : dict of str to int
        In how many folds each figure was that one.
    """

    weights: dict[str, float]
    held_out: Agreement
    best_single: Agreement
    chosen: dict[str, int]


def fit_combination(pairs: pd.DataFrame, differences: pd.DataFrame) -> Combination | None:
    """Fit a logistic regression of people's choices on the differences of figures, with an L1 price on weights.

    No weight is below 0: a figure must not count for a map that it says is worse. The price is the one that agrees best
    in a cross-validation over craters; what the sum is worth is told by another one around that.

    Parameters
    ----------
    pairs, differences : DataFrame
        As of `agreement.with_figures`. Figures that some map lacks, or that never differ, are left out.

    Returns
    -------
    Combination or None
        None with fewer than four craters, or where people held all maps equal.
    """
    usable = differences.columns[differences.notna().all() & (differences.abs() > 0).any()]
    crater = pd.factorize(pairs["crater_id"])[0]
    outcome, judges = pairs["outcome"].to_numpy(np.float64), pairs["judges"].to_numpy(np.float64)
    if crater.max(initial=-1) + 1 < _LEAST_CRATERS or not outcome.any() or usable.empty:
        return None
    data = _Data(differences[usable].to_numpy(np.float64), outcome, judges, crater)
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
class _Data:
    """Differences (pairs, figures), mean outcomes, numbers of judges and craters (pairs,)."""

    differences: Array
    outcome: Array
    judges: Array
    crater: Rows

    def part(self, rows: Rows) -> "_Data":
        return _Data(
            self.differences[rows], self.outcome[rows], self.judges[rows], self.crater[rows]
        )

    def folds(self) -> Iterator[tuple[Rows, Rows]]:
        """Rows to fit to and rows to try, craters kept whole."""
        folds = GroupKFold(min(_FOLDS, len(np.unique(self.crater))))
        yield from folds.split(self.differences, groups=self.crater)


def _fit(data: _Data) -> Array:
    """Weights of the figures, with the price that does best in a cross-validation over craters."""
    scale = np.sqrt(np.mean(data.differences**2, axis=0))
    scale[scale == 0] = np.inf
    scaled = _Data(data.differences / scale, data.outcome, data.judges, data.crater)
    found = []
    for price in _PRICES:
        answer = np.zeros(len(data.outcome))
        for train, test in scaled.folds():
            answer[test] = scaled.differences[test] @ _regress(scaled.part(train), price)
        tau = kendall(answer, data.outcome)
        found.append(-1.0 if np.isnan(tau) else tau)
    return np.asarray(_regress(scaled, _PRICES[int(np.argmax(found))]) / scale)


def _regress(data: _Data, price: float) -> Array:
    """Weights, none below 0, of one logistic regression; a judge's tie counts half for either side."""
    votes = data.judges / data.judges.sum()
    won = (1 + data.outcome) / 2

    def loss(weights: Array) -> tuple[float, Array]:
        lead = data.differences @ weights
        value = votes @ (np.logaddexp(0, lead) - won * lead) + price * weights.sum()
        return float(value), data.differences.T @ (votes * (expit(lead) - won)) + price

    start = np.zeros(data.differences.shape[1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * start.size)
    return np.asarray(found.x, np.float64)


def _best_single(data: _Data) -> int:
    """Which figure alone agrees best."""
    taus = [kendall(column, data.outcome) for column in data.differences.T]
    return int(np.nanargmax(np.nan_to_num(taus, nan=-1.0)))
