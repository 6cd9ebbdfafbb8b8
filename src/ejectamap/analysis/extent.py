"""Extent of a crater's ejecta: areas, distances, barycentres, sectors, and the uncertainty of the area.

Every function takes a `EjectaPixels` or parts of one and leaves the crater's interior out. Definitions follow the
measurements of the EJMAP release (Lissoni et al. 2026), on the sphere instead of in pixels.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ejectamap.analysis.pattern import EjectaPixels
from ejectamap.evaluation.rings import SECTORS
from ejectamap.maps.rasters import NO_DATA, STEPS, Bytes
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Bools, Grid, Window
from ejectamap.world.sphere import Array, azimuthal_forward, bearing, distance, unit_vectors

QUANTILES = (0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
PATCH_M = 149e3
"""Side of the patches of ground within which errors of a map are taken to be fully correlated.

It is that of the published tile, 224 pixels of 665 m.
"""


class Barycentre(NamedTuple):
    """Barycentre of some ground: its position (degrees), and distance (km) and bearing (degrees) from the crater."""

    lon_deg: float
    lat_deg: float
    distance_km: float
    bearing_deg: float


def distance_quantiles_km(pattern: EjectaPixels) -> Array:
    """Distances from the centre within which 25, 50, 75, 90, 95 and 99 % of the ejecta's ground area lie; (6,), km.

    nan without ejecta.
    """
    if pattern.distance_m.size == 0:
        return np.full(len(QUANTILES), np.nan)
    order = np.argsort(pattern.distance_m, kind="stable")
    total = np.cumsum(pattern.area_km2[order])
    index = np.searchsorted(total, np.multiply(QUANTILES, total[-1]))
    return np.asarray(pattern.distance_m[order][np.minimum(index, len(order) - 1)] / 1e3)


def max_distance_km(pattern: EjectaPixels) -> float:
    """Distance from the centre to the middle of the farthest ejecta pixel, km; nan without ejecta."""
    return float(pattern.distance_m.max() / 1e3) if pattern.distance_m.size else float("nan")


def barycentre(pattern: EjectaPixels) -> Barycentre:
    """Barycentre of the ejecta: the direction of the mean of their unit vectors, weighted by ground area.

    nan without ejecta.
    """
    if pattern.distance_m.size == 0:
        return Barycentre(*[float("nan")] * 4)
    x, y, z = np.moveaxis(unit_vectors(pattern.lon, pattern.lat), -1, 0)
    mean = [float(part @ pattern.area_km2) for part in (x, y, z)]
    lon = float(np.degrees(np.arctan2(mean[1], mean[0])))
    lat = float(np.degrees(np.arctan2(mean[2], np.hypot(mean[0], mean[1]))))
    place = pattern.crater.lon, pattern.crater.lat, lon, lat
    distance_m = float(distance(*place, pattern.body_radius_m))
    return Barycentre(lon, lat, distance_m / 1e3, float(bearing(*place)))


def by_sector(pattern: EjectaPixels) -> tuple[Array, Array]:
    """Area in km2 (8,) and maximum distance in km (8,) in sectors of 45 degrees, clockwise from north.

    The distance is nan where a sector has no ejecta.
    """
    sector = (pattern.bearing_deg // 45.0).astype(np.intp) % len(SECTORS)
    area_km2 = np.zeros(len(SECTORS))
    np.add.at(area_km2, sector, pattern.area_km2)
    farthest_m = np.full(len(SECTORS), -np.inf)
    np.maximum.at(farthest_m, sector, pattern.distance_m)
    return area_km2, np.where(area_km2 > 0, farthest_m, np.nan) / 1e3


def expected_area_km2(
    crater: Crater, grid: Grid, window: Window, stored: Bytes, chosen: Bools
) -> tuple[float, float]:
    """Expected ground area of a crater's ejecta beyond its rim, and its standard deviation, both in km2.

    The expectation is the sum of probability times pixel area, without a threshold and with clusters of any size. The
    standard deviation assumes that errors are fully correlated within a patch of ground of 149 x 149 km and independent
    between patches. Independent pixels would give far too small a deviation, because a map misses or invents whole
    rays. Both numbers rely on well calibrated probabilities.

    Parameters
    ----------
    crater : Crater
    grid : Grid
    window : Window
    stored : uint8 array (height, width)
        Stored probability (`STEPS` times), `NO_DATA` where unknown; unknown pixels are left out.
    chosen : bool array (height, width)
        Pixels that count.
    """
    half = int(np.ceil(np.pi * grid.radius_m / PATCH_M))
    patch_sd_km2 = np.zeros((2 * half + 1) ** 2)
    expected = 0.0
    for strip in grid.strips(window):
        rows = slice(strip.row - window.row, strip.row - window.row + strip.height)
        i, j = np.nonzero((stored[rows] > 0) & (stored[rows] != NO_DATA) & chosen[rows])
        lon, lat = grid.to_lonlat(j + strip.col + 0.5, i + strip.row + 0.5)
        x_m, y_m = azimuthal_forward(lon, lat, crater.lon, crater.lat, grid.radius_m)
        p = np.where(np.hypot(x_m, y_m) > crater.radius_m, stored[rows][i, j] / STEPS, 0.0)
        area = grid.row_area_m2[i + strip.row] / 1e6
        expected += float(p @ area)
        patch = _patch(x_m, half) * (2 * half + 1) + _patch(y_m, half)
        pixel_sd_km2 = area * np.sqrt(p * (1 - p))
        patch_sd_km2 += np.bincount(patch, weights=pixel_sd_km2, minlength=patch_sd_km2.size)
    return expected, float(np.sqrt(np.sum(patch_sd_km2**2)))


def _patch(offset_m: Array, half: int) -> npt.NDArray[np.intp]:
    """Index of the patch along one axis of the azimuthal frame; the crater is in the middle of patch `half`."""
    return np.asarray(np.rint(offset_m / PATCH_M), np.intp) + half
