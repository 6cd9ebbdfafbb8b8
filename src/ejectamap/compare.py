"""Compare methods on one project: each is trained if it is not, mapped and evaluated; one table of all."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from ejectamap.errors import LabelError, SettingsError
from ejectamap.evaluation.run import evaluate_project
from ejectamap.evaluation.scores import Evaluation, Scores
from ejectamap.evaluation.tables import format_figure
from ejectamap.files import replace_file
from ejectamap.mapping.run import map_project
from ejectamap.project.folder import Project
from ejectamap.project.methods import METHODS
from ejectamap.training.run import train

_FIGURES = ("f1", "precision", "recall")


@dataclass(frozen=True)
class MethodScore:
    """One method's row of the comparison.

    Attributes
    ----------
    method : str
    evaluation : Evaluation
    """

    method: str
    evaluation: Evaluation

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
        train(variant, minutes)
        map_project(variant)
        rows.append(MethodScore(method, evaluate_project(variant)))
    _write(project, rows)
    return rows


def print_comparison(rows: Sequence[MethodScore], console: Console) -> None:
    """Print two tables: overall, and by distance."""
    subset = "test set" if rows[0].evaluation.has_training_pairs else "all labels"
    figures = {row.method: row.figures() for row in rows}
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
            table.add_row(method, *(format_figure(values[name]) for name in columns))
        console.print(table)
    leakage = rows[0].evaluation.leakage
    if leakage is not None:
        console.print(f"Leakage: {leakage}.", soft_wrap=True)


def _write(project: Project, rows: Sequence[MethodScore]) -> None:
    """Write the table, and each method's whole evaluation."""
    folder = project.folder / "compare"
    table = pd.DataFrame([{"method": row.method} | row.figures() for row in rows])
    replace_file(folder / "comparison.csv", memoryview(table.to_csv(index=False).encode()))
    evaluations: dict[str, Any] = {row.method: row.evaluation.to_dict() for row in rows}
    text = json.dumps(evaluations, indent=2) + "\n"
    replace_file(folder / "comparison.json", memoryview(text.encode()))


def _attribution_accuracy(scores: Scores) -> float | None:
    return None if scores.origin is None else scores.origin.to_dict()["fraction"]
