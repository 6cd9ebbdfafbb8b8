"""Do figures agree with people, and people with one another? Kendall's tau over the pairs that were judged."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from ejectamap.world.sphere import Array

_DRAWS = 2000
_PERCENTILES = (2.5, 97.5)
_PAIR = ["crater_id", "first", "second"]


@dataclass(frozen=True)
class Agreement:
    """How far two orders of maps agree.

    Attributes
    ----------
    tau : float
        Kendall's tau-b over judged pairs of maps of one crater: 1 always, 0 as by chance, -1 never; nan where one of
        the two holds all maps equal.
    low, high : float
        95 % interval by the bootstrap over craters; nan with fewer than two craters.
    pairs : int
        How many pairs both know.
    """

    tau: float
    low: float
    high: float
    pairs: int


def majority(outcomes: pd.DataFrame) -> pd.DataFrame:
    """What people think of each pair of maps of a crater; each judge's first answer counts.

    Returns
    -------
    DataFrame
        crater_id, first, second; outcome: mean over judges, 1 if all prefer the first; judges: how many.
    """
    first_answers = outcomes[~outcomes["repeated"]]
    found = first_answers.groupby(_PAIR, sort=False)["outcome"].agg(["mean", "size"])
    return found.rename(columns={"mean": "outcome", "size": "judges"}).reset_index()


def with_figures(pairs: pd.DataFrame, figures: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pairs whose maps both have figures, and by how much the first one's are better.

    Parameters
    ----------
    pairs : DataFrame
        As of `majority`.
    figures : DataFrame
        Columns crater_id and map, and a column a figure; higher is better.

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


def kendall(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """Kendall's tau-b of two orders, given by what each says of some pairs: positive, negative, or 0 for equal.

    Over all pairs of some things this is the tau-b of their two rankings (Kendall 1945, Biometrika 33, 239).
    """
    a, b = np.sign(np.asarray(one, np.float64)), np.sign(np.asarray(other, np.float64))
    scale = np.sqrt(np.abs(a).sum() * np.abs(b).sum())
    return float(a @ b / scale) if scale else float("nan")


def agreement(
    one: npt.ArrayLike, other: npt.ArrayLike, craters: npt.ArrayLike, seed: int = 0
) -> Agreement:
    """Kendall's tau with its interval; pairs of which one says nothing (nan) are left out.

    Parameters
    ----------
    one, other : array_like (pairs,)
        What each says of a pair: positive, negative, or 0 for equal.
    craters : array_like (pairs,)
        The pair's crater.
    """
    a, b = np.sign(np.asarray(one, np.float64)), np.sign(np.asarray(other, np.float64))
    known = ~(np.isnan(a) | np.isnan(b))
    a, b = a[known], b[known]
    crater = pd.factorize(np.asarray(craters)[known])[0]
    # Per crater: the three sums that tau is made of.
    sums = np.stack([np.bincount(crater, term) for term in (a * b, a**2, b**2)])
    low, high = _interval(sums.astype(np.float64), seed)
    return Agreement(kendall(a, b), low, high, int(known.sum()))


def between_judges(outcomes: pd.DataFrame) -> pd.DataFrame:
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
        rows.append((judge, other, kendall(both[judge], both[other]), len(both)))
    return pd.DataFrame(rows, columns=["judge", "other", "tau", "pairs"])


def self_consistency(outcomes: pd.DataFrame) -> pd.DataFrame:
    """How often each judge, asked again about a pair with its sides exchanged, gave the same answer.

    Returns
    -------
    DataFrame
        judge, choices, repeated, same: share of the repeated ones, nan if there are none.
    """
    first = outcomes.groupby(["judge", *_PAIR])["outcome"].transform("first")
    rows = []
    for judge, mine in outcomes.groupby("judge"):
        again = mine["repeated"]
        same = (mine["outcome"] == first[mine.index])[again]
        rows.append((judge, len(mine), int(again.sum()), same.mean() if len(same) else np.nan))
    return pd.DataFrame(rows, columns=["judge", "choices", "repeated", "same"])


def _interval(sums: Array, seed: int) -> tuple[float, float]:
    """Interval of tau from each crater's part in its three sums, (3, craters)."""
    n = sums.shape[1]
    if n < 2:
        return float("nan"), float("nan")
    draws = np.random.default_rng(seed).integers(0, n, (_DRAWS, n))
    shared, a, b = sums[:, draws].sum(axis=-1)
    scale = np.sqrt(a * b)
    if not scale.any():
        return float("nan"), float("nan")
    low, high = np.percentile(shared[scale > 0] / scale[scale > 0], _PERCENTILES)
    return float(low), float(high)
