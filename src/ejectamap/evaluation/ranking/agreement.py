"""Agreement of figures with people, and of people with one another: Kendall's tau over the judged pairs of maps."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from ejectamap.evaluation.bootstrap import Draws, bootstrap_interval
from ejectamap.world.sphere import Array

_PAIR = ["crater_id", "first", "second"]


@dataclass(frozen=True)
class Agreement:
    """Agreement of two orders of maps.

    Attributes
    ----------
    tau : float
        Kendall's tau-b over judged pairs of maps of one crater: 1 always, 0 as by chance, -1 never; nan where one of
        the two holds all maps equal.
    low, high : float
        95 % interval by the bootstrap over craters; nan with fewer than two craters.
    pairs : int
        Number of pairs for which both are known.
    """

    tau: float
    low: float
    high: float
    pairs: int


def mean_outcomes(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Mean outcome of each pair of maps of a crater over the judges; each judge's first answer counts.

    Returns
    -------
    DataFrame
        crater_id, first, second; outcome: mean over judges, 1 if all prefer the first; judges: number of judges.
    """
    first_answers = outcomes[~outcomes["repeated"]]
    means = first_answers.groupby(_PAIR, sort=False)["outcome"].agg(["mean", "size"])
    return means.rename(columns={"mean": "outcome", "size": "judges"}).reset_index()


def figure_differences(
    pairs: pd.DataFrame, figures: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pairs of maps that both have figures, and the first map's figures minus the second one's.

    Parameters
    ----------
    pairs : DataFrame
        As of `mean_outcomes`.
    figures : DataFrame
        Columns crater_id and map, and one column per figure; higher is better.

    Returns
    -------
    pairs, differences : DataFrame
        Row by row.
    """
    table = figures.set_index(["crater_id", "map"])
    keys = [pd.MultiIndex.from_frame(pairs[["crater_id", name]]) for name in ("first", "second")]
    both = keys[0].isin(table.index) & keys[1].isin(table.index)
    first, second = (table.loc[key[both]].reset_index(drop=True) for key in keys)
    return pairs[both].reset_index(drop=True), first - second


def kendall_tau(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """Kendall's tau-b of two orders, given by the sign of each pair in them: positive, negative, or 0 for equal.

    Over all pairs of some items this is the tau-b of their two rankings (Kendall 1945, Biometrika 33, 239).
    """
    a, b = np.sign(np.asarray(one, np.float64)), np.sign(np.asarray(other, np.float64))
    scale = np.sqrt(np.abs(a).sum() * np.abs(b).sum())
    return float(a @ b / scale) if scale else float("nan")


def agreement(
    one: npt.ArrayLike, other: npt.ArrayLike, craters: npt.ArrayLike, seed: int = 0
) -> Agreement:
    """Kendall's tau with its interval; pairs for which either order is unknown (nan) are left out.

    Parameters
    ----------
    one, other : array_like (pairs,)
        Order of each pair: positive, negative, or 0 for equal.
    craters : array_like (pairs,)
        The pair's crater.
    seed : int
        Of the bootstrap.
    """
    a, b = np.sign(np.asarray(one, np.float64)), np.sign(np.asarray(other, np.float64))
    known = ~(np.isnan(a) | np.isnan(b))
    a, b = a[known], b[known]
    crater = pd.factorize(np.asarray(craters)[known])[0]
    # Per crater: the three sums from which tau is computed.
    sums = np.stack([np.bincount(crater, term) for term in (a * b, a**2, b**2)])
    low, high = _tau_interval(sums.astype(np.float64), seed)
    return Agreement(kendall_tau(a, b), low, high, int(known.sum()))


def judge_agreement(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Kendall's tau of every two judges over the pairs that both judged.

    Returns
    -------
    DataFrame
        judge, other, tau, pairs.
    """
    first_answers = outcomes[~outcomes["repeated"]]
    by_judge = first_answers.pivot_table(index=_PAIR, columns="judge", values="outcome")
    rows = []
    for judge, other in combinations(by_judge.columns, 2):
        both = by_judge[[judge, other]].dropna()
        rows.append((judge, other, kendall_tau(both[judge], both[other]), len(both)))
    return pd.DataFrame(rows, columns=["judge", "other", "tau", "pairs"])


def self_consistency(outcomes: pd.DataFrame) -> pd.DataFrame:
    """How often each judge gave the same answer when a pair was repeated with its sides exchanged.

    Returns
    -------
    DataFrame
        judge; choices and repeated: numbers of them; same: fraction of the repeated ones with the same answer, nan if
        there are none.
    """
    first = outcomes.groupby(["judge", *_PAIR])["outcome"].transform("first")
    rows = []
    for judge, answers in outcomes.groupby("judge"):
        repeated = answers["repeated"]
        same = (answers["outcome"] == first[answers.index])[repeated]
        rows.append(
            (judge, len(answers), int(repeated.sum()), same.mean() if len(same) else np.nan)
        )
    return pd.DataFrame(rows, columns=["judge", "choices", "repeated", "same"])


def _tau_interval(sums: Array, seed: int) -> tuple[float, float]:
    """Interval of tau from each crater's contribution to its three sums, shape (3, craters)."""

    def taus(samples: Draws) -> Array:
        products, a, b = sums[:, samples].sum(axis=-1)
        scale = np.sqrt(a * b)
        ratios = np.full((len(scale), 1), np.nan)  # nan where undefined
        np.divide(products, scale, out=ratios[:, 0], where=scale > 0)
        return ratios

    craters = sums.shape[1]
    if craters < 2:
        return float("nan"), float("nan")
    low, high = bootstrap_interval(craters, taus, seed)
    return float(low[0]), float(high[0])
