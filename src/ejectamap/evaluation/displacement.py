"""One figure for the whole pattern: whose ejecta, how far each ray goes, unbroken; less so its exact outline."""

import numba
import numpy as np

from ejectamap.evaluation.ground import AZIMUTHS, Ground
from ejectamap.evaluation.surfaces import harmonic_mean
from ejectamap.world.sphere import Array

HALF_WORTH_KM = 30.0
"""Displacement at which a cell is worth one half."""


def displacement_figures(ground: Ground) -> dict[str, float]:
    """Precision and recall in which a cell that is a little out of place counts nearly whole; `structure` is their F1.

    A displacement of d is worth 1 / (1 + (d / 30 km)²), as in Pratt's figure of merit. For a mapped cell it is the
    distance to the nearest true one. For a true cell beyond the rim it is that to the nearest mapped cell at the same
    range, across the rays: a gap along a ray is missed, however near the ray goes on. Cells count by ground area. The
    truth must not be empty; recall and F1 are nan if it has nothing beyond the rim.
    """
    precision = float(_worth(ground.false_km).mean()) if ground.prediction.any() else 0.0
    recall = _recall(ground)
    return {
        "structure": harmonic_mean(precision, recall),
        "structure_precision": precision,
        "structure_recall": recall,
    }


def _recall(ground: Ground) -> float:
    """Mean worth of the true cells beyond the rim."""
    truth, range_km = ground.polar(ground.truth)
    mapped, _ = ground.polar(ground.prediction)
    width_km = range_km * (2 * np.pi / AZIMUTHS)
    worth = _worth(_steps_across(mapped) * width_km[:, None])
    # Rows are equally far apart, so that a cell's area goes as its width.
    weights = truth * width_km[:, None]
    return float((worth * weights).sum() / weights.sum()) if truth.any() else float("nan")


def _worth(away_km: Array) -> Array:
    return 1 / (1 + (away_km / HALF_WORTH_KM) ** 2)


@numba.njit(cache=True, nogil=True)
def _steps_across(mask):  # type: ignore[no-untyped-def]
    """Columns from each cell to the nearest one of a mask in the same row, around the circle; infinite if none."""
    rows, cols = mask.shape
    steps = np.full((rows, cols), np.inf)
    for r in range(rows):
        for way in (1, -1):
            since = np.inf
            for k in range(
                2 * cols
            ):  # the second time round it is known what lies beyond the first column
                c = k * way % cols
                since = 0.0 if mask[r, c] else since + 1
                steps[r, c] = min(steps[r, c], since)
    return steps
