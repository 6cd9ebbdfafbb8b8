"""Whether a probability means what it says, and which threshold would have been the best."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ejectamap.evaluation.counts import Counts, none_if_nan
from ejectamap.mapping.export import NO_DATA

_STEPS = 250  # a probability of 1, as stored
_BINS = 10


@dataclass(frozen=True)
class Calibration:
    """How often pixels of each stored probability are ejecta; crater interiors are included.

    Attributes
    ----------
    levels : int64 array (2, 256)
        Pixels by truth (no, yes) and by stored probability; the last column is unknown.
    """

    levels: npt.NDArray[np.int64]

    def __add__(self, other: "Calibration") -> "Calibration":
        return Calibration(self.levels + other.levels)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Calibration) and np.array_equal(self.levels, other.levels)

    def __hash__(self) -> int:
        return hash(self.levels.tobytes())

    def reliability(self) -> list[dict[str, float | None]]:
        """Mean probability, share of ejecta and number of pixels in ten equal bins of probability."""
        rows = []
        for low, high in pairwise(range(0, _STEPS + 1, _STEPS // _BINS)):
            last = high + (high == _STEPS)
            part = self.levels[:, low:last]
            pixels = int(part.sum())
            mean = float(part.sum(axis=0) @ np.arange(low, last)) / _STEPS
            rows.append(
                {
                    "low": low / _STEPS,
                    "high": high / _STEPS,
                    "mean_probability": mean / pixels if pixels else None,
                    "ejecta_fraction": int(part[1].sum()) / pixels if pixels else None,
                    "pixels": pixels,
                }
            )
        return rows

    @property
    def ece(self) -> float:
        """Expected calibration error over ten equal bins, 0 to 1 (Naeini et al. 2015, AAAI); nan without pixels.

        The mean over pixels of the gap between a bin's mean probability and its share of ejecta.
        Most pixels are far from any ejecta and easy, which makes it small.
        """
        known = int(self.levels[:, :NO_DATA].sum())
        if not known:
            return float("nan")
        level = np.arange(_STEPS + 1)
        bins = np.minimum(level // (_STEPS // _BINS), _BINS - 1)
        gap = (
            level / _STEPS * self.levels[:, : _STEPS + 1].sum(axis=0) - self.levels[1, : _STEPS + 1]
        )
        return float(np.abs(np.bincount(bins, gap, _BINS)).sum() / known)

    def at(self, threshold: float) -> Counts:
        """Pixel counts, had the threshold been this; what is unknown is never ejecta."""
        stored = np.arange(self.levels.shape[1])
        above = (stored > threshold * _STEPS) & (stored != NO_DATA)
        (tn, fn), (fp, tp) = ((self.levels[:, part].sum(axis=1)) for part in (~above, above))
        return Counts(tp=int(tp), fp=int(fp), fn=int(fn), tn=int(tn))

    @property
    def best_threshold(self) -> tuple[float, float]:
        """Threshold with the best pixel F1, and that F1; the lowest of equals; nan if there is nothing to find."""
        choices = np.arange(_STEPS) / _STEPS
        scores = np.array([self.at(threshold).f1 for threshold in choices])
        if np.isnan(scores).all():
            return float("nan"), float("nan")
        best = int(np.nanargmax(scores))
        return float(choices[best]), float(scores[best])

    def to_dict(self) -> dict[str, Any] | None:
        """Everything under its name, ready for JSON; None without probabilities."""
        if not self.levels[:, :NO_DATA].any():
            return None
        threshold, f1 = self.best_threshold
        return {
            "ece": none_if_nan(self.ece),
            "best_threshold": none_if_nan(threshold),
            "best_f1": none_if_nan(f1),
            "reliability": self.reliability(),
        }
