"""Earlier maps are kept before they change, and nothing of them is lost whatever happens."""

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from ejectamap.errors import OutputError, ProjectError
from ejectamap.evaluation.run import evaluate_project
from ejectamap.mapping import run as map_run
from ejectamap.mapping.run import map_project
from ejectamap.maps import runs as runs_module
from ejectamap.maps import writing
from ejectamap.maps.runs import (
    PRESENT,
    delete_run,
    find_run,
    keep_as,
    kept_runs,
    present_run,
    rename_run,
)
from ejectamap.project.folder import Project
from ejectamap.project.yaml import read_settings
from ejectamap.training.untrained import save_untrained_networks

MakeReady = Callable[..., Project]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def change(project: Project, **settings: object) -> Project:
    """The project with other settings of its section `map`, as after an edit of project.yaml."""
    path = project.folder / "project.yaml"
    lines = path.read_text().splitlines()
    for key, value in settings.items():
        (number,) = (k for k, line in enumerate(lines) if line.startswith(f"  {key}: "))
        lines[number] = f"  {key}: {value}"
    path.write_text("\n".join(lines) + "\n")
    return Project.open(project.folder)


def change_network(project: Project, seed: int) -> Project:
    """The project with another network in the place of its own."""
    import torch

    shutil.rmtree(project.models, ignore_errors=True)
    torch.manual_seed(seed)
    save_untrained_networks(project)
    return Project.open(project.folder)


def names(project: Project) -> list[str]:
    return [run.name for run in kept_runs(project)]


@pytest.fixture(scope="module")
def mapped(
    tmp_path_factory: pytest.TempPathFactory, planet_files: Path
) -> Callable[[Path], Project]:
    """Copies a project that is mapped once to another folder as deep as this one."""
    folder = tmp_path_factory.mktemp("mapped") / "project"
    inputs = (planet_files / name for name in ("mosaic.tif", "craters.csv", "labels"))
    changes = [
        "method=polar",
        "map.threshold=0.5",
        "views.tile_km=600",
        "views.polar_px=[32, 64]",
        "context.encoder=tu-test_resnet",
        "context.decoder_channels=[32, 16, 16, 8, 8]",
        "context.pretrained=false",
        "training.start_from=none",
    ]
    project = Project.create(folder, *inputs, changes=changes)
    map_project(change_network(project, 0))

    def copy(target: Path) -> Project:
        shutil.copytree(folder, target)
        return Project.open(target)

    return copy


@pytest.fixture
def project(mapped: Callable[[Path], Project], tmp_path: Path) -> Project:
    """A project that is mapped once."""
    return mapped(tmp_path / "project")


def test_the_map_before_is_kept_whole_with_what_belongs_to_it(project: Project) -> None:
    evaluate_project(project)
    before = contents(project.maps)
    results = {
        name: (project.folder / name).read_bytes()
        for name in ("evaluation.json", "provenance.json")
    }
    later = change(project, threshold=0.4)
    map_project(later)
    (run,) = kept_runs(later)
    assert run.automatic
    assert contents(run.maps) == before != contents(later.maps)
    assert {name: (run.folder / name).read_bytes() for name in results} == results
    assert read_settings(run.folder / "settings.yaml") == project.settings
    assert run.provenance["settings"]["map"]["threshold"] == 0.5
    assert run.crater_ids == [0, 1, 2, 3, 4, 5]
    # Another network next. The evaluation is of the map before the last one, and is not kept with the last one.
    second = contents(later.maps)
    map_project(change_network(later, 5))
    latest, first = kept_runs(later)
    assert contents(first.maps) == before
    assert contents(latest.maps) == second
    assert not (latest.folder / "evaluation.json").exists()


def test_a_kept_raster_takes_no_space_and_never_changes(project: Project) -> None:
    mask, polygons = project.maps / "crater_1_mask.tif", project.maps / "ejecta.gpkg"
    keep_as(project, "first")
    run = find_run(project, "first")
    assert (run.maps / mask.name).samefile(mask)
    # People open polygons and tables in other programs, which save them in place.
    assert not (run.maps / polygons.name).samefile(polygons)
    kept = contents(run.folder)
    map_project(change(change_network(project, 5), threshold=0.3))
    assert contents(run.folder) == kept
    assert not (run.maps / mask.name).samefile(mask)


def test_a_disk_without_links_gets_copies(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    run = keep_as(project, "copy")
    assert contents(run.maps) == contents(project.maps)
    mask = "crater_1_mask.tif"
    assert (run.maps / mask).stat().st_mtime == (project.maps / mask).stat().st_mtime


def test_what_changes_nothing_old_keeps_nothing(
    make_ready: MakeReady, planet_files: Path, tmp_path: Path
) -> None:
    """The first map, the same again, further craters, a crater with a row of its own, and a lost file."""
    files = tmp_path / "files"
    shutil.copytree(planet_files, files)
    rows = (files / "craters.csv").read_text().splitlines()
    (files / "craters.csv").write_text("\n".join(rows[:-1]) + "\n")
    # The maps of this method do not depend on the other craters.
    project = make_ready("method=two-stage", files=files, labels=False)
    map_project(project, [0, 1])
    map_project(project)
    map_project(project)
    (files / "craters.csv").write_text("\n".join(rows) + "\n")
    more = Project.open(project.folder)
    map_project(more)
    (more.maps / "crater_2_mask.tif").unlink()
    map_project(more)
    assert kept_runs(more) == []
    assert not (more.folder / "runs").exists()


def test_craters_that_are_renewed_one_by_one_are_one_change(project: Project) -> None:
    before = contents(project.maps)
    later = change_network(project, 5)
    for crater_id in (2, 4):
        map_project(later, [crater_id])
    map_project(later)
    (run,) = kept_runs(later)
    assert contents(run.maps) == before


@pytest.mark.parametrize("changed", ["network", "threshold"])
def test_an_interrupted_change_is_one_run(
    project: Project, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    """Stopped while it replaces the files of a crater, or its mask; and then changed back or further."""
    before = contents(project.maps)
    later = change_network(project, 5) if changed == "network" else change(project, threshold=0.4)
    outlines = 0

    def stop_at_third(*arguments: object) -> None:
        nonlocal outlines
        outlines += 1
        if outlines == 3:
            raise KeyboardInterrupt
        write_outline(*arguments)  # type: ignore[arg-type]

    write_outline = writing.write_outline
    with monkeypatch.context() as patched:
        patched.setattr(writing, "write_outline", stop_at_third)
        with pytest.raises(KeyboardInterrupt):
            map_project(later)
    assert present_run(later) is None
    with pytest.raises(ProjectError, match="is not finished: run ejectamap map"):
        keep_as(later, "half")
    (run,) = kept_runs(later)
    map_project(later)
    assert kept_runs(later) == [run]
    assert contents(run.maps) == before
    assert present_run(later) is not None


def test_one_that_was_interrupted_and_changed_again_is_not_kept_in_pieces(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(project.maps)
    later = change(project, threshold=0.4)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(map_run, "write_global_files", stop)
        with pytest.raises(KeyboardInterrupt):
            map_project(later)
    map_project(change(later, threshold=0.3))
    (run,) = kept_runs(later)
    assert contents(run.maps) == before


@pytest.mark.parametrize("point", ["_link_folder", "_copy_results", "move_into_place"])
def test_killed_while_it_keeps_a_run_nothing_is_lost(
    project: Project, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    before = contents(project.maps)
    later = change(project, threshold=0.4)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(runs_module, point, killed)
        with pytest.raises(KeyboardInterrupt):
            map_project(later)
    assert contents(later.maps) == before
    assert kept_runs(later) == []
    # What a killed process leaves behind goes when the next run is kept.
    (later.folder / "runs").mkdir(exist_ok=True)
    rest = later.folder / "runs" / ".2026-01-01-0000.999999999.partial"
    (rest / "map").mkdir(parents=True)
    (rest / "map" / "origin.tif").touch()
    map_project(later)
    (run,) = kept_runs(later)
    assert contents(run.maps) == before
    assert [path.name for path in (later.folder / "runs").iterdir()] == [run.name]


def test_a_full_disk_stops_before_the_map_changes(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(project.maps)
    later = change(project, threshold=0.4)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copy2", full)
    with pytest.raises(OutputError, match=r"runs.*No space left.*keep_runs") as caught:
        map_project(later)
    assert "\n" not in str(caught.value)
    assert contents(later.maps) == before
    map_project(change(later, keep_runs=0))  # the remedy
    assert kept_runs(later) == []


def test_the_oldest_go_and_named_ones_stay(project: Project) -> None:
    def mapped_at(now: Project, hour: int) -> Project:
        """Have the masks' files another date."""
        for mask in now.maps.glob("*_mask.tif"):
            os.utime(mask, (3600 * hour, 3600 * hour))
        return now

    project = change(mapped_at(project, 1), keep_runs=2)
    for hour, threshold in enumerate((0.4, 0.3, 0.2), start=2):
        project = change(project, threshold=threshold)
        map_project(project)
        mapped_at(project, hour)
        if hour == 2:
            (first,) = names(project)
            rename_run(project, first, "for-the-paper")
    thresholds = {
        run.name: (run.provenance["settings"]["map"]["threshold"], run.automatic)
        for run in kept_runs(project)
    }
    assert thresholds.pop("for-the-paper") == (0.5, False)
    assert sorted(thresholds.values()) == [(0.3, True), (0.4, True)]
    map_project(change(project, threshold=0.1))
    assert len(names(project)) == 3
    assert names(project)[-1] == "for-the-paper"
    map_project(change(project, threshold=0.15, keep_runs=0))
    assert names(project) == ["for-the-paper"]


def test_the_same_map_is_kept_once(project: Project) -> None:
    """There and back again: with the evaluation that was made meanwhile."""
    there = change(project, threshold=0.4)
    map_project(there)
    back = change(there, threshold=0.5)
    map_project(back)
    evaluate_project(back)
    map_project(change(back, threshold=0.4))
    kept = kept_runs(back)
    thresholds = [run.provenance["settings"]["map"]["threshold"] for run in kept]
    assert sorted(thresholds) == [0.4, 0.5]
    assert (kept[thresholds.index(0.5)].folder / "evaluation.json").exists()


def test_a_comparison_keeps_no_runs(project: Project) -> None:
    variant = project.with_method("polar")
    map_project(variant)
    map_project(change(project, threshold=0.4).with_method("polar"))
    assert kept_runs(project) == []


def test_names(project: Project) -> None:
    keep_as(project, "for-the-paper")
    for name, reason in (
        ("for-the-paper", "exists already"),
        (PRESENT, "no possible name"),
        ("a/b", "no possible name"),
        ("..", "no possible name"),
        (".hidden", "no possible name"),
        ("", "no possible name"),
    ):
        with pytest.raises(ProjectError, match=reason):
            keep_as(project, name)
    with pytest.raises(ProjectError, match=r"no run 'paper', there are for-the-paper"):
        rename_run(project, "paper", "other")
    rename_run(project, "for-the-paper", "submitted")
    assert names(project) == ["submitted"]
    delete_run(project, "submitted")
    assert names(project) == []
    assert list((project.folder / "runs").iterdir()) == []


def test_nobody_changes_runs_while_a_map_is_written(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_as(project, "first")

    def busy(*_: object, **__: object) -> None:
        raise Timeout(str(project.folder / ".lock"))

    monkeypatch.setattr(FileLock, "acquire", busy)
    for change_runs in (
        lambda: keep_as(project, "second"),
        lambda: rename_run(project, "first", "second"),
        lambda: delete_run(project, "first"),
    ):
        with pytest.raises(ProjectError, match="wait until that has ended"):
            change_runs()
    assert names(project) == ["first"]


def test_a_project_without_a_map(make_ready: MakeReady) -> None:
    project = make_ready("method=polar")
    assert kept_runs(project) == []
    with pytest.raises(ProjectError, match="is not made yet: run ejectamap map"):
        keep_as(project, "nothing")


def test_a_damaged_provenance_does_not_stop_a_map(project: Project) -> None:
    path = project.folder / "provenance.json"
    for text in ("", "[]", '{"craters": 1}', json.dumps({"settings": {"map": {}}})):
        path.write_text(text)
        map_project(change(project, threshold=0.4))
        assert kept_runs(project) == []
