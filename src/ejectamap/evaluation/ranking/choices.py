"""What people chose between two maps, as lines of JSON that are only ever added to."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from ejectamap.errors import RankingError

UNDO = "undo"
OUTCOMES = {"left": 1, "tie": 0, "right": -1}
"""What a judge may answer, and what it says of the left map."""


@dataclass(frozen=True)
class Choice:
    """One answer of one judge.

    Attributes
    ----------
    judge : str
    question : int
        Its place in the judge's order, from 0.
    crater_id : int
    left, right : str
        Names of the two maps.
    answer : str
        A key of `OUTCOMES`, or `UNDO`, which takes the judge's last answer back.
    time : str
        When, as ISO 8601 in UTC.
    """

    judge: str
    question: int
    crater_id: int
    left: str
    right: str
    answer: str
    time: str


def append_choice(path: Path, choice: Choice) -> None:
    """Add a line to the file of choices; it is on the disk when this returns."""
    line = json.dumps(asdict(choice), ensure_ascii=False) + "\n"
    with path.open("ab") as target:
        target.write(line.encode())
        target.flush()
        os.fsync(target.fileno())


def read_choices(path: Path) -> list[Choice]:
    """Read the choices that stand, in the order in which they were made; none if there is no file.

    Raises
    ------
    RankingError
        Naming the line, if one is not a choice.
    """
    if not path.exists():
        return []
    standing: list[Choice] = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        try:
            choice = Choice(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise RankingError(f"{path}: line {number} is not a choice: remove the line") from error
        if choice.answer == UNDO:
            _take_back(standing, choice)
        elif choice.answer in OUTCOMES:
            standing.append(choice)
        else:
            raise RankingError(
                f"{path}: line {number}: answer {choice.answer!r} is none of {', '.join(OUTCOMES)}:"
                " remove the line"
            )
    return standing


def pair_outcomes(choices: Iterable[Choice], maps: Sequence[str]) -> pd.DataFrame:
    """Choices by pair of maps, the first of the two being the one that comes first in `maps`.

    Returns
    -------
    DataFrame
        A row a choice, in order: judge, crater_id, first, second, outcome (1 if the first is better, 0 for a tie, -1),
        and repeated, whether this judge had been asked about this pair and crater before.

    Raises
    ------
    RankingError
        If there are none.
    """
    rows = []
    for choice in choices:
        first, second = sorted((choice.left, choice.right), key=maps.index)
        sign = 1 if first == choice.left else -1
        rows.append((choice.judge, choice.crater_id, first, second, sign * OUTCOMES[choice.answer]))
    if not rows:
        raise RankingError("nobody has chosen yet: open the study in a browser first")
    table = pd.DataFrame(rows, columns=["judge", "crater_id", "first", "second", "outcome"])
    asked = ["judge", "crater_id", "first", "second"]
    return table.assign(repeated=table.duplicated(asked))


def _take_back(standing: list[Choice], undo: Choice) -> None:
    """Remove a judge's last choice."""
    for k in range(len(standing) - 1, -1, -1):
        if standing[k].judge == undo.judge:
            del standing[k]
            return
