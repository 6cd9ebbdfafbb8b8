"""Evaluation of a project: only maps of the present settings count."""

import json
from collections.abc import Callable

import pytest
from rich.console import Console

from ejectamap.errors import ProjectError
from ejectamap.evaluation.run import evaluate_project
from ejectamap.evaluation.tables import print_tables
from ejectamap.mapping.run import map_project
from ejectamap.project.folder import Project
from ejectamap.training.run import train

MakeProject = Callable[..., Project]


def rewrite(project: Project, old: str, new: str) -> Project:
    path = project.folder / "project.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return Project.open(project.folder)


def test_only_maps_of_the_present_settings_count(
    make_project: MakeProject, capsys: pytest.CaptureFixture[str]
) -> None:
    project = make_project("method=polar", "training.split=place")
    train(project)
    with pytest.raises(ProjectError, match="holds no map"):
        evaluate_project(project)
    map_project(project)
    evaluation = evaluate_project(project)
    written = json.loads((project.folder / "evaluation.json").read_text())
    assert written["leakage"]["seen_px"] == 0 < written["leakage"]["test_px"]
    print_tables(evaluation, Console(width=200))
    assert "Leakage: 0 of" in capsys.readouterr().out
    changed = rewrite(project, "threshold: 0.5 ", "threshold: 0.4 ")
    with pytest.raises(ProjectError, match="present settings, networks and inputs"):
        evaluate_project(changed)
    map_project(changed, [0, 1])
    evaluated = {row.crater_id for row in evaluate_project(changed).craters}
    assert evaluated == {row.crater_id for row in evaluation.craters}
    provenance = project.folder / "provenance.json"
    provenance.write_text(provenance.read_text().replace('"1": ', '"2": '))
    with pytest.raises(ProjectError, match=r"origin\.tif: is not of the same run"):
        evaluate_project(changed)
