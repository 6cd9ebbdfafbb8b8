"""The ground under the ejecta: geological units, broad variations, texture, shading and steps between images."""

import numpy as np
import numpy.typing as npt

from ejectamap.simulate.look import Look
from ejectamap.simulate.noise import Floats, Vectors, fractal, octaves_for
from ejectamap.simulate.terrain import draw_terrain, light_bearing_deg, light_strength, paint
from ejectamap.world.grid import Grid, Window
from ejectamap.world.sphere import unit_vectors

_STRIP_PIXELS = 4_000_000


def make_ground(rng: np.random.Generator, grid: Grid, look: Look) -> Floats:
    """Paint a planet without fresh craters.

    Returns
    -------
    float32 array (3, height, width)
        The latent properties (see `look`), about zero mean and unit spread.
    """
    seeds = rng.integers(0, 2**30, 16)
    latent = np.empty((3, *grid.shape), np.float32)
    unit_rows = rng.normal(0.0, 1.0, (5, 3))
    for window in grid.strips(grid.whole, _STRIP_PIXELS):
        rows = slice(window.row, window.row + window.height)
        latent[:, rows] = _paint_units(grid, window, look, seeds, unit_rows)
    for stamps in draw_terrain(rng, grid, look, int(seeds[12]) % 100):
        paint(latent, grid, stamps, int(seeds[15]))
    _add_strips(rng, latent, grid, look)
    for k in range(3):
        latent[k] -= np.median(latent[k])
        latent[k] /= latent[k].std()
    return latent


def _paint_units(
    grid: Grid,
    window: Window,
    look: Look,
    seeds: npt.NDArray[np.int64],
    mottles: npt.NDArray[np.float64],
) -> Floats:
    """Units, mottles, texture and roughness of one strip of rows; float32 array (3, height, width)."""
    lon, lat = grid.centres(window)
    points = np.moveaxis(unit_vectors(lon, lat), -1, 0)
    pixel_rad = np.pi / grid.height
    bent = points + 0.12 * np.stack([fractal(points, 2.5, 4, int(s)) for s in seeds[:3]])
    latent = np.zeros((3, *window.shape), np.float32)

    octaves = octaves_for(1.0, pixel_rad)
    plains = _unit(fractal(bent, 1.0, octaves, int(seeds[3]), 0.47), look.levels[0], look.border)
    dark = _unit(
        fractal(bent, 2.2, octaves_for(2.2, pixel_rad), int(seeds[4]), 0.55),
        look.levels[1],
        look.border,
    )
    for unit, tint in ((plains, (1.3, -1.5, 0.3)), (dark, (-1.1, 0.5, 0.2))):
        for k in range(3):
            latent[k] += np.float32(look.units * tint[k]) * unit
    for k in range(3):
        broad = fractal(points, 5.0 + k, 5, int(seeds[5 + k]), 0.75)
        fine = fractal(points, 70.0, octaves_for(70.0, pixel_rad), int(seeds[8 + k]), 0.75)
        latent[k] += np.float32(look.mottle * (0.7, 0.7, 0.4)[k]) * broad
        latent[k] += np.float32(look.texture * (1.0, 0.8, 0.5)[k]) * fine
    latent[1] += np.float32(0.3 * look.mottle * mottles[0, 0]) * latent[0]
    latent[0] += _roughness(points, lon, lat, pixel_rad, seeds) * np.float32(look.relief)
    return latent


def _unit(field: Floats, level: float, border: float) -> Floats:
    """Cover of a geological unit: 0 below a level of its field, 1 above, with a border of some softness."""
    cover: Floats = np.clip((field - np.float32(level)) / np.float32(border), 0.0, 1.0)
    return cover


def _roughness(
    points: Vectors,
    lon: npt.ArrayLike,
    lat: npt.ArrayLike,
    pixel_rad: float,
    seeds: npt.NDArray[np.int64],
) -> Floats:
    """Shading of small-scale relief: the slope of a fractal height along the light."""
    bearing = np.radians(light_bearing_deg(lon, lat, int(seeds[12]) % 100))
    _x, _y, _z = points
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


def _add_strips(rng: np.random.Generator, latent: Floats, grid: Grid, look: Look) -> None:
    """Add brightness steps: each image strip of the mosaic is a little off, with a gradient along and across it."""
    for _ in range(60):
        height = int(rng.uniform(0.06, 0.6) * grid.height)
        width = int(rng.uniform(0.01, 0.08) * grid.width) + 1
        top = int(rng.uniform(-0.2, 1.0) * grid.height)
        left, lean = rng.uniform(0, grid.width), rng.normal(0.0, 0.15)
        level = look.strips * rng.normal(0.0, [1.0, 1.0, 0.6], 3)
        tilt = rng.normal(0.0, 0.5)
        columns = np.arange(width)
        ramp = (1.0 + tilt * (columns / width - 0.5)).astype(np.float32)
        for row in range(max(0, top), min(grid.height, top + height)):
            where = (int(left + lean * (row - top)) + columns) % grid.width
            latent[:, row, where] += level[:, None].astype(np.float32) * ramp
