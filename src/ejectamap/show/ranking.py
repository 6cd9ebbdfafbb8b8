"""Figure of a ranking study: which maps the judges prefer, and which figures agree with them."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ejectamap.evaluation.ranking.report import Ranking
from ejectamap.show.map_elements import printable, save_figure

_ROW_IN = 0.22
_COLOUR, _COMBINATION_COLOUR = "#0072B2", "#D55E00"


def plot_ranking(path: Path, ranking: Ranking) -> None:
    """Draw strengths of the maps (left) and Kendall's tau of the figures (right), both with 95 % intervals."""
    maps, figures = ranking.map_table(), ranking.figure_table().dropna(subset="tau")
    rows = max(len(maps), len(figures) + 2 * (ranking.combination is not None), 4)
    panels = 2 if len(figures) else 1
    size = 5.4 * panels, _ROW_IN * rows + 1.2
    figure = Figure(figsize=size, dpi=140, layout="constrained")
    left, *right = figure.subplots(1, panels, squeeze=False)[0]
    _draw_intervals(left, maps["map"], maps, "strength", [_COLOUR] * len(maps))
    left.set_xlabel("Strength by the judges' choices (natural logarithm)")
    for axes in right:
        table = _with_combination(ranking, figures)
        extra = len(table) - len(figures)
        colours = [_COMBINATION_COLOUR] * extra + [_COLOUR] * len(figures)
        _draw_intervals(axes, table["figure"], table, "tau", colours)
        axes.set_xlim(-1.05, 1.05)
        axes.set_xlabel("Kendall's tau with the judges")
    save_figure(figure, path)


def _with_combination(ranking: Ranking, figures: pd.DataFrame) -> pd.DataFrame:
    """Figures, preceded by the weighted sum and the best figure on craters held out."""
    combination = ranking.combination
    if combination is None:
        return figures
    agreements = {
        "weighted sum, held out": combination.held_out,
        "best figure, held out": combination.best_single,
    }
    rows = [
        {"figure": name, "tau": agreement.tau, "low": agreement.low, "high": agreement.high}
        for name, agreement in agreements.items()
    ]
    return pd.concat([pd.DataFrame(rows), figures], ignore_index=True)


def _draw_intervals(
    axes: Axes, names: "pd.Series[str]", table: pd.DataFrame, column: str, colours: list[str]
) -> None:
    """Draw one row for each name, from the top: a dot with its interval."""
    y = np.arange(len(table))
    axes.hlines(y, table["low"], table["high"], colors=colours, linewidth=1.4)
    axes.scatter(table[column], y, c=colours, s=22, zorder=3)
    axes.axvline(0, color="0.6", linewidth=0.8)
    axes.set_yticks(y, [printable(name, 40) for name in names], fontsize=8, parse_math=False)
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
