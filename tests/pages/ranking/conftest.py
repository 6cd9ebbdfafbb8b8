"""A project with two maps of four craters (the labels, and the same with holes)."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ejectamap.maps.files import write_cog
from ejectamap.maps.state import crater_path
from ejectamap.project.folder import Project
from ejectamap.world.grid import Grid

HTML_NAME = "<img src=x onerror=alert(1)> & $x$"


@pytest.fixture
def project(tmp_path: Path, planet_files: Path, make_project: Callable[..., Project]) -> Project:
    """A project whose craters have names with HTML and mathematics."""
    files = shutil.copytree(planet_files, tmp_path / "files")
    lines = (files / "craters.csv").read_text().splitlines()
    lines = [lines[0], *(line.replace(line.split(",")[1], HTML_NAME) for line in lines[1:])]
    (files / "craters.csv").write_text("\n".join(lines) + "\n")
    return make_project(files=files)


def save_mask(path: Path, grid: Grid, mask: np.ndarray) -> None:
    strips = [(grid.whole, mask.astype(np.uint8))]
    options = {"description": "1 = ejecta", "nodata": None, "resampling": "mode"}
    write_cog(path, strips, grid, grid.whole, **options)


@pytest.fixture
def maps(tmp_path: Path, project: Project) -> dict[str, Path]:
    """Folders of maps, by name; both have the same map of the last of four craters."""
    rng = np.random.default_rng(0)
    grid = project.mosaic.grid
    folders = {name: tmp_path / name for name in ("secretly whole", "secretly holed")}
    for folder in folders.values():
        folder.mkdir()
    for crater_id in list(project.labels.masks)[:4]:
        whole = project.labels.read(crater_id, grid.whole)
        holed = whole & (rng.random(whole.shape) < (1 if crater_id == 3 else 0.6))
        for folder, mask in zip(folders.values(), (whole, holed), strict=True):
            save_mask(crater_path(folder, crater_id, "mask"), grid, mask)
    return folders
