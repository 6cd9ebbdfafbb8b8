"""Compare methods on one project: each is trained if it is not, mapped and evaluated; one table of all."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from ejectamap.errors import LabelError, SettingsError
from ejectamap.evaluation.paired import CraterFigure, PairedDifference, paired_difference
from ejectamap.evaluation.run import evaluate_project
from ejectamap.evaluation.scores import Evaluation, Scores
from ejectamap.evaluation.tables import format_figure, format_interval
from ejectamap.files import replace_file
from ejectamap.mapping.run import map_project
from ejectamap.project.folder import Project
from ejectamap.project.lock import writes_project
from ejectamap.project.methods import METHODS
from ejectamap.terminal import results_console
from ejectamap.texts import write_csv
from ejectamap.training.hardly_trained import hardly_trained
from ejectamap.training.run import train

_FIGURES = ("f1", "precision", "recall")
_DECISIVE = "test.pixel.f1"


@dataclass(frozen=True)
class Ranking:
    """Whether one method is better than the others, by pixel F1.

    Attributes
    ----------
    best : str or None
        Method with the highest F1; None if no method has one.
    behind : mapping of str to PairedDifference
        F1 of the best method minus that of each other one that has any, by method; the intervals hold together for
        all pairs of methods, since any could have been the best.
    """

    best: str | None
    behind: Mapping[str, PairedDifference]

    @property
    def winner(self) -> str | None:
        """The best method, if it is better than each other one beyond chance."""
        beyond = [difference.is_beyond_chance for difference in self.behind.values()]
        return self.best if beyond and all(beyond) else None


@dataclass(frozen=True)
class MethodScore:
    """One method's row of the comparison.

    Attributes
    ----------
    method : str
    evaluation : Evaluation
    hardly_trained : tuple of str
        Why its networks count as hardly trained; empty if they do not.
    """

    method: str
    evaluation: Evaluation
    hardly_trained: tuple[str, ...] = ()

    def figures(self) -> dict[str, float | None]:
        """Figures by name, of the pairs that were held out or, if none were, of all; None where undefined."""
        scores = self.evaluation.test
        row: dict[str, float | None] = {}
        for name, counts in (("pixel", scores.pixel), ("tile", scores.tile)):
            row |= {f"{name}_{figure}": counts.to_dict()[figure] for figure in _FIGURES}
        for name, counts in scores.distance.items():
            row |= {
                f"{figure}_{name}_radii": counts.to_dict()[figure] for figure in ("f1", "recall")
            }
        return row | {"right_owner": _attribution_accuracy(scores)}


@writes_project("compare")
def compare_methods(
    project: Project, methods: Sequence[str] = (), max_minutes: float | None = None
) -> list[MethodScore]:
    """Train, map and evaluate a project by several methods; write compare/comparison.csv and .json.

    Networks are the project's own and stay for further use; each method's map and evaluation go to compare/{method}.
    What exists already, also from an interrupted comparison, is used.

    Parameters
    ----------
    project : Project
    methods : sequence of str
        All by default.
    max_minutes : float, optional
        Time budget of all training; each method gets an equal part, whether it needs it or not. By default each gets
        what the settings say.

    Raises
    ------
    SettingsError
        If there is no such method.
    LabelError
        If there are no labels to evaluate with.
    EjectamapError
        Whatever training, mapping and evaluation raise.
    """
    methods = methods or tuple(METHODS)
    for method in methods:
        if method not in METHODS:
            raise SettingsError(
                f"--methods: there is no method {method!r}: use {', '.join(METHODS)}"
            )
    if project.labels is None:
        raise LabelError(
            f"{project.folder}: has no labels to compare with: set inputs.labels in its project.yaml"
        )
    minutes = None if max_minutes is None else max_minutes / len(methods)
    rows = []
    for method in methods:
        variant = project.with_method(method)
        train(variant, minutes, console=results_console())
        map_project(variant)
        reasons = tuple(hardly_trained(variant))
        rows.append(MethodScore(method, evaluate_project(variant), reasons))
    _write(project, rows)
    return rows


def rank_methods(rows: Sequence[MethodScore]) -> Ranking:
    """Find the method with the highest pixel F1, and how far the others are behind it, paired over craters."""
    found = {row.method: CraterFigure.of(row.evaluation, _DECISIVE) for row in rows}
    figures = {k: f for k, f in found.items() if f is not None and not math.isnan(f.value)}
    if not figures:
        return Ranking(None, {})
    best = max(figures, key=lambda method: figures[method].value)
    pairs = len(list(combinations(figures, 2)))
    behind = {
        method: paired_difference(figure, figures[best], comparisons=pairs)
        for method, figure in figures.items()
        if method != best
    }
    return Ranking(best, behind)


def print_comparison(rows: Sequence[MethodScore], console: Console) -> None:
    """Print two tables, overall and by distance, and whether a method is better than the others."""
    subset = "test set" if rows[0].evaluation.has_training_pairs else "all labels"
    figures = {row.method: row.figures() for row in rows}
    marks = {row.method: "\n  hardly trained" if row.hardly_trained else "" for row in rows}
    names = list(figures[rows[0].method])
    overall = [name for name in names if not name.endswith("_radii")]
    for title, columns in (
        (f"Methods compared: {subset}", overall),
        ("By distance, in crater radii", [name for name in names if name not in overall]),
    ):
        table = Table(
            title=title, title_justify="left", box=None, padding=(0, 2, 0, 0)
        )  # fits 80 columns
        table.add_column("method", no_wrap=True)
        for name in columns:
            heading = name.removesuffix("_radii").replace("f1", "F1").replace("_", "\n")
            table.add_column(heading, justify="right", no_wrap=True)
        for method, values in figures.items():
            cells = (format_figure(values[name]) for name in columns)
            table.add_row(method + marks[method], *cells)
        console.print(table)
    for note in _notes(rows):
        console.print(note, soft_wrap=True, highlight=False)


def _notes(rows: Sequence[MethodScore]) -> list[str]:
    """Sentences below the tables: which method is better, which are hardly trained, and the leakage."""
    ranking = rank_methods(rows)
    notes = [_verdict(ranking)] if ranking.behind else []
    for method, difference in ranking.behind.items():
        interval = format_interval(difference.low, difference.high)
        told = "" if difference.is_beyond_chance else ", not told apart"
        notes.append(
            f"  {ranking.best} minus {method}: {format_figure(difference.difference)} ({interval}){told}"
        )
    reasons = [
        f"{row.method} ({'; '.join(row.hardly_trained)})" for row in rows if row.hardly_trained
    ]
    if reasons:
        notes.append(
            f"Hardly trained: {', '.join(reasons)}: these figures say little about the method; give it more time."
        )
    for row in rows:
        seen = row.evaluation.to_dict()["seen"]
        if seen and seen["seen_px"]:
            part = seen["seen_px"] / seen["test_px"]
            notes.append(
                f"{row.method}: {part:.0%} of the pixels that it is judged on were trained on by the networks that it"
                " started from."
            )
    leakage = rows[0].evaluation.leakage
    return notes if leakage is None else [*notes, f"Leakage: {leakage}."]


def _verdict(ranking: Ranking) -> str:
    """Which method is better than the others by pixel F1, if any is beyond chance."""
    differences = ranking.behind.values()
    craters = max(difference.craters for difference in differences)
    over = f"95 % intervals of the differences, paired over {craters} craters, for all methods together"
    if ranking.winner is not None:
        return (
            f"{ranking.winner} has a higher pixel F1 than each other method beyond chance; {over}:"
        )
    if not any(difference.enough_craters for difference in differences):
        over = f"{craters} craters are too few to tell so many methods apart"
    return f"No method has a higher pixel F1 than all others beyond chance; {over}:"


def _write(project: Project, rows: Sequence[MethodScore]) -> None:
    """Write the table, and each method's whole evaluation."""
    folder = project.folder / "compare"
    ranking = rank_methods(rows)
    table = pd.DataFrame(
        [{"method": row.method} | row.figures() | _standing(row, ranking) for row in rows]
    )
    replace_file(folder / "comparison.csv", write_csv(table))
    evaluations: dict[str, Any] = {
        row.method: row.evaluation.to_dict()
        | {
            "hardly_trained": list(row.hardly_trained),
            "behind_best": _to_dict(ranking.behind.get(row.method)),
            "is_winner": row.method == ranking.winner,
        }
        for row in rows
    }
    text = json.dumps(evaluations, indent=2) + "\n"
    replace_file(folder / "comparison.json", memoryview(text.encode()))


def _standing(row: MethodScore, ranking: Ranking) -> dict[str, Any]:
    """Columns of a method's row: how far it is behind the best one, and whether it is hardly trained."""
    behind = _to_dict(ranking.behind.get(row.method)) or {}
    return {
        "pixel_f1_behind": 0.0 if row.method == ranking.best else behind.get("difference"),
        "behind_low": behind.get("low"),
        "behind_high": behind.get("high"),
        "is_winner": row.method == ranking.winner,
        "hardly_trained": bool(row.hardly_trained),
    }


def _to_dict(difference: PairedDifference | None) -> dict[str, Any] | None:
    return None if difference is None else difference.to_dict()


def _attribution_accuracy(scores: Scores) -> float | None:
    return None if scores.origin is None else scores.origin.to_dict()["fraction"]
