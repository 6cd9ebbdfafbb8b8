"""Discrete old features of a planet: degraded craters with their shading, filled basins, and small or diffuse spots.

None of it is fresh ejecta: these are the negative examples for a detector.
"""

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from ejectamap.simulation.noise import gradient_noise
from ejectamap.simulation.planet_style import PlanetStyle
from ejectamap.world.grid import Grid
from ejectamap.world.mosaic import Floats
from ejectamap.world.sphere import Array


class RoundFeatures(NamedTuple):
    """Round features of the ground, one a row.

    Attributes
    ----------
    places : array (n, 3)
        Longitude, latitude (degrees) and angular radius (radians).
    kinds : int array (n,)
        0 a diffuse spot, 1 a disc with a ragged edge, 2 a crater's relief.
    tints : array (n, 3)
        Change of the latent properties: at the spot's centre, in the disc, or on a slope that faces the light.
    light_deg : array (n,)
        Bearing of the light, in degrees; used for relief only.
    """

    places: Array
    kinds: npt.NDArray[np.int64]
    tints: Array
    light_deg: Array


def draw_terrain(
    rng: np.random.Generator, grid: Grid, style: PlanetStyle, light_seed: int
) -> tuple[RoundFeatures, ...]:
    """Draw a planet's basins, old craters and spots, in the order in which they are painted."""
    pixel_rad = np.pi / grid.height
    return (
        _draw_basins(rng, style),
        _draw_old_craters(rng, style, pixel_rad, light_seed),
        _draw_diffuse_spots(rng, style),
        _draw_specks(rng, style, pixel_rad),
    )


def light_bearing_deg(lon: npt.ArrayLike, lat: npt.ArrayLike, seed: int) -> Array:
    """Bearing of the light in degrees: from the east or the west by image strip, from the equator near the poles."""
    strips = np.sin(np.radians(np.multiply(lon, 3.0)) + seed % 7) + 1.3 * np.sin(
        np.radians(np.multiply(lon, 2.0)) + seed % 11
    )
    east = np.where(strips > 0.0, 1.0, -1.0)
    lean = np.radians(np.asarray(lat)) ** 2 * np.sign(lat) * 1.2
    return np.asarray(np.degrees(np.arctan2(east, -lean)) % 360.0)


def light_strength(lat: npt.ArrayLike) -> Array:
    """Amplitude of shading at latitudes in degrees: low near the equator (sun high), growing steeply beyond 50."""
    return 0.75 + 1.5 * np.clip((np.abs(lat) - 35.0) / 50.0, 0.0, 1.0) ** 1.5


def paint_features(latent: Floats, grid: Grid, features: RoundFeatures, seed: int) -> None:
    """Add features to the latent properties (3, height, width) in place."""
    _paint_features(
        latent,
        features.places,
        features.kinds,
        features.tints,
        np.radians(features.light_deg),
        grid.lon_west,
        seed,
    )


def _random_places(rng: np.random.Generator, sizes_rad: Array) -> Array:
    """Draw places evenly distributed over the sphere; rows of lon, lat (degrees) and the given angular radii."""
    lat = np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, sizes_rad.size)))
    return np.stack([rng.uniform(-180.0, 180.0, sizes_rad.size), lat, sizes_rad], axis=1)


def _power_law(
    rng: np.random.Generator, smallest: float, largest: float, slope: float, count: int
) -> Array:
    """Draw sizes whose cumulative number falls with the given power of the size."""
    quantile = rng.random(count)
    a, b = smallest**-slope, largest**-slope
    return np.asarray((a - quantile * (a - b)) ** (-1.0 / slope))


def _draw_basins(rng: np.random.Generator, style: PlanetStyle) -> RoundFeatures:
    """Draw old craters and basins that are filled with plains of another colour."""
    count = int(rng.poisson(1500 * min(style.specks, 2.0)))
    places = _random_places(rng, _power_law(rng, 0.0035, 0.3, 1.9, count))
    tints = rng.normal(0.0, [0.35, 0.45, 0.2], (count, 3)) + rng.choice(
        [-1.0, 1.0], (count, 1), p=[0.3, 0.7]
    ) * [
        0.5,
        -0.6,
        0.1,
    ]
    return RoundFeatures(places, np.full(count, 1), style.units * tints, np.zeros(count))


def _draw_old_craters(
    rng: np.random.Generator, style: PlanetStyle, pixel_rad: float, light_seed: int
) -> RoundFeatures:
    """Draw degraded craters: bright and shaded slopes only, about as many per area as on Mercury."""
    smallest, largest = max(0.0022, 1.2 * pixel_rad), 0.05
    # 30 000 craters wider than 10 km; the cumulative number falls with the square of the size.
    count = int(rng.poisson(style.specks**0.5 * 30_000 * (0.002 / smallest) ** 2))
    places = _random_places(rng, _power_law(rng, smallest, largest, 2.0, count))
    tilt = np.array([1.0, rng.normal(0.1, 0.25), rng.normal(0.0, 0.3)])
    strength = style.relief * 2.6 * rng.beta(1.2, 3.0, count) * light_strength(places[:, 1])
    light = light_bearing_deg(places[:, 0], places[:, 1], light_seed)
    return RoundFeatures(places, np.full(count, 2), strength[:, None] * tilt, light)


def _draw_diffuse_spots(rng: np.random.Generator, style: PlanetStyle) -> RoundFeatures:
    """Draw bright red halos of explosive vents, and blue-white clusters of hollows."""
    count = int(rng.poisson(70 * style.specks))
    places = _random_places(rng, _power_law(rng, 0.004, 0.045, 2.0, count))
    red = rng.random(count) < 0.55
    tints = np.where(red[:, None], [1.3, -1.2, 0.3], [0.8, 1.0, -0.1]) * rng.gamma(
        2.5, 0.35, (count, 1)
    )
    return RoundFeatures(
        places,
        np.zeros(count, np.int64),
        tints + rng.normal(0.0, 0.15, (count, 3)),
        np.zeros(count),
    )


def _draw_specks(rng: np.random.Generator, style: PlanetStyle, pixel_rad: float) -> RoundFeatures:
    """Draw small fresh craters and secondary craters without rays: bright blue-white spots."""
    smallest = max(0.0009, 0.5 * pixel_rad)
    count = int(rng.poisson(style.specks * 110_000 * (0.0009 / smallest) ** 1.8))
    places = _random_places(rng, _power_law(rng, smallest, 0.006, 2.6, count))
    # The larger ones are usually older, and therefore fainter.
    brightness = np.sqrt(smallest / places[:, 2])
    tints = style.fresh * (rng.gamma(0.8, 0.6, count) * brightness)[:, None] + rng.normal(
        0.0, 0.12, (count, 3)
    )
    return RoundFeatures(places, np.zeros(count, np.int64), tints, np.zeros(count))


@numba.njit(cache=True, nogil=True)
def _paint_features(latent, places, kinds, tints, light, lon_west, seed):  # type: ignore[no-untyped-def]
    """Add every feature to the pixels within its own window; columns wrap around."""
    _, height, width = latent.shape
    step = np.pi / height
    for n in range(kinds.size):
        lon0, lat0, size = (
            np.radians(places[n, 0] - lon_west),
            np.radians(places[n, 1]),
            places[n, 2],
        )
        extent = size * (2.6 if kinds[n] == 0 else 1.8)
        top = max(0, int((np.pi / 2 - lat0 - extent) / step))
        bottom = min(height, int((np.pi / 2 - lat0 + extent) / step) + 1)
        half = np.pi
        if abs(lat0) + extent < np.pi / 2:
            half = np.arcsin(min(1.0, np.sin(extent) / np.cos(lat0)))
        left, right = int(np.floor((lon0 - half) / step)), int(np.ceil((lon0 + half) / step))
        right = min(right, left + width)
        for row in range(top, bottom):
            lat = np.pi / 2 - (row + 0.5) * step
            for col in range(left, right):
                dlon = (col + 0.5) * step - lon0
                east = np.cos(lat) * np.sin(dlon)
                north = np.cos(lat0) * np.sin(lat) - np.sin(lat0) * np.cos(lat) * np.cos(dlon)
                up = np.sin(lat0) * np.sin(lat) + np.cos(lat0) * np.cos(lat) * np.cos(dlon)
                r = np.arctan2(np.hypot(east, north), up) / size
                value = _profile(kinds[n], r, east, north, size, light[n], seed + n)
                if value != 0.0:
                    for k in range(3):
                        latent[k, row, col % width] += value * tints[n, k]


@numba.njit(cache=True, nogil=True)
def _profile(kind, r, east, north, size, light, seed):  # type: ignore[no-untyped-def]
    """Amplitude of one feature at range r (in its radii) and offset (east, north) in radians."""
    if kind == 0:
        return np.exp(-1.4 * r * r) if r < 2.6 else 0.0
    u, v = east / size, north / size
    if kind == 1:
        edge = (
            1.0
            + 0.18 * gradient_noise(2.0 * u, 2.0 * v, 0.5, seed)
            + 0.12 * gradient_noise(6 * u, 6 * v, 0.5, seed)
        )
        inside = min(1.0, max(0.0, (edge - r) / 0.12))
        return inside * (0.8 + 0.5 * gradient_noise(3.0 * u, 3.0 * v, 7.5, seed))
    if r > 1.7 or r == 0.0:
        return 0.0
    rim = 1.0 + 0.12 * gradient_noise(1.5 * u, 1.5 * v, 0.5, seed)
    q = r / rim
    facing = (east * np.sin(light) + north * np.cos(light)) / (r * size)
    # A wall that faces the light lies on the far side of the bowl; the outer flank faces the other way.
    wall = np.exp(-((q - 0.8) ** 2) / 0.035)
    flank = np.exp(-((q - 1.15) ** 2) / 0.04)
    return -facing * (wall - 0.55 * flank)
