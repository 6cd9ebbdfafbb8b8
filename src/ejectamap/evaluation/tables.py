"""The poster's tables, on a terminal."""

import math

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ejectamap.evaluation.counts import Counts
from ejectamap.evaluation.scores import Evaluation, Scores

_FIGURES = ("F1 score", "Precision", "Recall", "IoU")


def print_tables(evaluation: Evaluation, console: Console) -> None:
    """Print the poster's two tables, then near and far, ownership, and each crater."""
    subsets = {"Train & test set": evaluation.all, "Test set only": evaluation.test}
    if not evaluation.split:
        subsets = {"All labels (none were held out)": evaluation.all}
    for title, scores in subsets.items():
        console.print(_main_table(title, scores))
        console.print(_distance_table(title, scores))
        if scores.owner is not None:
            share = _show(scores.owner.fraction)
            console.print(f"Of the true ejecta that are mapped, {share} go to a right crater.\n")
    console.print(_crater_table(evaluation))


def _main_table(title: str, scores: Scores) -> Table:
    table = _table(title, "", *_FIGURES)
    table.add_row("Pixel", *_cells(scores.pixel))
    table.add_row("Pixel, by ground area", *_cells(scores.area_km2), style="dim")
    table.add_row("Tile", *_cells(scores.tile))
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


def _show(figure: float) -> str:
    return "–" if math.isnan(figure) else f"{figure:.3f}"
