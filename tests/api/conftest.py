"""A project with a finished map, made without networks: blankets and rays whose shape is known."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ejectamap.maps.crater_map import CraterMap, in_memory
from ejectamap.maps.writing import import_maps
from ejectamap.project.folder import Project
from ejectamap.show.run import draw_maps
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Bools, Grid
from ejectamap.world.sphere import bearing, distance

CATALOGUE = """crater_id,name,lon,lat,radius_m
1,Inland,20,10,60000
2,Dateline,179,-20,60000
3,Neighbour,30,12,70000
4,Pole,60,86,60000
5,Unmapped,-90,-30,50000
"""
RAYS_DEG = (40.0, 130.0, 260.0)
BLANKET_M, RAY_M = 350e3, 1200e3


def is_ejecta(crater: Crater, lon: np.ndarray, lat: np.ndarray, radius_m: float) -> Bools:
    """A round blanket, and three rays of 10 degrees each."""
    range_m = distance(crater.lon, crater.lat, lon, lat, radius_m)
    azimuth_deg = bearing(crater.lon, crater.lat, lon, lat)
    on_ray = np.zeros(range_m.shape, bool)
    for ray_deg in RAYS_DEG:
        on_ray |= np.abs((azimuth_deg - ray_deg + 180) % 360 - 180) < 5
    return (range_m < BLANKET_M) | (on_ray & (range_m < RAY_M))


def known_map(project: Project, crater: Crater) -> CraterMap:
    """0.9 where there are ejecta, 0.1 where not, nan beyond the reach and without data."""
    grid = project.grid
    reach_m = crater.reach_m(grid.radius_m)
    window = grid.cap_window(crater.lon, crater.lat, reach_m)
    lon, lat = grid.centres(window)
    ejecta = is_ejecta(crater, lon, lat, grid.radius_m)
    probability = np.where(ejecta, np.float32(0.9), np.float32(0.1))
    beyond = distance(crater.lon, crater.lat, lon, lat, grid.radius_m) > reach_m
    probability[beyond | ~project.mosaic.read_valid(window)] = np.nan
    return CraterMap(crater, window, in_memory(window, probability))


@pytest.fixture(scope="session")
def workplace(
    tmp_path_factory: pytest.TempPathFactory,
    planet_files: Path,
    write_raster: Callable[..., Path],
) -> Path:
    """A folder with `planet` (mosaic.tif, craters.csv, labels) and `project`, whose map is finished."""
    folder = tmp_path_factory.mktemp("workplace")
    planet = folder / "planet"
    (planet / "labels").mkdir(parents=True)
    (planet / "mosaic.tif").symlink_to(planet_files / "mosaic.tif")
    (planet / "craters.csv").write_text(CATALOGUE)
    project = Project.create(
        folder / "project",
        planet / "mosaic.tif",
        planet / "craters.csv",
        planet / "labels",
        changes=["map.threshold=0.5", "views.tile_km=600"],
    )
    lon, lat = project.grid.centres(project.grid.whole)
    for crater in project.craters[:4]:
        mask = is_ejecta(crater, lon, lat, project.grid.radius_m).astype(np.uint8)
        write_raster(planet / "labels" / f"mask_crater_{crater.crater_id}.tif", mask, project.grid)
    import_maps(project, (known_map(project, crater) for crater in project.craters[:4]))
    draw_maps(project)
    return folder


@pytest.fixture(scope="session")
def finished(workplace: Path) -> Project:
    """The project of the workplace; only to be read."""
    return Project.open(workplace / "project")


@pytest.fixture(scope="session")
def grid(finished: Project) -> Grid:
    return finished.grid
