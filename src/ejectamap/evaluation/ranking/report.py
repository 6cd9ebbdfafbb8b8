"""What came out of a ranking study, put together, and its files."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ejectamap.evaluation.ranking.agreement import (
    Agreement,
    agreement,
    between_judges,
    majority,
    self_consistency,
    with_figures,
)
from ejectamap.evaluation.ranking.combination import Combination, fit_combination
from ejectamap.evaluation.ranking.davidson import Strengths, fit_strengths
from ejectamap.evaluation.ranking.figures import higher_is_better, objective
from ejectamap.mapping.files import replace_file


@dataclass(frozen=True)
class Ranking:
    """What people think of some maps, and which figures think the same.

    Attributes
    ----------
    strengths : Strengths
    judges, between : DataFrame
        As of `agreement.self_consistency` and `agreement.between_judges`.
    figures : mapping of str to Agreement
        With the majority of the judges, best first; empty without labels.
    combination : Combination or None
        None where there is too little to fit it to.
    """

    strengths: Strengths
    judges: pd.DataFrame
    between: pd.DataFrame
    figures: dict[str, Agreement]
    combination: Combination | None

    def to_dict(self) -> dict[str, Any]:
        """Everything under its name, ready for JSON."""
        mix = self.combination
        found = {
            "maps": self.map_table().to_dict("records"),
            "ties": self.strengths.ties,
            "judges": self.judges.to_dict("records"),
            "between_judges": self.between.to_dict("records"),
            "figures": {name: asdict(found) for name, found in self.figures.items()},
            "combination": None
            if mix is None
            else asdict(mix) | {"objective": objective(mix.weights)},
        }
        plain: dict[str, Any] = _plain(found)
        return plain

    def map_table(self) -> pd.DataFrame:
        """Maps, best first: map, strength, low, high."""
        found = self.strengths
        columns = {
            "map": found.maps,
            "strength": found.strength,
            "low": found.low,
            "high": found.high,
        }
        return pd.DataFrame(columns).sort_values("strength", ascending=False, ignore_index=True)

    def figure_table(self) -> pd.DataFrame:
        """Figures, best first: figure, tau, low, high, pairs."""
        rows = [{"figure": name} | asdict(found) for name, found in self.figures.items()]
        return pd.DataFrame(rows, columns=["figure", "tau", "low", "high", "pairs"])


def rank(
    outcomes: pd.DataFrame, maps: tuple[str, ...], figures: pd.DataFrame | None, seed: int = 0
) -> Ranking:
    """Put the study together.

    Parameters
    ----------
    outcomes : DataFrame
        As of `choices.pair_outcomes`.
    maps : tuple of str
    figures : DataFrame, optional
        As of `figures.figures_of`; without it nothing is said of figures.
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
        pairs, differences = with_figures(majority(outcomes), higher_is_better(figures))
        found = {
            str(name): agreement(differences[name], pairs["outcome"], pairs["crater_id"], seed)
            for name in differences
        }
        best_first = sorted(found.items(), key=lambda item: (-_low_if_nan(item[1].tau), item[0]))
        agreements = dict(best_first)
        combination = fit_combination(pairs, differences)
    return Ranking(
        fit_strengths(first_answers, maps, seed),
        self_consistency(outcomes),
        between_judges(outcomes),
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
        replace_file(folder / f"{name}.csv", memoryview(table.to_csv(index=False).encode()))


def _low_if_nan(value: float) -> float:
    return -2.0 if math.isnan(value) else value


def _plain(part: Any) -> Any:
    """The same with None for nan, which JSON lacks."""
    if isinstance(part, dict):
        return {str(key): _plain(value) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return [_plain(value) for value in part]
    return None if isinstance(part, float) and math.isnan(part) else part
