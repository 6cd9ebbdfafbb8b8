"""Which crater the map gives the true ejecta to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ejectamap.evaluation.counts import none_if_nan


@dataclass(frozen=True)
class Ownership:
    """What became of a crater's true ejecta on the map of origins, in pixels; the interior is included.

    Attributes
    ----------
    given : mapping of int to int
        Pixels that the map gives to each crater, by id.
    rightly : mapping of int to int
        Those of them that go to a crater whose own label holds the pixel.
    unmapped : int
        Pixels that it gives to nobody.
    """

    given: Mapping[int, int] = field(default_factory=dict)
    rightly: Mapping[int, int] = field(default_factory=dict)
    unmapped: int = 0

    def __add__(self, other: "Ownership") -> "Ownership":
        return Ownership(
            _sum(self.given, other.given),
            _sum(self.rightly, other.rightly),
            self.unmapped + other.unmapped,
        )

    @property
    def mapped(self) -> int:
        """True pixels that the map gives to some crater."""
        return sum(self.given.values())

    @property
    def right(self) -> int:
        """Those of them that go to a crater whose own label holds the pixel."""
        return sum(self.rightly.values())

    @property
    def fraction(self) -> float:
        """How much of what is mapped goes to a right crater, 0 to 1; nan if nothing is mapped."""
        return self.right / self.mapped if self.mapped else float("nan")

    @property
    def claimed(self) -> dict[int, int]:
        """Pixels that other craters claim without a right to them, by id; largest first."""
        wrong = {owner: n - self.rightly.get(owner, 0) for owner, n in self.given.items()}
        return dict(sorted(((k, n) for k, n in wrong.items() if n), key=lambda x: (-x[1], x[0])))

    def to_dict(self) -> dict[str, Any]:
        """List the numbers under their names; None for nan."""
        return {
            "fraction": none_if_nan(self.fraction),
            "mapped": self.mapped,
            "right": self.right,
            "unmapped": self.unmapped,
            "claimed_by_others": sum(self.claimed.values()),
        }


def confusion(owners: Mapping[int, Ownership]) -> dict[str, Any]:
    """Matrix of true pixels by true crater (row) and by the crater they are given to (column).

    Ground under the ejecta of two craters is in both of their rows. `claimed` has the same without what goes to a
    crater whose own label holds the pixel; `unmapped` is what goes to nobody.
    """
    given = {owner for row in owners.values() for owner in row.given}
    columns = sorted(given | set(owners))
    return {
        "rows": list(owners),
        "columns": columns,
        "pixels": [[row.given.get(k, 0) for k in columns] for row in owners.values()],
        "claimed": [[row.claimed.get(k, 0) for k in columns] for row in owners.values()],
        "unmapped": [row.unmapped for row in owners.values()],
    }


def _sum(a: Mapping[int, int], b: Mapping[int, int]) -> dict[int, int]:
    return {key: a.get(key, 0) + b.get(key, 0) for key in sorted({*a, *b})}
