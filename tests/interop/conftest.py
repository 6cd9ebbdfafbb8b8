"""A small release that a test may damage, and a mapped project to correct."""

import copy
import shutil
from pathlib import Path

import pandas as pd
import pytest
from mini_release import MiniRelease
from qgis_edits import IDS, LABELLED, round_map

from ejectamap.mapping.run import bring_in
from ejectamap.project import Project


@pytest.fixture(scope="session")
def whole_release(tmp_path_factory: pytest.TempPathFactory) -> MiniRelease:
    return MiniRelease(tmp_path_factory.mktemp("release"))


@pytest.fixture
def release(whole_release: MiniRelease, tmp_path: Path) -> MiniRelease:
    """A copy that a test may damage."""
    root = tmp_path / "release"
    shutil.copytree(whole_release.data, root / "data")
    shutil.copytree(whole_release.results, root / "results")
    own = copy.copy(whole_release)
    own.data, own.results = root / "data", root / "results"
    return own


@pytest.fixture
def project(tmp_path: Path, planet_files: Path) -> Project:
    """Four mapped craters, two of them with labels; one is not mapped."""
    table = pd.read_csv(planet_files / "craters.csv").head(5)
    table["name"] = ['<a> & "b"', "Bashō", "c", "d", "e"]
    table.to_csv(tmp_path / "craters.csv", index=False)
    labels = tmp_path / "drawn"
    labels.mkdir()
    for k in LABELLED:
        name = f"mask_crater_{k}.tif"
        (labels / name).write_bytes((planet_files / "labels" / name).read_bytes())
    inputs = planet_files / "mosaic.tif", tmp_path / "craters.csv", labels
    made = Project.create(tmp_path / "p", *inputs)
    bring_in(made, (round_map(made, k) for k in IDS))
    return made
