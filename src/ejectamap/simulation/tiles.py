"""Drawing windows to label on a simulated planet: near craters, on far rays, and on ground without ejecta."""

import numpy as np

from ejectamap.simulation.planet import Planet
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window, windows_overlap
from ejectamap.world.labels import Tile
from ejectamap.world.sphere import destination, distance

_TRIES_PER_TILE = 60
_NEAR_RADII = 6.0
_RAY_CHOICES = 10_000


def choose_tiles(planet: Planet, count: int, size_px: int, seed: int) -> tuple[Tile, ...]:
    """Choose square windows that do not overlap: two in five near a crater, two on a ray, one elsewhere.

    Parameters
    ----------
    planet : Planet
    count : int
        Number of windows; fewer are returned if the planet is too small for them.
    size_px : int
        Side of a window, in mosaic pixels.
    seed : int

    Returns
    -------
    tuple of Tile
        Windows with data in at least half of their pixels; they may wrap around the grid's right edge.
    """
    rng = np.random.default_rng(seed)
    grid = planet.mosaic.grid
    tiles: list[Tile] = []
    for attempt in range(count * _TRIES_PER_TILE):
        if len(tiles) == count:
            break
        crater = planet.craters[int(rng.integers(len(planet.craters)))]
        kind = (len(tiles) + attempt // _TRIES_PER_TILE) % 5
        if kind < 2:
            lon, lat = _draw_near_crater(rng, crater, grid)
        elif kind < 4:
            lon, lat = _draw_on_ray(rng, crater, planet)
        else:
            lon, lat = _draw_within_reach(rng, crater, grid)
        window = _draw_window(rng, lon, lat, size_px, grid)
        if any(windows_overlap(window, tile.window, grid.width) for tile in tiles):
            continue
        if planet.mosaic.read_valid(window).mean() < 0.5:
            continue
        if kind == 4 and planet.truth.any_ejecta(window).any():
            continue
        tiles.append(Tile(len(tiles), window))
    return tuple(tiles)


def _draw_near_crater(rng: np.random.Generator, crater: Crater, grid: Grid) -> tuple[float, float]:
    """Draw a longitude and latitude within a few radii of a crater."""
    reach_m = crater.radius_m * rng.uniform(0.0, _NEAR_RADII)
    lon, lat = destination(crater.lon, crater.lat, rng.uniform(0, 360), reach_m, grid.radius_m)
    return float(lon), float(lat)


def _draw_on_ray(rng: np.random.Generator, crater: Crater, planet: Planet) -> tuple[float, float]:
    """Draw a longitude and latitude on a crater's far ejecta, or near the crater if it has none."""
    grid = planet.mosaic.grid
    window, mask = planet.truth.masks[crater.crater_id]
    # A sample is sufficient: a full-size planet has tens of millions of them.
    ejecta = np.flatnonzero(mask)
    if ejecta.size > _RAY_CHOICES:
        ejecta = rng.choice(ejecta, _RAY_CHOICES)
    rows, cols = np.unravel_index(ejecta, mask.shape)
    lon, lat = grid.to_lonlat(cols + window.col + 0.5, rows + window.row + 0.5)
    far = distance(crater.lon, crater.lat, lon, lat, grid.radius_m) > _NEAR_RADII * crater.radius_m
    if not far.any():
        return _draw_near_crater(rng, crater, grid)
    k = int(rng.choice(np.flatnonzero(far)))
    return float(lon[k]), float(lat[k])


def _draw_within_reach(rng: np.random.Generator, crater: Crater, grid: Grid) -> tuple[float, float]:
    """Draw a longitude and latitude anywhere within a crater's reach."""
    away_m = crater.reach_m(grid.radius_m) * np.sqrt(rng.random())
    lon, lat = destination(crater.lon, crater.lat, rng.uniform(0, 360), away_m, grid.radius_m)
    return float(lon), float(lat)


def _draw_window(
    rng: np.random.Generator, lon: float, lat: float, size_px: int, grid: Grid
) -> Window:
    """Draw a square window that contains a longitude and latitude, not necessarily at its centre."""
    col, row = grid.to_pixel(lon, lat)
    left, top = np.array([float(col), float(row)]) - size_px * rng.uniform(0.2, 0.8, 2)
    top = min(max(0, int(top)), grid.height - size_px)
    return Window(top, int(left) % grid.width, size_px, size_px)
