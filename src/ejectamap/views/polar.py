"""The polar view: a crater's whole surroundings in one picture, columns azimuth, rows range.

Rays become near-vertical stripes, a rotation of the planet about the crater becomes a circular roll of the columns, and
every pixel is in one column with all the ground between it and the crater.
"""

from dataclasses import dataclass
from functools import cached_property

import numba
import numpy as np
import numpy.typing as npt

from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.sphere import Array, LonLat, azimuthal_forward, destination

Floats = npt.NDArray[np.float32]
_FIRST_ROW_RADII = 0.5
_STRIP_PIXELS = 2**20


@dataclass(frozen=True)
class PolarView:
    """A polar grid around a crater, out to some range.

    Rows are evenly spaced in a power of the range, from half a crater radius outwards, which keeps near ground fine
    and far ground no coarser than needed; columns are evenly spaced in azimuth and close the circle.

    Attributes
    ----------
    crater : Crater
    radius_m : float
        Radius of the body.
    range_m : float
        Range of the outer edge of the last row, in metres.
    rows, cols : int
    power : float
        Exponent of range in which rows are even; 0.5 by default.
    turn_deg : float
        Azimuth of the left edge of the first column.
    """

    crater: Crater
    radius_m: float
    range_m: float
    rows: int
    cols: int
    power: float = 0.5
    turn_deg: float = 0.0

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (rows, cols) of the picture."""
        return self.rows, self.cols

    @property
    def _inner_outer(self) -> tuple[float, float]:
        inner = _FIRST_ROW_RADII * self.crater.radius_m
        return inner**self.power, self.range_m**self.power

    def row_edges_m(self) -> Array:
        """Ranges of the edges of rows, in metres; shape (rows + 1,)."""
        inner, outer = self._inner_outer
        return np.linspace(inner, outer, self.rows + 1) ** (1.0 / self.power)

    def row_ranges_m(self) -> Array:
        """Ranges of row centres, in metres; shape (rows,)."""
        inner, outer = self._inner_outer
        middle = inner + (np.arange(self.rows) + 0.5) / self.rows * (outer - inner)
        return np.asarray(middle ** (1.0 / self.power), np.float64)

    def column_bearings_deg(self) -> Array:
        """Azimuths of column centres, in degrees clockwise from north; shape (cols,)."""
        middle = self.turn_deg + (np.arange(self.cols) + 0.5) * (360.0 / self.cols)
        return np.asarray(middle, np.float64)

    def places(self) -> LonLat:
        """Places of the cell centres, each of shape (rows, cols)."""
        return self._places

    @cached_property
    def _places(self) -> LonLat:  # bands, rivals and labels all ask for them
        return destination(
            self.crater.lon,
            self.crater.lat,
            self.column_bearings_deg()[None, :],
            self.row_ranges_m()[:, None],
            self.radius_m,
        )

    def cell_spacing_m(self) -> Array:
        """Mean ground size of the cells in each row, geometric mean of depth and width, in metres; (rows, 1)."""
        return np.sqrt(self.cell_area_m2())

    def cell_area_m2(self) -> Array:
        """Ground area of a cell in each row, in square metres; shape (rows, 1)."""
        edges = np.cos(self.row_edges_m() / self.radius_m)
        return (-np.diff(edges) * self.radius_m**2 * 2 * np.pi / self.cols)[:, None]

    def onto_grid(self, values: Floats, grid: Grid, window: Window) -> Floats:
        """Bring polar values back onto the mosaic's grid, bilinearly.

        Parameters
        ----------
        values : float32 array (rows, cols)
        grid : Grid
        window : Window

        Returns
        -------
        float32 array (height, width); nan beyond the view's range. Inside the first row's middle its values go on to
        the centre.
        """
        out = np.empty(window.shape, np.float32)
        for strip in grid.strips(window, _STRIP_PIXELS):
            lon, lat = grid.centres(strip)
            x_m, y_m = azimuthal_forward(lon, lat, self.crater.lon, self.crater.lat, self.radius_m)
            top = strip.row - window.row
            out[top : top + strip.height] = self.look_up(values, x_m, y_m)
        return out

    def look_up(self, values: Floats, x_m: Array, y_m: Array) -> Floats:
        """Polar values at places of the crater's azimuthal frame, bilinearly.

        Parameters
        ----------
        values : float32 array (rows, cols)
        x_m, y_m : array
            Metres east and north of the crater's centre; they broadcast.

        Returns
        -------
        float32 array; nan beyond the view's range. Inside the first row's middle its values go on to the centre.
        """
        inner, outer = self._inner_outer
        range_m = np.hypot(x_m, y_m)
        row = (range_m**self.power - inner) / (outer - inner) * self.rows - 0.5
        bearing = np.degrees(np.arctan2(x_m, y_m)) - self.turn_deg
        col = np.remainder(bearing, 360.0) * (self.cols / 360.0) - 0.5
        found = _bilinear(values, row.ravel(), col.ravel()).reshape(range_m.shape)
        return np.where(range_m <= self.range_m, found, np.float32(np.nan))


def polar_size(reach: float, rows: int, cols: int) -> tuple[int, int]:
    """Size (rows, cols) of the view of a crater: grows with its reach so that far cells stay about as small.

    `rows` and `cols` hold for a reach of 0.25; both come out as multiples of 32, the usual stride of encoders.
    """
    widest = np.sin(np.pi * min(max(reach, 0.25), 0.5)) / np.sin(np.pi * 0.25)
    deeper = np.sqrt(max(reach, 0.25) / 0.25)
    return 32 * max(1, round(rows * deeper / 32)), 32 * max(1, round(cols * widest / 32))


@numba.njit(cache=True, nogil=True)
def _bilinear(values, row, col):  # type: ignore[no-untyped-def]
    """Bilinear lookup in a polar picture: rows clamp, columns wrap around."""
    rows, cols = values.shape
    out = np.empty(row.size, np.float32)
    for i in range(row.size):
        r = min(max(row[i], 0.0), rows - 1.0)
        r0 = min(int(r), rows - 2)
        c0 = int(np.floor(col[i]))
        fr = r - r0
        fc = col[i] - c0
        left, right = c0 % cols, (c0 + 1) % cols
        near = values[r0, left] * (1 - fc) + values[r0, right] * fc
        far = values[r0 + 1, left] * (1 - fc) + values[r0 + 1, right] * fc
        out[i] = near * (1 - fr) + far * fr
    return out
