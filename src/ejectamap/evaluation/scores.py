"""What an evaluation finds: counts, pooled in several ways, and ready for JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ejectamap.evaluation.counts import Counts, none_if_nan


@dataclass(frozen=True)
class Ownership:
    """How much of a crater's true ejecta the map gives to any crater, and to a right one.

    Attributes
    ----------
    mapped : int
        True pixels that the map gives to some crater.
    right : int
        Those of them that go to a crater whose own label holds the pixel.
    """

    mapped: int = 0
    right: int = 0

    def __add__(self, other: "Ownership") -> "Ownership":
        return Ownership(self.mapped + other.mapped, self.right + other.right)

    @property
    def fraction(self) -> float:
        """Right over mapped, 0 to 1; nan if nothing is mapped."""
        return self.right / self.mapped if self.mapped else float("nan")

    def to_dict(self) -> dict[str, float | None]:
        """List the numbers under their names; None for nan."""
        fraction = none_if_nan(self.fraction)
        return {"fraction": fraction, "mapped": self.mapped, "right": self.right}


@dataclass(frozen=True)
class Scores:
    """What some pairs of a crater and a tile score together.

    Attributes
    ----------
    pixel : Counts
        Pixels of the mosaic's grid: the poster's main table.
    area_km2 : Counts
        The same by true ground area, in square kilometres.
    tile : Counts
        Tiles that hold any ejecta of the crater.
    distance : mapping of str to Counts
        Pixels by distance from the crater's centre, in crater radii; keys are
        `pixels.DISTANCES`.
    owner : Ownership or None
        None without an origin map.
    """

    pixel: Counts
    area_km2: Counts
    tile: Counts
    distance: Mapping[str, Counts]
    owner: Ownership | None

    def to_dict(self) -> dict[str, Any]:
        """Everything under its name, ready for JSON."""
        return {
            "pixel": self.pixel.to_dict(),
            "area_km2": self.area_km2.to_dict(),
            "tile": self.tile.to_dict(),
            "distance": {name: counts.to_dict() for name, counts in self.distance.items()},
            "owner": None if self.owner is None else self.owner.to_dict(),
        }


@dataclass(frozen=True)
class CraterScore:
    """One crater's scores over all its tiles."""

    crater_id: int
    name: str
    scores: Scores


@dataclass(frozen=True)
class Evaluation:
    """How good a map is.

    Attributes
    ----------
    all, test : Scores
        Over all pairs; over those that the networks have never seen.
    split : bool
        Whether any pair was held out at all; if not, `test` is `all`.
    craters : tuple of CraterScore
        In the order of the catalogue; craters without a tile in reach are left out.
    """

    all: Scores
    test: Scores
    split: bool
    craters: tuple[CraterScore, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything under its name, ready for JSON."""
        rows = [
            {"crater_id": row.crater_id, "name": row.name, **row.scores.to_dict()}
            for row in self.craters
        ]
        return {
            "all": self.all.to_dict(),
            "test": self.test.to_dict(),
            "split": self.split,
            "craters": rows,
        }
