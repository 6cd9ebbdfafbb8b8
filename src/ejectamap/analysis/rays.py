"""Radius of the blanket, and the rays beyond it, traced from their tips inwards."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ejectamap.analysis.direction import Direction
from ejectamap.analysis.surroundings import Surroundings
from ejectamap.evaluation.structure import BRIDGED_KM
from ejectamap.world.grid import Bools
from ejectamap.world.sphere import Array

Ints = npt.NDArray[np.intp]

_RING_M = 4 * 665.24315  # the published ring
_FORBIDDEN_DEG = 60.0  # azimuths nearer than this to the middle of a forbidden zone are left out


@dataclass(frozen=True)
class Ray:
    """A long narrow piece of ejecta beyond the blanket, as cells of the polar view.

    Attributes
    ----------
    rows : int array (n,)
        Consecutive rows, from the nearest to the farthest.
    first, count : int array (n,)
        First column in each row, and number of columns; they may run on past the last column, around the circle.
    """

    rows: Ints
    first: Ints
    count: Ints

    def length_m(self, surroundings: Surroundings) -> float:
        """Range from the inner edge of the nearest row to the outer edge of the farthest one."""
        return float(self.rows.size * surroundings.depth_m)

    def widths_m(self, surroundings: Surroundings) -> Array:
        """Width on the ground in each row, across the range; (n,)."""
        cell_m2 = surroundings.view.cell_area_m2().ravel()[self.rows]
        return np.asarray(self.count * cell_m2 / surroundings.depth_m)

    def width_m(self, surroundings: Surroundings) -> float:
        """Median of these widths."""
        return float(np.median(self.widths_m(surroundings)))


@dataclass(frozen=True)
class Rays:
    """Rays beyond the blanket: their number, and lengths and width in km (nan without rays)."""

    count: int
    length_median_km: float
    length_max_km: float
    width_median_km: float

    @classmethod
    def summarise(cls, rays: Sequence[Ray], surroundings: Surroundings) -> "Rays":
        """Summary of some rays."""
        if not rays:
            return cls(0, *[float("nan")] * 3)
        lengths_km = [ray.length_m(surroundings) / 1e3 for ray in rays]
        widths_km = [ray.width_m(surroundings) / 1e3 for ray in rays]
        return cls(
            len(rays),
            float(np.median(lengths_km)),
            float(max(lengths_km)),
            float(np.median(widths_km)),
        )


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


def trace_rays(surroundings: Surroundings, blanket_m: float) -> list[Ray]:
    """Trace the rays beyond the blanket, in the order of their azimuth at the tip, clockwise from north.

    Gaps of up to 10 km along the range are bridged, as in the figures along rays of docs/metrics.md. A ray is followed
    inwards from its tip, from ring to ring of ejecta that touch; where several meet, the longest goes on and the others
    end there, as tributaries of a river do. It counts if it is longer than a crater radius and at least twice as long
    as wide, so that the teeth of a ragged edge do not.
    """
    beyond = surroundings.range_m > max(blanket_m, surroundings.view.crater.radius_m)
    bridge = int(BRIDGED_KM * 1e3 / surroundings.depth_m)
    rays = [
        ray
        for ray in _trace(_bridged(surroundings.ejecta & beyond, bridge))
        if ray.length_m(surroundings)
        > max(surroundings.view.crater.radius_m, 2 * ray.width_m(surroundings))
    ]
    cols = surroundings.view.cols
    return sorted(rays, key=lambda ray: float(ray.first[-1] + ray.count[-1] / 2) % cols)


def _trace(mask: Bools) -> list[Ray]:
    """Follow the ejecta of a polar mask inwards, from row to row; columns are a closed circle."""
    cols = mask.shape[1]
    cells: list[
        list[tuple[int, int, int]]
    ] = []  # of each ray: row, first column, number of columns
    farther = np.full(cols, -1)  # the ray of each column in the row beyond
    for row in range(mask.shape[0] - 1, -1, -1):
        here = np.full(cols, -1)
        followed: set[int] = set()
        for count, first in sorted(_runs(mask[row]), reverse=True):  # the widest goes on
            touching = set(farther[np.arange(first - 1, first + count + 1) % cols].tolist())
            touching -= {-1, *followed}
            if touching:
                ray = max(touching, key=lambda k: (len(cells[k]), -k))
            else:
                ray = len(cells)
                cells.append([])
            followed.add(ray)
            cells[ray].append((row, first, count))
            here[np.arange(first, first + count) % cols] = ray
        farther = here
    return [Ray(*np.array(ray[::-1], np.intp).T) for ray in cells]


def _runs(row: Bools) -> list[tuple[int, int]]:
    """Runs of True around a circle: number of columns and first column of each."""
    if row.all():
        return [(row.size, 0)]
    gap = int(np.argmin(row))  # a column at which no run continues
    steps = np.diff(np.concatenate([[0], np.roll(row, -gap).astype(np.int8), [0]]))
    firsts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    return list(zip((ends - firsts).tolist(), ((firsts + gap) % row.size).tolist(), strict=True))


def _bridged(mask: Bools, longest: int) -> Bools:
    """Mask in which gaps of at most `longest` cells along the columns are filled."""
    rows = np.arange(mask.shape[0], dtype=np.int32)[:, None]
    before = np.maximum.accumulate(np.where(mask, rows, np.int32(-(2**29))), axis=0)
    after = np.where(mask, rows, np.int32(2**29))[::-1]
    after = np.minimum.accumulate(after, axis=0)[::-1]
    return np.asarray(mask | (after - before - 1 <= longest))
