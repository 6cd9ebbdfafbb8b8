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


@pytest.fixture(scope="session")
def shared_project(tmp_path_factory: pytest.TempPathFactory, planet_files: Path) -> Path:
    """A folder with a project `p`: five craters, four of them mapped, two with labels."""
    folder = tmp_path_factory.mktemp("corrected")
    table = pd.read_csv(planet_files / "craters.csv").head(5)
    table["name"] = ['<a> & "b"', "Bashō", "c", "d", "e"]
    table.to_csv(folder / "craters.csv", index=False)
    labels = folder / "drawn"
    labels.mkdir()
    for k in LABELLED:
        name = f"mask_crater_{k}.tif"
        (labels / name).write_bytes((planet_files / "labels" / name).read_bytes())
    project = Project.create(
        folder / "p", planet_files / "mosaic.tif", folder / "craters.csv", labels
    )
    import_maps(project, (round_map(project, k) for k in IDS))
    return folder


@pytest.fixture
def project(tmp_path: Path, shared_project: Path) -> Project:
    """A copy of that project, in a folder whose relative paths are the same."""
    assert tmp_path.parent == shared_project.parent
    shutil.copytree(shared_project, tmp_path, dirs_exist_ok=True)
    return Project.open(tmp_path / "p")
