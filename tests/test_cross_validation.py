"""Cross-validation over craters: nothing that judges a crater has seen its label."""

import json
import re
from collections.abc import Callable

import pandas as pd
import pytest
from rich.console import Console

from ejectamap.cross_validation import (
    CrossValidation,
    cross_validate,
    print_result,
)
from ejectamap.errors import LabelError
from ejectamap.evaluation.pixels import evaluate
from ejectamap.maps.reader import MapReader
from ejectamap.project.bundles import read_description
from ejectamap.project.folder import Project
from ejectamap.training import run
from ejectamap.training.run import train

MakeProject = Callable[..., Project]


def text_of(result: CrossValidation) -> str:
    console = Console(width=80, record=True)
    print_result(result, console)
    return console.export_text()


def test_each_crater_is_judged_by_networks_that_never_saw_it(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project("method=polar")
    fit, trained = run.fit, []

    def fit_once(*arguments: object) -> object:
        """Train the first fold; the second is interrupted."""
        if trained:
            raise KeyboardInterrupt
        trained.append(arguments)
        return fit(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(run, "fit", fit_once)
    with pytest.raises(KeyboardInterrupt):
        cross_validate(project, folds=2)
    monkeypatch.setattr(run, "fit", lambda *a: trained.append(a) or fit(*a))
    result = cross_validate(project, folds=2)
    assert len(trained) == 2

    folder = project.folder / "cross-validation"
    assert sorted(path.name for path in project.folder.iterdir()) == [
        "cross-validation",
        "project.yaml",
    ]
    assert [r.row.crater_id for r in result.craters] == [c.crater_id for c in project.craters]
    assert result.unseen == result.craters
    for fold in range(2):
        held_out = {r.row.crater_id for r in result.craters if r.fold == fold}
        assert len(held_out) == 3
        lineage = read_description(folder / f"fold-{fold}/models/context/member-00").lineage
        assert lineage is not None
        seen = {crater.crater_id for planet in lineage.planets for crater in planet.craters}
        assert seen == set(range(6)) - held_out

    first = result.craters[0]
    maps = MapReader(folder / f"fold-{first.fold}" / "map", project.grid)
    assert project.labels is not None
    size = project.tile_side_px
    alone = evaluate(project.labels, project.craters[:1], maps.mask, None, tile_px=size)
    assert alone.all.pixel == first.scores.pixel

    table = pd.read_csv(folder / "cross-validation.csv")
    assert len(table) == 7
    assert table["pixel_f1"][0] == pytest.approx(first.scores.pixel.f1)
    overall = table.iloc[-1]
    assert overall["pixel_f1_low"] <= overall["pixel_f1"] <= overall["pixel_f1_high"]
    content = json.loads((folder / "cross-validation.json").read_text())
    assert content["unseen"]["pixel"]["tp"] == sum(r.scores.pixel.tp for r in result.craters)
    assert content["seen"] is None
    text = text_of(result)
    assert "All 6 craters that no network had seen" in text
    assert "…" not in text


def test_craters_that_the_start_saw_are_no_part_of_the_result(make_project: MakeProject) -> None:
    """Training starts from networks of another project of the same planet, trained on half of its craters."""
    first = make_project("method=polar", "training.split=crater", "training.test_fraction=0.5")
    train(first)
    lineage = read_description(first.models / "context" / "member-00").lineage
    assert lineage is not None
    seen = {crater.crater_id for crater in lineage.trained_on[0].craters}
    assert len(seen) == 3
    second = make_project("method=polar", name="second")
    result = cross_validate(second, folds=2, changes=["training.start_from=../project/models"])
    assert {r.row.crater_id for r in result.seen} == seen
    assert len(result.unseen) == 3
    text = text_of(result)
    assert len(re.findall(r"\d\*", text)) == 3
    assert "All 3 craters that no network had seen" in text
    table = pd.read_csv(second.folder / "cross-validation" / "cross-validation.csv")
    assert set(table[table["seen"] == "yes"]["crater_id"].dropna().astype(int)) == seen


def test_one_labelled_crater_cannot_be_held_out(make_project: MakeProject) -> None:
    with pytest.raises(LabelError, match="has no labels"):
        cross_validate(make_project(labels=False))
