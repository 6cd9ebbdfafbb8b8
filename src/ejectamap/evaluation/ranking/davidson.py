"""Strength of each map from people's choices: Bradley and Terry's model of paired comparisons, with Davidson's ties.

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
from ejectamap.evaluation.bootstrap import Draws, bootstrap_interval
from ejectamap.world.sphere import Array

_PRIOR_SD = 3.0  # of a strength: keeps a map that never lost finite, and hardly changes the others
_DRAWS = 500


@dataclass(frozen=True)
class Strengths:
    """Strengths of some maps, as people judge them.

    Attributes
    ----------
    maps : tuple of str
    strength : float array (maps,)
        Natural logarithm of Bradley and Terry's worth parameter; their mean is 0.
    low, high : float array (maps,)
        95 % intervals by the bootstrap over craters; nan with fewer than two craters.
    ties : float
        Davidson's nu, at least 0: two maps of equal strength tie with probability nu / (2 + nu).
    """

    maps: tuple[str, ...]
    strength: Array
    low: Array
    high: Array
    ties: float


def fit_strengths(outcomes: pd.DataFrame, maps: tuple[str, ...], seed: int = 0) -> Strengths:
    """Fit the model to choices; the bootstrap draws whole craters.

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
    parameters = _fit(tables.sum(axis=0))

    def strengths(samples: Draws) -> Array:
        fits = (_fit(tables[sample].sum(axis=0), start=parameters) for sample in samples)
        return np.stack([_centred(fit) for fit in fits])

    low = high = np.full(len(maps), np.nan)
    if len(tables) > 1:
        low, high = bootstrap_interval(len(tables), strengths, seed, _DRAWS)
    return Strengths(maps, _centred(parameters), low, high, float(np.exp(parameters[-1])))


def _tables(outcomes: pd.DataFrame, maps: tuple[str, ...]) -> Array:
    """Number of times the row's map was preferred to the column's, and tied with it; (craters, 2, maps, maps)."""
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
        probabilities, log_sum = _probabilities(features, x)
        value = total @ log_sum - np.sum(counts * (features @ x)) + x @ x / (2 * _PRIOR_SD**2)
        residual = total[:, None] * probabilities - counts
        return float(value), np.einsum("pc,pcm->m", residual, features) + x / _PRIOR_SD**2

    def hessian(x: Array) -> Array:
        probabilities, _ = _probabilities(features, x)
        mean = np.einsum("pc,pcm->pm", probabilities, features)
        covariance = np.einsum("p,pc,pcm,pcn->mn", total, probabilities, features, features)
        covariance -= np.einsum("p,pm,pn->mn", total, mean, mean)
        return np.asarray(covariance + np.eye(len(x)) / _PRIOR_SD**2)

    initial = np.zeros(features.shape[-1]) if start is None else start
    result = minimize(loss, initial, jac=True, hess=hessian, method="trust-exact")
    return np.asarray(result.x, np.float64)


def _cases(table: Array) -> tuple[Array, Array]:
    """Coefficients of the parameters in each outcome's log odds, (pairs, 3, maps + 1), and its number, (pairs, 3)."""
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


def _probabilities(features: Array, x: Array) -> tuple[Array, npt.NDArray[np.float64]]:
    """Probability of each outcome, (pairs, 3), and the logarithm of the sum of their odds, (pairs,)."""
    log_odds = features @ x
    log_sum = np.logaddexp.reduce(log_odds, axis=1)
    return np.exp(log_odds - log_sum[:, None]), log_sum


def _centred(parameters: Array) -> Array:
    """Strengths without log nu, shifted to a mean of 0."""
    strengths = parameters[:-1]
    return np.asarray(strengths - strengths.mean())
