"""The poster's method: connection networks vote on each chip, the segmentation network outlines the connected ones."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from ejectamap.mapping.merge import merge_chips
from ejectamap.mapping.methods import CraterMap, hide_no_data
from ejectamap.networks.ensemble import Ensemble
from ejectamap.project import Project
from ejectamap.views.chip import Chip
from ejectamap.views.inputs import BandScaling, chip_input, corridor_input, crater_metadata
from ejectamap.views.tiling import ChipGrid
from ejectamap.world.craters import Crater

Floats = npt.NDArray[np.float32]
BATCH = 16


class TwoStage:
    """Vote of the connection ensemble, segmentation of connected chips, average of overlapping probabilities."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.connection = Ensemble.load(project.networks("connection"), project.mosaic.bands)
        self.segmentation = Ensemble.load(project.networks("segmentation"), project.mosaic.bands)

    def predict(self, crater: Crater) -> CraterMap:
        """Map one crater; see `CraterMap`."""
        grid = self.project.mosaic.grid
        reach_m = crater.reach_m(grid.radius_m)
        views = self.segmentation.views
        chips = ChipGrid.around(reach_m, views["tile_m"], self.project.settings.views.overlap)
        connections = self._vote(crater, chips)
        chosen = np.flatnonzero(connections["connected"].to_numpy())
        probabilities = self._segment(crater, [chips.chip(int(k)) for k in chosen])
        window = grid.cap_window(crater.lon, crater.lat, reach_m)
        merged = merge_chips(probabilities, chosen, chips, crater, grid, window)
        return CraterMap(crater, window, hide_no_data(merged, self.project, window), connections)

    def _vote(self, crater: Crater, chips: ChipGrid) -> pd.DataFrame:
        """Ask every connection network about every chip."""
        views = self.connection.views
        scaling = BandScaling.for_mosaic(self.project.mosaic, views["scaling"])
        size_px = tuple(views["corridor_px"])

        def look(chip: Chip) -> Floats:
            return corridor_input(self.project.mosaic, scaling, crater, chip, size_px)

        batches = _batches(chips.chips(), look)
        answers = torch.cat([self.connection.probabilities(batch) for batch in batches]).numpy()
        votes = (answers > 0.5).sum(axis=1)
        needed = self.project.settings.connection.vote_threshold * len(self.connection)
        return pd.DataFrame(
            {
                "crater_id": crater.crater_id,
                "tile": np.arange(len(chips)),
                "distance_m": [chip.distance_m for chip in chips.chips()],
                "score": answers.mean(axis=1),
                "votes": votes,
                "connected": votes >= needed,
            }
        )

    def _segment(self, crater: Crater, chips: Sequence[Chip]) -> Floats:
        """Probabilities (k, n, n) of the connected chips, averaged over the networks."""
        views = self.segmentation.views
        size_px = int(views["chip_px"])
        scaling = BandScaling.for_mosaic(self.project.mosaic, views["scaling"])
        annulus = tuple(views["annulus_radii"])
        about = torch.from_numpy(crater_metadata(self.project.mosaic, scaling, crater, annulus))

        def look(chip: Chip) -> Floats:
            return chip_input(self.project.mosaic, scaling, crater, chip, size_px)

        parts = [np.zeros((0, size_px, size_px), np.float32)]
        for batch in _batches(chips, look):
            metadata = about.expand(len(batch), -1)
            parts.append(self.segmentation.probabilities(batch, metadata).mean(1).numpy())
        return np.concatenate(parts)


def _batches(chips: Sequence[Chip], look: Callable[[Chip], Floats]) -> Iterator[torch.Tensor]:
    """Pictures of chips in batches, sampled on threads."""
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(chips), BATCH):
            pictures = list(pool.map(look, chips[start : start + BATCH]))
            yield torch.from_numpy(np.stack(pictures))
