"""The geometry of a global raster: where its pixels are on the sphere, and windows of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from affine import Affine

from ejectamap.world.sphere import Array, LonLat, wrap_longitude

Bools = npt.NDArray[np.bool_]
STRIP_PIXELS = 2**22
"""Pixels that are processed at a time where arrays of a whole window would be too large."""


@dataclass(frozen=True)
class Window:
    """A rectangle of a grid, in pixels. Columns past the right edge wrap around to the left.

    Attributes
    ----------
    row, col : int
        First row, 0 at the north; first column, 0 <= col < grid width.
    height, width : int
    """

    row: int
    col: int
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (height, width) of an array over this window."""
        return self.height, self.width


def windows_overlap(first: Window, second: Window, grid_width: int) -> bool:
    """Whether two windows of a grid have a pixel in common; either may wrap around its right edge."""
    return bool(overlap_matrix([first], [second], grid_width)[0, 0])


def overlap_matrix(first: Sequence[Window], second: Sequence[Window], grid_width: int) -> Bools:
    """Which windows of one sequence have a pixel in common with which of another.

    Parameters
    ----------
    first, second : sequence of Window
        Any of them may wrap around the grid's right edge, or be empty: an empty window overlaps none.
    grid_width : int
        Columns of the grid, in pixels.

    Returns
    -------
    bool array (len(first), len(second))
    """
    row1, col1, height1, width1 = _window_columns(first)[:, :, None]
    row2, col2, height2, width2 = _window_columns(second)
    rows = np.maximum(row1, row2) < np.minimum(row1 + height1, row2 + height2)
    # Columns between the windows' left edges, counted eastwards around the globe.
    col2_from_col1, col1_from_col2 = (col2 - col1) % grid_width, (col1 - col2) % grid_width
    columns = (col2_from_col1 < width1) | (col1_from_col2 < width2)
    return np.asarray(rows & columns & (width1 > 0) & (width2 > 0))


def _window_columns(windows: Sequence[Window]) -> npt.NDArray[np.int64]:
    """Row, col, height and width of windows, as an array of shape (4, n)."""
    table = [(window.row, window.col, window.height, window.width) for window in windows]
    return np.array(table, np.int64).reshape(-1, 4).T


@dataclass(frozen=True)
class Grid:
    """A whole-globe raster in an equidistant cylindrical projection on a sphere.

    Attributes
    ----------
    height, width : int
        Size in pixels. The columns span 360 degrees, the rows all latitudes.
    radius_m : float
        Radius of the sphere, from the raster's CRS.
    lon_west : float
        Longitude of the left edge, in degrees: -180 or 0 for nearly all mosaics.
    crs : str
        The CRS as WKT.
    transform : Affine
        From (col, row) to the CRS's own coordinates.
    lat_north, lat_south : float
        Latitudes of the upper and the lower edge, in degrees: 90 and -90, or up to a row beyond the poles where the
        edges of a mosaic's rows are not at the poles. Ground beyond a pole does not exist and has no data.
    """

    height: int
    width: int
    radius_m: float
    lon_west: float
    crs: str
    transform: Affine
    lat_north: float = 90.0
    lat_south: float = -90.0

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (height, width) of an array over the whole grid."""
        return self.height, self.width

    @property
    def pixel_m(self) -> float:
        """Height of a pixel on the ground, in metres; at the equator also its width."""
        return float(np.pi * self.radius_m / self.height * (self.span_deg / 180.0))

    @property
    def span_deg(self) -> float:
        """Degrees of latitude from the upper to the lower edge: 180, or little more."""
        return self.lat_north - self.lat_south

    @property
    def whole(self) -> Window:
        """The window that is the whole grid."""
        return Window(0, 0, self.height, self.width)

    @cached_property
    def row_area_m2(self) -> Array:
        """Exact ground area of one pixel in each row, in square metres; shape (height,)."""
        edges_deg = np.linspace(self.lat_north, self.lat_south, self.height + 1)
        edges = np.sin(np.radians(np.clip(edges_deg, -90.0, 90.0)))
        return -np.diff(edges) * self.radius_m**2 * 2 * np.pi / self.width

    def to_lonlat(self, col: npt.ArrayLike, row: npt.ArrayLike) -> LonLat:
        """Places (degrees) at fractional pixel coordinates; a pixel's centre is at +0.5."""
        lon = self.lon_west + np.asarray(col, np.float64) * (360.0 / self.width)
        return LonLat(
            wrap_longitude(lon),
            self.lat_north - np.asarray(row, np.float64) * (self.span_deg / self.height),
        )

    def to_pixel(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[Array, Array]:
        """Fractional pixel coordinates (col, row) of places (degrees); 0 <= col < width."""
        east = np.remainder(np.subtract(lon, self.lon_west), 360.0)
        col = east * (self.width / 360.0)
        row = (self.lat_north - np.asarray(lat, np.float64)) * (self.height / self.span_deg)
        return np.where(col >= self.width, 0.0, col), row

    def to_xy(self, col: npt.ArrayLike, row: npt.ArrayLike) -> tuple[Array, Array]:
        """Coordinates x and y in the CRS at fractional pixel coordinates; a pixel's centre is at +0.5."""
        x = self.transform.c + np.asarray(col, np.float64) * self.transform.a
        y = self.transform.f + np.asarray(row, np.float64) * self.transform.e
        return x, y

    def inside(self, window: Window, lon: npt.ArrayLike, lat: npt.ArrayLike) -> Bools:
        """Whether places (degrees) lie in a window; any shape."""
        col, row = self.to_pixel(lon, lat)
        across = np.remainder(col - window.col, self.width) < window.width
        inside: Bools = across & (row >= window.row) & (row < window.row + window.height)
        return inside

    def columns(self, window: Window) -> npt.NDArray[np.intp]:
        """Column indices of a window, wrapped around; shape (window width,)."""
        return np.arange(window.col, window.col + window.width) % self.width

    def centres(self, window: Window) -> LonLat:
        """Places of a window's pixel centres: lon of shape (1, width), lat of shape (height, 1)."""
        lon, _ = self.to_lonlat(np.arange(window.col, window.col + window.width) + 0.5, 0.0)
        _, lat = self.to_lonlat(0.0, np.arange(window.row, window.row + window.height) + 0.5)
        return LonLat(lon[None, :], lat[:, None])

    def window_centre(self, window: Window) -> LonLat:
        """Centre of a window, in degrees; arrays of shape ()."""
        return self.to_lonlat(window.col + window.width / 2, window.row + window.height / 2)

    def window_centres(self, windows: Sequence[Window]) -> LonLat:
        """Centres of windows, in degrees; arrays of shape (len(windows),)."""
        row, col, height, width = _window_columns(windows)
        return self.to_lonlat(col + width / 2, row + height / 2)

    def window_of(self, transform: Affine, shape: tuple[int, int]) -> Window:
        """Window that a raster on this grid covers: the inverse of `window_transform`.

        Parameters
        ----------
        transform : Affine
            From the raster's (col, row) to coordinates of this grid's CRS. It is taken for granted that the raster's
            pixels are pixels of the grid; the offset is rounded to whole pixels.
        shape : tuple of int
            Height and width of the raster, in pixels.
        """
        col, row = ~self.transform @ (transform.c, transform.f)
        return Window(round(row), round(col), *shape)

    def window_transform(self, window: Window) -> Affine:
        """Affine transform of a window's own (col, row) to the CRS's coordinates."""
        return self.transform @ Affine.translation(window.col, window.row)

    def cap_window(self, lon: float, lat: float, radius_m: float) -> Window:
        """Smallest window that holds all ground within a distance (metres) of a place.

        Where the cap holds a pole or crosses the raster's left edge the window takes whole rows, so
        that it is one rectangle that every raster program can read.
        """
        reach_deg = np.degrees(radius_m / self.radius_m)
        south_deg = self.lat_north - lat
        top = max(0, int(np.floor((south_deg - reach_deg) * self.height / self.span_deg)))
        bottom = min(
            self.height, int(np.ceil((south_deg + reach_deg) * self.height / self.span_deg))
        )
        whole_rows = Window(top, 0, bottom - top, self.width)
        if abs(lat) + reach_deg >= 90.0:
            return whole_rows
        half_deg = np.degrees(np.arcsin(np.sin(np.radians(reach_deg)) / np.cos(np.radians(lat))))
        centre = ((lon - self.lon_west) % 360.0) * self.width / 360.0
        half_px = half_deg * self.width / 360.0
        left, right = int(np.floor(centre - half_px)), int(np.ceil(centre + half_px))
        if left < 0 or right > self.width:
            return whole_rows
        return Window(top, left, bottom - top, right - left)

    def strips(self, window: Window, max_pixels: int | None = None) -> Iterator[Window]:
        """Cut a window into strips of whole rows, of at most `max_pixels` (`STRIP_PIXELS`) pixels, north to south."""
        rows = max(1, (max_pixels or STRIP_PIXELS) // window.width)
        for row in range(window.row, window.row + window.height, rows):
            height = min(rows, window.row + window.height - row)
            yield Window(row, window.col, height, window.width)

    def blocks(self, window: Window, side: int) -> Iterator[Window]:
        """Cut a window into squares of at most `side` pixels a side, row by row."""
        for row in range(0, window.height, side):
            for col in range(0, window.width, side):
                yield Window(
                    window.row + row,
                    (window.col + col) % self.width,
                    min(side, window.height - row),
                    min(side, window.width - col),
                )
