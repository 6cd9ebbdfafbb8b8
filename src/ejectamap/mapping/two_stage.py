"""The poster's method: connection networks vote on each chip, the segmentation network outlines the connected ones."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from ejectamap.mapping.backend import load_ensemble
from ejectamap.mapping.from_chips import Outline, map_from_chips
from ejectamap.mapping.methods import BATCH, CraterMap, no_connections
from ejectamap.networks.ensemble import Ensemble
from ejectamap.networks.polar_answer import PolarAnswer
from ejectamap.project import Project
from ejectamap.views.chip import Chip
from ejectamap.views.inputs import BandScaling, chip_input, corridor_input, crater_metadata
from ejectamap.views.tiling import ChipGrid
from ejectamap.world.craters import Crater

Floats = npt.NDArray[np.float32]
Look = Callable[[Chip], Floats]
_ROUND = 8 * BATCH  # corridors voted on together, so that batches stay full when some are decided


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
        views = networks.views
        scaling = BandScaling.for_mosaic(self.project.mosaic, views["scaling"])
        size_px = tuple(views["corridor_px"])

        def look(chip: Chip) -> Floats:
            return corridor_input(self.project.mosaic, scaling, crater, chip, size_px)

        threshold = self.project.settings.connection.vote_threshold
        found = [
            networks.vote(corridors, threshold, BATCH)
            for corridors in _batches(chips.chips(), look, _ROUND)
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


def chip_look(project: Project, networks: Ensemble, crater: Crater) -> Look:
    """What networks see of a crater's chips, as their bundles remember it."""
    mosaic, views = project.mosaic, networks.views
    scaling = BandScaling.for_mosaic(mosaic, views["scaling"])
    rivals = project.craters if views.get("rivals", False) else None
    how = (int(views["chip_px"]), views["distance"], views["log_distance"], rivals)
    return lambda chip: chip_input(mosaic, scaling, crater, chip, *how)


def ejecta_outliner(
    project: Project, networks: Ensemble, crater: Crater, guide: PolarAnswer | None = None
) -> Outline:
    """How segmentation networks, published or guided ones, outline a crater's ejecta in chips; the mean over them."""
    mosaic, views = project.mosaic, networks.views
    scaling = BandScaling.for_mosaic(mosaic, views["scaling"])
    see = chip_look(project, networks, crater)
    about = crater_metadata(mosaic, scaling, crater, tuple(views["annulus_radii"]))

    def look(chip: Chip) -> Floats:
        return see(chip) if guide is None else guide.beside(see(chip), chip)

    return partial(outline, networks, look=look, metadata=torch.from_numpy(about))


def outline(
    networks: Ensemble, chips: Sequence[Chip], look: Look, metadata: torch.Tensor | None = None
) -> Floats:
    """Probabilities (k, n, n) of k chips, averaged over segmentation networks.

    Parameters
    ----------
    networks : Ensemble
    chips : sequence of Chip
    look : callable
        From a chip to what the networks see of it, (channel, n, n).
    metadata : Tensor, optional
        (m,), what they are told about the crater.
    """
    size_px = int(networks.views["chip_px"])
    parts = [np.zeros((0, size_px, size_px), np.float32)]
    for batch in _batches(chips, look, BATCH):
        about = None if metadata is None else metadata.expand(len(batch), -1)
        parts.append(networks.probabilities(batch, about).mean(1).numpy())
    return np.concatenate(parts)


def _batches(chips: Sequence[Chip], look: Look, size: int) -> Iterator[torch.Tensor]:
    """Pictures of chips in batches; the next one is sampled on threads while the networks look at this one.

    A batch is good until the next is asked for: the one after that lies in the same memory.
    """
    if not chips:
        return
    shape = look(chips[0]).shape
    places = [np.empty((min(size, len(chips)), *shape), np.float32) for _ in range(2)]

    def put(place: Floats, chip: Chip) -> None:
        place[:] = look(chip)

    with ThreadPoolExecutor(os.cpu_count()) as pool:

        def start(first: int) -> tuple[Floats, list[Future[None]]]:
            some = chips[first : first + size]
            batch = places[first // size % 2][: len(some)]
            return batch, [pool.submit(put, *pair) for pair in zip(batch, some, strict=True)]

        try:
            ahead = start(0)
            for following in range(size, len(chips) + size, size):
                batch, pictures = ahead
                for picture in pictures:
                    picture.result()
                if following < len(chips):
                    ahead = start(following)
                yield torch.from_numpy(batch)
        finally:
            pool.shutdown(cancel_futures=True)
