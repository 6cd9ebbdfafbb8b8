"""The way back from a crater's own frame: where every pixel of the mosaic's grid lies in it, in one compiled pass."""

import math
from collections.abc import Callable

import numba
import numpy as np

from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.mosaic import Floats
from ejectamap.world.sampling import arctan2
from ejectamap.world.sphere import XY, Array, distance

_BLOCK_PX = 256
_FAST = {"contract", "nsz"}


def resample_to_grid(
    crater: Crater,
    grid: Grid,
    window: Window,
    reach_m: float,
    look: Callable[[Array, Array], Floats],
) -> Floats:
    """What there is in a crater's frame, brought back onto the mosaic's grid.

    Parameters
    ----------
    crater : Crater
    grid : Grid
    window : Window
    reach_m : float
        Ground distance from the crater in metres beyond which nothing is looked at.
    look : callable
        From places, float64 arrays (height, width) of metres east and north of the crater, nan beyond the reach, to
        float32 values of them.

    Returns
    -------
    float32 array (height, width); nan in blocks beyond the reach.
    """
    out = np.empty(window.shape, np.float32)
    # In blocks: whole rows of a planet would go through all chips of a crater before they come back to the first.
    for block in grid.blocks(window, _BLOCK_PX):
        top, left = block.row - window.row, (block.col - window.col) % grid.width
        here = np.s_[top : top + block.height, left : left + block.width]
        if _is_beyond(crater, grid, block, reach_m):
            out[here] = np.nan
        else:
            out[here] = look(*azimuthal_coordinates(crater, grid, block, reach_m))
    return out


def _is_beyond(crater: Crater, grid: Grid, block: Window, reach_m: float) -> bool:
    """Whether all of a block is surely beyond a crater's reach."""
    half_height, half_width = block.height / 2, block.width / 2
    away_m = float(distance(crater.lon, crater.lat, *grid.window_centre(block), grid.radius_m))
    return away_m - (half_height + half_width) * grid.pixel_m > reach_m


def azimuthal_coordinates(crater: Crater, grid: Grid, window: Window, reach_m: float) -> XY:
    """Azimuthal coordinates of the pixel centres of a window, about a crater.

    The same as `sphere.azimuthal_forward`, within 0.1 m on Mercury (see `world.sampling`), and many times quicker.

    Parameters
    ----------
    crater : Crater
    grid : Grid
    window : Window
    reach_m : float
        Ground distance from the crater in metres beyond which nothing is asked for.

    Returns
    -------
    x_m, y_m : float64 arrays (height, width)
        Metres east and north; nan beyond the reach.
    """
    lon, lat = grid.centres(window)
    across, phi = np.radians(lon.ravel() - crater.lon), np.radians(lat.ravel())
    columns = np.stack([np.sin(across), np.cos(across)])
    rows = np.stack([np.sin(phi), np.cos(phi)])
    out = np.empty((2, *window.shape))
    _frame(rows, columns, math.radians(crater.lat), grid.radius_m, reach_m / grid.radius_m, out)
    return XY(*out)


@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def _frame(rows, columns, phi0, radius_m, reach, out):  # type: ignore[no-untyped-def]
    """Fill out (2, n, m) from sines and cosines of latitudes (2, n) and of longitudes about the crater (2, m)."""
    sin0, cos0 = math.sin(phi0), math.cos(phi0)
    for i in range(rows.shape[1]):
        sin_phi, cos_phi = rows[0, i], rows[1, i]
        for j in range(columns.shape[1]):
            east = cos_phi * columns[0, j]
            north = cos0 * sin_phi - sin0 * cos_phi * columns[1, j]
            cos_d = sin0 * sin_phi + cos0 * cos_phi * columns[1, j]
            sin_d = math.sqrt(east * east + north * north)
            d = arctan2(sin_d, cos_d)
            scale = radius_m * d / max(sin_d, 1e-300) if d <= reach else math.nan
            # At the centre x is 0, and at the antipode, where every direction is right, pi R.
            out[0, i, j] = scale * east if sin_d > 0 else radius_m * d
            out[1, i, j] = scale * north
