"""Differences between two maps' figures of merit, with intervals over the craters that both were evaluated on.

Both maps' figures change from crater to crater in the same way: a crater that is hard for one is hard for the other.
So craters are drawn for both maps together, and the interval is that of the difference, which is narrower than those
of the two figures would suggest.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ejectamap.evaluation.bootstrap import Draws, bootstrap_interval
from ejectamap.evaluation.counts import none_if_nan
from ejectamap.evaluation.scores import CraterScore, Evaluation, Scores
from ejectamap.world.sphere import Array

_RATIOS = {
    "f1": ({"tp": 2.0}, {"tp": 2.0, "fp": 1.0, "fn": 1.0}),
    "precision": ({"tp": 1.0}, {"tp": 1.0, "fp": 1.0}),
    "recall": ({"tp": 1.0}, {"tp": 1.0, "fn": 1.0}),
    "iou": ({"tp": 1.0}, {"tp": 1.0, "fp": 1.0, "fn": 1.0}),
}
_SUBSETS: dict[str, Callable[[CraterScore], Scores]] = {
    "all": lambda row: row.scores,
    "test": lambda row: row.test,
    "unseen": lambda row: row.unseen,
}
_ALPHA = 0.05  # probability of calling chance a difference


@dataclass(frozen=True)
class CraterFigure:
    """A figure of an evaluation, or a weighted sum of several, as what each crater adds to it.

    Each figure is a ratio of sums over craters, so that it can be computed for any draw of them.

    Attributes
    ----------
    crater_ids : tuple of int
    weights : float array (k,)
        Of each figure in the sum.
    parts, wholes : float array (n, k)
        What each crater adds to numerator and denominator of each figure.
    """

    crater_ids: tuple[int, ...]
    weights: Array
    parts: Array
    wholes: Array

    @classmethod
    def of(cls, evaluation: Evaluation, figure: str | Mapping[str, float]) -> Self | None:
        """One figure of an evaluation, or a weighted sum of several, named as by `scores.value_of`.

        Returns
        -------
        CraterFigure or None
            None for a figure that is not a ratio of sums over craters, such as one of a single crater.
        """
        weights = {figure: 1.0} if isinstance(figure, str) else figure
        columns = [_columns(evaluation, name) for name in weights]
        known = [column for column in columns if column is not None]
        if len(known) < len(columns):
            return None
        craters = tuple(row.crater_id for row in evaluation.craters)
        parts, wholes = (np.stack(side, axis=1) for side in zip(*known, strict=True))
        return cls(craters, np.array(list(weights.values()), np.float64), parts, wholes)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        arrays = (np.array(content[name], np.float64) for name in ("weights", "parts", "wholes"))
        weights, parts, wholes = arrays
        shape = -1, len(weights)
        craters = tuple(content["crater_ids"])
        return cls(craters, weights, parts.reshape(shape), wholes.reshape(shape))

    def to_dict(self) -> dict[str, Any]:
        """Content as JSON values."""
        arrays = {"weights": self.weights, "parts": self.parts, "wholes": self.wholes}
        lists = {name: array.tolist() for name, array in arrays.items()}
        return {"crater_ids": list(self.crater_ids), **lists}

    @property
    def value(self) -> float:
        """The figure over all craters; nan where it is undefined."""
        return float(self.values(np.arange(len(self.crater_ids))[None])[0])

    def values(self, draws: Draws) -> Array:
        """The figure for each draw of craters, shape (draws,); nan where it is undefined."""
        part, whole = self.parts[draws].sum(axis=1), self.wholes[draws].sum(axis=1)
        ratio = np.full(part.shape, np.nan)
        np.divide(part, whole, out=ratio, where=whole > 0)
        return np.asarray(ratio @ self.weights)


@dataclass(frozen=True)
class PairedDifference:
    """A second map's figure minus a first one's.

    Attributes
    ----------
    difference : float
        nan if one of the two is undefined.
    low, high : float
        95 % interval by the paired bootstrap over craters; nan with fewer than two craters.
    craters : int
        Number of craters that it rests on.
    comparisons : int
        Among how many comparisons this one was chosen; the interval is so much wider (Bonferroni's correction).
    """

    difference: float
    low: float
    high: float
    craters: int
    comparisons: int = 1

    @property
    def enough_craters(self) -> bool:
        """Whether there are so many craters that a difference of one sign in all of them could not well be chance.

        Two craters out of two are better by chance in every second comparison, whatever their interval.
        """
        return 2.0 ** (1 - self.craters) <= _ALPHA / self.comparisons

    @property
    def is_beyond_chance(self) -> bool:
        """Whether the interval excludes 0, and rests on enough craters."""
        return self.enough_craters and (self.low > 0 or self.high < 0)

    def to_dict(self) -> dict[str, Any]:
        """All values under their names; None for nan, which JSON lacks."""
        numbers = {"difference": self.difference, "low": self.low, "high": self.high}
        return {name: none_if_nan(number) for name, number in numbers.items()} | {
            "craters": self.craters,
            "comparisons": self.comparisons,
            "beyond_chance": self.is_beyond_chance,
        }


def paired_difference(
    before: CraterFigure | Sequence[CraterFigure],
    after: CraterFigure | Sequence[CraterFigure],
    comparisons: int = 1,
    seed: int = 0,
) -> PairedDifference:
    """Difference of a figure between two maps of the same craters, or of its mean over several planets.

    Parameters
    ----------
    before, after : CraterFigure, or sequence of CraterFigure
        Of the two maps, or of two methods' maps of each planet; the same craters in the same order.
    comparisons : int
        Among how many comparisons this one was chosen.
    seed : int

    Raises
    ------
    ValueError
        If they are not of the same craters.
    """
    first, second = ([x] if isinstance(x, CraterFigure) else list(x) for x in (before, after))
    if [f.crater_ids for f in first] != [f.crater_ids for f in second]:
        raise ValueError("only figures of the same craters can be paired")
    value = float(np.mean([b.value - a.value for a, b in zip(first, second, strict=True)]))
    craters = sum(_counting(a, b) for a, b in zip(first, second, strict=True))
    sizes = [len(figure.crater_ids) for figure in first]
    if sum(sizes) < 2 or min(sizes) == 0 or np.isnan(value):
        return PairedDifference(value, np.nan, np.nan, craters, comparisons)

    def differences(draws: Draws) -> Array:
        starts = np.cumsum([0, *sizes[:-1]])
        of_planets = [
            b.values(draws[:, start : start + size] - start)
            - a.values(draws[:, start : start + size] - start)
            for a, b, start, size in zip(first, second, starts.tolist(), sizes, strict=True)
        ]
        return np.asarray(np.mean(of_planets, axis=0)[:, None])

    low, high = bootstrap_interval(sizes, differences, seed, comparisons=comparisons)
    return PairedDifference(value, float(low[0]), float(high[0]), craters, comparisons)


def _counting(before: CraterFigure, after: CraterFigure) -> int:
    """Number of craters that add anything to either figure."""
    return int(((before.wholes > 0) | (after.wholes > 0)).any(axis=1).sum())


def _columns(evaluation: Evaluation, name: str) -> tuple[Array, Array] | None:
    """What each crater adds to numerator and denominator of a figure; None if it is not a ratio of sums."""
    subset, _, figure = name.partition(".")
    if name.startswith("structure.mean."):
        return _structure_columns(evaluation, name.removeprefix("structure.mean."))
    if subset not in _SUBSETS:
        return None
    scores = [_SUBSETS[subset](row).to_dict() for row in evaluation.craters]
    if figure == "owner.fraction":
        return _sums(scores, "owner", {"right": 1.0}, {"mapped": 1.0})
    unit, _, ratio = figure.rpartition(".")
    return _sums(scores, unit, *_RATIOS[ratio]) if ratio in _RATIOS else None


def _sums(
    scores: Iterable[Mapping[str, Any]],
    unit: str,
    part: Mapping[str, float],
    whole: Mapping[str, float],
) -> tuple[Array, Array] | None:
    """Weighted sums of the counts under a dotted name, of each crater; None where there are no such counts."""
    sums = []
    for content in scores:
        counts: Any = content
        for key in unit.split("."):
            counts = counts.get(key) if isinstance(counts, Mapping) else None
        if not isinstance(counts, Mapping) or not whole.keys() <= counts.keys():
            return None
        sums.append([sum(w * counts[key] for key, w in side.items()) for side in (part, whole)])
    parts, wholes = np.array(sums, np.float64).reshape(-1, 2).T
    return parts, wholes


def _structure_columns(evaluation: Evaluation, name: str) -> tuple[Array, Array] | None:
    """A figure of structure, whose mean over craters is the figure; craters without it count for nothing."""
    if evaluation.structure is None:
        return None
    rows = {row["crater_id"]: row for row in evaluation.structure.to_dict()["craters"]}
    values = [rows.get(row.crater_id, {}).get(name) for row in evaluation.craters]
    if all(value is None for value in values):
        return None
    known = np.array([value is not None for value in values], np.float64)
    return np.array([value or 0.0 for value in values], np.float64), known
