"""The ground before the fresh impacts: geological units, broad variations, texture, shading and image strips."""

import numpy as np
import numpy.typing as npt

from ejectamap.simulation.noise import fractal, octaves_for
from ejectamap.simulation.planet_style import PlanetStyle
from ejectamap.simulation.terrain import (
    draw_terrain,
    light_bearing_deg,
    light_strength,
    paint_features,
)
from ejectamap.world.grid import Grid, Window
from ejectamap.world.mosaic import Floats
from ejectamap.world.sphere import Array, unit_vectors

# Planets are painted in strips of rows of this size, to limit the memory of intermediate arrays.
STRIP_PIXELS = 4_000_000


def make_ground(rng: np.random.Generator, grid: Grid, style: PlanetStyle) -> Floats:
    """Paint a planet without fresh craters.

    Returns
    -------
    float32 array (3, height, width)
        The latent properties (see `planet_style`), each with median 0 and standard deviation 1.
    """
    seeds = rng.integers(0, 2**30, 16)
    latent = np.empty((3, *grid.shape), np.float32)
    unit_rows = rng.normal(0.0, 1.0, (5, 3))
    for window in grid.strips(grid.whole, STRIP_PIXELS):
        rows = slice(window.row, window.row + window.height)
        latent[:, rows] = _paint_units(grid, window, style, seeds, unit_rows)
    for features in draw_terrain(rng, grid, style, int(seeds[12]) % 100):
        paint_features(latent, grid, features, int(seeds[15]))
    _add_image_strips(rng, latent, grid, style)
    for k in range(3):
        latent[k] -= np.median(latent[k])
        latent[k] /= latent[k].std()
    return latent


def _paint_units(
    grid: Grid,
    window: Window,
    style: PlanetStyle,
    seeds: npt.NDArray[np.int64],
    mottles: Array,
) -> Floats:
    """Units, broad variations, texture and roughness of one strip of rows; float32 array (3, height, width)."""
    lon, lat = grid.centres(window)
    points = np.moveaxis(unit_vectors(lon, lat), -1, 0)
    pixel_rad = np.pi / grid.height
    warped = points + 0.12 * np.stack([fractal(points, 2.5, 4, int(s)) for s in seeds[:3]])
    latent = np.zeros((3, *window.shape), np.float32)

    octaves = octaves_for(1.0, pixel_rad)
    plains = _unit(
        fractal(warped, 1.0, octaves, int(seeds[3]), 0.47), style.levels[0], style.border
    )
    dark = _unit(
        fractal(warped, 2.2, octaves_for(2.2, pixel_rad), int(seeds[4]), 0.55),
        style.levels[1],
        style.border,
    )
    for unit, tint in ((plains, (1.3, -1.5, 0.3)), (dark, (-1.1, 0.5, 0.2))):
        for k in range(3):
            latent[k] += np.float32(style.units * tint[k]) * unit
    for k in range(3):
        broad = fractal(points, 5.0 + k, 5, int(seeds[5 + k]), 0.75)
        fine = fractal(points, 70.0, octaves_for(70.0, pixel_rad), int(seeds[8 + k]), 0.75)
        latent[k] += np.float32(style.mottle * (0.7, 0.7, 0.4)[k]) * broad
        latent[k] += np.float32(style.texture * (1.0, 0.8, 0.5)[k]) * fine
    latent[1] += np.float32(0.3 * style.mottle * mottles[0, 0]) * latent[0]
    latent[0] += _roughness(points, lon, lat, pixel_rad, seeds) * np.float32(style.relief)
    return latent


def _unit(field: Floats, level: float, border: float) -> Floats:
    """Cover of a geological unit: 0 where a noise field is below a level, 1 above, with a linear transition between."""
    cover: Floats = np.clip((field - np.float32(level)) / np.float32(border), 0.0, 1.0)
    return cover


def _roughness(
    points: Array,
    lon: npt.ArrayLike,
    lat: npt.ArrayLike,
    pixel_rad: float,
    seeds: npt.NDArray[np.int64],
) -> Floats:
    """Shading of small-scale relief: the slope of a fractal height in the direction of the light."""
    bearing = np.radians(light_bearing_deg(lon, lat, int(seeds[12]) % 100))
    lam, phi = np.radians(lon), np.radians(lat)
    east = np.stack(np.broadcast_arrays(-np.sin(lam), np.cos(lam), 0.0 * lam * phi))
    north = np.stack(
        np.broadcast_arrays(
            -np.sin(phi) * np.cos(lam), -np.sin(phi) * np.sin(lam), np.cos(phi) + 0.0 * lam
        )
    )
    light = np.sin(bearing) * east + np.cos(bearing) * north
    octaves = octaves_for(40.0, pixel_rad)
    step = max(0.003, pixel_rad)
    slope = fractal(points + step * light, 40.0, octaves, int(seeds[13]), 0.6) - fractal(
        points, 40.0, octaves, int(seeds[13]), 0.6
    )
    patches = np.clip(fractal(points, 4.0, 3, int(seeds[14])) + 0.6, 0.0, 2.0)
    return np.asarray(-0.2 * slope * patches * light_strength(lat), np.float32)


def _add_image_strips(
    rng: np.random.Generator, latent: Floats, grid: Grid, style: PlanetStyle
) -> None:
    """Add brightness steps in place: slanted strips, each with an offset and a gradient across it."""
    for _ in range(60):
        height = int(rng.uniform(0.06, 0.6) * grid.height)
        width = int(rng.uniform(0.01, 0.08) * grid.width) + 1
        top = int(rng.uniform(-0.2, 1.0) * grid.height)
        left, lean = rng.uniform(0, grid.width), rng.normal(0.0, 0.15)
        level = style.strips * rng.normal(0.0, [1.0, 1.0, 0.6], 3)
        tilt = rng.normal(0.0, 0.5)
        columns = np.arange(width)
        ramp = (1.0 + tilt * (columns / width - 0.5)).astype(np.float32)
        for row in range(max(0, top), min(grid.height, top + height)):
            where = (int(left + lean * (row - top)) + columns) % grid.width
            latent[:, row, where] += level[:, None].astype(np.float32) * ramp
