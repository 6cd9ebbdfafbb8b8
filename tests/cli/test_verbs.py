"""Help, output and exit codes of every verb."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.main import get_command

from ejectamap import __version__
from ejectamap.cli.app import app
from ejectamap.maps.crater_map import CraterMap, in_memory
from ejectamap.maps.writing import import_maps
from ejectamap.project.folder import Project

VERBS = list(get_command(app).commands)  # type: ignore[attr-defined]
Run = Callable[..., Any]


# --- help


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_an_example(run: Run, verb: str) -> None:
    outcome = run(verb, "--help")
    assert outcome.code == 0
    assert f"Example: ejectamap {verb}" in outcome.out


def test_version(run: Run) -> None:
    assert run("--version").out == f"ejectamap {__version__}\n"


def test_help_lists_every_verb(run: Run) -> None:
    outcome = run("--help")
    assert all(f" {verb} " in outcome.out for verb in VERBS)


def test_exit_code_of_the_real_program(tmp_path: Path) -> None:
    """The program as a process of its own writes exactly one line, to standard error."""
    call = ["new", str(tmp_path), "--mosaic", str(tmp_path / "none.tif"), "--craters", "none.csv"]
    program = [sys.executable, "-c", "from ejectamap.cli import main; main()", *call]
    outcome = subprocess.run(program, capture_output=True, text=True, check=False, env=os.environ)
    assert outcome.returncode == 2
    assert outcome.stdout == ""
    assert outcome.stderr.startswith("ejectamap: ")
    assert outcome.stderr.count("\n") == 1
    assert all(word in outcome.stderr for word in ("none.tif", "does not exist", "check the path"))


# --- new


@pytest.mark.parametrize("field", ["mosaic", "craters", "labels", "tiles"])
def test_new_names_the_input_that_is_missing(
    run: Run, files: Path, tmp_path: Path, field: str
) -> None:
    inputs = {"mosaic": files / "mosaic.tif", "craters": files / "craters.csv"}
    inputs[field] = tmp_path / "nowhere"
    options = [part for name, path in inputs.items() for part in (f"--{name}", path)]
    run("new", tmp_path / "p", *options).is_refusal(f"{field} ", "nowhere", "check the path")


def test_new_does_not_overwrite_a_project(
    run: Run, make_project: Callable[..., Project], files: Path
) -> None:
    folder = make_project().folder
    outcome = run(
        "new", folder, "--mosaic", files / "mosaic.tif", "--craters", files / "craters.csv"
    )
    outcome.is_refusal("already holds a project", "choose another folder")


def test_new_names_the_next_command(run: Run, files: Path, tmp_path: Path) -> None:
    outcome = run(
        "new", tmp_path / "p", "--mosaic", files / "mosaic.tif", "--craters", files / "craters.csv"
    )
    assert outcome.code == 0
    assert f"ejectamap check {tmp_path / 'p'}" in outcome.out


# --- refusals


def test_verbs_name_the_missing_input(run: Run, make_project: Callable[..., Project]) -> None:
    bare = make_project("method=polar", labels=False).folder
    run("train", bare).is_refusal("no training data", "give labels")
    run("map", bare).is_refusal("models/context", "run ejectamap train first")
    run("map", bare, "--craters", "1,88").is_refusal("crater 88", "craters.csv", "check the id")
    run("evaluate", bare).is_refusal("has no labels", "inputs.labels")
    labelled = make_project("method=polar", name="labelled").folder
    run("evaluate", labelled).is_refusal("holds no map", "run ejectamap map")


@pytest.mark.parametrize("ids", ["one", "1,,2", "1 2", ""])
def test_invalid_crater_ids(run: Run, make_project: Callable[..., Project], ids: str) -> None:
    run("map", make_project().folder, "--craters", ids).is_refusal("--craters", "12,17")


def test_an_interruption_is_not_an_error(
    run: Run, make_project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ejectamap.training.run.train", interrupt)
    outcome = run("train", make_project().folder)
    assert outcome.code == 130
    assert outcome.err == "interrupted: run the same command again to continue\n"


def test_a_full_disk_is_reported_in_one_line(
    run: Run, make_project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "split.csv")

    monkeypatch.setattr("ejectamap.training.run.train", full)
    run("train", make_project().folder).is_refusal("split.csv", "No space left", "free space")


def test_new_accepts_the_files_of_simulate(run: Run, tmp_path: Path) -> None:
    planet = tmp_path / "planet"
    outcome = run("simulate", planet, "--width", 256, "--craters", 3, "--tiles", 10, "--seed", 4)
    assert outcome.code == 0, outcome.err
    options = [
        *("--mosaic", planet / "mosaic.tif", "--craters", planet / "craters.csv"),
        *("--labels", planet / "labels", "--tiles", planet / "tiles.csv"),
    ]
    assert run("new", tmp_path / "p", *options, "--seed", 9).code == 0
    project = Project.open(tmp_path / "p")
    assert project.settings.seed == 9
    assert len(project.craters) == 3
    assert project.world.tiles


def test_evaluate_prints_tables_or_json(
    run: Run, make_project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ejectamap.mapping.run import map_project
    from ejectamap.training.run import train

    project = make_project("method=polar")
    train(project)
    map_project(project)
    table = run("evaluate", project.folder)
    assert table.code == 0, table.err
    assert "Precision" in table.out
    as_json = run("evaluate", project.folder, "--json")
    assert json.loads(as_json.out) == json.loads((project.folder / "evaluation.json").read_text())


# --- imports

_RUN_VERBS = """
import json, sys
from ejectamap.cli import main
loaded = {}
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["ejectamap", *arguments]
    try:
        main()
    except SystemExit as end:
        assert not end.code, arguments
    loaded[" ".join(arguments)] = "torch" in sys.modules
print(json.dumps(loaded))
"""


def test_verbs_that_only_read_maps_do_not_load_torch(
    make_project: Callable[..., Project], tmp_path: Path
) -> None:
    project = make_project()
    labels, whole = project.labels, project.grid.whole
    assert labels is not None
    maps = []
    for crater in project.craters:
        probability = labels.read(crater.crater_id, whole).astype(np.float32)
        maps.append(CraterMap(crater, whole, in_memory(whole, probability)))
    import_maps(project, maps)
    folder, package = str(project.folder), str(tmp_path / "map.gpkg")
    calls = [
        ["evaluate", folder, "--json"],
        ["analyze", folder],
        ["report", folder],
        ["export", "stac", folder],
        ["export", "pds4", folder],
        ["export", "qgis", folder, package],
        ["import", "labels", folder, package],
    ]
    program = [sys.executable, "-c", _RUN_VERBS, json.dumps(calls)]
    outcome = subprocess.run(program, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    loaded = json.loads(outcome.stdout.splitlines()[-1])
    assert len(loaded) == len(calls)
    assert not any(loaded.values()), loaded
