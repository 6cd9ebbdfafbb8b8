"""What a person sees of earlier maps: the list, names, and two maps beside each other."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from ejectamap.project.folder import Project

Run = Callable[..., Any]


def set_threshold(project: Project, threshold: float) -> None:
    path = project.folder / "project.yaml"
    lines = path.read_text().splitlines()
    (number,) = (k for k, line in enumerate(lines) if line.startswith("  threshold: "))
    lines[number] = f"  threshold: {threshold}"
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def project(
    make_ready: Callable[..., Project], run: Run, monkeypatch: pytest.MonkeyPatch
) -> Project:
    """Mapped with two thresholds, with pictures, on a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("ejectamap.show.globe._DPI", 40)
    project = make_ready("method=polar", "map.threshold=0.5")
    for threshold in (0.5, 0.4):
        set_threshold(project, threshold)
        assert run("map", project.folder, "--craters", "1,2,3").code == 0
    return project


def test_two_maps_listed_beside_each_other_named_and_deleted(run: Run, project: Project) -> None:
    folder = project.folder
    (kept,) = (folder / "runs").iterdir()
    listed = run("runs", folder)
    assert listed.code == 0
    lines = listed.out.splitlines()
    assert lines[1].split()[0] == "present"
    assert lines[2].split()[:2] == [kept.name, "*"]
    assert "polar" in lines[2]
    assert "one of the latest 3 (map.keep_runs)" in listed.out
    assert max(map(len, lines)) <= 80
    outcome = run("difference", folder, kept.name)
    assert outcome.code == 0, outcome.err
    tables, notes = outcome.out.split("Ejecta of each crater, km²")
    assert "Figures of merit, on labels that no network was trained on" in tables
    assert "Pixel F1" in tables
    rows = [line for line in outcome.out.splitlines() if line.startswith(("│", "┃", "┏", "└"))]
    assert max(map(len, rows)) <= 80
    assert "map.threshold: 0.5 before, 0.4 after" in notes
    written = folder / "differences" / f"{kept.name}-present"
    names = {"difference.json", "craters.csv", "difference.png"}
    assert {path.name for path in written.iterdir()} == names
    content = json.loads((written / "difference.json").read_text())
    # A lower threshold can only gain.
    assert content["agreement"]["lost_km2"] == 0 < content["agreement"]["gained_km2"]
    run("difference", folder, "nothing").is_refusal("neither 'present'", "ejectamap runs")
    # The pictures of a kept map are its own, though the present ones were drawn anew.
    card = "map/crater_1.png"
    assert (kept / card).exists()
    assert (kept / card).read_bytes() != (folder / card).read_bytes()
    assert run("runs", folder, "--name", kept.name, "paper").code == 0
    outcome = run("runs", folder, "--keep", "lower")
    assert [line.split()[0] for line in outcome.out.splitlines()[1:]] == [
        "present",
        "lower",
        "paper",
    ]
    assert "*" not in outcome.out
    run("runs", folder, "--keep", "lower").is_refusal("exists already", "--delete lower")
    (folder / "runs" / "lower" / "provenance.json").write_text("{")
    assert "damaged" in run("runs", folder).out
    assert run("runs", folder, "--delete", "lower").code == 0
    assert [path.name for path in (folder / "runs").iterdir()] == ["paper"]
    run("runs", folder, "--delete", "lower").is_refusal("no run 'lower'", "paper")


def test_a_project_without_a_map(run: Run, make_project: Callable[..., Project]) -> None:
    folder = make_project().folder
    outcome = run("runs", folder)
    assert outcome.code == 0
    assert outcome.out.replace("\n", "") == f"No finished map: ejectamap map {folder} makes one."
    run("runs", folder, "--keep", "x").is_refusal("is not made yet", "run ejectamap map")
