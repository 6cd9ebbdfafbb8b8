"""Pixels counted by position around a crater: rings of distance, deciles of the true ejecta, sectors of azimuth."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from ejectamap.evaluation.counts import Counts
from ejectamap.evaluation.reliability import ReliabilityCounts
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Bools, Grid, Window
from ejectamap.world.sphere import Array

DISTANCES = ("0-3", "3-10", ">10")
"""Names of the distance classes, in crater radii from the centre."""
DISTANCE_EDGES = (3.0, 10.0)
"""Distances at which these classes meet, in crater radii."""
SECTORS = ("0-45", "45-90", "90-135", "135-180", "180-225", "225-270", "270-315", "315-360")
"""Names of the sectors, in degrees clockwise from north."""
DECILES = 10
LEVELS = 256
"""Values of a stored probability; the last one is no data."""

_RADII = (1.0, *DISTANCE_EDGES)  # the rim and the edges of the distance classes, in crater radii
_M2_PER_KM2 = 1e6
_FINE_RINGS = 2**16  # in half a circumference
_DECILE_FRACTIONS = np.arange(1, DECILES) / DECILES * (1 + 1e-9)
"""A little above k / 10, so that in spite of rounding ten equal pixels fall into ten deciles."""


@dataclass(frozen=True)
class RingTable:
    """Counts of one crater by ring and sector, added up window by window.

    Attributes
    ----------
    crater : Crater
    reach_m : float
        Ground farther away is not counted; infinite to count all.
    deciles_m : float array (9,)
        Distances at which the deciles of the true ejecta meet.
    pixels : int64 array (rings, sectors, 4)
        Columns tn, fp, fn, tp.
    area_km2 : float64 array (rings, sectors, 4)
        The same by ground area.
    levels : int64 array (3, 2, 256)
        Pixels by distance class, by label (no ejecta, ejecta) and by stored probability.
    """

    crater: Crater
    reach_m: float
    deciles_m: Array
    pixels: npt.NDArray[np.int64]
    area_km2: Array
    levels: npt.NDArray[np.int64]

    @classmethod
    def empty(cls, crater: Crater, reach_m: float, deciles_m: Array) -> "RingTable":
        """A table of zeros."""
        shape = len(_RADII) + deciles_m.size + 1, len(SECTORS), 4
        levels = np.zeros((len(DISTANCES), 2, LEVELS), np.int64)
        return cls(crater, reach_m, deciles_m, np.zeros(shape, np.int64), np.zeros(shape), levels)

    @property
    def edges_m(self) -> Array:
        """Distances at which the rings meet, ascending."""
        return np.sort(np.concatenate([np.multiply(_RADII, self.crater.radius_m), self.deciles_m]))

    def count(
        self,
        grid: Grid,
        window: Window,
        truth: Bools,
        prediction: Bools,
        stored: npt.NDArray[np.uint8],
    ) -> npt.NDArray[np.int64]:
        """Add the pixels of a window, and return their counts of (tn, fp, fn, tp).

        Parameters
        ----------
        grid : Grid
        window : Window
        truth, prediction : bool array (height, width)
        stored : uint8 array (height, width)
            Stored probabilities, 255 where there is no data.
        """
        dlon, lat, lat0, row_area_m2 = _relative_coordinates(self.crater, grid, window)
        before = self.pixels.sum(axis=(0, 1))
        reach_rad = self.reach_m / grid.radius_m
        _count(
            (truth, prediction, stored),
            (dlon, lat, lat0),
            np.cos(np.minimum(self.edges_m / grid.radius_m, np.pi)),
            np.cos(reach_rad) if reach_rad < np.pi else -2.0,
            row_area_m2 / _M2_PER_KM2,
            self._distance_class(),
            (self.pixels, self.area_km2, self.levels),
        )
        return np.asarray(self.pixels.sum(axis=(0, 1)) - before, np.int64)

    def distances(self) -> dict[str, Counts]:
        """Pixels by distance class."""
        class_of_ring = self._distance_class()
        return {
            name: counts_from_row(self.pixels[class_of_ring == k].sum(axis=(0, 1)))
            for k, name in enumerate(DISTANCES)
        }

    def reliability(self) -> dict[str, ReliabilityCounts]:
        """Pixels by stored probability and label, by distance class."""
        return {
            name: ReliabilityCounts(levels)
            for name, levels in zip(DISTANCES, self.levels, strict=True)
        }

    def outside_km2(self) -> Counts:
        """Ground area beyond the rim."""
        return counts_from_row(self.area_km2[self._beyond_rim()].sum(axis=(0, 1)))

    def deciles(self) -> tuple[Counts, ...]:
        """Ground area beyond the rim, by decile of the true ejecta's area from the centre outwards."""
        decile_of_ring = np.searchsorted(self.deciles_m, self._inner_edges_m(), "right")
        return tuple(
            counts_from_row(
                self.area_km2[self._beyond_rim() & (decile_of_ring == k)].sum(axis=(0, 1))
            )
            for k in range(DECILES)
        )

    def sectors(self) -> dict[str, Counts]:
        """Ground area beyond the rim, by direction from the crater."""
        area_km2 = self.area_km2[self._beyond_rim()].sum(axis=0)
        return {name: counts_from_row(row) for name, row in zip(SECTORS, area_km2, strict=True)}

    def _distance_class(self) -> npt.NDArray[np.intp]:
        """Index of each ring's distance class."""
        edges_m = np.multiply(DISTANCE_EDGES, self.crater.radius_m)
        return np.searchsorted(edges_m, self._inner_edges_m(), "right")

    def _inner_edges_m(self) -> Array:
        """Inner edge of each ring."""
        return np.concatenate([[-1.0], self.edges_m])

    def _beyond_rim(self) -> Bools:
        """Whether each ring lies beyond the rim."""
        return np.asarray(self._inner_edges_m() >= self.crater.radius_m)


def counts_from_row(row: npt.NDArray[np.number] | Sequence[float]) -> Counts:
    """Counts from a row of (tn, fp, fn, tp)."""
    tn, fp, fn, tp = np.asarray(row).tolist()
    return Counts(tp=tp, fp=fp, fn=fn, tn=tn)


def within_reach(crater: Crater, grid: Grid, window: Window, truth: Bools, reach_m: float) -> Bools:
    """True pixels of a window that are no farther from a crater than `reach_m`."""
    reach_rad = reach_m / grid.radius_m
    if reach_rad >= np.pi:
        return truth
    near = truth.copy()
    _clear_far(near, _relative_coordinates(crater, grid, window)[:3], np.cos(reach_rad))
    return near


def decile_edges_m(distance_m: Array, area: Array) -> Array:
    """Distances that divide ground into ten parts of equal area from the centre outwards; shape (9,), 0 without ground.

    A pixel at an edge lies beyond it.

    Parameters
    ----------
    distance_m, area : float array (n,)
        Distance from the centre and ground area of each pixel.
    """
    if distance_m.size == 0:
        return np.zeros(DECILES - 1)
    order = np.argsort(distance_m, kind="stable")
    total = np.cumsum(area[order])
    edges = np.searchsorted(total, _DECILE_FRACTIONS * total[-1], side="right")
    return np.asarray(distance_m[order][edges], np.float64)


def true_decile_edges_m(
    crater: Crater,
    grid: Grid,
    reach_m: float,
    read: Callable[[Window], Bools],
    windows: Sequence[Window],
) -> Array:
    """`decile_edges_m` of a crater's true ejecta beyond its rim, without all of its pixels in memory.

    The windows are read twice: first the area in each of many fine rings is summed, then the pixels of those fine
    rings that hold an edge are sorted.

    Parameters
    ----------
    crater : Crater
    grid : Grid
    reach_m : float
        Ground farther away does not count; may be infinite.
    read : callable
        A window to the true ejecta in it, bool array (height, width).
    windows : sequence of Window
        Without overlap.
    """
    limits = crater.radius_m / grid.radius_m, min(reach_m / grid.radius_m, np.pi)

    def true_pixels(window: Window) -> tuple[Array, Array, npt.NDArray[np.intp]]:
        """Distance (radians), area (m2) and fine ring of the true pixels between rim and reach."""
        truth = read(window)
        if not truth.any():
            return np.zeros(0), np.zeros(0), np.zeros(0, np.intp)
        distance, area = _list_pixels(truth, _relative_coordinates(crater, grid, window), limits)
        ring = np.minimum((distance / np.pi * _FINE_RINGS).astype(np.intp), _FINE_RINGS - 1)
        return distance, area, ring

    ring_area, ring_pixels = np.zeros(_FINE_RINGS), np.zeros(_FINE_RINGS, np.int64)
    for window in windows:
        _, area, ring = true_pixels(window)
        np.add.at(ring_area, ring, area)
        np.add.at(ring_pixels, ring, 1)
    total = np.cumsum(ring_area)
    edges = np.searchsorted(total, _DECILE_FRACTIONS * total[-1], side="right")
    holds_edge = np.zeros(_FINE_RINGS, bool)
    holds_edge[edges.clip(max=_FINE_RINGS - 1)] = True
    # Each of the other rings counts as one pixel, because no edge lies within it.
    whole = ~holds_edge & (ring_pixels > 0)
    distances = [(np.flatnonzero(whole) + 0.5) * (np.pi / _FINE_RINGS)]
    areas = [ring_area[whole]]
    for window in windows:
        distance, area, ring = true_pixels(window)
        distances.append(distance[holds_edge[ring]])
        areas.append(area[holds_edge[ring]])
    return decile_edges_m(np.concatenate(distances) * grid.radius_m, np.concatenate(areas))


def _relative_coordinates(
    crater: Crater, grid: Grid, window: Window
) -> tuple[Array, Array, float, npt.NDArray[np.float64]]:
    """Longitudes of a window's columns from the crater's, latitudes of its rows, the crater's latitude; row areas (m2).

    Angles are in radians.
    """
    lon, lat = (np.radians(x).ravel() for x in grid.centres(window))
    rows = slice(window.row, window.row + window.height)
    return lon - np.radians(crater.lon), lat, float(np.radians(crater.lat)), grid.row_area_m2[rows]


@numba.njit(cache=True, nogil=True)
def _cos_distance(sin0, cos0, sin_lat, cos_lat, cos_lon):  # type: ignore[no-untyped-def]
    """Cosine of the angular distance between two places."""
    return min(1.0, max(-1.0, sin0 * sin_lat + cos0 * cos_lat * cos_lon))


@numba.njit(cache=True, nogil=True)
def _list_pixels(mask, coordinates, limits):  # type: ignore[no-untyped-def]
    """Distance (radians) and area of the pixels of a mask whose distance is within some limits, row by row."""
    dlon, lat, lat0, row_area = coordinates
    sin0, cos0, cos_lon = np.sin(lat0), np.cos(lat0), np.cos(dlon)
    distance, area = np.empty(mask.sum()), np.empty(mask.sum())
    size = 0
    for r in range(mask.shape[0]):
        sin_lat, cos_lat = np.sin(lat[r]), np.cos(lat[r])
        for c in range(mask.shape[1]):
            if mask[r, c]:
                angle = np.arccos(_cos_distance(sin0, cos0, sin_lat, cos_lat, cos_lon[c]))
                if limits[0] <= angle <= limits[1]:
                    distance[size], area[size] = angle, row_area[r]
                    size += 1
    return distance[:size], area[:size]


@numba.njit(cache=True, nogil=True)
def _clear_far(mask, coordinates, reach_cos):  # type: ignore[no-untyped-def]
    """Clear the pixels of a mask that are farther away than the reach, given by its cosine."""
    dlon, lat, lat0 = coordinates
    sin0, cos0, cos_lon = np.sin(lat0), np.cos(lat0), np.cos(dlon)
    for r in range(mask.shape[0]):
        sin_lat, cos_lat = np.sin(lat[r]), np.cos(lat[r])
        for c in range(mask.shape[1]):
            if mask[r, c]:
                cos_d = _cos_distance(sin0, cos0, sin_lat, cos_lat, cos_lon[c])
                mask[r, c] = cos_d >= reach_cos


@numba.njit(cache=True, nogil=True)
def _count(masks, coordinates, edge_cos, reach_cos, row_area, ring_class, tables):  # type: ignore[no-untyped-def]
    """Count each pixel in its ring and sector. Comparing cosines of distances avoids an arccosine for each pixel."""
    truth, prediction, stored = masks
    dlon, lat, lat0 = coordinates
    pixels, area, levels = tables
    sin0, cos0 = np.sin(lat0), np.cos(lat0)
    sin_lon, cos_lon = np.sin(dlon), np.cos(dlon)
    for r in range(truth.shape[0]):
        sin_lat, cos_lat = np.sin(lat[r]), np.cos(lat[r])
        for c in range(truth.shape[1]):
            cos_d = _cos_distance(sin0, cos0, sin_lat, cos_lat, cos_lon[c])
            if cos_d < reach_cos:
                continue
            ring = edge_cos.size
            while ring > 0 and cos_d > edge_cos[ring - 1]:
                ring -= 1
            east = cos_lat * sin_lon[c]
            north = cos0 * sin_lat - sin0 * cos_lat * cos_lon[c]
            sector = _octant(east, north)
            case = 2 * truth[r, c] + prediction[r, c]
            pixels[ring, sector, case] += 1
            area[ring, sector, case] += row_area[r]
            levels[ring_class[ring], int(truth[r, c]), stored[r, c]] += 1


@numba.njit(cache=True, nogil=True)
def _octant(east, north):  # type: ignore[no-untyped-def]
    """Eighth of the circle, clockwise from north, in which a direction lies."""
    quarter, u, v = 0, north, east
    while u <= 0.0 or v < 0.0:
        if quarter == 3:
            break
        u, v = v, -u
        quarter += 1
    return 2 * quarter + (1 if v >= u else 0)
