"""How far apart two outlines are, in kilometres on the ground."""

from dataclasses import replace

import numpy as np
from scipy.ndimage import binary_dilation

from ejectamap.evaluation.counts import Bools
from ejectamap.evaluation.ground import Ground, distances_km
from ejectamap.world.sphere import Array

TOLERANCES_KM = (5, 10, 20)


def surface_figures(ground: Ground) -> dict[str, float]:
    """Balanced average Hausdorff, HD95, and surface Dice and boundary F1 at each of `TOLERANCES_KM`.

    Definitions, ranges and sources stand in docs/metrics.md. The truth must not be empty. An empty map is measured as
    if it held the crater's centre; its Dice and F1 are 0.
    """
    empty = not ground.prediction.any()
    if empty:
        centre = np.zeros_like(ground.truth)
        centre[int(ground.centre[0]), int(ground.centre[1])] = True
        ground = replace(ground, prediction=centre)
    truth, prediction = ground.truth, ground.prediction
    summed = ground.missed_km.sum() + ground.false_km.sum()
    figures = {"balanced_hausdorff_km": float(summed / 2 / truth.sum())}
    missed_km, false_km = edge_distances_km(truth, prediction, ground.known, ground.spacing_km)
    figures["hd95_km"] = float(max(np.percentile(missed_km, 95), np.percentile(false_km, 95)))
    for tolerance_km in TOLERANCES_KM:
        found = 0.0 if empty else float(np.sum(missed_km <= tolerance_km))
        right = 0.0 if empty else float(np.sum(false_km <= tolerance_km))
        dice = (found + right) / (missed_km.size + false_km.size)
        recall, precision = found / missed_km.size, right / false_km.size
        figures[f"surface_dice_{tolerance_km}km"] = dice
        figures[f"boundary_f1_{tolerance_km}km"] = harmonic_mean(precision, recall)
    return figures


def edge_distances_km(
    truth: Bools, prediction: Bools, known: Bools, spacing_km: float
) -> tuple[Array, Array]:
    """Distance of each edge cell of the truth to the prediction's edge, and the other way round."""
    edges = [edge(mask, known) for mask in (truth, prediction)]
    true, mapped = (e if e.any() else m for e, m in zip(edges, (truth, prediction), strict=True))
    return distances_km(true, mapped, spacing_km), distances_km(mapped, true, spacing_km)


def edge(mask: Bools, known: Bools) -> Bools:
    """Cells of a mask beside known ground that is not of it; where the labels end is no edge."""
    return np.asarray(mask & binary_dilation(known & ~mask))


def harmonic_mean(a: float, b: float) -> float:
    """2 a b / (a + b); 0 if both are 0."""
    return 2 * a * b / (a + b) if a + b else 0.0
