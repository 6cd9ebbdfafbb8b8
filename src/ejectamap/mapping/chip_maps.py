"""A crater's map from its chips, which are predicted when a strip of the map first needs them."""

from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from ejectamap.mapping.chips import ChipPredictor
from ejectamap.mapping.merge import merge_chips
from ejectamap.mapping.methods import mask_no_data
from ejectamap.maps.crater_map import CraterMap
from ejectamap.project.folder import Project
from ejectamap.views.tiling import ChipGrid
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.mosaic import Floats
from ejectamap.world.sphere import azimuthal_inverse


def map_from_chips(
    project: Project,
    crater: Crater,
    chips: ChipGrid,
    chosen: npt.NDArray[np.int64],
    predict: ChipPredictor,
    connections: pd.DataFrame,
) -> CraterMap:
    """A crater's map, averaged over the chosen ones of its chips; see `merge_chips`."""
    grid = project.mosaic.grid
    window = grid.cap_window(crater.lon, crater.lat, crater.reach_m(grid.radius_m))
    merged = ChipsOnDemand(crater, grid, chips, chosen, predict)
    return CraterMap(crater, window, mask_no_data(merged, project), connections)


class ChipsOnDemand:
    """Predicts chips when a strip of the mosaic first needs them and drops them when the next one does not.

    So no more chips are in memory than touch one strip: all those of a giant, on a fine mosaic, would be gigabytes.
    Strips from north to south need each chip predicted once; any other order gives the same values but takes longer.

    Parameters
    ----------
    crater : Crater
    grid : Grid
    chips : ChipGrid
    chosen : int array (k,)
        Which of the chips are predicted.
    predict : callable
    """

    def __init__(
        self,
        crater: Crater,
        grid: Grid,
        chips: ChipGrid,
        chosen: npt.NDArray[np.int64],
        predict: ChipPredictor,
    ) -> None:
        self.crater, self.grid = crater, grid
        self.chips, self.chosen = chips, chosen
        self.predict = predict
        self.loaded = np.zeros(0, np.int64)
        self.probabilities: Floats = np.zeros((0, 2, 2), np.float32)

    def __call__(self, strip: Window) -> Floats:
        """Probabilities (height, width) of a strip; nan beyond the crater's reach."""
        needed = self._touching(strip)
        new = np.setdiff1d(needed, self.loaded)
        if new.size:
            self._load(new, needed)
        return merge_chips(
            self.probabilities, self.loaded, self.chips, self.crater, self.grid, strip
        )

    def _load(self, new: npt.NDArray[np.int64], needed: npt.NDArray[np.int64]) -> None:
        """Predict chips, and store them in place of those that are no longer needed."""
        free_slots = np.flatnonzero(~np.isin(self.loaded, needed))
        missing = len(new) - len(free_slots)
        if missing > 0:
            free_slots = np.append(
                free_slots, np.arange(len(self.loaded), len(self.loaded) + missing)
            )
            self.loaded = np.append(self.loaded, np.full(missing, -1))
        written = 0
        for batch in self.predict([self.chips.chip(int(k)) for k in new]):
            if len(self.probabilities) < len(self.loaded):
                enlarged = np.empty((len(self.loaded), *batch.shape[1:]), np.float32)
                if len(self.probabilities):
                    enlarged[: len(self.probabilities)] = self.probabilities
                self.probabilities = enlarged
            slots = free_slots[written : written + len(batch)]
            self.loaded[slots], self.probabilities[slots] = (
                new[written : written + len(batch)],
                batch,
            )
            written += len(batch)

    def _touching(self, strip: Window) -> npt.NDArray[np.int64]:
        """Which of the chosen chips may touch a strip."""
        _, edges = self.grid.to_lonlat(0.0, np.array([strip.row, strip.row + strip.height]))
        # Ground distances in the azimuthal frame are never underestimated: half a diagonal bounds a chip's extent.
        margin_deg = np.degrees(self.chips.side_m / np.sqrt(2) / self.grid.radius_m)
        near = (self._latitudes > edges.min() - margin_deg) & (
            self._latitudes < edges.max() + margin_deg
        )
        touching: npt.NDArray[np.int64] = self.chosen[near]
        return touching

    @cached_property
    def _latitudes(self) -> npt.NDArray[np.float64]:
        """Of the chosen chips' centres, degrees."""
        x, y = self.chips.cells[self.chosen].T * self.chips.stride_m
        return azimuthal_inverse(x, y, self.crater.lon, self.crater.lat, self.grid.radius_m).lat
