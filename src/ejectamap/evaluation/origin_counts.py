"""Attribution accuracy: whether the origin map assigns true ejecta to the right crater."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ejectamap.evaluation.counts import none_if_nan


@dataclass(frozen=True)
class OriginCounts:
    """Pixels of one crater's true ejecta by the crater that the origin map assigns them to; the interior is included.

    Attributes
    ----------
    assigned : mapping of int to int
        Pixels that the origin map assigns to each crater, by id.
    correct : mapping of int to int
        Those of them that the label of the assigned crater holds too, by the assigned crater's id.
    unmapped : int
        Pixels without an origin.
    """

    assigned: Mapping[int, int] = field(default_factory=dict)
    correct: Mapping[int, int] = field(default_factory=dict)
    unmapped: int = 0

    def __add__(self, other: "OriginCounts") -> "OriginCounts":
        return OriginCounts(
            _add(self.assigned, other.assigned),
            _add(self.correct, other.correct),
            self.unmapped + other.unmapped,
        )

    @property
    def mapped_px(self) -> int:
        """True pixels that have an origin."""
        return sum(self.assigned.values())

    @property
    def correct_px(self) -> int:
        """True pixels whose origin is a crater whose own label holds the pixel."""
        return sum(self.correct.values())

    @property
    def accuracy(self) -> float:
        """Attribution accuracy: correct pixels over mapped pixels, 0 to 1; nan if none is mapped."""
        return self.correct_px / self.mapped_px if self.mapped_px else float("nan")

    @property
    def wrong(self) -> dict[int, int]:
        """Pixels assigned to a crater whose label does not hold them, by that crater's id; largest number first."""
        wrong = {origin: n - self.correct.get(origin, 0) for origin, n in self.assigned.items()}
        return dict(sorted(((k, n) for k, n in wrong.items() if n), key=lambda x: (-x[1], x[0])))

    def to_dict(self) -> dict[str, Any]:
        """All numbers under the names of evaluation.json; None for nan."""
        return {
            "fraction": none_if_nan(self.accuracy),
            "mapped": self.mapped_px,
            "right": self.correct_px,
            "unmapped": self.unmapped,
            "claimed_by_others": sum(self.wrong.values()),
        }


def origin_confusion(counts: Mapping[int, OriginCounts]) -> dict[str, Any]:
    """Confusion matrix of pixels by true crater (row) and origin (column), as `attribution` of evaluation.json.

    A pixel of the true ejecta of two craters is in the rows of both. `claimed` is the same matrix without the pixels
    that the label of the assigned crater holds too; `unmapped` are the pixels of each row without an origin.

    Parameters
    ----------
    counts : mapping of int to OriginCounts
        By the id of the true crater.
    """
    assigned = {origin for row in counts.values() for origin in row.assigned}
    columns = sorted(assigned | set(counts))
    return {
        "rows": list(counts),
        "columns": columns,
        "pixels": [[row.assigned.get(k, 0) for k in columns] for row in counts.values()],
        "claimed": [[row.wrong.get(k, 0) for k in columns] for row in counts.values()],
        "unmapped": [row.unmapped for row in counts.values()],
    }


def _add(a: Mapping[int, int], b: Mapping[int, int]) -> dict[int, int]:
    return {key: a.get(key, 0) + b.get(key, 0) for key in sorted({*a, *b})}
