"""Every verb explains itself, and ends with the right exit code and one line."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ejectamap.project import Project

VERBS = ["demo", "simulate", "new", "check", "train", "map", "evaluate", "compare"]
VERBS += ["families", "analyze", "suggest", "import", "export", "tune", "report", "view"]
Run = Callable[..., Any]


# --- help


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_an_example(run: Run, verb: str) -> None:
    shown = run(verb, "--help")
    assert shown.code == 0
    assert f"Example: ejectamap {verb}" in shown.out


def test_help_lists_every_verb(run: Run) -> None:
    shown = run("--help")
    assert all(f" {verb} " in shown.out for verb in VERBS)


def test_exit_code_of_the_real_program(tmp_path: Path) -> None:
    """One process of its own: nothing but one line on standard error."""
    call = ["new", str(tmp_path), "--mosaic", str(tmp_path / "none.tif"), "--craters", "none.csv"]
    program = [sys.executable, "-c", "from ejectamap.cli import main; main()", *call]
    ended = subprocess.run(program, capture_output=True, text=True, check=False, env=os.environ)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith("ejectamap: ")
    assert ended.stderr.count("\n") == 1
    assert all(word in ended.stderr for word in ("none.tif", "does not exist", "check the path"))


# --- new


@pytest.mark.parametrize("field", ["mosaic", "craters", "labels", "tiles"])
def test_new_names_the_input_that_is_missing(
    run: Run, files: Path, tmp_path: Path, field: str
) -> None:
    inputs = {"mosaic": files / "mosaic.tif", "craters": files / "craters.csv"}
    inputs[field] = tmp_path / "nowhere"
    options = [part for name, path in inputs.items() for part in (f"--{name}", path)]
    run("new", tmp_path / "p", *options).is_refusal(f"{field} ", "nowhere", "check the path")


def test_new_keeps_an_old_project(
    run: Run, make_project: Callable[..., Project], files: Path
) -> None:
    folder = make_project().folder
    again = run("new", folder, "--mosaic", files / "mosaic.tif", "--craters", files / "craters.csv")
    again.is_refusal("already holds a project", "choose another folder")


def test_new_says_what_comes_next(run: Run, files: Path, tmp_path: Path) -> None:
    made = run(
        "new", tmp_path / "p", "--mosaic", files / "mosaic.tif", "--craters", files / "craters.csv"
    )
    assert made.code == 0
    assert f"ejectamap check {tmp_path / 'p'}" in made.out


# --- too early


def test_nothing_to_train_map_or_evaluate_with(
    run: Run, make_project: Callable[..., Project]
) -> None:
    bare = make_project("method=polar", labels=False).folder
    run("train", bare).is_refusal("nothing to learn from", "give labels")
    run("map", bare).is_refusal("models/context", "run ejectamap train first")
    run("map", bare, "--craters", "1,88").is_refusal("crater 88", "craters.csv", "check the id")
    run("evaluate", bare).is_refusal("has no labels", "inputs.labels")
    labelled = make_project("method=polar", name="labelled").folder
    run("evaluate", labelled).is_refusal("holds no map", "run ejectamap map")


@pytest.mark.parametrize("ids", ["one", "1,,2", "1 2", ""])
def test_ids_that_are_none(run: Run, make_project: Callable[..., Project], ids: str) -> None:
    run("map", make_project().folder, "--craters", ids).is_refusal("--craters", "12,17")


def test_an_interruption_is_no_error(
    run: Run, make_project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ejectamap.training.train", interrupt)
    ended = run("train", make_project().folder)
    assert ended.code == 130
    assert ended.err == "interrupted: run the same command again to go on\n"


def test_a_full_disk_is_one_line(
    run: Run, make_project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "split.csv")

    monkeypatch.setattr("ejectamap.training.train", full)
    run("train", make_project().folder).is_refusal("split.csv", "No space left", "check space")


def test_simulate_makes_what_new_takes(run: Run, tmp_path: Path) -> None:
    planet = tmp_path / "planet"
    made = run("simulate", planet, "--width", 256, "--craters", 3, "--tiles", 10, "--seed", 4)
    assert made.code == 0, made.err
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
    from ejectamap.mapping import map_project
    from ejectamap.training import train

    project = make_project("method=polar")
    train(project)
    map_project(project)
    table = run("evaluate", project.folder)
    assert table.code == 0, table.err
    assert "Precision" in table.out
    as_json = run("evaluate", project.folder, "--json")
    assert json.loads(as_json.out) == json.loads((project.folder / "evaluation.json").read_text())
