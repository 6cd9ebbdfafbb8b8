"""The result of an evaluation: counts and figures, pooled in several ways, and ready for JSON."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, reduce
from operator import add
from typing import Any

import numpy as np
import pandas as pd

from ejectamap.errors import unknown_name
from ejectamap.evaluation.bootstrap import Interval, pooled_intervals
from ejectamap.evaluation.counts import Counts, none_if_nan
from ejectamap.evaluation.frames import figures_frame
from ejectamap.evaluation.labels_used import describe_labels
from ejectamap.evaluation.origin_counts import OriginCounts, origin_confusion
from ejectamap.evaluation.reliability import ReliabilityCounts
from ejectamap.evaluation.rings import DECILES, DISTANCES, LEVELS, SECTORS
from ejectamap.evaluation.structure import Structure
from ejectamap.project.splits import Leakage
from ejectamap.world.label_sources import SourceAreas


@dataclass(frozen=True)
class Scores:
    """Counts of some pairs of a crater and a tile together.

    Attributes
    ----------
    pixel : Counts
        Pixels of the mosaic's grid, crater interiors included: the poster's main table.
    area_km2 : Counts
        The same by true ground area, in square kilometres.
    outside_km2 : Counts
        The same by ground area, beyond the craters' rims only.
    tile : Counts
        Tiles that hold any ejecta of the crater, interiors included.
    distance : mapping of str to Counts
        Pixels by distance from the crater's centre, in crater radii, interiors included; keys are `rings.DISTANCES`.
    deciles : tuple of Counts
        Ground area beyond the rim, by tenth of the true ejecta's area from the centre outwards.
    sectors : mapping of str to Counts
        Ground area beyond the rim, by direction in degrees clockwise from north; keys are `rings.SECTORS`.
    reliability : mapping of str to ReliabilityCounts
        Pixels by distance as in `distance`.
    origin : OriginCounts or None
        None without an origin map.
    """

    pixel: Counts
    area_km2: Counts
    outside_km2: Counts
    tile: Counts
    distance: Mapping[str, Counts]
    deciles: tuple[Counts, ...]
    sectors: Mapping[str, Counts]
    reliability: Mapping[str, ReliabilityCounts]
    origin: OriginCounts | None

    @classmethod
    def empty(cls, with_origin: bool) -> "Scores":
        """Scores of no pairs; with or without an origin map."""
        return cls(
            Counts(),
            Counts(),
            Counts(),
            Counts(),
            dict.fromkeys(DISTANCES, Counts()),
            (Counts(),) * DECILES,
            dict.fromkeys(SECTORS, Counts()),
            dict.fromkeys(DISTANCES, ReliabilityCounts(np.zeros((2, LEVELS), np.int64))),
            OriginCounts() if with_origin else None,
        )

    def __add__(self, other: "Scores") -> "Scores":
        return Scores(
            self.pixel + other.pixel,
            self.area_km2 + other.area_km2,
            self.outside_km2 + other.outside_km2,
            self.tile + other.tile,
            {name: self.distance[name] + other.distance[name] for name in self.distance},
            tuple(a + b for a, b in zip(self.deciles, other.deciles, strict=True)),
            {name: self.sectors[name] + other.sectors[name] for name in self.sectors},
            {name: self.reliability[name] + other.reliability[name] for name in self.reliability},
            None if self.origin is None or other.origin is None else self.origin + other.origin,
        )

    def to_dict(self) -> dict[str, Any]:
        """All counts and figures under the names of evaluation.json."""
        deciles = enumerate(self.deciles, start=1)
        return {
            "pixel": self.pixel.to_dict(),
            "area_km2": self.area_km2.to_dict(),
            "outside_km2": self.outside_km2.to_dict(),
            "tile": self.tile.to_dict(),
            "distance": {name: counts.to_dict() for name, counts in self.distance.items()},
            "deciles": {str(k): counts.to_dict() for k, counts in deciles},
            "sectors": {name: counts.to_dict() for name, counts in self.sectors.items()},
            "calibration": self._calibration(),
            "owner": None if self.origin is None else self.origin.to_dict(),
        }

    def _calibration(self) -> dict[str, Any] | None:
        """Figures of calibration over all pixels and, above a probability of 0.1, by distance; None without any."""
        figures = reduce(add, self.reliability.values()).to_dict()
        if figures is None:
            return None
        by_distance = {
            name: {**counts.above_faint(), "reliability": counts.reliability()}
            for name, counts in self.reliability.items()
        }
        return figures | {"distance": by_distance}


@dataclass(frozen=True)
class CraterScore:
    """One crater's scores over all its tiles, over its test tiles, and over those that no network has seen.

    Attributes
    ----------
    crater_id : int
    name, family : str
    scores, test, unseen : Scores
        `unseen` is the part of `test` on whose labels neither the networks nor any that they started from were trained.
    """

    crater_id: int
    name: str
    family: str
    scores: Scores
    test: Scores
    unseen: Scores

    @property
    def seen_fraction(self) -> float:
        """Fraction of the evaluated pixels on whose labels a network, or one before it, was trained; nan for none."""
        total = self.scores.pixel.total
        return 1 - self.unseen.pixel.total / total if total else float("nan")


@dataclass(frozen=True)
class Evaluation:
    """How good a map is.

    Attributes
    ----------
    craters : tuple of CraterScore
        In the order of the catalogue; craters without a tile in reach are left out.
    has_training_pairs : bool
        Whether any pair was used for training; if not, `test` equals `all`.
    leakage : Leakage or None
        How much of the test ground lies in training tiles; None if no pair was used for training.
    annotator_agreement : AnnotatorAgreement or None
        How well two annotators agree, where a second one's labels were given.
    structure : Structure or None
        Shape of the map, where it was evaluated.
    unrecorded : tuple of str, or None
        Networks of which it is not known, or not completely, what they were trained on; None if that is not known of
        any, so that `unseen` is the same as `test`.
    labels : mapping of int to SourceAreas
        By crater id, where the labels come from.
    edited_km2 : mapping of int to float
        By crater id, ground area of the map that people edited; the networks' own map is evaluated there.
    """

    craters: tuple[CraterScore, ...]
    has_training_pairs: bool
    annotator_agreement: "AnnotatorAgreement | None" = None
    leakage: Leakage | None = None
    structure: Structure | None = None
    unrecorded: tuple[str, ...] | None = None
    labels: Mapping[int, SourceAreas] = field(default_factory=dict)
    edited_km2: Mapping[int, float] = field(default_factory=dict)

    @cached_property
    def all(self) -> Scores:
        """Scores over all pairs."""
        return pool([row.scores for row in self.craters])

    @property
    def is_empty(self) -> bool:
        """Whether neither labels nor map have any ejecta where they are compared."""
        pixel = self.all.pixel
        return pixel.tp + pixel.fp + pixel.fn == 0

    @cached_property
    def test(self) -> Scores:
        """Scores over the pairs that were held out of the project's training."""
        return pool([row.test for row in self.craters])

    @cached_property
    def unseen(self) -> Scores:
        """Scores over those of them that no network, nor any that it started from, was trained on."""
        return pool([row.unseen for row in self.craters])

    @property
    def families(self) -> dict[str, Scores]:
        """Scores over all pairs, by family; craters without a family are left out."""
        names = sorted({row.family for row in self.craters} - {""})
        return {
            name: pool([row.scores for row in self.craters if row.family == name]) for name in names
        }

    def intervals(self) -> dict[str, dict[str, dict[str, Interval]]]:
        """95 % bootstrap intervals over craters, by subset, unit and figure."""
        subsets = {
            "all": [row.scores for row in self.craters],
            "test": [row.test for row in self.craters],
            "unseen": [row.unseen for row in self.craters],
        }
        units = ("pixel", "outside_km2", "tile")
        return {
            subset: {unit: pooled_intervals([getattr(s, unit) for s in scores]) for unit in units}
            for subset, scores in subsets.items()
        }

    def to_frame(self, by: str = "unit") -> pd.DataFrame:
        """One table of the evaluation's figures.

        Parameters
        ----------
        by : {"unit", "crater", "distance", "decile", "sector"}
            What the rows are: units of counting (`pixel`, `area_km2`, `outside_km2`: beyond the rims, `tile`);
            craters; distances from the centre in crater radii, in pixels; tenths of the true ejecta from the centre
            outwards, or directions in degrees clockwise from north, by ground area beyond the rims.

        Returns
        -------
        DataFrame
            Columns `f1`, `precision`, `recall`, `iou` (0 to 1, NaN where they would divide by zero) and the counts
            `tp`, `fp`, `fn`, `tn`. The index is `crater_id`, or two levels: `subset`, which is "all", and "test" (held
            out of the training) and "unseen" (by no network before it either) where these differ, and the row. By unit
            there are also the ends of the 95 % interval over craters, `f1_low` and `f1_high`; by crater `name`,
            `family`, `true_km2`, `mapped_km2` and `seen_fraction`.

        Raises
        ------
        ArgumentError
            If there is no such table.

        Examples
        --------
        >>> evaluation = em.evaluate("project", progress=False)
        >>> evaluation.to_frame("crater").index.name
        'crater_id'
        """
        return figures_frame(self.to_dict(), by)

    def _repr_html_(self) -> str:
        tables = (self.to_frame(), self.to_frame("crater"))
        return "".join(table.to_html(float_format="{:.3f}".format, na_rep="–") for table in tables)

    def to_dict(self) -> dict[str, Any]:
        """Content of evaluation.json."""
        origins = {
            r.crater_id: r.scores.origin for r in self.craters if r.scores.origin is not None
        }
        return {
            "all": self.all.to_dict(),
            "test": self.test.to_dict(),
            "unseen": self.unseen.to_dict(),
            "seen": self._seen(),
            "split": self.has_training_pairs,
            "labels": describe_labels(self.labels),
            "edited_km2": {str(k): area for k, area in self.edited_km2.items()},
            "intervals": self.intervals(),
            "families": {name: scores.to_dict() for name, scores in self.families.items()},
            "attribution": origin_confusion(origins) if origins else None,
            "leakage": None if self.leakage is None else asdict(self.leakage),
            "ceiling": None
            if self.annotator_agreement is None
            else self.annotator_agreement.to_dict(),
            "structure": None if self.structure is None else self.structure.to_dict(),
            "craters": [
                {"crater_id": row.crater_id, "name": row.name, "family": row.family}
                | {"seen_fraction": none_if_nan(row.seen_fraction)}
                | row.scores.to_dict()
                for row in self.craters
            ],
        }

    def _seen(self) -> dict[str, Any] | None:
        """Pixels that were held out of the training, those of them that had been seen before, and what is not known."""
        if self.unrecorded is None:
            return None
        test_px = self.test.pixel.total
        return {
            "test_px": test_px,
            "seen_px": test_px - self.unseen.pixel.total,
            "unrecorded": list(self.unrecorded),
        }


@dataclass(frozen=True)
class AnnotatorAgreement:
    """Agreement of two annotators on the same craters: as much as can be expected of a map.

    Attributes
    ----------
    second : Evaluation
        The second annotator's labels, evaluated against the first one's as if they were a map.
    map : Scores
        The map, evaluated against the first annotator's labels on the same craters.
    """

    second: Evaluation
    map: Scores

    def to_dict(self) -> dict[str, Any]:
        """The figures of both under the names of evaluation.json."""
        second = self.second.to_dict()
        return {
            "annotators": second["all"],
            "intervals": second["intervals"]["all"],
            "map": self.map.to_dict(),
            "craters": second["craters"],
        }


def pool(scores: Sequence[Scores]) -> Scores:
    """Scores of several craters together."""
    with_origin = all(score.origin is not None for score in scores)
    return reduce(add, scores, Scores.empty(with_origin))


def value_of(
    evaluation: Evaluation | Mapping[str, Any], figure: str | Mapping[str, float]
) -> float:
    """One figure of an evaluation, or a weighted sum of several.

    Parameters
    ----------
    evaluation : Evaluation, or the content of an evaluation.json
    figure : str, or mapping of str to float
        A name such as "all.pixel.f1", "test.deciles.10.recall" or "craters.12.outside_km2.iou"; or the weight of
        each of several names.

    Returns
    -------
    float
        nan where the evaluation has no value under this name.

    Raises
    ------
    SettingsError
        With the most similar names, if there is no such name.
    """
    content = evaluation.to_dict() if isinstance(evaluation, Evaluation) else evaluation
    values = dict(_flatten(content, ""))
    weights = {figure: 1.0} if isinstance(figure, str) else figure
    for name in weights:
        if name not in values:
            raise unknown_name("figure of an evaluation", name, values)
    return float(sum(weight * values[name] for name, weight in weights.items()))


def _flatten(part: Any, name: str) -> Iterator[tuple[str, float]]:
    """All numbers of an evaluation with their dotted names; nan for None. Craters are named by their ids."""
    if isinstance(part, Mapping):
        for key, inner in part.items():
            yield from _flatten(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(part, list) and part and isinstance(part[0], Mapping):
        for inner in part:
            if "crater_id" in inner:
                yield from _flatten(inner, f"{name}.{inner['crater_id']}")
    elif part is None or isinstance(part, int | float):
        yield name, float("nan") if part is None else float(part)
