"""Read a finished map from its folder."""

from collections.abc import Iterable
from functools import lru_cache
from math import log2
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from ejectamap.maps.origin import Origins
from ejectamap.maps.rasters import (
    NO_DATA,
    Bytes,
    probabilities,
    read_mask,
    read_overview,
    read_stored,
)
from ejectamap.maps.state import crater_path
from ejectamap.outputs import reading_raster
from ejectamap.world.grid import Bools, Grid, Window
from ejectamap.world.labels import Labels, extract_window
from ejectamap.world.mosaic import Floats
from ejectamap.world.sphere import Array

_OVERVIEW_PX = 6000
_REMEDY = "run ejectamap map again"


class MapReader:
    """The rasters of a project's map folder. One crater's rasters, and the origin map, are held in memory at a time.

    Every method that reads raises `OutputError` where a file is missing or damaged.
    """

    def __init__(self, folder: Path, grid: Grid) -> None:
        self.folder = folder
        self.grid = grid
        self.as_labels = lru_cache(1)(self._load_mask)
        """One crater's mask as `Labels`, by its id."""
        self._stored = lru_cache(1)(self._load_stored)
        self._whole_origin = lru_cache(1)(self._read_origin)

    def mask(self, crater_id: int, window: Window) -> Bools:
        """One crater's mask over any window of the grid, shape (height, width)."""
        return self.as_labels(crater_id).read(crater_id, window)

    def stored(self, crater_id: int, window: Window) -> Bytes:
        """One crater's stored probability (`STEPS` times) over any window; `NO_DATA` where unknown."""
        return extract_window(*self._stored(crater_id), window, self.grid.width, fill=NO_DATA)

    def origin(self, window: Window) -> Origins:
        """Id + 1 of the likeliest crater over any window, 0 for none, shape (height, width)."""
        rows = self._whole_origin()[window.row : window.row + window.height]
        return rows[:, self.grid.columns(window)]

    def origin_overview(self) -> Origins:
        """The same for the whole globe, thinned out to at most about 6000 columns."""
        step = -(-self.grid.width // _OVERVIEW_PX)
        return self._read_origin(out_shape=(self.grid.height // step, self.grid.width // step))

    def overlaps_overview(self, crater_ids: Iterable[int]) -> Origins:
        """Id + 1 of a further crater that has ejecta where the likeliest one has, 0 for none; thinned out as that is.

        Where there are several it is the first of them.
        """
        first = self.origin_overview()
        second: Origins = np.zeros(first.shape, np.uint32)
        step = self.grid.width // first.shape[1]
        for crater_id in crater_ids:
            window, mask = read_overview(self._path(crater_id, "mask"), self.grid, step)
            top, left = round(window.row / step), round(window.col / step)
            area = np.s_[top : top + mask.shape[0], left : left + mask.shape[1]]
            origin, other = first[area], second[area]
            further = mask[: origin.shape[0], : origin.shape[1]] == 1
            further &= (origin > 0) & (origin != crater_id + 1) & (other == 0)
            other[further] = crater_id + 1
        return second

    @property
    def origin_type(self) -> np.dtype[np.unsignedinteger[Any]]:
        """Type of what `origin` returns, from the file's header."""
        with reading_raster(self.folder / "origin.tif", _REMEDY) as source:
            kind: np.dtype[np.unsignedinteger[Any]] = np.dtype(source.dtypes[0])
            return kind

    def sample(
        self, crater_id: int, lon: npt.ArrayLike, lat: npt.ArrayLike, spacing_m: float = 0.0
    ) -> Floats:
        """One crater's probability at places (degrees), nan where unknown.

        Values are interpolated bilinearly, so that an enlarged view shows no steps. Where the places are farther apart
        than pixels (`spacing_m`, metres), an overview is read whose pixels are no larger than that.
        """
        step = 2 ** int(log2(max(1.0, spacing_m / self.grid.pixel_m)))
        window, thinned = read_overview(self._path(crater_id, "probability"), self.grid, step)
        col, row = np.broadcast_arrays(*self.grid.to_pixel(lon, lat))
        r, c = row - window.row, (col - window.col) % self.grid.width
        inside = (r >= 0) & (r < window.height) & (c < window.width)
        value = np.full(col.shape, np.nan, np.float32)
        if inside.any():
            down, across = np.divide(thinned.shape, window.shape)
            value[inside] = _interpolate(thinned, r[inside] * down, c[inside] * across)
        return value

    def _load_mask(self, crater_id: int) -> Labels:
        """One crater's map, as labels."""
        mask = read_mask(self._path(crater_id, "mask"), self.grid)
        return Labels(self.grid, {crater_id: mask}, None)

    def _load_stored(self, crater_id: int) -> tuple[Window, Bytes]:
        return read_stored(self._path(crater_id, "probability"), self.grid)

    def _read_origin(self, **part: Any) -> Origins:
        path = self.folder / "origin.tif"
        with reading_raster(path, _REMEDY) as source:
            values: Origins = source.read(1, **part)
        return values

    def _path(self, crater_id: int, kind: str) -> Path:
        return crater_path(self.folder, crater_id, kind)


def _interpolate(stored: Bytes, row: Array, col: Array) -> Floats:
    """Probabilities at fractional rows and columns of a raster of stored ones, nan where unknown."""
    rows, cols = (slice(max(0, int(x.min()) - 1), int(x.max()) + 2) for x in (row, col))
    part, row, col = probabilities(stored[rows, cols]), row - rows.start, col - cols.start
    unknown = np.isnan(part[row.astype(int), col.astype(int)])
    places = row - 0.5, col - 0.5
    smooth = map_coordinates(np.nan_to_num(part), places, order=1, mode="nearest")
    interpolated: Floats = np.where(unknown, np.float32(np.nan), smooth)
    return interpolated
