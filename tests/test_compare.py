"""Comparison of all methods on one project."""

import json
import math
from collections.abc import Callable

import pandas as pd
import pytest
from rich.console import Console

from ejectamap import compare as compare_module
from ejectamap.compare import compare_methods, print_comparison
from ejectamap.errors import LabelError, SettingsError
from ejectamap.project.folder import Project
from ejectamap.project.methods import METHODS

MakeProject = Callable[..., Project]


def same(cell: float, figure: float | None) -> bool:
    """Whether a cell of a table shows a figure; empty for none."""
    return math.isnan(cell) if figure is None else cell == pytest.approx(figure)


def test_every_method_is_trained_mapped_and_evaluated(
    make_project: MakeProject,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    project = make_project("training.split=place", "views.overlap=0")
    rows = compare_methods(project, max_minutes=4)
    capsys.readouterr()
    print_comparison(rows, Console(width=80))
    printed = capsys.readouterr().out
    assert "…" not in printed  # nothing is cut off on a narrow terminal
    folder = project.folder / "compare"
    table = pd.read_csv(folder / "comparison.csv")
    assert table["method"].tolist() == list(METHODS)
    content = json.loads((folder / "comparison.json").read_text())
    kinds = {kind for method in METHODS.values() for kind in method.networks}
    assert {path.name for path in project.models.iterdir()} == kinds
    assert not project.maps.exists()
    for method, row in zip(METHODS, table.to_dict("records"), strict=True):
        assert method in printed
        written = json.loads((folder / method / "evaluation.json").read_text())
        assert written == content[method]
        assert written["leakage"]["seen_px"] == 0 < written["leakage"]["test_px"]
        test = written["test"]
        assert same(row["pixel_f1"], test["pixel"]["f1"])
        assert same(row["tile_recall"], test["tile"]["recall"])
        assert same(row["recall_>10_radii"], test["distance"][">10"]["recall"])
        provenance = json.loads((folder / method / "provenance.json").read_text())
        assert provenance["settings"]["method"] == method
        assert (folder / method / "map" / "origin.tif").exists()
    # A second comparison neither trains nor maps, and gives the same table.
    monkeypatch.setattr("ejectamap.training.run.gather_sources", None)
    monkeypatch.setattr("ejectamap.mapping.run.load_method", None)
    some = compare_methods(Project.open(project.folder), ("polar", "agnostic"))
    before = {row.method: row.figures() for row in rows}
    assert [row.figures() for row in some] == [before["polar"], before["agnostic"]]
    assert pd.read_csv(folder / "comparison.csv")["method"].tolist() == ["polar", "agnostic"]


def test_each_method_gets_an_equal_part_of_the_time(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    def stop(project: Project, minutes: float | None) -> None:
        given.append((project.settings.method, minutes))
        raise KeyboardInterrupt

    monkeypatch.setattr(compare_module, "train", stop)
    for minutes, part in ((6.0, 3.0), (None, None)):
        with pytest.raises(KeyboardInterrupt):
            compare_methods(make_project(name=f"p{minutes}"), ("agnostic", "polar"), minutes)
        assert given[-1] == ("agnostic", part)


def test_errors_of_a_comparison(make_project: MakeProject) -> None:
    with pytest.raises(SettingsError, match=r"no method 'three-stage': use two-stage, polar"):
        compare_methods(make_project(), ("polar", "three-stage"))
    with pytest.raises(LabelError, match="no labels to compare with"):
        compare_methods(make_project(name="bare", labels=False), ("polar",))
