"""From overlapping chips straight onto the mosaic's own grid, in one pass and without a reprojected raster between."""

import numba
import numpy as np
import numpy.typing as npt

from ejectamap.views.frame import frame_on_grid
from ejectamap.views.tiling import ChipGrid
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window

Floats = npt.NDArray[np.float32]
_BLOCK_PX = 256


def merge_chips(
    probabilities: Floats,
    chosen: npt.NDArray[np.int64],
    chips: ChipGrid,
    crater: Crater,
    grid: Grid,
    window: Window,
) -> Floats:
    """Average overlapping chips at each mosaic pixel, with weights that fall off towards each chip's edge.

    As published, only the chips that were outlined (the connected ones) are averaged; where there is none, the answer
    is 0. So a single connected chip far out says what it sees, however many chips around it were left out.

    Parameters
    ----------
    probabilities : float32 array (k, n, n)
        Of the k connected chips.
    chosen : int array (k,)
        Which chips of `chips` these are.
    chips : ChipGrid
    crater : Crater
    grid : Grid
    window : Window

    Returns
    -------
    float32 array (height, width); nan beyond the crater's reach.
    """
    slots = np.full((2 * chips.half + 1,) * 2, -1, np.int32)
    cells = chips.cells[chosen] + chips.half
    slots[cells[:, 0], cells[:, 1]] = np.arange(len(chosen))
    up = np.radians(chips.up_deg[chosen])
    towards = np.stack([np.sin(up), np.cos(up)], axis=1)
    out = np.empty(window.shape, np.float32)
    reach_m = crater.reach_m(grid.radius_m)
    # Whole rows of a planet would go through all chips before they come back to the first.
    for block in grid.blocks(window, _BLOCK_PX):
        x_m, y_m = frame_on_grid(crater, grid, block, reach_m)
        top, left = block.row - window.row, (block.col - window.col) % grid.width
        how = towards if chips.radial_up else None, chips.half, chips.stride_m, chips.side_m
        found = _average(probabilities, slots, *how, x_m.ravel(), y_m.ravel())
        out[top : top + block.height, left : left + block.width] = found.reshape(block.shape)
    return out


@numba.njit(cache=True, nogil=True, fastmath={"contract", "nsz"})
def _average(probabilities, slots, towards, half, stride, side, x, y):  # type: ignore[no-untyped-def]
    """Weighted mean over the chips that cover each place, nan where that is nan; see `merge_chips`.

    `towards` are the unit vectors up (east, north) of chips that are turned, (k, 2), or None.
    """
    out = np.zeros(x.size, np.float32)
    per_stride, per_side = 1 / stride, 1 / side
    far = (
        side / 2 if towards is None else side / np.sqrt(2.0)
    )  # along either axis, from a chip's centre
    for p in range(x.size):
        if np.isnan(x[p]):
            out[p] = np.nan
            continue
        total = 0.0
        weights = 0.0
        i_first = max(int(np.ceil((x[p] - far) * per_stride)), -half)
        i_last = min(int(np.floor((x[p] + far) * per_stride)), half)
        j_first = max(int(np.ceil((y[p] - far) * per_stride)), -half)
        j_last = min(int(np.floor((y[p] + far) * per_stride)), half)
        for i in range(i_first, i_last + 1):
            east = (x[p] - i * stride) * per_side
            for j in range(j_first, j_last + 1):
                slot = slots[i + half, j + half]
                if slot < 0:
                    continue
                north = (y[p] - j * stride) * per_side
                right, up = east, north
                if towards is not None:
                    sin, cos = towards[slot, 0], towards[slot, 1]
                    right, up = east * cos - north * sin, east * sin + north * cos
                u, v = right + 0.5, 0.5 - up
                if towards is not None and min(u, 1 - u, v, 1 - v) < 0:
                    continue
                # Never quite 0, so that a place covered by one chip's very edge still has an average.
                weight = (min(u, 1 - u) + 1e-6) * (min(v, 1 - v) + 1e-6)
                weights += weight
                total += weight * _bilinear(probabilities, slot, u, v)
        if weights > 0:
            out[p] = total / weights
    return out


@numba.njit(cache=True, nogil=True, fastmath={"contract", "nsz"})
def _bilinear(pictures, k, u, v):  # type: ignore[no-untyped-def]
    """Value of the k-th square picture at fractions (u, v) of its side from the upper left corner."""
    n = pictures.shape[1]
    c = min(max(u * n - 0.5, 0.0), n - 1.0)
    r = min(max(v * n - 0.5, 0.0), n - 1.0)
    c0 = min(int(c), n - 2)
    r0 = min(int(r), n - 2)
    fc = c - c0
    fr = r - r0
    above = pictures[k, r0, c0] * (1 - fc) + pictures[k, r0, c0 + 1] * fc
    below = pictures[k, r0 + 1, c0] * (1 - fc) + pictures[k, r0 + 1, c0 + 1] * fc
    return above * (1 - fr) + below * fr
