"""The poster's method: connection networks vote on each chip, the segmentation network outlines the connected ones."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from ejectamap.mapping.backend import load_ensemble
from ejectamap.mapping.from_chips import Outline, map_from_chips
from ejectamap.mapping.methods import CraterMap, no_connections
from ejectamap.mapping.pictures import batch_size, batches
from ejectamap.networks.ensemble import Ensemble
from ejectamap.networks.polar_answer import PolarAnswer
from ejectamap.project import Project
from ejectamap.views.chip import Chip
from ejectamap.views.inputs import BandScaling, crater_metadata
from ejectamap.views.sight import Sight, chip_sight, corridor_sight
from ejectamap.views.tiling import ChipGrid
from ejectamap.world.craters import Crater

Floats = npt.NDArray[np.float32]
_BATCHES = 8  # of corridors voted on together, so that batches stay full when some are decided


class TwoStage:
    """Vote of the connection ensemble, segmentation of connected chips, average of overlapping probabilities.

    With `map.ignore_connections` there is no vote: every chip within reach is outlined.
    """

    settings: ClassVar[tuple[str, ...]] = (
        "views.overlap",
        "connection.vote_threshold",
        "map.ignore_connections",
    )
    looks_at_rivals: ClassVar[bool] = False

    def __init__(self, project: Project) -> None:
        self.project = project
        ignored = project.settings.map.ignore_connections
        self.connection = None if ignored else load_ensemble(project, "connection")
        self.segmentation = load_ensemble(project, "segmentation")

    def predict(self, crater: Crater) -> CraterMap:
        """Map one crater; see `CraterMap`."""
        chips = chip_grid(self.project, crater, self.segmentation)
        connections, chosen = no_connections(), np.arange(len(chips))
        if self.connection is not None:
            connections = self._vote(self.connection, crater, chips)
            chosen = np.flatnonzero(connections["connected"].to_numpy())
        outline = ejecta_outliner(self.project, self.segmentation, crater)
        return map_from_chips(self.project, crater, chips, chosen, outline, connections)

    def _vote(self, networks: Ensemble, crater: Crater, chips: ChipGrid) -> pd.DataFrame:
        """Have the connection networks vote on every chip, none longer than it takes to decide."""
        mosaic, views = self.project.mosaic, networks.views
        scaling = BandScaling.for_mosaic(mosaic, views["scaling"])
        sight = corridor_sight(mosaic, scaling, crater, tuple(views["corridor_px"]))
        threshold, size = self.project.settings.connection.vote_threshold, batch_size(networks)
        found = [
            networks.vote(corridors, threshold, size)
            for corridors in batches(sight, chips.chips(), _BATCHES * size, networks.device)
        ]
        return pd.DataFrame(
            {
                "crater_id": crater.crater_id,
                "tile": np.arange(len(chips)),
                "distance_m": [chip.distance_m for chip in chips.chips()],
                "score": np.concatenate([vote.score for vote in found]),
                "votes": np.concatenate([vote.votes for vote in found]),
                "connected": np.concatenate([vote.yes for vote in found]),
            }
        )


def chip_grid(project: Project, crater: Crater, networks: Ensemble) -> ChipGrid:
    """The chips that cover a crater's reach, as large as the networks' own."""
    reach_m = crater.reach_m(project.mosaic.grid.radius_m)
    overlap, radial_up = project.settings.views.overlap, networks.views.get("radial_up", False)
    return ChipGrid.around(reach_m, networks.views["tile_m"], overlap, radial_up)


def look_at_chips(project: Project, networks: Ensemble, crater: Crater) -> Sight:
    """How networks look at a crater's chips, as their bundles remember it."""
    mosaic, views = project.mosaic, networks.views
    scaling = BandScaling.for_mosaic(mosaic, views["scaling"])
    rivals = project.craters if views.get("rivals", False) else None
    how = int(views["chip_px"]), views["distance"], views["log_distance"], rivals
    return chip_sight(mosaic, scaling, crater, *how)


def ejecta_outliner(
    project: Project, networks: Ensemble, crater: Crater, guide: PolarAnswer | None = None
) -> Outline:
    """How segmentation networks, published or guided ones, outline a crater's ejecta in chips; the mean over them."""
    sight, views = look_at_chips(project, networks, crater), networks.views
    if guide is not None:
        sight = sight.telling(partial(guide.in_chip, size_px=int(views["chip_px"])))
    about = crater_metadata(project.mosaic, sight.scaling, crater, tuple(views["annulus_radii"]))
    return partial(outline, networks, sight=sight, metadata=torch.from_numpy(about))


def outline(
    networks: Ensemble, chips: Sequence[Chip], sight: Sight, metadata: torch.Tensor | None = None
) -> Iterator[Floats]:
    """Probabilities (k, n, n) of chips, averaged over segmentation networks, batch by batch.

    Parameters
    ----------
    networks : Ensemble
    chips : sequence of Chip
    sight : Sight
    metadata : Tensor, optional
        (m,), what they are told about the crater.
    """
    for batch in batches(sight, chips, batch_size(networks), networks.device):
        about = None if metadata is None else metadata.expand(len(batch), -1)
        yield networks.mean(batch, about).numpy()
