"""How well a map keeps the shape of ejecta: outlines in place, rays unbroken and of their full length.

docs/metrics.md has the definitions, ranges and sources of all figures. Those of one crater are computed on its
`CraterRasters`, whose truth must not be empty.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numba
import numpy as np
from scipy.ndimage import binary_dilation, label
from skimage.morphology import skeletonize

from ejectamap.evaluation.counts import harmonic_mean, none_if_nan
from ejectamap.evaluation.crater_rasters import AZIMUTHS, CraterRasters, distances_km
from ejectamap.progress import track
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Bools
from ejectamap.world.labels import Labels
from ejectamap.world.sphere import Array

Figures = dict[str, float]

LOWER_IS_BETTER = ("balanced_hausdorff_km", "hd95_km", "betti0_error", "gaps_per_1000km")
"""Figures of structure of which less is better."""
HALF_SCORE_KM = 30.0
"""Displacement at which a cell scores one half."""
TOLERANCES_KM = (5, 10, 20)
"""Tolerances of surface Dice and boundary F1."""
BRIDGED_KM = 10.0
"""Gaps up to this length do not interrupt a ray."""

_CAL_RADIUS_KM = 5.0
_TOUCHING = np.ones((3, 3), int)
_THREADS = 2  # each holds the rasters of one crater in memory


@dataclass(frozen=True)
class Structure:
    """Figures of structure, crater by crater; crater interiors are included, but in those along rays.

    Attributes
    ----------
    spacing_km : float
        Side of a cell of the rasters that the figures are computed on.
    craters : mapping of int to dict of str to float
        By crater id; only craters that have true ejecta.
    """

    spacing_km: float
    craters: Mapping[int, Figures]

    @property
    def mean(self) -> Figures:
        """Mean of each figure over the craters for which it is defined, each crater counting once."""
        rows = list(self.craters.values())
        names = rows[0] if rows else ()
        defined = {name: [row[name] for row in rows if not np.isnan(row[name])] for name in names}
        return {name: float(np.mean(v)) if v else float("nan") for name, v in defined.items()}

    def to_dict(self) -> dict[str, Any]:
        """All figures by name, ready for JSON."""
        return {
            "spacing_km": none_if_nan(self.spacing_km),
            "mean": _without_nan(self.mean),
            "craters": [{"crater_id": k, **_without_nan(row)} for k, row in self.craters.items()],
        }


def evaluate_structure(
    labels: Labels, craters: Sequence[Crater], predicted: Callable[[int], Labels]
) -> Structure:
    """Evaluate the shape of a map, two craters at a time.

    Parameters
    ----------
    labels : Labels
    craters : sequence of Crater
        Those that are not labelled, or have no ejecta within reach, are left out.
    predicted : callable
        A crater's id to its map, as labels; called from several threads.
    """
    labelled = [crater for crater in craters if crater.crater_id in labels.masks]

    def evaluate(crater: Crater) -> tuple[float, Figures | None]:
        rasters = CraterRasters.around(crater, labels, predicted(crater.crater_id))
        return rasters.spacing_km, structure_figures(rasters) if rasters.truth.any() else None

    with ThreadPoolExecutor(_THREADS) as pool:
        evaluated = pool.map(evaluate, labelled)
        rows = list(track(evaluated, "evaluating structure", total=len(labelled)))
    spacing_km = rows[0][0] if rows else float("nan")
    by_crater = zip(labelled, (figures for _, figures in rows), strict=True)
    return Structure(
        spacing_km, {c.crater_id: figures for c, figures in by_crater if figures is not None}
    )


def structure_figures(rasters: CraterRasters) -> Figures:
    """All figures of one crater that has true ejecta; the first, `structure`, summarises the whole pattern."""
    return displacement_figures(rasters) | surface_figures(rasters) | line_figures(rasters)


def displacement_figures(rasters: CraterRasters) -> Figures:
    """Precision and recall in which a cell that is slightly out of place counts nearly whole; `structure` is their F1.

    A cell displaced by d scores 1 / (1 + (d / 30 km)²), as in Pratt's figure of merit. For a mapped cell d is the
    distance to the nearest true cell. For a true cell beyond the rim it is the distance to the nearest mapped cell at
    the same range, across the rays: a gap along a ray counts as missed, however near the ray continues. Cells count by
    ground area. Recall and F1 are nan if there are no true ejecta beyond the rim.
    """
    precision = float(_score(rasters.map_to_truth_km).mean()) if rasters.prediction.any() else 0.0
    recall = _displacement_recall(rasters)
    return {
        "structure": harmonic_mean(precision, recall),
        "structure_precision": precision,
        "structure_recall": recall,
    }


def surface_figures(rasters: CraterRasters) -> Figures:
    """Balanced average Hausdorff, HD95, and surface Dice and boundary F1 at each of `TOLERANCES_KM`.

    The distances of an empty map are those of a map of only the crater's centre; its Dice and F1 are 0.
    """
    empty = not rasters.prediction.any()
    if empty:
        centre = np.zeros_like(rasters.truth)
        centre[int(rasters.centre[0]), int(rasters.centre[1])] = True
        rasters = replace(rasters, prediction=centre)
    truth, prediction = rasters.truth, rasters.prediction
    summed = rasters.truth_to_map_km.sum() + rasters.map_to_truth_km.sum()
    figures = {"balanced_hausdorff_km": float(summed / 2 / truth.sum())}
    true_edge_km, mapped_edge_km = edge_distances_km(
        truth, prediction, rasters.known, rasters.spacing_km
    )
    figures["hd95_km"] = float(
        max(np.percentile(true_edge_km, 95), np.percentile(mapped_edge_km, 95))
    )
    for tolerance_km in TOLERANCES_KM:
        true_near = 0.0 if empty else float(np.sum(true_edge_km <= tolerance_km))
        mapped_near = 0.0 if empty else float(np.sum(mapped_edge_km <= tolerance_km))
        dice = (true_near + mapped_near) / (true_edge_km.size + mapped_edge_km.size)
        recall, precision = true_near / true_edge_km.size, mapped_near / mapped_edge_km.size
        figures[f"surface_dice_{tolerance_km}km"] = dice
        figures[f"boundary_f1_{tolerance_km}km"] = harmonic_mean(precision, recall)
    return figures


def edge_distances_km(
    truth: Bools, prediction: Bools, known: Bools, spacing_km: float
) -> tuple[Array, Array]:
    """Distance of each edge cell of the truth to the prediction's edge, and the reverse.

    A mask without an edge (it covers all known ground) counts as a whole.
    """
    edges = [edge(mask, known) for mask in (truth, prediction)]
    true, mapped = (e if e.any() else m for e, m in zip(edges, (truth, prediction), strict=True))
    return distances_km(true, mapped, spacing_km), distances_km(mapped, true, spacing_km)


def edge(mask: Bools, known: Bools) -> Bools:
    """Cells of a mask next to known ground outside it; where the labelled ground ends there is no edge."""
    return np.asarray(mask & binary_dilation(known & ~mask))


def line_figures(rasters: CraterRasters) -> Figures:
    """ClDice with topology precision and recall, CAL and its parts, Betti-0 error, reach along rays and gaps."""
    truth, prediction = rasters.truth, rasters.prediction
    true_lines, mapped_lines = skeletonize(truth), skeletonize(prediction)
    precision = _fraction(mapped_lines & truth, mapped_lines) if mapped_lines.any() else 0.0
    recall = _fraction(true_lines & prediction, true_lines)
    true_pieces, mapped_pieces = (int(label(mask, _TOUCHING)[1]) for mask in (truth, prediction))
    piece_error = abs(true_pieces - mapped_pieces)
    connectivity = 1 - min(1.0, piece_error / truth.sum())
    radius_km = max(rasters.spacing_km, _CAL_RADIUS_KM)
    true_near = _within(truth, rasters.truth_to_map_km, radius_km)
    mapped_near = _within(prediction, rasters.map_to_truth_km, radius_km)
    area = _fraction(true_near | mapped_near, truth | prediction)
    length = _fraction(
        (true_lines & true_near) | (mapped_lines & mapped_near), true_lines | mapped_lines
    )
    reached, gaps_per_1000km = ray_continuity(rasters)
    return {
        "cldice": harmonic_mean(precision, recall),
        "topology_precision": precision,
        "topology_recall": recall,
        "cal": connectivity * area * length,
        "cal_connectivity": float(connectivity),
        "cal_area": area,
        "cal_length": length,
        "betti0_error": float(piece_error),
        "reached_length": reached,
        "gaps_per_1000km": gaps_per_1000km,
    }


def ray_continuity(rasters: CraterRasters) -> tuple[float, float]:
    """Fraction of the true rays that the map follows from the rim without a gap, and its gaps per 1000 km of true ray.

    The true ejecta on every half degree of azimuth are followed outwards. The first stretch of more than `BRIDGED_KM`
    of them that the map misses ends the part that is reached. A gap is a missed stretch of any length between two
    mapped ones on an unbroken stretch of true ejecta. Both are weighted by the width of ground between two azimuths, so
    that a length of ray and a gap in it count in proportion to the width of the ray.
    """
    truth, range_km = rasters.polar(rasters.truth)
    prediction, _ = rasters.polar(rasters.prediction)
    bridged = int(BRIDGED_KM / rasters.spacing_km)
    total, reached, gaps = _follow_rays(truth, prediction, range_km, bridged)
    if total == 0:
        return float("nan"), float("nan")
    return reached / total, gaps / (total * rasters.spacing_km) * 1000


def _displacement_recall(rasters: CraterRasters) -> float:
    """Mean score of the true cells beyond the rim."""
    truth, range_km = rasters.polar(rasters.truth)
    mapped, _ = rasters.polar(rasters.prediction)
    width_km = range_km * (2 * np.pi / AZIMUTHS)
    scores = _score(_columns_to_mask(mapped) * width_km[:, None])
    # Rows are equally far apart, so that a cell's area is proportional to its width.
    weights = truth * width_km[:, None]
    return float((scores * weights).sum() / weights.sum()) if truth.any() else float("nan")


def _score(displacement_km: Array) -> Array:
    """Score of displaced cells, 0 to 1."""
    return 1 / (1 + (displacement_km / HALF_SCORE_KM) ** 2)


@numba.njit(cache=True, nogil=True)
def _columns_to_mask(mask):  # type: ignore[no-untyped-def]
    """Columns from each cell to the nearest one of a mask in the same row, around the circle; infinite if none."""
    rows, cols = mask.shape
    steps = np.full((rows, cols), np.inf)
    for r in range(rows):
        for direction in (1, -1):
            distance = np.inf
            # Two turns around the circle, because the first cells of the mask are unknown during the first turn.
            for k in range(2 * cols):
                c = k * direction % cols
                distance = 0.0 if mask[r, c] else distance + 1
                steps[r, c] = min(steps[r, c], distance)
    return steps


@numba.njit(cache=True, nogil=True)
def _follow_rays(truth, prediction, width, bridged):  # type: ignore[no-untyped-def]
    """Cells of true ejecta, those reached, and gaps, over all columns from the first row on, weighted by width."""
    total, reached, gaps = 0.0, 0.0, 0.0
    for c in range(truth.shape[1]):
        passed, followed, missed, following = 0.0, 0.0, 0, True
        mapped_before, in_gap = False, False
        for r in range(truth.shape[0]):
            if not truth[r, c]:
                mapped_before, in_gap = False, False
                continue
            passed += width[r]
            if prediction[r, c]:
                if in_gap:
                    gaps += width[r]
                mapped_before, in_gap, missed = True, False, 0
                if following:
                    followed = passed
            else:
                in_gap = mapped_before
                missed += 1
                following = following and missed <= bridged
        total += passed
        reached += followed
    return total, reached, gaps


def _within(mask: Bools, distance_km: Array, radius_km: float) -> Bools:
    """The cells of a mask whose distance, given in their order, is at most a radius."""
    near = np.zeros_like(mask)
    near[mask] = distance_km <= radius_km
    return near


def _fraction(part: Bools, whole: Bools) -> float:
    return float(part.sum() / whole.sum())


def _without_nan(figures: Figures) -> dict[str, float | None]:
    return {name: none_if_nan(figure) for name, figure in figures.items()}
