"""What a change makes stale: just what depends on it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import rasterio
import rasterio.shutil
from ruamel.yaml import YAML

from ejectamap.mapping import run as map_run
from ejectamap.mapping.run import map_project
from ejectamap.maps import writing
from ejectamap.maps.mapped import mapped_craters
from ejectamap.maps.provenance import compute_fingerprints
from ejectamap.project.folder import Project
from version_0_1 import as_version_0_1

MakeReady = Callable[..., Project]
Contents = Callable[[Path], dict[str, bytes]]
Reopened = Callable[[Project], Project]
IDS = [0, 1, 2, 3, 4, 5]


def change(project: Project, old: str, new: str) -> Project:
    """The project with another text in its settings."""
    text = (project.folder / "project.yaml").read_text()
    assert text.count(old) == 1
    (project.folder / "project.yaml").write_text(text.replace(old, new))
    return Project.open(project.folder)


def test_another_threshold_makes_new_masks_only(
    make_ready: MakeReady, monkeypatch: pytest.MonkeyPatch, contents: Contents
) -> None:
    project = make_ready("method=polar")
    map_project(project)
    first = contents(project.maps)
    monkeypatch.setattr(map_run, "load_method", None)  # would fail if networks were loaded
    higher = change(project, "\n  threshold: 0.5 ", "\n  threshold: 0.6 ")
    assert mapped_craters(higher) == []
    map_project(higher)
    for crater in higher.craters:
        probability = contents(project.maps)[f"crater_{crater.crater_id}_probability.tif"]
        assert probability == first[f"crater_{crater.crater_id}_probability.tif"]
        with rasterio.open(project.maps / f"crater_{crater.crater_id}_mask.tif") as source:
            assert "0.6" in source.descriptions[0]
    map_project(change(project, "\n  threshold: 0.6 ", "\n  threshold: 0.5 "))
    assert contents(project.maps) == first


def test_another_network_makes_the_map_stale(make_ready: MakeReady, reopened: Reopened) -> None:
    project = make_ready("method=polar")
    map_project(project)
    bundle = project.models / "context" / "member-00" / "bundle.json"
    content = json.loads(bundle.read_text())
    content["training"]["samples"] = 77
    bundle.write_text(json.dumps(content))
    assert mapped_craters(reopened(project)) == []


@pytest.mark.parametrize(
    ("method", "old", "new", "stale"),
    [
        ("polar", "overlap: 0.0", "overlap: 0.4", False),
        ("two-stage", "overlap: 0.0", "overlap: 0.4", True),
        ("polar", "vote_threshold: 0.5", "vote_threshold: 0.6", False),
        ("two-stage", "vote_threshold: 0.5", "vote_threshold: 0.6", True),
        ("guided", "\n  threshold: 0.5 ", "\n  threshold: 0.6 ", False),
        ("guided", "overlap: 0.0", "overlap: 0.4", True),
        ("two-stage", "seed: 0", "seed: 1", False),
        ("polar", "test_fraction: 0.2", "test_fraction: 0.3", False),
    ],
)
def test_a_setting_makes_stale_what_depends_on_it(
    make_ready: MakeReady, method: str, old: str, new: str, stale: bool
) -> None:
    project = make_ready(f"method={method}")
    before = compute_fingerprints(project).craters
    after = compute_fingerprints(change(project, old, new)).craters
    assert before.keys() == after.keys()
    assert all((before[k] != after[k]) == stale for k in before)


@pytest.mark.parametrize(
    ("method", "column", "stale"),
    [
        ("polar", "name", []),
        ("two-stage", "name", []),
        ("two-stage", "radius_m", [2]),
        ("polar", "radius_m", IDS),
        ("agnostic", "radius_m", IDS),
        ("guided", "radius_m", IDS),
        ("distance-only", "lon", [2]),
    ],
)
def test_a_row_of_the_catalogue_makes_stale_what_depends_on_it(
    make_project: Callable[..., Project],
    planet_files: Path,
    tmp_path: Path,
    method: str,
    column: str,
    stale: list[int],
    reopened: Reopened,
) -> None:
    """For a method that uses the whole catalogue a crater's map depends on all places and sizes, else on its own."""
    files = tmp_path / "files"
    shutil.copytree(planet_files, files)
    project = make_project(f"method={method}", files=files)
    before = compute_fingerprints(project).craters
    table = pd.read_csv(files / "craters.csv").set_index("crater_id")
    table.loc[2, column] = "Other" if column == "name" else table.loc[2, column] * 1.01
    table.to_csv(files / "craters.csv")
    after = compute_fingerprints(reopened(project)).craters
    assert [k for k in IDS if before[k] != after[k]] == stale


def test_going_back_to_an_old_threshold_does_not_mix_two_maps(
    make_ready: MakeReady, monkeypatch: pytest.MonkeyPatch, contents: Contents
) -> None:
    """Interrupted right after a crater's mask was replaced, then mapped with the first threshold again."""
    project = make_ready("method=polar")
    map_project(project)
    first = contents(project.maps)

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    higher = change(project, "\n  threshold: 0.5 ", "\n  threshold: 0.6 ")
    with monkeypatch.context() as patched:
        patched.setattr(writing, "record_masked", stop)
        with pytest.raises(KeyboardInterrupt):
            map_project(higher)
    map_project(change(project, "\n  threshold: 0.6 ", "\n  threshold: 0.5 "))
    assert contents(project.maps) == first


@pytest.mark.parametrize("method", ["polar", "two-stage"])
def test_a_project_of_the_version_before_is_current(
    make_ready: MakeReady,
    monkeypatch: pytest.MonkeyPatch,
    contents: Contents,
    reopened: Reopened,
    method: str,
) -> None:
    """Settings and bundles with the keys of 0.1; a bundle's bytes are part of the fingerprint."""
    project = make_ready(f"method={method}")
    for path in project.models.glob("*/*/bundle.json"):
        bundle = json.loads(path.read_text())
        del bundle["views"]["version"]
        if "chip_px" in bundle["views"]:
            bundle["views"] |= {"distance": "metres", "log_distance": True}
        path.write_text(json.dumps(bundle, indent=2) + "\n")
    map_project(reopened(project))
    first = contents(project.maps)
    settings = project.folder / "project.yaml"
    yaml = YAML(typ="safe")
    values = as_version_0_1(yaml.load(settings.read_text()))
    with settings.open("w") as file:
        yaml.dump(values, file)
    monkeypatch.setattr(map_run, "load_method", None)  # would fail if networks were loaded
    assert mapped_craters(reopened(project)) == list(project.craters)
    map_project(reopened(project))
    assert contents(project.maps) == first


def test_the_same_mosaic_by_another_path_is_the_same(
    make_ready: MakeReady, planet_files: Path, reopened: Reopened
) -> None:
    project = make_ready("method=polar")
    map_project(project, [0])
    settings = project.folder / "project.yaml"
    yaml = YAML()
    values = yaml.load(settings.read_text())
    assert not Path(values["inputs"]["mosaic"]).is_absolute()
    values["inputs"]["mosaic"] = str(planet_files / "mosaic.tif")
    with settings.open("w") as file:
        yaml.dump(values, file)
    assert [c.crater_id for c in mapped_craters(reopened(project))] == [0]


def test_a_map_of_the_version_before_is_current_and_its_records_are_renewed(
    make_ready: MakeReady, monkeypatch: pytest.MonkeyPatch, contents: Contents, reopened: Reopened
) -> None:
    """That version's fingerprints depended on the path of the mosaic, and its records held no parts."""
    project = make_ready("method=polar")
    map_project(project)
    first = contents(project.maps)
    for number, fingerprint in compute_fingerprints(project).earlier.items():
        record = project.maps / ".done" / f"crater_{number}.json"
        record.write_text(json.dumps({"fingerprint": fingerprint, "threshold": 0.5}))
    assert mapped_craters(reopened(project)) == list(project.craters)
    monkeypatch.setattr(map_run, "load_method", None)  # would fail if networks were loaded
    map_project(reopened(project))
    assert contents(project.maps) == first
    assert not (project.folder / "runs").exists()


def test_a_virtual_mosaics_source_makes_the_map_stale(
    make_ready: MakeReady, planet_files: Path, tmp_path: Path, reopened: Reopened
) -> None:
    files = tmp_path / "files"
    shutil.copytree(planet_files, files)
    (files / "mosaic.tif").rename(files / "source.tif")
    rasterio.shutil.copy(files / "source.tif", files / "mosaic.vrt", driver="VRT")
    (files / "mosaic.vrt").rename(files / "mosaic.tif")  # GDAL looks at the content
    project = make_ready("method=polar", files=files)
    map_project(project, [0])
    assert len(mapped_craters(reopened(project))) == 1
    with rasterio.open(files / "source.tif", "r+") as target:
        target.write(target.read() // 2)
    assert mapped_craters(reopened(project)) == []
