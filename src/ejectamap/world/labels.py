"""Labels: one ejecta mask per labelled crater, and the tiles within which the labels are complete."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ejectamap.world.grid import Bools, Grid, Window

Indices = npt.NDArray[np.intp]
Value = TypeVar("Value", bound=np.generic)


@dataclass(frozen=True)
class Tile:
    """A window of the mosaic in which ejecta were labelled completely: every crater's, or those of some craters.

    Attributes
    ----------
    tile_id : int
        Unique, 0 or more.
    window : Window
        In mosaic pixels; it may wrap around the mosaic's right edge.
    craters : frozenset of int or None
        Ids of the craters whose ejecta were labelled in it; None means all of the catalogue.
    """

    tile_id: int
    window: Window
    craters: frozenset[int] | None = None

    def is_labelled_for(self, crater_id: int) -> bool:
        """Whether the ejecta of a crater were labelled in the tile."""
        return self.craters is None or crater_id in self.craters


@dataclass(frozen=True)
class Labels:
    """Ejecta masks of the labelled craters.

    Attributes
    ----------
    grid : Grid
        The mosaic's.
    masks : mapping of int to (Window, bool array)
        By crater id: the smallest window that holds the crater's ejecta, and the mask of the ejecta in it.
        An empty window (0 x 0) means that the crater has no ejecta in the tiles. `PackedMasks` saves memory
        if there are many.
    tiles : tuple of Tile, or None
        Where the labels are complete. None means within the reach of each labelled crater.
    """

    grid: Grid
    masks: Mapping[int, tuple[Window, Bools]]
    tiles: tuple[Tile, ...] | None

    def read(self, crater_id: int, window: Window) -> Bools:
        """Mask of one crater's ejecta over a window, shape (height, width); all False if it is not labelled."""
        if crater_id not in self.masks:
            return np.zeros(window.shape, bool)
        if isinstance(self.masks, PackedMasks):
            return self.masks.read(crater_id, window, self.grid.width)
        return extract_window(*self.masks[crater_id], window, self.grid.width)

    def sample(self, crater_id: int, lon: npt.ArrayLike, lat: npt.ArrayLike) -> Bools:
        """Whether the pixels that contain places (degrees, any shape) are ejecta of one crater."""
        col, row = np.broadcast_arrays(*self.grid.to_pixel(lon, lat))
        ejecta = np.zeros(col.shape, bool)
        if crater_id in self.masks:
            window, read_pixels = self._pixel_reader(crater_id)
            r = np.minimum(row.astype(np.intp), self.grid.height - 1) - window.row
            c = (col.astype(np.intp) - window.col) % self.grid.width
            inside = (r >= 0) & (r < window.height) & (c < window.width)
            ejecta[inside] = read_pixels(r[inside], c[inside])
        return ejecta

    def _pixel_reader(self, crater_id: int) -> tuple[Window, Callable[[Indices, Indices], Bools]]:
        """A crater's window, and a function from rows and columns in it to whether these pixels are ejecta."""
        if isinstance(self.masks, PackedMasks):
            return self.masks.window(crater_id), partial(self.masks.read_pixels, crater_id)
        window, mask = self.masks[crater_id]
        return window, lambda row, col: mask[row, col]

    def sample_any(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> Bools:
        """Whether the pixels that contain places (degrees, any shape) are ejecta of any labelled crater."""
        union = np.zeros(np.broadcast_shapes(np.shape(lon), np.shape(lat)), bool)
        for crater_id in self.masks:
            union |= self.sample(crater_id, lon, lat)
        return union

    def any_ejecta(self, window: Window) -> Bools:
        """Mask of all labelled craters' ejecta over a window, shape (height, width)."""
        union = np.zeros(window.shape, bool)
        for crater_id in self.masks:
            union |= self.read(crater_id, window)
        return union


class PackedMasks(Mapping[int, tuple[Window, Bools]]):
    """Masks of many craters, stored with one bit per pixel; only the part that is read is unpacked.

    Parameters
    ----------
    masks : iterable of (int, Window, bool array)
        Crater id, window, and mask of the ejecta in it. They are packed one at a time.
    """

    def __init__(self, masks: Iterable[tuple[int, Window, Bools]]) -> None:
        self._bits = {k: (window, np.packbits(mask, axis=1)) for k, window, mask in masks}

    def __getitem__(self, crater_id: int) -> tuple[Window, Bools]:
        window, bits = self._bits[crater_id]
        return window, np.unpackbits(bits, axis=1, count=window.width).view(bool)

    def __contains__(self, crater_id: object) -> bool:
        return crater_id in self._bits  # the method of `Mapping` would unpack the mask

    def __iter__(self) -> Iterator[int]:
        return iter(self._bits)

    def __len__(self) -> int:
        return len(self._bits)

    def window(self, crater_id: int) -> Window:
        """Window of a crater's mask."""
        return self._bits[crater_id][0]

    def read(self, crater_id: int, target: Window, grid_width: int) -> Bools:
        """Mask of one crater's ejecta over a window, shape (height, width)."""
        window, bits = self._bits[crater_id]
        part = np.zeros(target.shape, bool)
        for rows, cols, destination in _intersections(window, target, grid_width):
            first = cols.start // 8
            unpacked = np.unpackbits(bits[rows, first : -(-cols.stop // 8)], axis=1).view(bool)
            part[destination] = unpacked[:, cols.start - 8 * first : cols.stop - 8 * first]
        return part

    def read_pixels(self, crater_id: int, row: Indices, col: Indices) -> Bools:
        """Whether pixels, given by row and column in a crater's window, are ejecta."""
        bits = self._bits[crater_id][1]
        ejecta: Bools = (bits[row, col // 8] >> (7 - col % 8).astype(np.uint8)) & 1 == 1
        return ejecta


def extract_window(
    window: Window, values: npt.NDArray[Value], target: Window, grid_width: int, fill: float = 0
) -> npt.NDArray[Value]:
    """Extract a window from an array that covers another window; pixels outside of that one are `fill`.

    Parameters
    ----------
    window : Window
        What the array covers; it may wrap around the grid's right edge.
    values : array (window height, window width)
    target : Window
        What to extract; it may wrap around too.
    grid_width : int
        Columns of the grid, in pixels.
    fill : float

    Returns
    -------
    array (target height, target width), of the same data type
    """
    part = np.full(target.shape, fill, values.dtype)
    for rows, cols, destination in _intersections(window, target, grid_width):
        part[destination] = values[rows, cols]
    return part


def joint_window(windows: Iterable[Window], grid_width: int) -> Window:
    """Smallest window that holds several, which may wrap around as they may; 0 x 0 if they are all empty."""
    filled = [window for window in windows if window.height and window.width]
    if not filled:
        return Window(0, 0, 0, 0)
    marked = np.zeros(grid_width, bool)
    for window in filled:
        marked[np.arange(window.col, window.col + window.width) % grid_width] = True
    top = min(window.row for window in filled)
    bottom = max(window.row + window.height for window in filled)
    first, width = shortest_span(np.flatnonzero(marked), grid_width)
    return Window(top, first, bottom - top, width)


def shortest_span(columns: Indices, grid_width: int) -> tuple[int, int]:
    """First column and width of the shortest span that holds some columns (sorted, at least one), wrapped around."""
    if columns.size == grid_width:
        return 0, grid_width
    gaps = np.diff(columns, append=columns[0] + grid_width)
    widest = int(np.argmax(gaps))
    return int(columns[(widest + 1) % columns.size]), int(grid_width - gaps[widest] + 1)


def _intersections(
    window: Window, target: Window, grid_width: int
) -> Iterator[tuple[slice, slice, tuple[slice, slice]]]:
    """Rectangles that two windows have in common: rows and columns in the first, and index in the second.

    There may be two of them, because columns wrap around.
    """
    top = max(window.row, target.row)
    bottom = min(window.row + window.height, target.row + target.height)
    # Columns wrap around: the window may also intersect the target one grid width further west or east.
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


def crop_to_ones(window: Window, mask: Bools, grid_width: int) -> tuple[Window, Bools]:
    """Crop a mask to the smallest window that holds its ones, which may wrap around; 0 x 0 if there are none."""
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0:
        return Window(0, 0, 0, 0), np.zeros((0, 0), bool)
    cols = np.sort((window.col + np.flatnonzero(mask.any(axis=0))) % grid_width)
    first, width = shortest_span(cols, grid_width)
    small = Window(window.row + int(rows[0]), first, int(rows[-1] - rows[0]) + 1, width)
    return small, extract_window(window, mask, small, grid_width)


def as_raster(
    window: Window, values: npt.NDArray[np.uint8], grid: Grid
) -> tuple[Window, npt.NDArray[np.uint8]]:
    """Crop values (row, col) for a file: to the smallest window that holds those above 0 and does not wrap around.

    It has whole rows where it would wrap around, and one pixel where all values are 0.
    """
    small, _ = crop_to_ones(window, values > 0, grid.width)
    if small.width == 0:
        small = Window(0, 0, 1, 1)
    elif small.col + small.width > grid.width:
        small = Window(small.row, 0, small.height, grid.width)
    return small, extract_window(window, values, small, grid.width)
