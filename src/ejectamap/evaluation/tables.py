"""The poster's tables, on a terminal."""

import math

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ejectamap.evaluation.bootstrap import Interval
from ejectamap.evaluation.ceiling import Ceiling
from ejectamap.evaluation.counts import Counts
from ejectamap.evaluation.scores import Evaluation, Scores
from ejectamap.evaluation.structure import Structure

_STRUCTURE = {
    "Structure": "structure",
    "Surface Dice 10 km": "surface_dice_10km",
    "clDice": "cldice",
    "Reached": "reached_length",
    "Balanced Hausdorff, km": "balanced_hausdorff_km",
    "Gaps per 1000 km": "gaps_per_1000km",
}
_FIGURES = ("F1 score", "Precision", "Recall", "IoU")


def print_tables(evaluation: Evaluation, console: Console) -> None:
    """Print the poster's two tables, then near and far, ownership, and each crater."""
    subsets = {"Train & test set": evaluation.all, "Test set only": evaluation.test}
    if not evaluation.split:
        subsets = {"All labels (none were held out)": evaluation.all}
    for title, scores in subsets.items():
        spread = evaluation.intervals()["test" if scores is evaluation.test else "all"]
        console.print(_main_table(title, scores, spread))
        console.print(_distance_table(title, scores))
        if scores.owner is not None:
            share = _show(scores.owner.fraction)
            console.print(f"Of the true ejecta that are mapped, {share} go to a right crater.")
        _print_calibration(scores, console)
    if evaluation.leakage is not None:
        console.print(f"Of the test set, {evaluation.leakage}.\n", soft_wrap=True)
    if evaluation.families:
        console.print(_family_table(evaluation))
    if evaluation.ceiling is not None:
        console.print(_ceiling_table(evaluation.ceiling))
    console.print(_crater_table(evaluation))
    if evaluation.structure is not None:
        console.print(_structure_table(evaluation.structure, evaluation))


def _main_table(title: str, scores: Scores, spread: dict[str, dict[str, Interval]]) -> Table:
    table = _table(title, "", *_FIGURES, "F1, 95 % of draws of craters")
    table.add_row("Pixel", *_cells(scores.pixel), _range(spread["pixel"]["f1"]))
    table.add_row("Pixel, by ground area", *_cells(scores.area_km2), "", style="dim")
    outside = _range(spread["outside_km2"]["f1"])
    table.add_row("Ground beyond the rims", *_cells(scores.outside_km2), outside, style="dim")
    table.add_row("Tile", *_cells(scores.tile), _range(spread["tile"]["f1"]))
    return table


def _print_calibration(scores: Scores, console: Console) -> None:
    """Say in a line what the probabilities are worth."""
    found = scores.calibration.to_dict()
    if found is not None and found["best_f1"] is not None:
        console.print(
            f"Probabilities are off by {found['ece']:.3f} (expected calibration error); pixel F1 would be best,"
            f" {found['best_f1']:.3f}, at a threshold of {found['best_threshold']:.3f}.\n",
            soft_wrap=True,
        )


def _structure_table(structure: Structure, evaluation: Evaluation) -> Table:
    """Print the figures of docs/metrics.md that tell most."""
    table = _table("Structure", "Crater", *_STRUCTURE)
    names = {row.crater_id: row.name for row in evaluation.craters}
    for crater_id, figures in structure.craters.items():
        cells = [_show(figures[name]) for name in _STRUCTURE.values()]
        table.add_row(Text(f"{names[crater_id]} ({crater_id})"), *cells)
    mean = structure.mean
    if mean:
        table.add_section()
        table.add_row("Mean", *(_show(mean[name]) for name in _STRUCTURE.values()))
    return table


def _family_table(evaluation: Evaluation) -> Table:
    table = _table("Each family", "Family", *_FIGURES)
    for name, scores in evaluation.families.items():
        table.add_row(Text(name), *_cells(scores.pixel))
    return table


def _ceiling_table(ceiling: Ceiling) -> Table:
    """Two people, and the map, on the craters that both people drew."""
    table = _table("Two people on the same craters", "Judged by the first one", *_FIGURES)
    table.add_row("The second one, pixel", *_cells(ceiling.annotators.all.pixel))
    table.add_row("The map, pixel", *_cells(ceiling.map.pixel))
    return table


def _distance_table(title: str, scores: Scores) -> Table:
    table = _table(f"{title}: near and far", "Crater radii from centre", *_FIGURES)
    for name, counts in scores.distance.items():
        table.add_row(name, *_cells(counts))
    return table


def _crater_table(evaluation: Evaluation) -> Table:
    """Craters that have ejecta, in truth or on the map; the others say nothing."""
    table = _table("Each crater", "Crater", *_FIGURES, "True km²", "Mapped km²")
    for row in evaluation.craters:
        area = row.scores.area_km2
        if area.tp + area.fp + area.fn > 0:
            areas = f"{area.tp + area.fn:,.0f}", f"{area.tp + area.fp:,.0f}"
            name = Text(f"{row.name} ({row.crater_id})")
            table.add_row(name, *_cells(row.scores.pixel), *areas)
    return table


def _table(title: str, first: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _cells(counts: Counts) -> list[str]:
    return [_show(x) for x in (counts.f1, counts.precision, counts.recall, counts.iou)]


def _range(interval: Interval) -> str:
    low, high = interval
    return "–" if low is None or high is None else f"{low:.3f} to {high:.3f}"


def _show(figure: float) -> str:
    return "–" if math.isnan(figure) else f"{figure:.3f}"
