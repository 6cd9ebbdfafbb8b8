"""What people drew: one ejecta mask per labelled crater, and the tiles in which that is all."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ejectamap.world.grid import Grid, Window

Bools = npt.NDArray[np.bool_]
Value = TypeVar("Value", bound=np.generic)


@dataclass(frozen=True)
class Tile:
    """A window of the mosaic in which every crater's ejecta were labelled.

    Attributes
    ----------
    tile_id : int
        Unique, 0 or more.
    window : Window
        In mosaic pixels; may run over the right edge.
    """

    tile_id: int
    window: Window


@dataclass(frozen=True)
class Labels:
    """Ejecta masks of the labelled craters.

    Attributes
    ----------
    grid : Grid
        The mosaic's.
    masks : mapping of int to (Window, bool array)
        By crater id: the smallest window that holds the crater's ejecta, and where they are in it.
        An empty window (0 x 0) is a crater that has no ejecta in the tiles.
    tiles : tuple of Tile, or None
        Where the labels are complete; None: within the reach of each labelled crater.
    """

    grid: Grid
    masks: Mapping[int, tuple[Window, Bools]]
    tiles: tuple[Tile, ...] | None

    def read(self, crater_id: int, window: Window) -> Bools:
        """Ejecta of one crater over a window, shape (height, width); none if it is not labelled."""
        if crater_id not in self.masks:
            return np.zeros(window.shape, bool)
        return cut(*self.masks[crater_id], window, self.grid.width)

    def sample(self, crater_id: int, lon: npt.ArrayLike, lat: npt.ArrayLike) -> Bools:
        """Whether the pixels that hold places (degrees, any shape) are ejecta of one crater."""
        col, row = np.broadcast_arrays(*self.grid.to_pixel(lon, lat))
        ejecta = np.zeros(col.shape, bool)
        if crater_id in self.masks:
            window, mask = self.masks[crater_id]
            r = np.minimum(row.astype(np.intp), self.grid.height - 1) - window.row
            c = (col.astype(np.intp) - window.col) % self.grid.width
            inside = (r >= 0) & (r < window.height) & (c < window.width)
            ejecta[inside] = mask[r[inside], c[inside]]
        return ejecta

    def sample_any(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> Bools:
        """Whether the pixels that hold places (degrees, any shape) are ejecta of any labelled crater."""
        union = np.zeros(np.broadcast_shapes(np.shape(lon), np.shape(lat)), bool)
        for crater_id in self.masks:
            union |= self.sample(crater_id, lon, lat)
        return union

    def any_ejecta(self, window: Window) -> Bools:
        """Ejecta of any labelled crater over a window, shape (height, width)."""
        union = np.zeros(window.shape, bool)
        for crater_id in self.masks:
            union |= self.read(crater_id, window)
        return union


def cut(
    window: Window, values: npt.NDArray[Value], target: Window, grid_width: int, fill: float = 0
) -> npt.NDArray[Value]:
    """Part of an array over `window` that lies in another window; `fill` outside, False by default."""
    part = np.full(target.shape, fill, values.dtype)
    top = max(window.row, target.row)
    bottom = min(window.row + window.height, target.row + target.height)
    if top < bottom:
        rows = values[top - window.row : bottom - window.row]
        here = part[top - target.row : bottom - target.row]
        # Columns are a circle: the window may lie in the target a turn further east or west.
        for first in (window.col - grid_width, window.col, window.col + grid_width):
            left, right = (
                max(first, target.col),
                min(first + window.width, target.col + target.width),
            )
            if left < right:
                here[:, left - target.col : right - target.col] = rows[
                    :, left - first : right - first
                ]
    return part
