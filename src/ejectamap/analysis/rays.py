"""Blanket and rays: how far the blanket goes, how many rays leave it, how long and how wide they are."""

from dataclasses import dataclass

import numpy as np

from ejectamap.analysis.direction import Direction
from ejectamap.analysis.pattern import label_clusters
from ejectamap.analysis.surroundings import Surroundings
from ejectamap.evaluation.lines import BRIDGED_KM
from ejectamap.world.mosaic import Bools
from ejectamap.world.sphere import Array

_RING_M = 4 * 665.24315  # the published ring
_FORBIDDEN_DEG = 60.0  # half the width of what is left out about a forbidden zone


@dataclass(frozen=True)
class Rays:
    """Rays beyond the blanket: how many, and lengths and width in km (nan without rays)."""

    count: int
    length_median_km: float
    length_max_km: float
    width_median_km: float


def half_cover_radius_m(around: Surroundings, pixel_m: float) -> float:
    """Radius within which ejecta cover more than half of every ring, from the rim outwards, in metres.

    The release's blanket radius, but walked from the rim instead of from 4 crater radii: blankets that end nearer would
    all come out as 4 radii. Rings are 2661 m thick as published (4 pixels of 665 m), or a pixel of the mosaic where
    that is more; ground without data is left out. The crater's own radius if the first ring is open already.
    """
    return _walk(around, pixel_m, np.ones(around.view.cols, bool))


def blanket_radius_m(around: Surroundings, pixel_m: float, direction: Direction) -> float:
    """Radius of the continuous ejecta: `half_cover_radius_m` of the sides on which there are ejecta, in metres.

    Azimuths within 60 degrees of the middle of a forbidden zone are left out: a blanket is not shorter for being cut
    open. Roots of rays that hang together are part of it: an outline shows continuous ground, not what covers it.
    """
    bearing_deg = around.view.column_bearings_deg()
    off_deg = np.abs((bearing_deg - direction.missing_bearing_deg + 180) % 360 - 180)
    return _walk(around, pixel_m, ~(off_deg < _FORBIDDEN_DEG))


def _walk(around: Surroundings, pixel_m: float, azimuths: Bools) -> float:
    """Middle range of the first ring from the rim on of which ejecta cover no more than half of some azimuths."""
    rows = np.flatnonzero(around.beyond_rim)
    seen = around.known[rows] & azimuths
    ring = max(1, round(max(_RING_M, pixel_m) / around.depth_m))
    ends = np.minimum(np.arange(rows.size) + ring, rows.size)
    known, covered = (
        np.cumsum(np.pad(cells.sum(axis=1), (1, 0))) for cells in (seen, seen & around.ejecta[rows])
    )
    known, covered = known[ends] - known[:-1], covered[ends] - covered[:-1]
    open_rings = np.flatnonzero((2 * covered <= known) & (known > 0))
    if open_rings.size == 0:
        return float(around.view.range_m)
    if open_rings[0] == 0:
        return around.view.crater.radius_m
    return float(around.range_m[rows[open_rings[0]], 0] + 0.5 * (ring - 1) * around.depth_m)


def rays_beyond(around: Surroundings, blanket_m: float) -> Rays:
    """Count and measure rays: long narrow patches of ejecta beyond the blanket.

    Gaps of up to 10 km along the range are bridged, as in the figures along rays of docs/metrics.md. A patch of
    touching cells is a ray where its length, the range from its near to its far end, is more than a crater radius and
    at least twice its mean width, its ground area over its length. Rays that touch beyond the blanket count once.
    """
    ray = around.ejecta & (around.range_m > max(blanket_m, around.view.crater.radius_m))
    bridge = int(BRIDGED_KM * 1e3 / around.depth_m)
    labels = label_clusters(_bridged(ray, bridge), closed=True)
    if not labels.any():
        return Rays(0, *[float("nan")] * 3)
    row, col = np.nonzero(labels)
    which = labels[row, col] - 1
    count = int(which.max()) + 1
    near, far = np.full(count, around.ejecta.shape[0]), np.full(count, -1)
    np.minimum.at(near, which, row)
    np.maximum.at(far, which, row)
    length_km = (far - near + 1) * around.depth_m / 1e3
    area_km2 = np.bincount(which, weights=around.area_km2[row, col], minlength=count)
    width_km = np.divide(area_km2, length_km, out=np.zeros(count), where=far >= 0)
    radius_km = around.view.crater.radius_m / 1e3
    long = (far >= 0) & (length_km > radius_km) & (length_km >= 2 * width_km)
    if not long.any():
        return Rays(0, *[float("nan")] * 3)
    lengths: Array = length_km[long]
    return Rays(
        int(long.sum()),
        float(np.median(lengths)),
        float(lengths.max()),
        float(np.median(width_km[long])),
    )


def _bridged(mask: Bools, longest: int) -> Bools:
    """Mask with gaps of at most `longest` cells along the columns closed."""
    rows = np.arange(mask.shape[0], dtype=np.int32)[:, None]
    before = np.maximum.accumulate(np.where(mask, rows, np.int32(-(2**29))), axis=0)
    after = np.where(mask, rows, np.int32(2**29))[::-1]
    after = np.minimum.accumulate(after, axis=0)[::-1]
    return np.asarray(mask | (after - before - 1 <= longest))
