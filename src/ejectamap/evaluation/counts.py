"""Confusion counts of two masks, and the figures of merit that are computed from them."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ejectamap.world.grid import Bools


@dataclass(frozen=True)
class Counts:
    """True and false positives and negatives: pixels, tiles, or square kilometres.

    A figure that would divide by zero is nan. So precision is nan where nothing is predicted, recall where nothing is
    true, and F1 and IoU only where both are empty; if only one of the two is empty, F1 and IoU are 0.

    Attributes
    ----------
    tp, fp, fn, tn : float
        Predicted and true; predicted only; true only; neither.
    """

    tp: float = 0
    fp: float = 0
    fn: float = 0
    tn: float = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn
        )

    @property
    def total(self) -> float:
        """All of the four together."""
        return self.tp + self.fp + self.fn + self.tn

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, 0 to 1."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def precision(self) -> float:
        """Fraction of the predicted that is true, 0 to 1."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """Fraction of the true that is predicted, 0 to 1."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def iou(self) -> float:
        """Intersection over union, 0 to 1."""
        return _ratio(self.tp, self.tp + self.fp + self.fn)

    def to_dict(self) -> dict[str, float | None]:
        """Figures and counts under their names; None for nan, which JSON lacks."""
        figures = {
            "f1": self.f1,
            "precision": self.precision,
            "recall": self.recall,
            "iou": self.iou,
        }
        counts = {"tp": self.tp, "fp": self.fp, "fn": self.fn, "tn": self.tn}
        return {name: none_if_nan(figure) for name, figure in figures.items()} | counts


def compare(
    prediction: Bools,
    truth: Bools,
    where: Bools | None = None,
    weight: npt.ArrayLike | None = None,
) -> Counts:
    """Compare two masks pixel by pixel.

    Parameters
    ----------
    prediction, truth : bool array, of one shape
    where : bool array of that shape, optional
        Which pixels count; all if not given.
    weight : array_like that broadcasts to that shape, optional
        Weight of each pixel, for example its ground area; 1 if not given.
    """
    counted = np.ones(truth.shape, bool) if where is None else where
    cases = (
        prediction & truth & counted,
        prediction & ~truth & counted,
        ~prediction & truth & counted,
        ~prediction & ~truth & counted,
    )
    if weight is None:
        return Counts(*(int(np.count_nonzero(case)) for case in cases))
    weights = np.broadcast_to(np.asarray(weight, np.float64), truth.shape)
    return Counts(*(float(np.sum(weights, where=case)) for case in cases))


def none_if_nan(value: float) -> float | None:
    """Replace nan, which JSON lacks, by None."""
    return None if math.isnan(value) else value


def harmonic_mean(a: float, b: float) -> float:
    """2 a b / (a + b); 0 if both are 0."""
    return 2 * a * b / (a + b) if a + b else 0.0


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
