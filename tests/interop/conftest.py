"""A small release that a test may modify, and a mapped project whose labels are corrected."""

import copy
import shutil
from pathlib import Path

import pandas as pd
import pytest
from mini_release import MiniRelease
from qgis_edits import IDS, LABELLED, round_map

from ejectamap.maps.writing import import_maps
from ejectamap.project.folder import Project


@pytest.fixture(scope="session")
def shared_release(tmp_path_factory: pytest.TempPathFactory) -> MiniRelease:
    return MiniRelease(tmp_path_factory.mktemp("release"))


@pytest.fixture
def release(shared_release: MiniRelease, tmp_path: Path) -> MiniRelease:
    """A copy of the release that a test may modify."""
    root = tmp_path / "release"
    shutil.copytree(shared_release.data, root / "data")
    shutil.copytree(shared_release.results, root / "results")
    copied = copy.copy(shared_release)
    copied.data, copied.results = root / "data", root / "results"
    return copied


@pytest.fixture
def project(tmp_path: Path, planet_files: Path) -> Project:
    """Five craters; four of them are mapped, and two have labels."""
    table = pd.read_csv(planet_files / "craters.csv").head(5)
    table["name"] = ['<a> & "b"', "Bashō", "c", "d", "e"]
    table.to_csv(tmp_path / "craters.csv", index=False)
    labels = tmp_path / "drawn"
    labels.mkdir()
    for k in LABELLED:
        name = f"mask_crater_{k}.tif"
        (labels / name).write_bytes((planet_files / "labels" / name).read_bytes())
    inputs = planet_files / "mosaic.tif", tmp_path / "craters.csv", labels
    project = Project.create(tmp_path / "p", *inputs)
    import_maps(project, (round_map(project, k) for k in IDS))
    return project
