"""Mini planets, in memory or on disk, on Mercury's sphere, and projects whose networks train in seconds."""

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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

from ejectamap.project import Project
from ejectamap.simulate import Planet, simulate_planet, write_planet
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import unit_vectors

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


@pytest.fixture
def make_project(tmp_path: Path, planet_files: Path) -> Callable[..., Project]:
    """A project on the simulated planet whose networks are the smallest there are."""
    tiny = [
        "views.chip_px=32",
        "views.corridor_px=[64, 16]",
        "views.polar_px=[32, 64]",
        "views.tile_km=600",
        "views.overlap=0",
        "connection.architecture=test_resnet",
        "connection.members=1",
        "segmentation.encoder=tu-test_resnet",
        "segmentation.decoder_channels=[32, 16, 16, 8, 8]",
        "context.encoder=tu-test_resnet",
        "context.decoder_channels=[32, 16, 16, 8, 8]",
        *(f"{kind}.pretrained=false" for kind in ("connection", "segmentation", "context")),
        *(f"{kind}.precision=full" for kind in ("connection", "segmentation", "context")),
        *(f"{kind}.max_epochs=1" for kind in ("connection", "segmentation", "context")),
        "training.max_minutes=null",
        "training.start_from=none",
        "map.threshold=0.5",
    ]

    def make(
        *changes: str, name: str = "project", labels: bool = True, files: Path = planet_files
    ) -> Project:
        return Project.create(
            tmp_path / name,
            files / "mosaic.tif",
            files / "craters.csv",
            files / "labels" if labels else None,
            changes=[*tiny, *changes],
        )

    return make


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


@pytest.fixture
def make_ready(make_project: Callable[..., Project]) -> Callable[..., Project]:
    """A project with networks of random weights, the same ones each time: enough to map with."""
    import torch
    from planets import untrained_networks

    def make(*changes: str, **more: object) -> Project:
        project = make_project(*changes, **more)
        torch.manual_seed(0)
        untrained_networks(project)
        return project

    return make
