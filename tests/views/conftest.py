"""Smooth planets that are known everywhere, and the same planets turned."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import unit_vectors


def smooth_values(vectors: np.ndarray) -> np.ndarray:
    """Two bands, -1 to 1, at unit vectors (..., 3)."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.stack([np.sin(3 * x + 2 * z) * np.cos(2 * y), np.cos(3 * y - z) * np.sin(2 * x + 1)])


def frame(lon: float, lat: float) -> np.ndarray:
    """Columns up, east and north at a place."""
    lam = np.radians(lon)
    up = unit_vectors(lon, lat)
    east = np.array([-np.sin(lam), np.cos(lam), 0.0])
    return np.stack([up, east, np.cross(up, east)], axis=1)


@dataclass(frozen=True)
class SmoothPlanet:
    """A smooth planet, turned so that everything about `home` is now about a crater, north kept north."""

    mosaic: Mosaic
    crater: Crater


@pytest.fixture(scope="session")
def turned_planet(make_grid: Callable[..., Grid]) -> Callable[..., SmoothPlanet]:
    """The planet that one gets by turning the place lon 20, lat 10 to another place."""
    home = frame(20.0, 10.0)

    def make(lon: float, lat: float, height: int = 256, **about: float) -> SmoothPlanet:
        grid = make_grid(height)
        turn = home @ frame(lon, lat).T
        places = np.broadcast_arrays(*grid.centres(grid.whole))
        values = smooth_values(unit_vectors(*places) @ turn.T).astype(np.float32)
        mosaic = Mosaic.from_array(values, np.ones(grid.shape, bool), grid, ("a", "b"))
        crater = Crater(1, "Home", lon, lat, **({"radius_m": 60e3} | about))
        return SmoothPlanet(mosaic, crater)

    return make


@pytest.fixture(scope="session")
def make_mosaic() -> Callable[..., Mosaic]:
    def make(
        values: Sequence[np.ndarray] | np.ndarray, grid: Grid, valid: np.ndarray | None = None
    ) -> Mosaic:
        everywhere = np.ones(grid.shape, bool) if valid is None else valid
        names = tuple(f"band {k}" for k in range(len(values)))
        return Mosaic.from_array(np.asarray(values), everywhere, grid, names)

    return make
