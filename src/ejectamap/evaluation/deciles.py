"""Distances that cut a crater's true ejecta into ten parts of equal area, however many pixels they have."""

from collections.abc import Callable, Sequence

import numba
import numpy as np
import numpy.typing as npt

from ejectamap.evaluation.counts import Bools
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.sphere import Array

DECILES = 10

_BINS = 2**16  # of distance, in half a circumference
_PARTS = np.arange(1, DECILES) / DECILES * (1 + 1e-9)
"""A hair is added, so that ten equal pixels are one each in spite of rounding."""


def decile_edges_m(distance_m: Array, area: Array) -> Array:
    """Distances that cut some ground into ten equal parts from the centre outwards; shape (9,), 0 if there is none.

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
    edges = np.searchsorted(total, _PARTS * total[-1], side="right")
    return np.asarray(distance_m[order][edges], np.float64)


def true_deciles_m(
    crater: Crater,
    grid: Grid,
    reach_m: float,
    read: Callable[[Window], Bools],
    windows: Sequence[Window],
) -> Array:
    """`decile_edges_m` of a crater's true ejecta beyond its rim, read twice, window by window.

    First the area in each of many rings is summed; then only the pixels of those rings that hold an edge are sorted.

    Parameters
    ----------
    crater : Crater
    grid : Grid
    reach_m : float
        Ground farther away does not count; may be infinite.
    read : callable
        A window to the true ejecta in it.
    windows : sequence of Window
        Without overlap.
    """
    limits = crater.radius_m / grid.radius_m, min(reach_m / grid.radius_m, np.pi)
    area, number = np.zeros(_BINS), np.zeros(_BINS, np.int64)
    for window in windows:
        truth = read(window)
        if truth.any():
            _sum(truth, places_about(crater, grid, window), limits, area, number)
    held = np.zeros(_BINS, bool)
    total = np.cumsum(area)
    held[np.searchsorted(total, _PARTS * total[-1], side="right").clip(max=_BINS - 1)] = True
    near, weight = np.zeros((2, number[held].sum()))
    filled = 0
    for window in windows:
        truth = read(window)
        if truth.any():
            places = places_about(crater, grid, window)
            filled = _pick(truth, places, limits, held, near, weight, filled)
    # Each of the other rings counts as one pixel: no edge lies within it.
    whole = ~held & (number > 0)
    away = np.concatenate([near, (np.flatnonzero(whole) + 0.5) * (np.pi / _BINS)])
    return decile_edges_m(away * grid.radius_m, np.concatenate([weight, area[whole]]))


def places_about(
    crater: Crater, grid: Grid, window: Window
) -> tuple[Array, Array, float, npt.NDArray[np.float64]]:
    """Where a window's pixels are: longitudes from the crater's, latitudes, the crater's own (radians); areas (m2)."""
    lon, lat = (np.radians(x).ravel() for x in grid.centres(window))
    rows = slice(window.row, window.row + window.height)
    return lon - np.radians(crater.lon), lat, float(np.radians(crater.lat)), grid.row_area_m2[rows]


@numba.njit(cache=True, nogil=True)
def cos_distance(sin0, cos0, sin_lat, cos_lat, cos_lon):  # type: ignore[no-untyped-def]
    """Cosine of the distance between two places."""
    return min(1.0, max(-1.0, sin0 * sin_lat + cos0 * cos_lat * cos_lon))


@numba.njit(cache=True, nogil=True)
def _sum(truth, places, limits, area, number):  # type: ignore[no-untyped-def]
    """Add the true pixels of a window to the area and number of pixels of each ring."""
    dlon, lat, lat0, row_area = places
    sin0, cos0, cos_lon = np.sin(lat0), np.cos(lat0), np.cos(dlon)
    for r in range(truth.shape[0]):
        sin_lat, cos_lat = np.sin(lat[r]), np.cos(lat[r])
        for c in range(truth.shape[1]):
            if truth[r, c]:
                away = np.arccos(cos_distance(sin0, cos0, sin_lat, cos_lat, cos_lon[c]))
                if limits[0] <= away <= limits[1]:
                    ring = min(int(away / np.pi * _BINS), _BINS - 1)
                    area[ring] += row_area[r]
                    number[ring] += 1


@numba.njit(cache=True, nogil=True)
def _pick(truth, places, limits, held, near, weight, filled):  # type: ignore[no-untyped-def]
    """Write down distance and area of the true pixels of a window in some rings; returns how many are down."""
    dlon, lat, lat0, row_area = places
    sin0, cos0, cos_lon = np.sin(lat0), np.cos(lat0), np.cos(dlon)
    for r in range(truth.shape[0]):
        sin_lat, cos_lat = np.sin(lat[r]), np.cos(lat[r])
        for c in range(truth.shape[1]):
            if truth[r, c]:
                away = np.arccos(cos_distance(sin0, cos0, sin_lat, cos_lat, cos_lon[c]))
                ring = min(int(away / np.pi * _BINS), _BINS - 1)
                if held[ring] and limits[0] <= away <= limits[1]:
                    near[filled], weight[filled] = away, row_area[r]
                    filled += 1
    return filled
