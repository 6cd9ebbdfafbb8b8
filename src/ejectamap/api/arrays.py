"""Rasters as lazy `xarray.DataArray` on the mosaic's pixels, with a CRS as rioxarray and odc-geo keep it.

Nothing is read before values are asked for, and then only the part that is asked for. Coordinates of the same pixel are
the same numbers in all arrays of a project, so that xarray aligns them.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import rioxarray  # noqa: F401  (the accessor .rio)
import xarray as xr
from pyproj import CRS
from xarray.backends import BackendArray
from xarray.core.indexing import (
    ExplicitIndexer,
    IndexingSupport,
    LazilyIndexedArray,
    explicit_indexing_adapter,
)

from ejectamap.world.grid import Grid, Window

Placed = TypeVar("Placed", xr.DataArray, xr.Dataset)
NO_DATA = {"_FillValue": np.nan}
"""Encoding of arrays that are NaN where nothing is known: what rioxarray takes for no-data."""
ReadWindow = Callable[[Window], npt.NDArray[Any]]
"""From a window of the grid to values (..., height, width)."""


class _WindowArray(BackendArray):
    """Values of a window of the grid, read when they are asked for; leading dimensions are read whole."""

    def __init__(
        self, window: Window, read: ReadWindow, dtype: npt.DTypeLike, leading: tuple[int, ...]
    ) -> None:
        self.window = window
        self.read = read
        self.dtype = np.dtype(dtype)
        self.shape = (*leading, *window.shape)

    def __getitem__(self, key: ExplicitIndexer) -> npt.NDArray[Any]:
        values: npt.NDArray[Any] = explicit_indexing_adapter(
            key, self.shape, IndexingSupport.BASIC, self._read
        )
        return values

    def _read(self, key: tuple[int | slice, ...]) -> npt.NDArray[Any]:
        rows, row_key = _span(key[-2], self.shape[-2])
        cols, col_key = _span(key[-1], self.shape[-1])
        if not (len(rows) and len(cols)):
            shape = (*self.shape[:-2], len(rows), len(cols))
            return np.empty(shape, self.dtype)[(*key[:-2], row_key, col_key)]
        window = Window(
            self.window.row + rows.start, self.window.col + cols.start, len(rows), len(cols)
        )
        return self.read(window)[(*key[:-2], row_key, col_key)]


def _span(key: int | slice, size: int) -> tuple[range, int | slice]:
    """The range of indices that holds all those of a key, and the key within it."""
    if not isinstance(key, slice):
        return range(int(key), int(key) + 1), 0
    chosen = range(size)[key]
    if not len(chosen):
        return range(0), slice(None)
    low, high = min(chosen[0], chosen[-1]), max(chosen[0], chosen[-1])
    return range(low, high + 1), slice(None, None, chosen.step)


def lazy_array(
    grid: Grid,
    window: Window,
    read: ReadWindow,
    dtype: npt.DTypeLike,
    name: str,
    attrs: dict[str, Any],
    bands: tuple[str, ...] = (),
) -> xr.DataArray:
    """Make a lazy array over a window of the grid.

    Parameters
    ----------
    grid : Grid
    window : Window
        It must not wrap around.
    read : callable
        From a part of the window to its values.
    dtype : data type
        Of what `read` returns.
    name : str
    attrs : dict
        Attributes, as `long_name` and `units`.
    bands : tuple of str
        Names of the bands, the coordinate of the first dimension `band`; none for an array (y, x).
    """
    leading = (len(bands),) if bands else ()
    array = _WindowArray(window, read, dtype, leading)
    coords: dict[str, Any] = {"band": list(bands)} if bands else {}
    dims = (*coords, "y", "x")
    cols, rows = np.arange(window.width) + window.col, np.arange(window.height) + window.row
    x, y = grid.to_xy(cols + 0.5, rows + 0.5)
    variable = xr.Variable(dims, LazilyIndexedArray(array), attrs)
    values = xr.DataArray(variable, coords={**coords, "y": y, "x": x}, name=name)
    if np.issubdtype(array.dtype, np.floating):
        values.encoding.update(NO_DATA)
    return with_crs(values, CRS.from_wkt(grid.crs))


def with_crs(data: Placed, crs: CRS) -> Placed:
    """The same array or dataset with a CRS: the coordinate `spatial_ref`, and what x and y are."""
    placed: Placed = data.rio.write_crs(crs).rio.write_coordinate_system()
    return placed
