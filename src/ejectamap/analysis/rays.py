"""Radius of the blanket, and number, length and width of the rays beyond it."""

from dataclasses import dataclass

import numpy as np

from ejectamap.analysis.direction import Direction
from ejectamap.analysis.pattern import label_clusters
from ejectamap.analysis.surroundings import Surroundings
from ejectamap.evaluation.structure import BRIDGED_KM
from ejectamap.world.grid import Bools
from ejectamap.world.sphere import Array

_RING_M = 4 * 665.24315  # the published ring
_FORBIDDEN_DEG = 60.0  # azimuths nearer than this to the middle of a forbidden zone are left out


@dataclass(frozen=True)
class Rays:
    """Rays beyond the blanket: their number, and lengths and width in km (nan without rays)."""

    count: int
    length_median_km: float
    length_max_km: float
    width_median_km: float


def half_cover_radius_m(surroundings: Surroundings, pixel_m: float) -> float:
    """Radius within which ejecta cover more than half of every ring, from the rim outwards, in metres.

    This is the release's blanket radius, but searched from the rim instead of from 4 crater radii, because blankets
    that end nearer would all get 4 radii. Rings are 2661 m thick as published (4 pixels of 665 m), or a pixel of the
    mosaic where that is more; ground without data is left out. The result is the crater's own radius if ejecta do not
    cover more than half of the first ring.
    """
    return _open_ring_m(surroundings, pixel_m, np.ones(surroundings.view.cols, bool))


def blanket_radius_m(surroundings: Surroundings, pixel_m: float, direction: Direction) -> float:
    """Radius of the continuous ejecta, in metres: `half_cover_radius_m` without the azimuths of a forbidden zone.

    Azimuths within 60 degrees of the middle of a forbidden zone are left out, because a gap does not make the rest of
    the blanket shorter. Roots of rays that touch one another are part of the blanket.
    """
    bearing_deg = surroundings.view.column_bearings_deg()
    off_deg = np.abs((bearing_deg - direction.missing_bearing_deg + 180) % 360 - 180)
    return _open_ring_m(surroundings, pixel_m, ~(off_deg < _FORBIDDEN_DEG))


def _open_ring_m(surroundings: Surroundings, pixel_m: float, azimuths: Bools) -> float:
    """Middle range, over some azimuths, of the first ring beyond the rim of which ejecta cover at most half."""
    rows = np.flatnonzero(surroundings.beyond_rim)
    has_data = surroundings.known[rows] & azimuths
    ring = max(1, round(max(_RING_M, pixel_m) / surroundings.depth_m))
    ends = np.minimum(np.arange(rows.size) + ring, rows.size)
    known, covered = (
        np.cumsum(np.pad(cells.sum(axis=1), (1, 0)))
        for cells in (has_data, has_data & surroundings.ejecta[rows])
    )
    known, covered = known[ends] - known[:-1], covered[ends] - covered[:-1]
    open_rings = np.flatnonzero((2 * covered <= known) & (known > 0))
    if open_rings.size == 0:
        return float(surroundings.view.range_m)
    if open_rings[0] == 0:
        return surroundings.view.crater.radius_m
    return float(
        surroundings.range_m[rows[open_rings[0]], 0] + 0.5 * (ring - 1) * surroundings.depth_m
    )


def rays_beyond(surroundings: Surroundings, blanket_m: float) -> Rays:
    """Count and measure rays: long narrow patches of ejecta beyond the blanket.

    Gaps of up to 10 km along the range are bridged, as in the figures along rays of docs/metrics.md. The length of a
    patch of touching cells is the range between its ends, its width is its ground area over its length. It is a ray if
    its length is more than a crater radius and at least twice its width. Rays that touch beyond the blanket count once.
    """
    ray = surroundings.ejecta & (
        surroundings.range_m > max(blanket_m, surroundings.view.crater.radius_m)
    )
    bridge = int(BRIDGED_KM * 1e3 / surroundings.depth_m)
    labels = label_clusters(_bridged(ray, bridge), closed=True)
    if not labels.any():
        return Rays(0, *[float("nan")] * 3)
    row, col = np.nonzero(labels)
    patch = labels[row, col] - 1
    count = int(patch.max()) + 1
    near, far = np.full(count, surroundings.ejecta.shape[0]), np.full(count, -1)
    np.minimum.at(near, patch, row)
    np.maximum.at(far, patch, row)
    length_km = (far - near + 1) * surroundings.depth_m / 1e3
    area_km2 = np.bincount(patch, weights=surroundings.area_km2[row, col], minlength=count)
    width_km = np.divide(area_km2, length_km, out=np.zeros(count), where=far >= 0)
    radius_km = surroundings.view.crater.radius_m / 1e3
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
    """Mask in which gaps of at most `longest` cells along the columns are filled."""
    rows = np.arange(mask.shape[0], dtype=np.int32)[:, None]
    before = np.maximum.accumulate(np.where(mask, rows, np.int32(-(2**29))), axis=0)
    after = np.where(mask, rows, np.int32(2**29))[::-1]
    after = np.minimum.accumulate(after, axis=0)[::-1]
    return np.asarray(mask | (after - before - 1 <= longest))
