"""How well a map keeps the shape of ejecta: outlines in place, rays unbroken and as far as they go."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.progress import track

from ejectamap.evaluation.counts import none_if_nan
from ejectamap.evaluation.displacement import displacement_figures
from ejectamap.evaluation.ground import Ground
from ejectamap.evaluation.lines import line_figures
from ejectamap.evaluation.surfaces import surface_figures
from ejectamap.world.craters import Crater
from ejectamap.world.labels import Labels

Figures = dict[str, float]

LOWER_IS_BETTER = ("balanced_hausdorff_km", "hd95_km", "betti0_error", "gaps_per_1000km")
"""Figures of structure of which less is better."""
_THREADS = 2  # each has one crater's ground in memory


@dataclass(frozen=True)
class Structure:
    """Figures of structure, crater by crater; crater interiors are included, but in those along rays.

    Attributes
    ----------
    spacing_km : float
        Side of a cell of the ground that the figures are taken on.
    craters : mapping of int to dict of str to float
        By crater id; only craters that truly have ejecta.
    """

    spacing_km: float
    craters: Mapping[int, Figures]

    @property
    def mean(self) -> Figures:
        """Mean of each figure over the craters that have it, each crater counting once."""
        rows = list(self.craters.values())
        names = rows[0] if rows else ()
        found = {name: [row[name] for row in rows if not np.isnan(row[name])] for name in names}
        return {name: float(np.mean(v)) if v else float("nan") for name, v in found.items()}

    def to_dict(self) -> dict[str, Any]:
        """Everything under its name, ready for JSON."""
        return {
            "spacing_km": none_if_nan(self.spacing_km),
            "mean": _plain(self.mean),
            "craters": [{"crater_id": k, **_plain(row)} for k, row in self.craters.items()],
        }


def structure_of(ground: Ground) -> Figures:
    """All figures of one crater that truly has ejecta; the first, `structure`, is the one for the whole pattern."""
    return displacement_figures(ground) | surface_figures(ground) | line_figures(ground)


def evaluate_structure(
    labels: Labels, craters: Sequence[Crater], predicted: Callable[[int], Labels]
) -> Structure:
    """Judge the shape of a map, two craters at a time.

    Parameters
    ----------
    labels : Labels
    craters : sequence of Crater
        Those that are not labelled, or have no ejecta within reach, are left out.
    predicted : callable
        A crater's id to its map, as labels; from any thread.
    """
    labelled = [crater for crater in craters if crater.crater_id in labels.masks]

    def judge(crater: Crater) -> tuple[float, Figures | None]:
        ground = Ground.around(crater, labels, predicted(crater.crater_id))
        return ground.spacing_km, structure_of(ground) if ground.truth.any() else None

    with ThreadPoolExecutor(_THREADS) as pool:
        judged = pool.map(judge, labelled)
        found = list(track(judged, "judging structure", total=len(labelled), transient=True))
    rows = zip(labelled, found, strict=True)
    return Structure(
        found[0][0] if found else float("nan"),
        {crater.crater_id: figures for crater, (_, figures) in rows if figures is not None},
    )


def _plain(figures: Figures) -> dict[str, float | None]:
    return {name: none_if_nan(figure) for name, figure in figures.items()}
