"""Evaluation of a project: only maps of the present settings count."""

import json
from collections.abc import Callable

import pytest
from rich.console import Console

from ejectamap.errors import ProjectError
from ejectamap.evaluation.run import evaluate_project
from ejectamap.evaluation.tables import figure_tables, print_tables
from ejectamap.mapping.run import map_project
from ejectamap.project.folder import Project
from ejectamap.project.splits import read_split
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


def test_labels_that_the_start_was_trained_on_are_not_held_out(make_project: MakeProject) -> None:
    """Two projects of one planet: the second one's test pairs were trained on in the first, but for two craters."""
    first = make_project("method=polar", "training.split=crater", "training.test_fraction=0.3")
    train(first)
    unseen = {
        crater_id for (crater_id, _), part in (read_split(first) or {}).items() if part == "test"
    }
    start = "training.start_from=../project/models"
    second = make_project("method=polar", start, "training.test_fraction=0.5", name="second")
    map_project(second)
    zero_shot = evaluate_project(second)
    assert {row.crater_id for row in zero_shot.craters if row.seen_fraction == 0} == unseen
    assert zero_shot.unseen.pixel.total < zero_shot.test.pixel.total
    assert "networks were trained on" in figure_tables(zero_shot.to_dict())[0].title
    train(second)
    map_project(second)
    trained = evaluate_project(second)
    for row in trained.craters:
        assert (row.unseen.pixel.tp > 0) <= (row.crater_id in unseen)
    assert 0 < trained.unseen.pixel.total < trained.test.pixel.total
    titles = [table.title for table in figure_tables(trained.to_dict())]
    assert any("training started from networks" in title for title in titles)
    assert "Labels that no network was trained on" in titles
    content = json.loads((second.folder / "evaluation.json").read_text())
    assert content["seen"]["unrecorded"] == []
    assert content["seen"]["seen_px"] == trained.test.pixel.total - trained.unseen.pixel.total
    # A network without a record is taken to have started from what is set now.
    path = second.models / "context" / "member-00" / "bundle.json"
    lineage = json.loads(path.read_text())
    del lineage["lineage"]
    path.write_text(json.dumps(lineage))
    map_project(second)
    forgotten = evaluate_project(second)
    assert forgotten.unseen.pixel == trained.unseen.pixel
    assert forgotten.unrecorded == ("context/member-00",)
