"""Merge overlapping chips on the mosaic's own grid, in one pass, without an intermediate reprojected raster."""

import math

import numba
import numpy as np
import numpy.typing as npt

from ejectamap.views.azimuthal_grid import resample_to_grid
from ejectamap.views.tiling import ChipGrid
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.mosaic import Floats
from ejectamap.world.sphere import Array

_RUN = 256  # pixels processed together: their intermediate values fit the first-level cache
_FAST = {"contract", "nsz"}


def merge_chips(
    probabilities: Floats,
    chosen: npt.NDArray[np.int64],
    chips: ChipGrid,
    crater: Crater,
    grid: Grid,
    window: Window,
) -> Floats:
    """Average overlapping chips at each mosaic pixel, with weights that fall off towards each chip's edge.

    As published, only the predicted (connected) chips are averaged; where there is none, the value is 0. So the
    probabilities of a single connected chip far out are not lowered by the chips around it that were left out.

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
    layout = chips.half, chips.stride_m, chips.side_m

    def average(x_m: Array, y_m: Array) -> Floats:
        means: Floats = _average(probabilities, slots, *layout, x_m.ravel(), y_m.ravel())
        return means.reshape(x_m.shape)

    return resample_to_grid(crater, grid, window, crater.reach_m(grid.radius_m), average)


@numba.njit(cache=True, nogil=True)
def _average(pictures, slots, half, stride, side, x, y):  # type: ignore[no-untyped-def]
    """Weighted mean over the chips that cover each place (x, y); nan where x is nan; see `merge_chips`.

    Places are processed in short runs. Each run goes through the chips around its places layer by layer: first the
    south-western chip of each place, then the next ones. Arithmetic and memory look-ups are separate loops, so that the
    compiler can vectorise the former.
    """
    out = np.empty(x.size, np.float32)
    layers = math.ceil(side / stride - 1e-9)
    flat, size = pictures.reshape(-1), pictures.shape[1]
    cells, slot = np.empty((2, _RUN), np.int32), np.empty(_RUN, np.int64)
    parts, corners = np.empty((3, _RUN), np.float32), np.empty(_RUN, np.int64)
    texels, sums = np.empty((4, _RUN), np.float32), np.empty((2, _RUN), np.float32)
    for start in range(0, x.size, _RUN):
        run = x[start : start + _RUN], y[start : start + _RUN]
        if np.isnan(run[0]).all():
            out[start : start + _RUN] = np.nan
            continue
        sums[:] = 0.0
        _first_cells(run, side / 2, stride, cells)
        for layer in range(layers**2):
            _find_slots(slots, half, cells, run[0].size, slot)
            _weigh(run, cells, slot, (stride, side, size), parts, corners)
            _look_up(flat, size, slot, corners, run[0].size, texels)
            _add(parts, texels, run[0].size, sums)
            _next_cells(cells, layers, layer)
        _divide(run[0], sums, out[start : start + _RUN])
    return out


@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def _first_cells(run, half_side, stride, cells):  # type: ignore[no-untyped-def]
    """The south-western of the chips that may cover each place."""
    per_stride = 1 / stride
    for axis in range(2):
        for p in range(run[axis].size):
            cells[axis, p] = np.int32(np.ceil((run[axis][p] - half_side) * per_stride))


@numba.njit(cache=True, nogil=True)
def _next_cells(cells, layers, layer):  # type: ignore[no-untyped-def]
    """The chip north of each, or at the end of a column the southernmost of the next one."""
    if layer % layers < layers - 1:
        cells[1] += 1
    else:
        cells[0] += 1
        cells[1] -= layers - 1


@numba.njit(cache=True, nogil=True)
def _find_slots(slots, half, cells, count, slot):  # type: ignore[no-untyped-def]
    """Index of the picture of each place's chip; -1 where there is none."""
    for p in range(count):
        i, j = cells[0, p] + half, cells[1, p] + half
        # One comparison tests both bounds: as unsigned numbers negative ones are large.
        if np.uint64(i) <= np.uint64(2 * half) and np.uint64(j) <= np.uint64(2 * half):
            slot[p] = slots[np.uint64(i), np.uint64(j)]
        else:
            slot[p] = -1


@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def _weigh(run, cells, slot, sizes, parts, corners):  # type: ignore[no-untyped-def]
    """Weight of the chip at each place; fractional offsets right and down of a chip pixel, and that pixel's index."""
    (x, y), (stride, side, n) = run, sizes
    per_side, one = 1 / side, np.float32(1)
    for p in range(x.size):
        right = np.float32((x[p] - cells[0, p] * stride) * per_side)
        up = np.float32((y[p] - cells[1, p] * stride) * per_side)
        u, v = right + np.float32(0.5), np.float32(0.5) - up
        across, along = min(u, one - u), min(v, one - v)
        # Never quite 0, so that a place covered only by the very edge of one chip still has a mean.
        least = np.float32(1e-6)
        weight = (max(across, np.float32(0)) + least) * (max(along, np.float32(0)) + least)
        covers = slot[p] >= 0 and across > -least and along > -least
        parts[0, p] = weight if covers else np.float32(0)
        col, row = u * np.float32(n) - np.float32(0.5), v * np.float32(n) - np.float32(0.5)
        c = min(max(np.int32(col), np.int32(0)), np.int32(n - 2))
        r = min(max(np.int32(row), np.int32(0)), np.int32(n - 2))
        parts[1, p] = min(max(col - np.float32(c), np.float32(0)), one)
        parts[2, p] = min(max(row - np.float32(r), np.float32(0)), one)
        corners[p] = r * n + c


@numba.njit(cache=True, nogil=True)
def _look_up(flat, n, slot, corners, count, texels):  # type: ignore[no-untyped-def]
    """The four pixels (4, count) about each place in its chip's picture; 0 where there is none."""
    for p in range(count):
        if slot[p] < 0:
            texels[:, p] = 0.0
            continue
        above = np.uint64(slot[p] * n * n + corners[p])
        below, right = above + np.uint64(n), np.uint64(1)
        texels[0, p], texels[1, p] = flat[above], flat[above + right]
        texels[2, p], texels[3, p] = flat[below], flat[below + right]


@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def _add(parts, texels, count, sums):  # type: ignore[no-untyped-def]
    """Add a layer of chips: weight times bilinear value, and weight."""
    for p in range(count):
        upper = texels[0, p] + parts[1, p] * (texels[1, p] - texels[0, p])
        lower = texels[2, p] + parts[1, p] * (texels[3, p] - texels[2, p])
        sums[0, p] += parts[0, p] * (upper + parts[2, p] * (lower - upper))
        sums[1, p] += parts[0, p]


@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def _divide(x, sums, out):  # type: ignore[no-untyped-def]
    """The mean: 0 where no chip is, nan where x is."""
    for p in range(x.size):
        mean = sums[0, p] / max(sums[1, p], np.float32(1e-30))
        out[p] = mean if x[p] == x[p] else np.float32(np.nan)
