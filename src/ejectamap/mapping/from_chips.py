"""A crater's map from its chips, which are looked at as the mosaic's strips need them."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from ejectamap.mapping.merge import merge_chips
from ejectamap.mapping.methods import CraterMap, hide_no_data
from ejectamap.project import Project
from ejectamap.views.chip import Chip
from ejectamap.views.tiling import ChipGrid
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.sphere import azimuthal_inverse

Floats = npt.NDArray[np.float32]
Outline = Callable[[Sequence[Chip]], Iterator[Floats]]
"""From chips to the probabilities of ejecta in them, (k, n, n) of some of them at a time, in their order."""


def map_from_chips(
    project: Project,
    crater: Crater,
    chips: ChipGrid,
    chosen: npt.NDArray[np.int64],
    outline: Outline,
    connections: pd.DataFrame,
) -> CraterMap:
    """A crater's map, averaged over those of its chips that are chosen; see `merge_chips`."""
    grid = project.mosaic.grid
    window = grid.cap_window(crater.lon, crater.lat, crater.reach_m(grid.radius_m))
    merged = ChipsOnDemand(crater, grid, chips, chosen, outline)
    return CraterMap(crater, window, hide_no_data(merged, project), connections)


class ChipsOnDemand:
    """Outlines chips when a strip of the mosaic first needs them and forgets them when the next one does not.

    So no more chips are held than touch one strip: all those of a giant, on a fine mosaic, would be gigabytes. Strips
    from north to south have each chip outlined once; in any other order the answers are the same but take longer.

    Parameters
    ----------
    crater : Crater
    grid : Grid
    chips : ChipGrid
    chosen : int array (k,)
        Which of the chips are outlined.
    outline : callable
    """

    def __init__(
        self,
        crater: Crater,
        grid: Grid,
        chips: ChipGrid,
        chosen: npt.NDArray[np.int64],
        outline: Outline,
    ) -> None:
        self.crater, self.grid = crater, grid
        self.chips, self.chosen = chips, chosen
        self.outline = outline
        self.held = np.zeros(0, np.int64)
        self.pictures: Floats = np.zeros((0, 2, 2), np.float32)

    def __call__(self, strip: Window) -> Floats:
        """Probabilities (height, width) of a strip; nan beyond the crater's reach."""
        needed = self._touching(strip)
        new = np.setdiff1d(needed, self.held)
        if new.size:
            self._hold(new, needed)
        return merge_chips(self.pictures, self.held, self.chips, self.crater, self.grid, strip)

    def _hold(self, new: npt.NDArray[np.int64], needed: npt.NDArray[np.int64]) -> None:
        """Outline chips, and put them in the place of those that are not needed any more."""
        free = np.flatnonzero(~np.isin(self.held, needed))
        more = len(new) - len(free)
        if more > 0:
            free = np.append(free, np.arange(len(self.held), len(self.held) + more))
            self.held = np.append(self.held, np.full(more, -1))
        done = 0
        for found in self.outline([self.chips.chip(int(k)) for k in new]):
            if len(self.pictures) < len(self.held):
                fresh = np.empty((len(self.held), *found.shape[1:]), np.float32)
                if len(self.pictures):
                    fresh[: len(self.pictures)] = self.pictures
                self.pictures = fresh
            places = free[done : done + len(found)]
            self.held[places], self.pictures[places] = new[done : done + len(found)], found
            done += len(found)

    def _touching(self, strip: Window) -> npt.NDArray[np.int64]:
        """Which of the chosen chips may touch a strip."""
        _, edges = self.grid.to_lonlat(0.0, np.array([strip.row, strip.row + strip.height]))
        # No place is further from a chip's centre on the ground than in the azimuthal frame: half a diagonal.
        room = np.degrees(self.chips.side_m / np.sqrt(2) / self.grid.radius_m)
        near = (self._latitudes > edges.min() - room) & (self._latitudes < edges.max() + room)
        touching: npt.NDArray[np.int64] = self.chosen[near]
        return touching

    @cached_property
    def _latitudes(self) -> npt.NDArray[np.float64]:
        """Of the chosen chips' centres, degrees."""
        x, y = self.chips.cells[self.chosen].T * self.chips.stride_m
        return azimuthal_inverse(x, y, self.crater.lon, self.crater.lat, self.grid.radius_m).lat
