"""People's choices between two maps, in a file of JSON lines to which lines are only added."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from ejectamap.errors import RankingError
from ejectamap.outputs import reading

UNDO = "undo"
OUTCOMES = {"left": 1, "tie": 0, "right": -1}
"""Answers of a judge, and the outcome of each for the left map."""


@dataclass(frozen=True)
class Choice:
    """One answer of one judge.

    Attributes
    ----------
    judge : str
    question : int
        Position in the judge's order of questions, from 0.
    crater_id : int
    left, right : str
        Names of the two maps.
    answer : str
        A key of `OUTCOMES`, or `UNDO`, which removes the judge's last choice.
    time : str
        Time of the answer, as ISO 8601 in UTC.
    """

    judge: str
    question: int
    crater_id: int
    left: str
    right: str
    answer: str
    time: str


def append_choice(path: Path, choice: Choice) -> None:
    """Add a line to the file of choices, and sync the file to disk."""
    line = json.dumps(asdict(choice), ensure_ascii=False) + "\n"
    with path.open("ab") as target:
        target.write(line.encode())
        target.flush()
        os.fsync(target.fileno())


def read_choices(path: Path) -> list[Choice]:
    """Read the choices that were not undone, in the order in which they were made; none if there is no file.

    Raises
    ------
    RankingError
        With the number of the line, if one is not a choice.
    """
    if not path.exists():
        return []
    choices: list[Choice] = []
    with reading(path, f"move {path} away and run ejectamap rank again"):
        lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            choice = Choice(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise RankingError(f"{path}: line {number} is not a choice: remove the line") from error
        if choice.answer == UNDO:
            _remove_last(choices, choice.judge)
        elif choice.answer in OUTCOMES:
            choices.append(choice)
        else:
            raise RankingError(
                f"{path}: line {number}: answer {choice.answer!r} is none of {', '.join(OUTCOMES)}:"
                " remove the line"
            )
    return choices


def pair_outcomes(choices: Iterable[Choice], maps: Sequence[str]) -> pd.DataFrame:
    """Outcomes of choices by pair of maps; the first map of a pair is the one that comes first in `maps`.

    Returns
    -------
    DataFrame
        One row per choice, in order: judge, crater_id, first, second, outcome (1 if the first is better, 0 for a tie,
        -1), and repeated, whether this judge had judged this pair of this crater before.

    Raises
    ------
    RankingError
        If there are no choices.
    """
    rows = []
    for choice in choices:
        first, second = sorted((choice.left, choice.right), key=maps.index)
        sign = 1 if first == choice.left else -1
        rows.append((choice.judge, choice.crater_id, first, second, sign * OUTCOMES[choice.answer]))
    if not rows:
        raise RankingError("there are no choices yet: open the study in a browser first")
    table = pd.DataFrame(rows, columns=["judge", "crater_id", "first", "second", "outcome"])
    return table.assign(repeated=table.duplicated(["judge", "crater_id", "first", "second"]))


def _remove_last(choices: list[Choice], judge: str) -> None:
    """Remove a judge's last choice, if there is one."""
    for k in range(len(choices) - 1, -1, -1):
        if choices[k].judge == judge:
            del choices[k]
            return
