"""Whether rays are there and hold together, however narrow they are."""

import numba
import numpy as np
from scipy.ndimage import label
from skimage.morphology import skeletonize

from ejectamap.evaluation.counts import Bools
from ejectamap.evaluation.ground import Ground
from ejectamap.evaluation.surfaces import harmonic_mean
from ejectamap.world.sphere import Array

BRIDGED_KM = 10.0
"""Gaps up to this length do not stop the walk along a ray."""
_CAL_RADIUS_KM = 5.0
_TOUCHING = np.ones((3, 3), int)


def line_figures(ground: Ground) -> dict[str, float]:
    """ClDice with topology precision and recall, CAL and its parts, Betti-0 error, reach along rays and gaps.

    Definitions, ranges and sources stand in docs/metrics.md. The truth must not be empty.
    """
    truth, prediction = ground.truth, ground.prediction
    lines, mapped_lines = skeletonize(truth), skeletonize(prediction)
    precision = _share(mapped_lines & truth, mapped_lines) if mapped_lines.any() else 0.0
    recall = _share(lines & prediction, lines)
    pieces = [int(label(mask, _TOUCHING)[1]) for mask in (truth, prediction)]
    connectivity = 1 - min(1.0, abs(pieces[0] - pieces[1]) / truth.sum())
    found, right = (
        _near(truth, ground.missed_km, ground),
        _near(prediction, ground.false_km, ground),
    )
    area = _share(found | right, truth | prediction)
    length = _share((lines & found) | (mapped_lines & right), lines | mapped_lines)
    reached, gaps_per_1000km = along_rays(ground)
    return {
        "cldice": harmonic_mean(precision, recall),
        "topology_precision": precision,
        "topology_recall": recall,
        "cal": connectivity * area * length,
        "cal_connectivity": float(connectivity),
        "cal_area": area,
        "cal_length": length,
        "betti0_error": float(abs(pieces[0] - pieces[1])),
        "reached_length": reached,
        "gaps_per_1000km": gaps_per_1000km,
    }


def along_rays(ground: Ground) -> tuple[float, float]:
    """How much of the true rays the map follows from the rim without a gap, and its gaps per 1000 km of true ray.

    Every half degree of azimuth is walked outwards over the true ejecta. The walk ends at the first stretch of more
    than `BRIDGED_KM` of them that the map misses; what it passed until the last mapped cell is reached. A gap is a
    missed stretch of any length between two mapped ones on an unbroken stretch of true ejecta. Both count by the width
    of ground between two walks: a length of ray, and a gap in it, weigh as much as the ray is wide.
    """
    truth, range_km = ground.polar(ground.truth)
    prediction, _ = ground.polar(ground.prediction)
    total, reached, gaps = _walk(truth, prediction, range_km, int(BRIDGED_KM / ground.spacing_km))
    if total == 0:
        return float("nan"), float("nan")
    return reached / total, gaps / (total * ground.spacing_km) * 1000


@numba.njit(cache=True, nogil=True)
def _walk(truth, prediction, width, bridged):  # type: ignore[no-untyped-def]
    """Cells of true ejecta, those reached, and gaps, over all columns from the first row on, weighed by width."""
    total, reached, gaps = 0.0, 0.0, 0.0
    for c in range(truth.shape[1]):
        passed, followed, missed, walking = 0.0, 0.0, 0, True
        seen, open_gap = False, False
        for r in range(truth.shape[0]):
            if not truth[r, c]:
                seen, open_gap = False, False
                continue
            passed += width[r]
            if prediction[r, c]:
                if open_gap:
                    gaps += width[r]
                seen, open_gap, missed = True, False, 0
                if walking:
                    followed = passed
            else:
                open_gap = seen
                missed += 1
                walking = walking and missed <= bridged
        total += passed
        reached += followed
    return total, reached, gaps


def _near(mask: Bools, away_km: Array, ground: Ground) -> Bools:
    """Those cells of a mask that are within CAL's radius, and be it a single cell, by the distance of each."""
    near = np.zeros_like(mask)
    near[mask] = away_km <= max(ground.spacing_km, _CAL_RADIUS_KM)
    return near


def _share(part: Bools, whole: Bools) -> float:
    return float(part.sum() / whole.sum())
