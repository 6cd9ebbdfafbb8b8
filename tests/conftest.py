"""Mini planets: small grids and rasters in memory or on disk, on Mercury's sphere."""

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

# One thread each, set before torch starts: tests run beside one another, and small networks gain nothing from more.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import CRS
from rasterio.errors import NotGeoreferencedWarning

from ejectamap.simulate import Planet, simulate_planet, write_planet
from ejectamap.world.grid import Grid

RADIUS_M = 2_439_400.0


def build_grid(height: int = 64, lon_west: float = -180.0, radius_m: float = RADIUS_M) -> Grid:
    """A whole-globe grid of height x 2 height pixels whose left edge is at any longitude."""
    crs = CRS.from_dict({"proj": "eqc", "lon_0": lon_west + 180.0, "R": radius_m})
    pixel_m = np.pi * radius_m / height
    half_m = np.pi * radius_m
    transform = Affine(pixel_m, 0, -half_m, 0, -pixel_m, half_m / 2)
    return Grid(height, 2 * height, radius_m, lon_west, crs.to_wkt(), transform)


def save_raster(path: Path, values: np.ndarray, grid: Grid, **profile: Any) -> Path:
    """Write values (band, row, col) or (row, col) as a GeoTIFF, on the grid if not told otherwise."""
    values = values if values.ndim == 3 else values[None]
    settings = {
        "driver": "GTiff",
        "count": values.shape[0],
        "height": values.shape[1],
        "width": values.shape[2],
        "dtype": values.dtype,
        "crs": grid.crs,
        "transform": grid.transform,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # some tests want just that
        with rasterio.open(path, "w", **(settings | profile)) as target:
            target.write(values)
    return path


@pytest.fixture(scope="session")
def make_grid() -> Callable[..., Grid]:
    return build_grid


@pytest.fixture(scope="session")
def grid() -> Grid:
    """64 x 128 pixels of 120 km, from -180 to 180."""
    return build_grid()


@pytest.fixture(scope="session")
def write_raster() -> Callable[..., Path]:
    return save_raster


@pytest.fixture(scope="session")
def planet() -> Planet:
    """A simulated planet of 512 x 256 pixels with eight fresh craters."""
    return simulate_planet(11, 512, 8)


@pytest.fixture(scope="session")
def planet_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with mosaic.tif, craters.csv and labels/ of a simulated planet of 256 x 128 pixels."""
    folder = tmp_path_factory.mktemp("planet")
    write_planet(simulate_planet(3, 256, 6), folder)
    return folder
