"""A mapped project whose craters have awkward names."""

import csv
from pathlib import Path

import numpy as np
import pytest

from ejectamap.mapping.methods import CraterMap, in_memory
from ejectamap.mapping.run import bring_in
from ejectamap.project import Project

NAMES = [
    "Bashō",
    '<img src=x onerror="document.title=1">',
    "\"quoted\" & 'single'",
    "L" * 200,
    "</script><b>bold</b>",
]


@pytest.fixture(scope="session")
def awkward_files(tmp_path_factory: pytest.TempPathFactory, planet_files: Path) -> Path:
    """craters.csv of the simulated planet with other names."""
    folder = tmp_path_factory.mktemp("awkward")
    with (planet_files / "craters.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row, name in zip(rows, NAMES, strict=False):
        row["name"] = name
    with (folder / "craters.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture(scope="session")
def mapped(
    tmp_path_factory: pytest.TempPathFactory, planet_files: Path, awkward_files: Path
) -> Project:
    """A project with the networks that come with the program, and the labels' truth as its map: 1 or 0.2."""
    project = Project.create(
        tmp_path_factory.mktemp("viewed") / "planet",
        planet_files / "mosaic.tif",
        awkward_files / "craters.csv",
        planet_files / "labels",
        changes=["map.threshold=0.5"],
    )
    grid, labels = project.grid, project.labels
    assert labels is not None

    def maps() -> list[CraterMap]:
        found = []
        for crater in project.craters[:-1]:
            window = grid.cap_window(crater.lon, crater.lat, crater.reach_m(grid.radius_m))
            ejecta = labels.read(crater.crater_id, window)
            values = np.where(ejecta, 1, 0.2).astype(np.float32)
            found.append(CraterMap(crater, window, in_memory(window, values)))
        return found

    bring_in(project, maps())
    return project
