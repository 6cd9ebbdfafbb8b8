"""Results of a ranking study: computed, written to files and printed."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from ejectamap.evaluation.ranking.agreement import (
    Agreement,
    agreement,
    figure_differences,
    judge_agreement,
    mean_outcomes,
    self_consistency,
)
from ejectamap.evaluation.ranking.combination import Combination, fit_combination
from ejectamap.evaluation.ranking.davidson import Strengths, fit_strengths
from ejectamap.evaluation.ranking.figures import higher_is_better, objective
from ejectamap.evaluation.tables import FigureTable, format_figure, format_interval, print_table
from ejectamap.files import replace_file
from ejectamap.texts import write_csv

_DIGITS = 2  # of printed figures


@dataclass(frozen=True)
class Ranking:
    """Which maps people prefer, and which figures agree with them.

    Attributes
    ----------
    strengths : Strengths
    judges, between : DataFrame
        As of `agreement.self_consistency` and `agreement.judge_agreement`.
    figures : mapping of str to Agreement
        Agreement of each figure with the mean of the judges, best first; empty without labels.
    combination : Combination or None
        None where there are too few choices to fit it to.
    """

    strengths: Strengths
    judges: pd.DataFrame
    between: pd.DataFrame
    figures: dict[str, Agreement]
    combination: Combination | None

    def to_dict(self) -> dict[str, Any]:
        """Content of ranking.json."""
        combination = None
        if self.combination is not None:
            terms = objective(self.combination.weights)
            combination = asdict(self.combination) | {"objective": terms}
        content: dict[str, Any] = _without_nan(
            {
                "maps": self.map_table().to_dict("records"),
                "ties": self.strengths.ties,
                "judges": self.judges.to_dict("records"),
                "between_judges": self.between.to_dict("records"),
                "figures": {name: asdict(row) for name, row in self.figures.items()},
                "combination": combination,
            }
        )
        return content

    def map_table(self) -> pd.DataFrame:
        """Maps, best first: map, strength, low, high."""
        columns = {
            "map": self.strengths.maps,
            "strength": self.strengths.strength,
            "low": self.strengths.low,
            "high": self.strengths.high,
        }
        return pd.DataFrame(columns).sort_values("strength", ascending=False, ignore_index=True)

    def figure_table(self) -> pd.DataFrame:
        """Figures, best first: figure, tau, low, high, pairs."""
        rows = [{"figure": name} | asdict(row) for name, row in self.figures.items()]
        return pd.DataFrame(rows, columns=["figure", "tau", "low", "high", "pairs"])


def rank(
    outcomes: pd.DataFrame, maps: tuple[str, ...], figures: pd.DataFrame | None, seed: int = 0
) -> Ranking:
    """Compute the results of a study.

    Parameters
    ----------
    outcomes : DataFrame
        As of `choices.pair_outcomes`.
    maps : tuple of str
    figures : DataFrame, optional
        As of `figures.map_figures`; without it the agreement of figures is left out.
    seed : int

    Raises
    ------
    RankingError
        If the choices do not link all maps.
    """
    first_answers = outcomes[~outcomes["repeated"]]
    agreements: dict[str, Agreement] = {}
    combination = None
    if figures is not None and len(figures):
        pairs, differences = figure_differences(mean_outcomes(outcomes), higher_is_better(figures))
        by_figure = {
            str(name): agreement(differences[name], pairs["outcome"], pairs["crater_id"], seed)
            for name in differences
        }
        agreements = dict(sorted(by_figure.items(), key=_best_first))
        combination = fit_combination(pairs, differences)
    return Ranking(
        fit_strengths(first_answers, maps, seed),
        self_consistency(outcomes),
        judge_agreement(outcomes),
        agreements,
        combination,
    )


def write_ranking(ranking: Ranking, folder: Path) -> None:
    """Write ranking.json, and maps.csv, figures.csv and judges.csv for a spreadsheet."""
    text = json.dumps(ranking.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    replace_file(folder / "ranking.json", memoryview(text.encode()))
    tables = {
        "maps": ranking.map_table(),
        "figures": ranking.figure_table(),
        "judges": ranking.judges,
    }
    for name, table in tables.items():
        replace_file(folder / f"{name}.csv", write_csv(table))


def print_ranking(ranking: Ranking, console: Console) -> None:
    """Print maps, judges, figures and the best weighted sum of the figures."""
    for table in _tables(ranking):
        print_table(table, console)
    if ranking.combination is not None:
        console.print("Best weighted sum, on all craters:", soft_wrap=True)
        for name, weight in objective(ranking.combination.weights).items():
            console.print(f"  {name}: {weight:.4g}", soft_wrap=True)


def _tables(ranking: Ranking) -> list[FigureTable]:
    """Tables of maps, judges, agreement between judges and of figures, the latter two where there are any."""
    maps = [
        (name, format_figure(strength, _DIGITS), format_interval(low, high, _DIGITS))
        for name, strength, low, high in ranking.map_table().itertuples(index=False)
    ]
    judges = [
        (judge, str(choices), str(repeated), format_figure(same, _DIGITS))
        for judge, choices, repeated, same in ranking.judges.itertuples(index=False)
    ]
    between = [
        (f"{judge}, {other}", format_figure(tau, _DIGITS), str(pairs))
        for judge, other, tau, pairs in ranking.between.itertuples(index=False)
    ]
    tables = [
        FigureTable("Preferred maps", ("Map", "Strength", "95 % interval"), tuple(maps)),
        FigureTable("Judges", ("Judge", "Choices", "Repeated", "Same answer"), tuple(judges)),
    ]
    if between:
        head = ("Judges", "Kendall's tau", "Pairs")
        tables.append(FigureTable("Agreement between judges", head, tuple(between)))
    if ranking.figures:
        tables.append(_figure_agreement_table(ranking))
    return tables


def _figure_agreement_table(ranking: Ranking) -> FigureTable:
    """Agreement of each figure with people, and that of the best figure and of the weighted sum on other craters."""
    agreements = dict(ranking.figures)
    if ranking.combination is not None:
        agreements["best figure, on craters held out"] = ranking.combination.best_single
        agreements["weighted sum, on craters held out"] = ranking.combination.held_out
    rows = tuple(
        (
            name,
            format_figure(row.tau, _DIGITS),
            format_interval(row.low, row.high, _DIGITS),
            str(row.pairs),
        )
        for name, row in agreements.items()
    )
    head = ("Figure", "Kendall's tau", "95 % interval", "Pairs")
    return FigureTable("Agreement of figures with people", head, rows)


def _best_first(item: tuple[str, Agreement]) -> tuple[float, str]:
    """Sorting key: descending tau, nan last, then the name."""
    name, row = item
    return (2.0 if math.isnan(row.tau) else -row.tau, name)


def _without_nan(part: Any) -> Any:
    """The same content with None for nan, which JSON lacks."""
    if isinstance(part, dict):
        return {str(key): _without_nan(value) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return [_without_nan(value) for value in part]
    return None if isinstance(part, float) and math.isnan(part) else part
