"""A small world with two craters whose ejecta are discs, and projects that train in seconds."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ejectamap.project import Project
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.labels import Labels, Tile
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import distance
from ejectamap.world.world import World

EJECTA_M = 900e3
CRATERS = (
    Crater(1, "A", 20, 10, 100e3),
    Crater(2, "B", 35, 10, 150e3),
    Crater(3, "C", -150, -40, 80e3),
)


@pytest.fixture(scope="session")
def make_world(grid: Grid) -> Callable[..., World]:
    """Craters 1 and 2, side by side, have ejecta out to 900 km; 3 has none drawn."""
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


@pytest.fixture
def make_project(tmp_path: Path, planet_files: Path) -> Callable[..., Project]:
    """A project on the simulated planet whose networks are the smallest there are."""
    tiny = [
        "views.chip_px=32",
        "views.corridor_px=[64, 16]",
        "views.polar_px=[32, 64]",
        "views.tile_km=600",
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
