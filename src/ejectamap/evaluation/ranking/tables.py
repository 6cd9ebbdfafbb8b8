"""A ranking study on a terminal."""

import math

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ejectamap.evaluation.ranking.agreement import Agreement
from ejectamap.evaluation.ranking.figures import objective
from ejectamap.evaluation.ranking.report import Ranking


def print_ranking(ranking: Ranking, console: Console) -> None:
    """Print maps, judges, figures and the best weighted sum of them."""
    maps = _table("What people prefer", "Map", "Strength", "95 % of draws of craters")
    for name, *numbers in ranking.map_table().itertuples(index=False):
        maps.add_row(Text(name), _show(numbers[0]), _range(numbers[1], numbers[2]))
    console.print(maps)
    judges = _table("Judges", "Judge", "Choices", "Asked again", "Same answer")
    for judge, choices, repeated, same in ranking.judges.itertuples(index=False):
        judges.add_row(Text(judge), str(choices), str(repeated), _show(same))
    console.print(judges)
    if len(ranking.between):
        between = _table("Between judges", "Judges", "Kendall's tau", "Pairs")
        for one, other, tau, pairs in ranking.between.itertuples(index=False):
            between.add_row(Text(f"{one}, {other}"), _show(tau), str(pairs))
        console.print(between)
    if ranking.figures:
        console.print(_figures(ranking))
    if ranking.combination is not None:
        terms = objective(ranking.combination.weights).items()
        console.print("Best weighted sum, on all craters:", soft_wrap=True)
        for name, weight in terms:
            console.print(f"  {name}: {weight:.4g}", soft_wrap=True)


def _figures(ranking: Ranking) -> Table:
    """How well each figure agrees with people, and what the best choice among them is worth on other craters."""
    table = _table("Which figures agree", "Figure", "Kendall's tau", "95 %", "Pairs")
    for name, found in ranking.figures.items():
        table.add_row(name, *_cells(found))
    if ranking.combination is not None:
        table.add_section()
        table.add_row("best figure, on craters held out", *_cells(ranking.combination.best_single))
        table.add_row("weighted sum, on craters held out", *_cells(ranking.combination.held_out))
    return table


def _cells(found: Agreement) -> tuple[str, str, str]:
    return _show(found.tau), _range(found.low, found.high), str(found.pairs)


def _table(title: str, first: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _range(low: float, high: float) -> str:
    return "–" if math.isnan(low) else f"{low:.2f} to {high:.2f}"


def _show(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"
