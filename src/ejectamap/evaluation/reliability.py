"""Reliability of the probabilities, and the threshold with the best pixel F1."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ejectamap.evaluation.counts import Counts, none_if_nan
from ejectamap.maps.rasters import NO_DATA, STEPS, exceeds

FAINT = 0.1
"""Probabilities up to this one belong to nearly all of a planet's pixels, where nothing is mapped."""

_BINS = 10
_PER_BIN = STEPS // _BINS


@dataclass(frozen=True)
class ReliabilityCounts:
    """Number of pixels of each stored probability, with and without ejecta; crater interiors are included.

    Attributes
    ----------
    levels : int64 array (2, 256)
        Pixels by label (no ejecta, ejecta) and by stored probability; the last column holds pixels without data.
    """

    levels: npt.NDArray[np.int64]

    def __add__(self, other: "ReliabilityCounts") -> "ReliabilityCounts":
        return ReliabilityCounts(self.levels + other.levels)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReliabilityCounts) and np.array_equal(self.levels, other.levels)

    def __hash__(self) -> int:
        return hash(self.levels.tobytes())

    def reliability(self) -> list[dict[str, float | None]]:
        """Mean probability, fraction of ejecta and number of pixels in ten equal bins of probability."""
        rows = []
        for low, high in pairwise(range(0, STEPS + 1, _PER_BIN)):
            stop = high + (high == STEPS)  # the last bin includes probability 1
            levels = self.levels[:, low:stop]
            pixels = int(levels.sum())
            summed = float(levels.sum(axis=0) @ np.arange(low, stop)) / STEPS
            rows.append(
                {
                    "low": low / STEPS,
                    "high": high / STEPS,
                    "mean_probability": summed / pixels if pixels else None,
                    "ejecta_fraction": int(levels[1].sum()) / pixels if pixels else None,
                    "pixels": pixels,
                }
            )
        return rows

    @property
    def ece(self) -> float:
        """Expected calibration error over ten equal bins, 0 to 1 (Naeini et al. 2015, AAAI); nan without pixels.

        It is the mean over pixels of the difference between their bin's mean probability and its fraction of ejecta.
        Most pixels are far from any ejecta and have a probability near 0, which makes the error small.
        """
        return self._ece_from(0)

    def above_faint(self) -> dict[str, float | None]:
        """Number of pixels with a probability above `FAINT`, their mean, fraction of ejecta and `ece`."""
        first = int(FAINT * STEPS) + 1
        levels = self.levels[:, first:NO_DATA]
        pixels = int(levels.sum())
        summed = float(levels.sum(axis=0) @ np.arange(first, NO_DATA)) / STEPS
        return {
            "ece": none_if_nan(self._ece_from(first)),
            "mean_probability": summed / pixels if pixels else None,
            "ejecta_fraction": int(levels[1].sum()) / pixels if pixels else None,
            "pixels": pixels,
        }

    def _ece_from(self, first: int) -> float:
        """Expected calibration error of the pixels whose stored probability is at least `first`."""
        levels = self.levels[:, first : STEPS + 1]
        known = int(levels.sum())
        if not known:
            return float("nan")
        level = np.arange(first, STEPS + 1)
        gap = level / STEPS * levels.sum(axis=0) - levels[1]
        bins = np.minimum(level // _PER_BIN, _BINS - 1)
        return float(np.abs(np.bincount(bins, gap, _BINS)).sum() / known)

    def counts_at(self, threshold: float) -> Counts:
        """Confusion counts of pixels at a threshold of probability; pixels without data count as no ejecta."""
        above = exceeds(np.arange(self.levels.shape[1], dtype=np.uint8), threshold)
        (tn, fn), (fp, tp) = ((self.levels[:, part].sum(axis=1)) for part in (~above, above))
        return Counts(tp=int(tp), fp=int(fp), fn=int(fn), tn=int(tn))

    @property
    def best_threshold(self) -> tuple[float, float]:
        """Threshold with the best pixel F1 (the lowest of equals), and that F1; both nan if F1 is never defined."""
        thresholds = np.arange(STEPS) / STEPS
        scores = np.array([self.counts_at(threshold).f1 for threshold in thresholds])
        if np.isnan(scores).all():
            return float("nan"), float("nan")
        best = int(np.nanargmax(scores))
        return float(thresholds[best]), float(scores[best])

    def to_dict(self) -> dict[str, Any] | None:
        """All figures by name, ready for JSON; None without probabilities."""
        if not self.levels[:, :NO_DATA].any():
            return None
        threshold, f1 = self.best_threshold
        return {
            "ece": none_if_nan(self.ece),
            "above_a_tenth": self.above_faint(),
            "best_threshold": none_if_nan(threshold),
            "best_f1": none_if_nan(f1),
            "reliability": self.reliability(),
        }
