"""How good each map is in people's eyes: Bradley and Terry's model of choices between two, with Davidson's ties.

A map of strength s is preferred to one of strength t with a probability in proportion to exp(s), the other one to
exp(t), and a tie to nu exp((s + t) / 2) (Davidson 1970, J. Am. Stat. Assoc. 65, 317).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize
from scipy.sparse.csgraph import connected_components

from ejectamap.errors import RankingError
from ejectamap.world.sphere import Array

_PRIOR_SD = 3.0  # of a strength: keeps a map that never lost finite, and hardly moves the others
_DRAWS = 500
_PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True)
class Strengths:
    """What people think of some maps.

    Attributes
    ----------
    maps : tuple of str
    strength : float array (maps,)
        Natural logarithm of Bradley and Terry's worth; their mean is 0.
    low, high : float array (maps,)
        95 % intervals by the bootstrap over craters; nan with fewer than two craters.
    ties : float
        Davidson's nu, 0 up: how often two maps of one strength are held equal; they are nu / (2 + nu) of the time.
    """

    maps: tuple[str, ...]
    strength: Array
    low: Array
    high: Array
    ties: float


def fit_strengths(outcomes: pd.DataFrame, maps: tuple[str, ...], seed: int = 0) -> Strengths:
    """Fit the model to choices, each crater's taken together in the bootstrap.

    Parameters
    ----------
    outcomes : DataFrame
        As of `choices.pair_outcomes`.
    maps : tuple of str
    seed : int

    Raises
    ------
    RankingError
        If the choices do not link all maps with one another.
    """
    tables = _tables(outcomes, maps)
    compared = tables.sum(axis=(0, 1))
    pieces, _ = connected_components(compared, directed=False)
    if pieces > 1:
        raise RankingError(
            f"{len(outcomes)} choices do not yet link all of {', '.join(maps)}: judge some more"
        )
    found = _fit(tables.sum(axis=0))
    low = high = np.full(len(maps), np.nan)
    if len(tables) > 1:
        rng = np.random.default_rng(seed)
        draws = rng.integers(0, len(tables), (_DRAWS, len(tables)))
        fits = [_centred(_fit(tables[draw].sum(axis=0), start=found)) for draw in draws]
        low, high = np.percentile(fits, _PERCENTILES, axis=0)
    return Strengths(maps, _centred(found), low, high, float(np.exp(found[-1])))


def _tables(outcomes: pd.DataFrame, maps: tuple[str, ...]) -> Array:
    """How often the row's map was preferred to the column's, and tied with it; (craters, 2, maps, maps)."""
    crater = pd.factorize(outcomes["crater_id"])[0]
    first, second = (
        pd.Categorical(outcomes[name], maps).codes.astype(np.intp) for name in ("first", "second")
    )
    outcome = outcomes["outcome"].to_numpy()
    table = np.zeros((crater.max(initial=-1) + 1, 2, len(maps), len(maps)))
    better = np.where(outcome >= 0, first, second), np.where(outcome >= 0, second, first)
    np.add.at(table, (crater, (outcome == 0).astype(np.intp), *better), 1)
    return table


def _fit(table: Array, start: Array | None = None) -> Array:
    """Most likely strengths and log nu, shape (maps + 1,), of a table (2, maps, maps) of wins and ties."""
    features, counts = _cases(table)
    total = counts.sum(axis=1)

    def loss(x: Array) -> tuple[float, Array]:
        chances, log_sum = _chances(features, x)
        value = total @ log_sum - np.sum(counts * (features @ x)) + x @ x / (2 * _PRIOR_SD**2)
        wrong = total[:, None] * chances - counts
        return float(value), np.einsum("pc,pcm->m", wrong, features) + x / _PRIOR_SD**2

    def curvature(x: Array) -> Array:
        chances, _ = _chances(features, x)
        mean = np.einsum("pc,pcm->pm", chances, features)
        spread = np.einsum("p,pc,pcm,pcn->mn", total, chances, features, features)
        spread -= np.einsum("p,pm,pn->mn", total, mean, mean)
        return np.asarray(spread + np.eye(len(x)) / _PRIOR_SD**2)

    begin = np.zeros(features.shape[-1]) if start is None else start
    found = minimize(loss, begin, jac=True, hess=curvature, method="trust-exact")
    return np.asarray(found.x, np.float64)


def _cases(table: Array) -> tuple[Array, Array]:
    """What adds up to the logarithm of each outcome's odds, (pairs, 3, maps + 1), and how often it came; (pairs, 3)."""
    wins, ties = table
    i, j = np.triu_indices(len(wins), 1)
    counts = np.stack([wins[i, j], wins[j, i], ties[i, j] + ties[j, i]], axis=1)
    compared = counts.sum(axis=1) > 0
    i, j, counts = i[compared], j[compared], counts[compared]
    features = np.zeros((len(i), 3, len(wins) + 1))
    pair = np.arange(len(i))
    features[pair, 0, i] = features[pair, 1, j] = 1
    features[pair, 2, i] = features[pair, 2, j] = 0.5
    features[:, 2, -1] = 1
    return features, counts


def _chances(features: Array, x: Array) -> tuple[Array, npt.NDArray[np.float64]]:
    """Probability of each outcome, (pairs, 3), and the logarithm of the sum of their odds, (pairs,)."""
    odds = features @ x
    log_sum = np.logaddexp.reduce(odds, axis=1)
    return np.exp(odds - log_sum[:, None]), log_sum


def _centred(found: Array) -> Array:
    strengths = found[:-1]
    return np.asarray(strengths - strengths.mean())
