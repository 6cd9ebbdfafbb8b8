"""Comparison of all methods on one project."""

import io
import json
import math
from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest
from rich.console import Console

from ejectamap import compare as compare_module
from ejectamap.compare import MethodScore, compare_methods, print_comparison, rank_methods
from ejectamap.errors import LabelError, SettingsError
from ejectamap.evaluation.counts import Counts
from ejectamap.evaluation.scores import CraterScore, Evaluation, Scores
from ejectamap.project.folder import Project
from ejectamap.project.methods import METHODS
from ejectamap.training.hardly_trained import hardly_trained

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
    assert printed.count("  hardly trained") == 2 * len(METHODS)
    assert "No method has a higher pixel F1 than all others beyond chance" in printed
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
        assert written.items() <= content[method].items()
        # The networks of the tests are trained for one epoch.
        assert row["hardly_trained"] is True
        assert "1 epoch" in content[method]["hardly_trained"][0]
        assert row["is_winner"] is False
        assert written["leakage"]["seen_px"] == 0 < written["leakage"]["test_px"]
        test = written["test"]
        assert same(row["pixel_f1"], test["pixel"]["f1"])
        assert same(row["tile_recall"], test["tile"]["recall"])
        assert same(row["recall_>10_radii"], test["distance"][">10"]["recall"])
        provenance = json.loads((folder / method / "provenance.json").read_text())
        assert provenance["settings"]["method"] == method
        assert (folder / method / "map" / "origin.tif").exists()
    # A second comparison neither trains nor maps, and gives the same table.
    monkeypatch.setattr("ejectamap.training.run.training_setup", None)
    monkeypatch.setattr("ejectamap.mapping.run.load_method", None)
    some = compare_methods(Project.open(project.folder), ("polar", "agnostic"))
    before = {row.method: row.figures() for row in rows}
    assert [row.figures() for row in some] == [before["polar"], before["agnostic"]]
    assert pd.read_csv(folder / "comparison.csv")["method"].tolist() == ["polar", "agnostic"]


def test_each_method_gets_an_equal_part_of_the_time(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    def stop(project: Project, minutes: float | None, **_: object) -> None:
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


def scored(method: str, f1: list[float], reasons: tuple[str, ...] = ()) -> MethodScore:
    """A method with these F1 in craters of 1000 px each, as far as its map's precision equals its recall."""
    empty = Scores.empty(with_origin=False)
    counts = [Counts(round(1000 * x), 1000 - round(1000 * x), 1000 - round(1000 * x)) for x in f1]
    scores = [replace(empty, pixel=c) for c in counts]
    rows = tuple(CraterScore(k, f"c{k}", "", s, s, s) for k, s in enumerate(scores))
    return MethodScore(method, Evaluation(rows, has_training_pairs=True), reasons)


def printed(rows: list[MethodScore]) -> str:
    console = Console(width=80, file=io.StringIO())
    print_comparison(rows, console)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


HARD = [0.2, 0.35, 0.4, 0.5, 0.55, 0.6, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9]


def test_a_winner_is_better_than_every_other_method_beyond_chance() -> None:
    better = [x + 0.05 for x in HARD]
    mixed = [x + (0.08, -0.06)[k % 2] for k, x in enumerate(HARD)]
    clear = [scored("polar", better), scored("agnostic", HARD)]
    assert rank_methods(clear).winner == "polar"
    assert "polar has a higher pixel F1 than each other method beyond chance" in printed(clear)
    unclear = [*clear, scored("two-stage", [x + 0.01 for x in mixed])]
    ranking = rank_methods(unclear)
    assert ranking.best == "polar"
    assert ranking.winner is None
    assert ranking.behind["agnostic"].is_beyond_chance
    text = printed(unclear)
    assert "No method has a higher pixel F1 than all others beyond chance" in text
    assert "polar minus two-stage: 0.030 (" in text
    assert "), not told apart" in text
    assert max(map(len, text.split("Methods compared")[1].split("No method")[0].splitlines())) <= 80


def test_few_craters_have_no_winner() -> None:
    """Better in all four, which chance alone does once in eight comparisons."""
    rows = [scored("polar", [0.8, 0.9, 0.7, 0.8]), scored("agnostic", [0.4, 0.5, 0.3, 0.4])]
    assert rank_methods(rows).winner is None
    assert "4 craters are too few to tell so many methods apart" in printed(rows)


def test_one_method_alone_or_nothing_to_judge() -> None:
    assert rank_methods([scored("polar", HARD)]).winner is None
    assert "beyond chance" not in printed([scored("polar", HARD)])
    nothing = MethodScore("polar", Evaluation((), has_training_pairs=False))
    assert rank_methods([nothing, nothing]).best is None
    assert "beyond chance" not in printed([nothing])


def test_a_hardly_trained_method_is_marked() -> None:
    rows = [scored("polar", HARD), scored("agnostic", HARD, ("agnostic member-00: 1 epoch",))]
    text = printed(rows)
    assert "agnostic\n" not in text
    assert text.count("  hardly trained") == 2
    assert "Hardly trained: agnostic (agnostic member-00: 1 epoch)" in text


@pytest.mark.parametrize(
    ("training", "changes", "reason"),
    [
        ({"epochs": 1, "best_epoch": 1}, [], "1 epoch"),
        ({"epochs": 2, "best_epoch": 1}, ["context.max_epochs=2"], "2 epochs"),
        ({"epochs": 40, "best_epoch": 40}, [], None),  # its learning rate ended with the budget
        (
            {"epochs": 40, "best_epoch": 40},
            ["context.scheduler={name: constant}"],
            "still improved",
        ),
        ({"epochs": 40, "best_epoch": 30}, ["context.scheduler={name: constant}"], None),
        ({}, [], None),  # of unknown training
    ],
)
def test_when_a_network_is_hardly_trained(
    make_ready: MakeProject, training: dict[str, int], changes: list[str], reason: str | None
) -> None:
    project = make_ready("method=polar", "context.max_epochs=60", *changes)
    path = project.models / "context" / "member-00" / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"training": training}))
    found = hardly_trained(project)
    assert len(found) == (reason is not None)
    assert all(f"context member-00: {reason}" in text for text in found)
