"""What people drew: one ejecta mask per labelled crater, and the tiles in which that is all."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ejectamap.world.grid import Grid, Window

Bools = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]
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
        PackedMasks where there are many.
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
        if isinstance(self.masks, PackedMasks):
            return self.masks.read(crater_id, window, self.grid.width)
        return cut(*self.masks[crater_id], window, self.grid.width)

    def sample(self, crater_id: int, lon: npt.ArrayLike, lat: npt.ArrayLike) -> Bools:
        """Whether the pixels that hold places (degrees, any shape) are ejecta of one crater."""
        col, row = np.broadcast_arrays(*self.grid.to_pixel(lon, lat))
        ejecta = np.zeros(col.shape, bool)
        if crater_id in self.masks:
            window, look_up = self._pixels(crater_id)
            r = np.minimum(row.astype(np.intp), self.grid.height - 1) - window.row
            c = (col.astype(np.intp) - window.col) % self.grid.width
            inside = (r >= 0) & (r < window.height) & (c < window.width)
            ejecta[inside] = look_up(r[inside], c[inside])
        return ejecta

    def _pixels(self, crater_id: int) -> tuple[Window, Callable[[Indices, Indices], Bools]]:
        """A crater's window, and what says whether pixels of it are ejecta."""
        if isinstance(self.masks, PackedMasks):
            return self.masks.window(crater_id), partial(self.masks.at, crater_id)
        window, mask = self.masks[crater_id]
        return window, lambda row, col: mask[row, col]

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


class PackedMasks(Mapping[int, tuple[Window, Bools]]):
    """Masks of many craters in one bit a pixel; what is asked for is unpacked, and no more.

    Parameters
    ----------
    masks : iterable of (int, Window, bool array)
        Crater id, window, and where the ejecta are in it; taken one at a time.
    """

    def __init__(self, masks: Iterable[tuple[int, Window, Bools]]) -> None:
        self._bits = {k: (window, np.packbits(mask, axis=1)) for k, window, mask in masks}

    def __getitem__(self, crater_id: int) -> tuple[Window, Bools]:
        window, bits = self._bits[crater_id]
        return window, np.unpackbits(bits, axis=1, count=window.width).view(bool)

    def __contains__(self, crater_id: object) -> bool:
        return crater_id in self._bits  # Mapping's own would unpack the mask

    def __iter__(self) -> Iterator[int]:
        return iter(self._bits)

    def __len__(self) -> int:
        return len(self._bits)

    def window(self, crater_id: int) -> Window:
        """Where a crater's ejecta are."""
        return self._bits[crater_id][0]

    def read(self, crater_id: int, target: Window, grid_width: int) -> Bools:
        """Ejecta of one crater over a window, shape (height, width)."""
        window, bits = self._bits[crater_id]
        part = np.zeros(target.shape, bool)
        for rows, cols, place in _shared(window, target, grid_width):
            first = cols.start // 8
            unpacked = np.unpackbits(bits[rows, first : -(-cols.stop // 8)], axis=1).view(bool)
            part[place] = unpacked[:, cols.start - 8 * first : cols.stop - 8 * first]
        return part

    def at(self, crater_id: int, row: Indices, col: Indices) -> Bools:
        """Whether pixels of a crater's own window are ejecta."""
        bits = self._bits[crater_id][1]
        found: Bools = (bits[row, col // 8] >> (7 - col % 8).astype(np.uint8)) & 1 == 1
        return found


def cut(
    window: Window, values: npt.NDArray[Value], target: Window, grid_width: int, fill: float = 0
) -> npt.NDArray[Value]:
    """Part of an array over `window` that lies in another window; `fill` outside, False by default."""
    part = np.full(target.shape, fill, values.dtype)
    for rows, cols, place in _shared(window, target, grid_width):
        part[place] = values[rows, cols]
    return part


def _shared(
    window: Window, target: Window, grid_width: int
) -> Iterator[tuple[slice, slice, tuple[slice, slice]]]:
    """What two windows have in common: rows and columns of the one, and its place in the other."""
    top = max(window.row, target.row)
    bottom = min(window.row + window.height, target.row + target.height)
    # Columns are a circle: the window may lie in the target a turn further east or west.
    for first in (window.col - grid_width, window.col, window.col + grid_width):
        left = max(first, target.col)
        right = min(first + window.width, target.col + target.width)
        if top < bottom and left < right:
            yield (
                slice(top - window.row, bottom - window.row),
                slice(left - first, right - first),
                np.s_[
                    top - target.row : bottom - target.row, left - target.col : right - target.col
                ],
            )
