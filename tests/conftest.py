"""Small planets, in memory or on disk, on Mercury's sphere, and projects whose networks train in seconds."""

import os
import shutil
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# One thread per test process, set before torch is imported: tests run in parallel, and small networks gain nothing
# from more threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, settings
from pyproj import CRS
from rasterio.errors import NotGeoreferencedWarning

from ejectamap.project.folder import Project
from ejectamap.simulation.files import write_planet
from ejectamap.simulation.planet import Planet, simulate_planet
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.labels import Labels, Tile
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import distance, unit_vectors
from ejectamap.world.world import World

RADIUS_M = 2_439_400.0
NEEDS_GPU = "needs a GPU"
NEEDS_CHROMIUM = "needs a browser: apt-get install chromium"

# Examples are the same in every run, and no test fails because the machine is busy.
settings.register_profile(
    "suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    text = "fail if a test is skipped for another reason than that there is no GPU"
    parser.addoption("--no-skips", action="store_true", help=text)


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not session.config.getoption("--no-skips"):
        return
    reasons = [str(report.longrepr) for report in reporter.stats.get("skipped", [])]
    forbidden = [reason for reason in reasons if NEEDS_GPU not in reason]
    if forbidden:
        reporter.write_line(f"\n--no-skips: {len(forbidden)} tests were skipped", red=True)
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the browser."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip(NEEDS_CHROMIUM)
    return path


def build_grid(height: int = 64, lon_west: float = -180.0, radius_m: float = RADIUS_M) -> Grid:
    """A whole-globe grid of height x 2 height pixels whose left edge is at any longitude."""
    crs = CRS.from_dict({"proj": "eqc", "lon_0": lon_west + 180.0, "R": radius_m})
    pixel_m = np.pi * radius_m / height
    half_m = np.pi * radius_m
    transform = Affine(pixel_m, 0, -half_m, 0, -pixel_m, half_m / 2)
    return Grid(height, 2 * height, radius_m, lon_west, crs.to_wkt(), transform)


def save_raster(path: Path, values: np.ndarray, grid: Grid, **profile: Any) -> Path:
    """Write values (band, row, col) or (row, col) as a GeoTIFF, by default with the CRS and transform of the grid."""
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
        # Some tests need a file without georeference.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
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


SMALLEST = (
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
)


@pytest.fixture(scope="session")
def smallest() -> tuple[str, ...]:
    """Changes of settings for the smallest networks."""
    return SMALLEST


@pytest.fixture(scope="session")
def create_project(planet_files: Path) -> Callable[..., Project]:
    """A factory of projects on the simulated planet with the smallest networks, in any folder."""

    def create(
        folder: Path, *changes: str, labels: bool = True, files: Path = planet_files
    ) -> Project:
        return Project.create(
            folder,
            files / "mosaic.tif",
            files / "craters.csv",
            files / "labels" if labels else None,
            changes=[*SMALLEST, *changes],
        )

    return create


@pytest.fixture
def make_project(tmp_path: Path, create_project: Callable[..., Project]) -> Callable[..., Project]:
    """A factory of such projects in the test's own folder."""

    def make(*changes: str, name: str = "project", **more: object) -> Project:
        return create_project(tmp_path / name, *changes, **more)

    return make


def smooth_values(vectors: np.ndarray) -> np.ndarray:
    """Values of two bands, -1 to 1, at unit vectors (..., 3); smooth functions of the position."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.stack([np.sin(3 * x + 2 * z) * np.cos(2 * y), np.cos(3 * y - z) * np.sin(2 * x + 1)])


def local_axes(lon: float, lat: float) -> np.ndarray:
    """Matrix whose columns are the unit vectors up, east and north at a place."""
    lam = np.radians(lon)
    up = unit_vectors(lon, lat)
    east = np.array([-np.sin(lam), np.cos(lam), 0.0])
    return np.stack([up, east, np.cross(up, east)], axis=1)


@dataclass(frozen=True)
class SmoothPlanet:
    """A smooth planet, rotated so that a crater has the surroundings of the place lon 20, lat 10, north still up."""

    mosaic: Mosaic
    crater: Crater


@pytest.fixture(scope="session")
def turned_planet(make_grid: Callable[..., Grid]) -> Callable[..., SmoothPlanet]:
    """A factory of planets rotated from the place lon 20, lat 10 to another place."""
    home = local_axes(20.0, 10.0)

    def make(lon: float, lat: float, height: int = 256, **crater_values: float) -> SmoothPlanet:
        grid = make_grid(height)
        rotation = home @ local_axes(lon, lat).T
        places = np.broadcast_arrays(*grid.centres(grid.whole))
        values = smooth_values(unit_vectors(*places) @ rotation.T).astype(np.float32)
        mosaic = Mosaic.from_array(values, np.ones(grid.shape, bool), grid, ("a", "b"))
        crater = Crater(1, "Home", lon, lat, **({"radius_m": 60e3} | crater_values))
        return SmoothPlanet(mosaic, crater)

    return make


@pytest.fixture(scope="session")
def make_mosaic() -> Callable[..., Mosaic]:
    def make(
        values: Sequence[np.ndarray] | np.ndarray, grid: Grid, valid: np.ndarray | None = None
    ) -> Mosaic:
        mask = np.ones(grid.shape, bool) if valid is None else valid
        names = tuple(f"band {k}" for k in range(len(values)))
        return Mosaic.from_array(np.asarray(values), mask, grid, names)

    return make


def save_random_networks(project: Project) -> Project:
    """Save networks of random but reproducible weights, which can be mapped with."""
    import torch

    from ejectamap.training.untrained import save_untrained_networks

    torch.manual_seed(0)
    save_untrained_networks(project)
    return project


@pytest.fixture
def make_ready(make_project: Callable[..., Project]) -> Callable[..., Project]:
    """A factory of projects with networks of random but reproducible weights."""
    return lambda *changes, **more: save_random_networks(make_project(*changes, **more))


@pytest.fixture(scope="session")
def polar_mapped(
    tmp_path_factory: pytest.TempPathFactory, create_project: Callable[..., Project]
) -> Path:
    """Folder of a project with such networks and its finished map by `polar`; not to be changed."""
    from ejectamap.mapping.run import map_project

    folder = tmp_path_factory.mktemp("mapped") / "project"
    map_project(save_random_networks(create_project(folder, "method=polar")))
    return folder


EJECTA_M = 900e3
CRATERS = (
    Crater(1, "A", 20, 10, 100e3),
    Crater(2, "B", 35, 10, 150e3),
    Crater(3, "C", -150, -40, 80e3),
)


@pytest.fixture(scope="session")
def make_world(grid: Grid) -> Callable[..., World]:
    """Craters 1 and 2, neighbours, have ejecta out to 900 km; crater 3 has no mask."""
    lon, lat = grid.centres(grid.whole)
    masks = {}
    for crater in CRATERS[:2]:
        near = distance(crater.lon, crater.lat, lon, lat, grid.radius_m) <= EJECTA_M
        masks[crater.crater_id] = (grid.whole, near)
    values = np.random.default_rng(0).integers(1, 255, (2, *grid.shape)).astype(np.uint8)
    valid = np.ones(grid.shape, bool)
    valid[:4] = False
    mosaic = Mosaic.from_array(values, valid, grid, ("a", "b"))

    def make(tiles: tuple[Tile, ...] | None = None, labelled: bool = True) -> World:
        return World(mosaic, CRATERS, Labels(grid, masks, tiles) if labelled else None)

    return make
