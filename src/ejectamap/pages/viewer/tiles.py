"""Map tiles: squares of the globe in plate carree that the browser loads, read from any raster on the mosaic's grid.

At zoom 0 the globe is two tiles of 180 x 180 degrees from longitude -180, latitude 90; each zoom halves their side.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rasterio.windows import Window as RasterWindow

from ejectamap.world.grid import Grid, Window
from ejectamap.world.sphere import Array

Values = npt.NDArray[np.generic]
Read = Callable[[RasterWindow, tuple[int, int]], Values]

TILE_PX = 512


@dataclass(frozen=True)
class MapTile:
    """One map tile; `x` counts eastwards, `y` southwards."""

    zoom: int
    x: int
    y: int

    @property
    def side_deg(self) -> float:
        """Side in degrees."""
        return float(180.0 * 0.5**self.zoom)

    @property
    def exists(self) -> bool:
        """Whether the globe has such a tile."""
        rows = 1 << self.zoom
        return 0 <= self.y < rows and 0 <= self.x < 2 * rows

    def lons(self) -> Array:
        """Longitudes of the pixel centres, west to east, in degrees."""
        step = self.side_deg / TILE_PX
        return np.asarray(-180.0 + self.x * self.side_deg + (np.arange(TILE_PX) + 0.5) * step)

    def lats(self) -> Array:
        """Latitudes of the pixel centres, north to south, in degrees."""
        step = self.side_deg / TILE_PX
        return np.asarray(90.0 - self.y * self.side_deg - (np.arange(TILE_PX) + 0.5) * step)

    def reduction(self, grid: Grid) -> float:
        """Pixels of the grid along a side of one pixel of the tile."""
        return self.side_deg / TILE_PX * grid.width / 360.0


def finest_zoom(grid: Grid) -> int:
    """Zoom at which a tile's pixels are no larger than the grid's."""
    return max(0, int(np.ceil(np.log2(grid.width / (2 * TILE_PX)))))


def fill_tile(tile: MapTile, grid: Grid, covered: Window, read: Read, out: Values) -> None:
    """Write the part of a tile that a raster covers into an array; the rest of the array is not changed.

    Parameters
    ----------
    tile : MapTile
    grid : Grid
        The mosaic's.
    covered : Window
        Part of the grid that the raster covers.
    read : callable
        From a window of the raster (fractional pixels) and a shape to values (band, *shape).
    out : array (band, TILE_PX, TILE_PX)
    """
    step = tile.side_deg / TILE_PX
    south_px, east_px = step * grid.height / grid.span_deg, step * grid.width / 360.0
    top = tile.y * TILE_PX * south_px + (grid.lat_north - 90.0) * grid.height / grid.span_deg
    west_deg = -180.0 + tile.x * tile.side_deg
    left = (west_deg - grid.lon_west) % 360.0 * grid.width / 360.0
    for rows, row_off, height in _overlap(top, south_px, covered.row, covered.height):
        for turns in (-1, 0, 1):  # longitudes repeat every 360 degrees
            start = left + turns * grid.width
            for cols, col_off, width in _overlap(start, east_px, covered.col, covered.width):
                shape = rows.stop - rows.start, cols.stop - cols.start
                out[:, rows, cols] = read(RasterWindow(col_off, row_off, width, height), shape)


def _overlap(
    start: float, scale: float, first: int, size: int
) -> Iterator[tuple[slice, float, float]]:
    """Along one axis, pixels of a tile whose centres are in a raster, and the offset and size of what they cover there.

    Yields one item, or none if they do not overlap. `scale` is the number of raster pixels per pixel of the tile.
    """
    begin = max(0, int(np.ceil((first - start) / scale - 0.5)))
    end = min(TILE_PX, int(np.ceil((first + size - start) / scale - 0.5)))
    if begin < end:
        low = max(start + begin * scale - first, 0.0)
        high = min(start + end * scale - first, float(size))
        yield slice(begin, end), low, high - low
