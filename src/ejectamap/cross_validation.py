"""Cross-validation over craters: each labelled crater is mapped by networks that were not trained on it.

The labelled craters are divided into folds. For each fold a project of its own, in `cross-validation/fold-K`, is
trained on the craters of the other folds and maps those of this one. What exists already, also from an interrupted run,
is used.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from ejectamap.errors import LabelError
from ejectamap.evaluation.bootstrap import Interval, pooled_intervals
from ejectamap.evaluation.pixels import evaluate
from ejectamap.evaluation.rings import DISTANCES
from ejectamap.evaluation.scores import CraterScore, Scores, pool
from ejectamap.evaluation.tables import FigureTable, format_figure, format_interval, print_table
from ejectamap.files import replace_file
from ejectamap.mapping.run import map_project
from ejectamap.maps.reader import MapReader
from ejectamap.project.copy import copy_project
from ejectamap.project.folder import Project
from ejectamap.project.pairs import Pair, pair_labels
from ejectamap.project.seen import read_seen_labels
from ejectamap.project.splits import crater_folds, make_split, pair_key
from ejectamap.project.yaml import make_settings, merge, parse_changes
from ejectamap.texts import write_csv
from ejectamap.training.run import train
from ejectamap.world.world import labelled_craters

FOLDER = "cross-validation"

_FIGURES = ("f1", "precision", "recall", "iou")
_UNITS = {"pixel": "Pixel", "area_km2": "By ground area", "outside_km2": "Beyond the rims"}
_CODES = {"train": 0, "test": 1, "unused": -1}


@dataclass(frozen=True)
class CraterResult:
    """One crater's scores in the fold that held it out.

    Attributes
    ----------
    fold : int
        From 0.
    row : CraterScore
    was_seen : bool
        Whether the networks had been trained on the crater before: those that training started from, or in a project of
        `training.also_train_on`.
    """

    fold: int
    row: CraterScore
    was_seen: bool

    @property
    def scores(self) -> Scores:
        """Scores over all the crater's labels."""
        return self.row.scores


@dataclass(frozen=True)
class CrossValidation:
    """The result of a cross-validation.

    Attributes
    ----------
    craters : tuple of CraterResult
        In the order of the catalogue.
    folds : int
    start_from : str
        The setting `training.start_from`.
    unrecorded : tuple of str
        Networks of which it is not known, or not completely, what they or those before them were trained on.
    """

    craters: tuple[CraterResult, ...]
    folds: int
    start_from: str
    unrecorded: tuple[str, ...]

    @cached_property
    def unseen(self) -> tuple[CraterResult, ...]:
        """The craters that no network had seen, nor any that it started from: these are the result."""
        return tuple(result for result in self.craters if not result.was_seen)

    @cached_property
    def seen(self) -> tuple[CraterResult, ...]:
        """The others, which are no part of the result."""
        return tuple(result for result in self.craters if result.was_seen)

    def to_dict(self) -> dict[str, Any]:
        """Content of cross-validation.json."""
        return {
            "folds": self.folds,
            "start_from": self.start_from,
            "unrecorded": list(self.unrecorded),
            "unseen": _pooled(self.unseen),
            "seen": _pooled(self.seen),
            "craters": [
                {
                    "crater_id": result.row.crater_id,
                    "name": result.row.name,
                    "fold": result.fold,
                    "seen": result.was_seen,
                    **result.scores.to_dict(),
                }
                for result in self.craters
            ],
        }


def cross_validate(
    project: Project,
    folds: int = 5,
    max_minutes: float | None = None,
    changes: Sequence[str] = (),
    console: Console | None = None,
) -> CrossValidation:
    """Cross-validate over craters, and write cross-validation/cross-validation.csv and .json.

    Parameters
    ----------
    project : Project
        Its own networks and maps are not used, and stay as they are.
    folds : int
        Number of folds, at least 2.
    max_minutes : float, optional
        Time budget of all training together; by default each fold gets what the settings say.
    changes : sequence of str
        `section.key=value` changes to the project's settings.
    console : Console, optional
        Where to say which fold is being done.

    Raises
    ------
    LabelError
        If fewer than two craters are labelled.
    EjectamapError
        Whatever training, mapping and evaluation raise.
    """
    pairs = _labelled_pairs(project)
    held_out = crater_folds(pairs, folds, project.settings.seed)
    if len(held_out) < 2:
        raise LabelError(
            f"{project.folder}: {len(held_out)} craters have labelled ejecta: cross-validation needs two or more"
        )
    minutes = None if max_minutes is None else max_minutes / len(held_out)
    results: list[CraterResult] = []
    unrecorded: dict[str, None] = {}
    for k, crater_ids in enumerate(held_out):
        if console is not None:
            names = ", ".join(crater.name for crater in project.chosen_craters(crater_ids))
            text = f"fold {k + 1} of {len(held_out)}, held out: {names}"
            console.print(text, markup=False, highlight=False, soft_wrap=True)
        fold = _make_fold(project, k, crater_ids, pairs, changes)
        train(fold, minutes, console=console)
        map_project(fold, crater_ids)
        found, unknown = _evaluate_fold(project, fold, k, crater_ids)
        results += found
        unrecorded |= dict.fromkeys(f"fold-{k}/{name}" for name in unknown)
    order = {crater.crater_id: k for k, crater in enumerate(project.craters)}
    results.sort(key=lambda result: order[result.row.crater_id])
    result = CrossValidation(
        tuple(results), len(held_out), fold.settings.training.start_from, tuple(unrecorded)
    )
    _write(project.folder / FOLDER, result)
    return result


def result_tables(result: CrossValidation) -> list[FigureTable]:
    """The result as tables of text: each crater, and all that no network had seen together."""
    rows = []
    for crater in result.craters:
        scores = crater.scores
        rings = (format_figure(scores.distance[name].f1) for name in DISTANCES)
        figures = (format_figure(getattr(scores.pixel, name)) for name in _FIGURES[:3])
        name = f"{crater.row.name} ({crater.row.crater_id})"
        mark = "*" if crater.was_seen else ""
        rows.append((name, f"{crater.fold + 1}{mark}", *figures, *rings))
    head = ("Crater", "Fold", "F1", "Precision", "Recall", *DISTANCES)
    last = "the last columns are F1 by distance, in crater radii from the centre."
    notes = [f"Figures by pixel of the mosaic; {last}"]
    if result.seen:
        notes.append(
            f"* seen before, by the networks that training starts from ({result.start_from}) or in another project"
            " that is trained on: no part of the result. --set training.start_from=none (or a models folder) starts"
            " from others."
        )
    if not result.unseen:
        notes.append("So no crater is left to judge the networks by.")
    if result.unrecorded:
        notes.append(f"Not known: all that {', '.join(result.unrecorded)} were trained on.")
    title = (
        f"Cross-validation, {result.folds} folds: each crater mapped by networks not trained on it"
    )
    table = FigureTable(title, head, tuple(rows), tuple(notes))
    return [table, _overall_table(result)] if result.unseen else [table]


def print_result(result: CrossValidation, console: Console) -> None:
    """Print the tables."""
    for table in result_tables(result):
        print_table(table, console)


def _labelled_pairs(project: Project) -> list[Pair]:
    """Pairs of all craters that may be trained on."""
    labels = project.labels
    if labels is None:
        raise LabelError(
            f"{project.folder}: has no labels to compare with: set inputs.labels in its project.yaml"
        )
    known = labelled_craters(project.craters, labels)
    families = project.settings.training.families
    if families:
        chosen = set(project.family_craters(families))
        known = tuple(crater for crater in known if crater in chosen)
    return pair_labels(labels, known, project.grid, project.tile_side_px)


def _make_fold(
    project: Project,
    fold: int,
    held_out: Sequence[int],
    pairs: Sequence[Pair],
    changes: Sequence[str],
) -> Project:
    """Make, or open, the project of one fold: the labels of its craters are held out by a table."""
    folder = project.folder / FOLDER / f"fold-{fold}"
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "held-out.csv"
    given = make_split(project, pairs) if project.settings.inputs.split is not None else {}
    rows = ["crater_id,tile_id,test"]
    for key in map(pair_key, pairs):
        part = "test" if key[0] in held_out else "train"
        code = _CODES["unused" if given.get(key) == "unused" else part]
        rows.append(f"{key[0]},{key[1]},{code}")
    replace_file(table, ("\n".join(rows) + "\n").encode())
    values = project.settings.model_dump(mode="json")
    fixed = {
        "training": {"split": "crater"},
        "inputs": {"split": table.relative_to(project.folder).as_posix()},
    }
    settings = make_settings(merge(merge(values, parse_changes(changes)), fixed), "--set")
    return copy_project(project, folder, settings)


def _evaluate_fold(
    project: Project, fold: Project, number: int, held_out: Sequence[int]
) -> tuple[list[CraterResult], tuple[str, ...]]:
    """Compare a fold's maps of its craters with their labels; also names networks whose lineage is not known."""
    labels, seen = project.labels, read_seen_labels(fold)
    assert labels is not None
    ejecta_map = MapReader(fold.maps, fold.grid)
    evaluation = evaluate(
        labels,
        fold.chosen_craters(held_out),
        ejecta_map.mask,
        None,
        tile_px=fold.tile_side_px,
        stored=ejecta_map.stored,
        seen=seen.tiles,
    )
    whole = [fold.grid.whole]
    craters = {crater.crater_id: crater for crater in fold.craters}
    results = [
        CraterResult(number, row, bool(seen.tiles(craters[row.crater_id], whole).any()))
        for row in evaluation.craters
    ]
    return results, seen.unrecorded


def _overall_table(result: CrossValidation) -> FigureTable:
    """Figures of the craters that no network had seen, pooled, with intervals."""
    title = f"All {len(result.unseen)} craters that no network had seen"
    head = ("", "F1", "95 % interval", "Precision", "Recall", "IoU")
    pooled = _pooled(result.unseen)
    assert pooled is not None
    lines = [(_UNITS[unit], pooled[unit], pooled["intervals"][unit]) for unit in _UNITS]
    for name in DISTANCES:
        interval = pooled["intervals"]["distance"][name]
        lines.append((f"Pixel, {name} radii", pooled["distance"][name], interval))
    rows = tuple(
        (
            name,
            format_figure(figures["f1"]),
            format_interval(*intervals["f1"]),
            *(format_figure(figures[figure]) for figure in _FIGURES[1:]),
        )
        for name, figures, intervals in lines
    )
    note = "Intervals: percentile bootstrap over whole craters, 2000 draws."
    return FigureTable(title, head, rows, (note,))


def _pooled(craters: Sequence[CraterResult]) -> dict[str, Any] | None:
    """Figures of some craters together, with 95 % bootstrap intervals over craters; None without craters."""
    if not craters:
        return None
    scores = [result.scores for result in craters]
    intervals: dict[str, Any] = {
        unit: pooled_intervals([getattr(score, unit) for score in scores]) for unit in _UNITS
    }
    intervals["distance"] = {
        name: pooled_intervals([score.distance[name] for score in scores]) for name in DISTANCES
    }
    return pool(scores).to_dict() | {"craters": len(craters), "intervals": intervals}


def _write(folder: Path, result: CrossValidation) -> None:
    """Write all figures as JSON, and those of the tables as CSV."""
    content = result.to_dict()
    replace_file(folder / "cross-validation.json", (json.dumps(content, indent=2) + "\n").encode())
    rows = [
        {"crater_id": str(row["crater_id"]), "name": row["name"], "fold": str(row["fold"] + 1)}
        | {"seen": "yes" if row["seen"] else "no"}
        | _csv_figures(row, None)
        for row in content["craters"]
    ]
    groups = {
        "unseen": "all craters that no network had seen",
        "seen": "all craters that networks had seen before",
    }
    for group, title in groups.items():
        if content[group] is not None:
            row = {"crater_id": "", "name": title, "fold": ""}
            row |= {"seen": "no" if group == "unseen" else "yes"}
            rows.append(row | _csv_figures(content[group], content[group]["intervals"]))
    replace_file(folder / "cross-validation.csv", write_csv(pd.DataFrame(rows)))


def _csv_figures(scores: dict[str, Any], intervals: dict[str, Any] | None) -> dict[str, Any]:
    """Columns of one row: figures and, for pooled ones, the ends of their intervals."""
    parts = {unit.removesuffix("_km2"): (scores[unit], unit) for unit in _UNITS}
    row: dict[str, Any] = {}
    for name, (figures, unit) in parts.items():
        row |= _columns(name, figures, None if intervals is None else intervals[unit])
    for ring in DISTANCES:
        interval = None if intervals is None else intervals["distance"][ring]
        row |= _columns(f"pixel_{ring}_radii", scores["distance"][ring], interval)
    area = scores["area_km2"]
    return row | {"true_km2": area["tp"] + area["fn"], "mapped_km2": area["tp"] + area["fp"]}


def _columns(
    name: str, figures: dict[str, float | None], intervals: dict[str, Interval] | None
) -> dict[str, float | None]:
    columns: dict[str, float | None] = {}
    for figure in _FIGURES:
        low, high = (None, None) if intervals is None else intervals[figure]
        columns |= {f"{name}_{figure}": figures[figure]}
        columns |= {f"{name}_{figure}_low": low, f"{name}_{figure}_high": high}
    return columns
