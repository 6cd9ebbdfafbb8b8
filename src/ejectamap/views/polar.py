"""The polar view: all surroundings of a crater in one picture whose columns are azimuth and rows are range.

Rays become nearly vertical stripes, a rotation about the crater becomes a circular shift of the columns, and the ground
between the crater and a pixel lies in the pixel's column.
"""

import math
from dataclasses import dataclass
from functools import cached_property, partial

import numba
import numpy as np

from ejectamap.views.azimuthal_grid import resample_to_grid
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.mosaic import Floats
from ejectamap.world.sampling import arctan2
from ejectamap.world.sphere import Array, LonLat, destination

_FIRST_ROW_RADII = 0.5
_RUN = 256  # places processed together: their intermediate values fit the first-level cache


@dataclass(frozen=True)
class PolarView:
    """A polar grid around a crater.

    Rows are evenly spaced in a power of the range, from half a crater radius outwards, so that cells are small near the
    crater and grow with range. Columns are evenly spaced in azimuth over the full circle.

    Attributes
    ----------
    crater : Crater
    radius_m : float
        Radius of the body.
    range_m : float
        Range of the outer edge of the last row, in metres.
    rows, cols : int
    power : float
        Power of the range in which rows are evenly spaced; 0.5 by default.
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

    @classmethod
    def of_crater(
        cls, crater: Crater, radius_m: float, polar_px: tuple[int, int], power: float
    ) -> "PolarView":
        """The view out to a crater's reach; `polar_px` is the size (rows, cols) for a reach of 0.25."""
        size = polar_size(crater.reach, *polar_px)
        return cls(crater, radius_m, crater.reach_m(radius_m), *size, power=power)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (rows, cols) of the picture."""
        return self.rows, self.cols

    @property
    def _inner_outer(self) -> tuple[float, float]:
        """Powers of the range at the inner edge of the first row and at the outer edge of the last one."""
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
        """Longitudes and latitudes of the cell centres, each of shape (rows, cols)."""
        return self._places

    @cached_property
    def _places(self) -> LonLat:
        # Cached, because bands, distances and labels are all computed from them.
        return destination(
            self.crater.lon,
            self.crater.lat,
            self.column_bearings_deg()[None, :],
            self.row_ranges_m()[:, None],
            self.radius_m,
        )

    def cell_spacing_m(self) -> Array:
        """Ground size of the cells in each row, the square root of their area, in metres; shape (rows, 1)."""
        return np.sqrt(self.cell_area_m2())

    def cell_area_m2(self) -> Array:
        """Ground area of a cell in each row, in square metres; shape (rows, 1)."""
        edges = np.cos(self.row_edges_m() / self.radius_m)
        return (-np.diff(edges) * self.radius_m**2 * 2 * np.pi / self.cols)[:, None]

    def to_grid(self, values: Floats, grid: Grid, window: Window) -> Floats:
        """Resample polar values to a window of the mosaic's grid, bilinearly.

        Parameters
        ----------
        values : float32 array (rows, cols)
        grid : Grid
        window : Window

        Returns
        -------
        float32 array (height, width); see `interpolate`.
        """
        return resample_to_grid(
            self.crater, grid, window, self.range_m, partial(self.interpolate, values)
        )

    def interpolate(self, values: Floats, x_m: Array, y_m: Array) -> Floats:
        """Interpolate polar values bilinearly at places of the crater's azimuthal frame.

        Parameters
        ----------
        values : float32 array (rows, cols)
        x_m, y_m : array
            Metres east and north of the crater's centre; they broadcast.

        Returns
        -------
        float32 array; nan beyond the view's range. Places nearer than the first row's centre get that row's values.
        """
        x_m, y_m = np.broadcast_arrays(x_m, y_m)
        out = np.empty(x_m.size, np.float32)
        turn = self.turn_deg / 360.0
        geometry = (*self._inner_outer, self.power, turn, self.range_m)
        _interpolate(values, x_m.ravel(), y_m.ravel(), geometry, out)
        return out.reshape(x_m.shape)


def polar_size(reach: float, rows: int, cols: int) -> tuple[int, int]:
    """Size (rows, cols) of a crater's view; it grows with the reach, so that far cells stay about the same size.

    `rows` and `cols` apply to a reach of 0.25. Both results are multiples of 32, the usual stride of encoders.
    """
    col_factor = np.sin(np.pi * min(max(reach, 0.25), 0.5)) / np.sin(np.pi * 0.25)
    row_factor = np.sqrt(max(reach, 0.25) / 0.25)
    return 32 * max(1, round(rows * row_factor / 32)), 32 * max(1, round(cols * col_factor / 32))


@numba.njit(cache=True, nogil=True)
def _interpolate(values, x, y, geometry, out):  # type: ignore[no-untyped-def]
    """Fill out (n,) with polar values at places (n,).

    `geometry` is the inner and the outer edge as powers of the range, the power, the turn (as a fraction of the full
    circle), and the range in metres.
    """
    row, col = np.empty(_RUN), np.empty(_RUN)
    for start in range(0, x.size, _RUN):
        run = slice(start, min(start + _RUN, x.size))
        _to_cells(x[run], y[run], geometry, values.shape, row, col)
        _bilinear(values, row, col, out[run])


@numba.njit(cache=True, nogil=True, fastmath={"contract", "nsz"})
def _to_cells(x, y, geometry, shape, row, col):  # type: ignore[no-untyped-def]
    """Fill row and col with fractional rows and columns of places in a polar picture; row is nan beyond the range."""
    inner, outer, power, turn, range_m = geometry
    rows_per_unit = shape[0] / (outer - inner)
    for i in range(x.size):
        distance_m = math.sqrt(x[i] * x[i] + y[i] * y[i])
        # The tolerance keeps ground at the antipode within a range of pi R in spite of rounding.
        row[i] = distance_m if distance_m <= range_m * (1 + 1e-12) else math.nan
        turns = arctan2(x[i], y[i]) / (2 * math.pi) - turn
        col[i] = (turns - math.floor(turns)) * shape[1] - 0.5
    for i in range(x.size):
        scaled = math.sqrt(row[i]) if power == 0.5 else row[i] ** power
        row[i] = (scaled - inner) * rows_per_unit - 0.5


@numba.njit(cache=True, nogil=True)
def _bilinear(values, row, col, out):  # type: ignore[no-untyped-def]
    """Fill out with bilinear interpolation in a polar picture; rows are clamped, columns wrap around."""
    rows, cols = values.shape
    for i in range(out.size):
        if math.isnan(row[i]):
            out[i] = math.nan
            continue
        r = min(max(row[i], 0.0), rows - 1.0)
        r0 = min(int(r), rows - 2)
        c0 = math.floor(col[i])
        fr = r - r0
        fc = col[i] - c0
        left, right = c0 % cols, (c0 + 1) % cols
        inner_value = values[r0, left] * (1 - fc) + values[r0, right] * fc
        outer_value = values[r0 + 1, left] * (1 - fc) + values[r0 + 1, right] * fc
        out[i] = inner_value * (1 - fr) + outer_value * fr
