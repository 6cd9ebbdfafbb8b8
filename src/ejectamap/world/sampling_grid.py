"""Rectangular sampling grids in a crater's azimuthal frame or along a great circle, and their sampling from a mosaic.

The compiled loops sample a grid row by row: first the mosaic pixel coordinates of a row's points, then their values.
Intermediate arrays hold one row, which fits into the processor's cache.

Pixel coordinates are computed exactly at every 32nd point of every 32nd row (the nodes), and between the nodes they are
interpolated by cubic polynomials, with an error below 0.01 mosaic pixels. Where that bound requires it, the nodes are
every 16th or 8th point; near the poles, where that is not sufficient either, every point is computed exactly.
"""

import math
from dataclasses import dataclass

import numba
import numpy as np

from ejectamap.world.sampling import EMPTY_RANGE, arctan2, sample_run, workspace
from ejectamap.world.sphere import Array, local_frame

_FAST = {"contract", "nsz"}
_STEPS = (32, 16, 8)
_TOLERANCE_PX = 0.01


@dataclass(frozen=True)
class SamplingGrid:
    """A rectangular grid of points in an azimuthal equidistant frame, or in a frame along a great circle.

    Attributes
    ----------
    is_azimuthal : bool
        True: the frame is azimuthal equidistant about its centre. False: it is oblique equidistant cylindrical, with x
        along the great circle that leaves the centre along the second axis and y at right angles to it.
    axes : array (3, 3)
        Unit vectors up, along x and along y at the frame's centre, in the body's frame, one a row.
    x_m, y_m : array (m,), (n,)
        Coordinates of the grid's columns and rows in metres, evenly spaced.
    spacing_m : float
        Ground distance between neighbouring points, in metres. If it exceeds the mosaic's pixel size, the pyramid
        level with the nearest pixel size is sampled, to avoid aliasing.
    """

    is_azimuthal: bool
    axes: Array
    x_m: Array
    y_m: Array
    spacing_m: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.y_m), len(self.x_m)

    @classmethod
    def azimuthal(
        cls, lon: float, lat: float, x_m: Array, y_m: Array, spacing_m: float
    ) -> "SamplingGrid":
        """Make a grid in the azimuthal frame of (lon, lat) in degrees: x east and y north at the centre."""
        return cls(True, local_frame(lon, lat), x_m, y_m, spacing_m)

    @classmethod
    def along_great_circle(
        cls,
        lon: float,
        lat: float,
        bearing_deg: float,
        along_m: Array,
        across_m: Array,
        spacing_m: float,
    ) -> "SamplingGrid":
        """Make a grid along the great circle that leaves (lon, lat) at a bearing, and across it to its right."""
        up, right, forward = local_frame(lon, lat, bearing_deg)
        return cls(False, np.stack([up, forward, right]), along_m, across_m, spacing_m)


@numba.njit(cache=True, nogil=True)
def sample_grid_rows(level, edges, is_azimuthal, axes, x, y, values, valid):  # type: ignore[no-untyped-def]
    """Sample the points of a `SamplingGrid` bilinearly.

    Parameters
    ----------
    level : tuple
        Image, words and mask, as in `sampling.sample_pixels`.
    edges : tuple of float
        Longitude of the image's left edge, latitude of its upper edge, and latitudes that it spans, in radians.
    is_azimuthal : bool
    axes : array (3, 3)
        Both as in `SamplingGrid`.
    x, y : array (m,), (n,)
        Coordinates of columns and rows, evenly spaced, in radians of arc, -pi to pi.
    values : float32 array (bands, n, m)
        Output: 0 where there is no data.
    valid : bool array (n, m)
        Output: whether at least half of the bilinear weight fell on data.
    """
    image, _, mask = level
    work, vectors = workspace(x.size), np.empty((3, x.size))
    for step in _STEPS:
        nodes = _nodes(x, step), _nodes(y, step)
        node_pixels, near_pole = _compute_node_pixels(image.shape, edges, is_azimuthal, axes, nodes)
        if not near_pole.any():
            break
    full = EMPTY_RANGE if near_pole.any() else _full_range(mask, image.shape, node_pixels)
    cubics, line = np.empty((2, node_pixels.shape[2], 4)), np.empty((2, node_pixels.shape[2]))
    flat_values, flat_valid = values.reshape((values.shape[0], -1)), valid.reshape(-1)
    for i in range(y.size):
        k = i // step
        if i % step == 0:
            _fit_cubics(node_pixels[k : k + 4], image.shape[1], cubics)
            first, last = _exact_columns(near_pole[k : k + 4], step, x.size)
        _interpolate(cubics, step, i, line, work[0])
        if first < last:
            _to_vectors(is_azimuthal, axes, x[first:last], y[i], vectors)
            _to_pixels(vectors, edges, image.shape, work[0], first, last)
        sample_run(level, full, work, flat_values, flat_valid, i * x.size)


@numba.njit(cache=True, nogil=True)
def _nodes(x, step):  # type: ignore[no-untyped-def]
    """Every step-th of evenly spaced coordinates, from one before the first to one beyond the end of the last block."""
    spacing = (x[-1] - x[0]) / max(x.size - 1, 1)
    return x[0] + (np.arange(-(-x.size // step) + 3) - 1) * (step * spacing)


@numba.njit(cache=True, nogil=True)
def _compute_node_pixels(shape, edges, is_azimuthal, axes, nodes):  # type: ignore[no-untyped-def]
    """Compute the pixel coordinates of nodes, and which nodes are too near a pole for interpolation.

    The error of cubic interpolation between nodes at a distance s is 3/128 s^4 times the fourth derivative. Around a
    pole, longitude varies like the argument of a complex number z, whose fourth derivative is 6 / z^4; latitude varies
    no faster.

    Returns
    -------
    array (n, 2, m)
        Column and row of each node. Columns are continuous across the dateline, and may exceed the image's width.
    bool array (n, m)
        Where interpolation next to a node may exceed the tolerance.
    """
    (x, y), (_, width, _) = nodes, shape
    node_pixels, vectors = np.empty((y.size, 2, x.size)), np.empty((3, x.size))
    near_pole = np.empty((y.size, x.size), np.bool_)
    step = max(abs(x[1] - x[0]), abs(y[1] - y[0]))
    least = step * (2 * 6 * 3 / 128 * width / (2 * math.pi) / _TOLERANCE_PX) ** 0.25
    for i in range(y.size):
        _to_vectors(is_azimuthal, axes, x, y[i], vectors)
        _to_pixels(vectors, edges, shape, node_pixels[i], 0, x.size)
        for j in range(x.size):
            near_pole[i, j] = vectors[0, j] ** 2 + vectors[1, j] ** 2 <= least**2
            before = node_pixels[i, 0, j - 1] if j else node_pixels[max(i - 1, 0), 0, 0]
            node_pixels[i, 0, j] -= width * np.rint((node_pixels[i, 0, j] - before) / width)
    node_pixels[:, 0] -= width * math.floor(node_pixels[:, 0].min() / width)
    return node_pixels, near_pole


@numba.njit(cache=True, nogil=True)
def _exact_columns(near_pole, step, size):  # type: ignore[no-untyped-def]
    """Range of columns (first, last + 1) that must not be interpolated between two rows of nodes; (0, 0) if none.

    `near_pole` (4, m) marks the nodes of the four rows that the interpolation uses; each node affects the three blocks
    of columns around it.
    """
    first, last = size, 0
    for j in range(near_pole.shape[1]):
        if near_pole[:, j].any():
            first, last = min(first, max(j - 3, 0) * step), max(last, min((j + 1) * step, size))
    return (first, last) if first < last else (0, 0)


@numba.njit(cache=True, nogil=True)
def _full_range(mask, shape, node_pixels):  # type: ignore[no-untyped-def]
    """First and last column and row that the nodes span if every pixel there has data, else `EMPTY_RANGE`."""
    height, width, _ = shape
    first_col = max(math.floor(node_pixels[:, 0].min()) // 8 * 8, 0)
    last_col = min(math.floor(node_pixels[:, 0].max()) // 8 * 8 + 7, width // 8 * 8 - 1)
    first_row = max(math.floor(node_pixels[:, 1].min()), 0)
    last_row = min(math.floor(node_pixels[:, 1].max()), height - 1)
    bits = np.uint8(255)
    for r in range(first_row, last_row + 1):
        for k in range(first_col >> 3, (last_col >> 3) + 1):
            bits &= mask[r, k]
    return (first_col, last_col, first_row, last_row) if bits == 255 else EMPTY_RANGE


@numba.njit(cache=True, nogil=True)
def _fit_cubics(nodes, width, cubics):  # type: ignore[no-untyped-def]
    """Fit cubic polynomials (2, m, 4) through four rows of nodes (4, 2, m), for use between the second and the third.

    Around a pole, columns that are continuous along one row of nodes may differ by a multiple of the image's width from
    those of the next row. These multiples are removed here.
    """
    for axis in range(2):
        for j in range(cubics.shape[1]):
            four = nodes[:, axis, j].copy()
            if axis == 0:
                before = cubics[0, j - 1, 0] if j else four[1]
                four -= width * np.rint((four - four[1]) / width)
                four -= width * np.rint((four[1] - before) / width)
            for power, factor in enumerate(_cubic(four)):
                cubics[axis, j, power] = factor
    cubics[0, :, 0] -= width * math.floor(cubics[0, :, 0].min() / width)


@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def _interpolate(cubics, step, i, line, points):  # type: ignore[no-untyped-def]
    """Interpolate column and row (2, m) of the points of one grid row, from the polynomials between its nodes."""
    down = (i % step) / step
    for axis in range(2):
        for j in range(line.shape[1]):
            a, b, c, d = cubics[axis, j]
            line[axis, j] = a + down * (b + down * (c + down * d))
        for block in range(line.shape[1] - 3):
            a, b, c, d = _cubic(line[axis, block : block + 4])
            out = points[axis, block * step : (block + 1) * step]
            for j in range(out.size):
                right = j * (1.0 / step)
                out[j] = a + right * (b + right * (c + right * d))


@numba.njit(cache=True, nogil=True)
def _cubic(v):  # type: ignore[no-untyped-def]
    """Coefficients of the cubic polynomial through values at -1, 0, 1 and 2."""
    return (
        v[1],
        v[2] - v[1] / 2 - v[0] / 3 - v[3] / 6,
        (v[0] + v[2]) / 2 - v[1],
        (v[1] - v[2]) / 2 + (v[3] - v[0]) / 6,
    )


@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def _to_vectors(is_azimuthal, axes, x, y, vectors):  # type: ignore[no-untyped-def]
    """Compute unit vectors (3, m) of one row of grid points, in the body's frame.

    The sine and cosine of x and of hypot(x, y) are computed by their Taylor series: error below 1e-9 up to pi.
    """
    cos_across = 1.0 if is_azimuthal else math.cos(y)
    for j in range(x.size):
        s = x[j] * x[j] + (y * y if is_azimuthal else 0.0)
        cosine = 1 - s / 132 * (
            1 - s / 182 * (1 - s / 240 * (1 - s / 306 * (1 - s / 380 * (1 - s / 462))))
        )
        cosine = 1 - s / 2 * (1 - s / 12 * (1 - s / 30 * (1 - s / 56 * (1 - s / 90 * cosine))))
        sinc = 1 - s / 156 * (
            1 - s / 210 * (1 - s / 272 * (1 - s / 342 * (1 - s / 420 * (1 - s / 506))))
        )
        sinc = 1 - s / 6 * (1 - s / 20 * (1 - s / 42 * (1 - s / 72 * (1 - s / 110 * sinc))))
        up, east = cos_across * cosine, cos_across * sinc * x[j]
        north = sinc * y if is_azimuthal else math.sin(y)
        for k in range(3):
            vectors[k, j] = up * axes[0, k] + east * axes[1, k] + north * axes[2, k]


@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def _to_pixels(vectors, edges, shape, points, first, last):  # type: ignore[no-untyped-def]
    """Write the column and row of the first unit vectors (3, n) into columns `first` to `last` of `points` (2, m)."""
    for j in range(first, last):
        k = j - first
        x, y, z = vectors[0, k], vectors[1, k], vectors[2, k]
        east = arctan2(y, x) - edges[0]
        east += 2 * math.pi if east < 0.0 else 0.0
        south = edges[1] - arctan2(z, math.sqrt(x * x + y * y))
        points[0, j] = east * (shape[1] / (2 * math.pi))
        points[1, j] = south * (shape[0] / edges[2])
