"""Whole pictures from a mosaic, in a crater's azimuthal frame or along a great circle.

A picture is made row by row: pixel coordinates of a row's places, then their values. A row stays in the cache, nothing
larger is ever stored.

Coordinates are exact at every 32nd pixel of every 32nd row and interpolated between these by cubic polynomials, with an
error below 0.01 mosaic pixels. Where that takes more, it is every 16th or 8th; where it takes more than that, about the
poles, each pixel's are computed.
"""

import math

import numba
import numpy as np

from ejectamap.world.sampling import NOWHERE, arctan2, sample_run, workspace

_FAST = {"contract", "nsz"}
_STEPS = (32, 16, 8)
_TOLERANCE_PX = 0.01


@numba.njit(cache=True, nogil=True)
def sample_picture(level, lon_west, curved, frame, x, y, values, valid):  # type: ignore[no-untyped-def]
    """Sample a rectangle of a frame on the sphere.

    Parameters
    ----------
    level : tuple
        Image, words and mask, as in `sampling.sample_pixels`.
    lon_west : float
        Longitude of the image's left edge, in radians.
    curved : bool
        Whether the frame is azimuthal equidistant about its centre, rather than oblique cylindrical: x along the great
        circle that leaves the centre eastwards, y at right angles to it.
    frame : array (3, 3)
        Unit vectors up, along x and along y at the frame's centre, in the body's frame.
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
        lattice, rough = _fill_lattice(image.shape, lon_west, curved, frame, nodes)
        if not rough.any():
            break
    full = NOWHERE if rough.any() else _full_part(mask, image.shape, lattice)
    cubics, line = np.empty((2, lattice.shape[2], 4)), np.empty((2, lattice.shape[2]))
    flat_values, flat_valid = values.reshape((values.shape[0], -1)), valid.reshape(-1)
    for i in range(y.size):
        k = i // step
        if i % step == 0:
            _fit_cubics(lattice[k : k + 4], image.shape[1], cubics)
            first, last = _rough_part(rough[k : k + 4], step, x.size)
        _interpolate(cubics, step, i, line, work[0])
        if first < last:
            _to_vectors(curved, frame, x[first:last], y[i], vectors)
            _to_pixels(vectors, lon_west, image.shape, work[0], first, last)
        sample_run(level, full, work, flat_values, flat_valid, i * x.size)


@numba.njit(cache=True, nogil=True)
def _nodes(x, step):  # type: ignore[no-untyped-def]
    """Every step-th of evenly spaced coordinates, from one before the first to one behind the last block's end."""
    spacing = (x[-1] - x[0]) / max(x.size - 1, 1)
    return x[0] + (np.arange(-(-x.size // step) + 3) - 1) * (step * spacing)


@numba.njit(cache=True, nogil=True)
def _fill_lattice(shape, lon_west, curved, frame, nodes):  # type: ignore[no-untyped-def]
    """Column and row of nodes, (n, 2, m), columns running on over the dateline; which are too near a pole, (n, m).

    Cubic interpolation between nodes at a distance s errs by 3/128 s^4 times the fourth derivative. Longitude turns
    about a pole like the angle of a complex number z, whose fourth derivative is 6 / z^4; latitude varies no faster.
    """
    (x, y), (_, width, _) = nodes, shape
    lattice, vectors = np.empty((y.size, 2, x.size)), np.empty((3, x.size))
    rough = np.empty((y.size, x.size), np.bool_)
    step = max(abs(x[1] - x[0]), abs(y[1] - y[0]))
    least = step * (2 * 6 * 3 / 128 * width / (2 * math.pi) / _TOLERANCE_PX) ** 0.25
    for i in range(y.size):
        _to_vectors(curved, frame, x, y[i], vectors)
        _to_pixels(vectors, lon_west, shape, lattice[i], 0, x.size)
        for j in range(x.size):
            rough[i, j] = vectors[0, j] ** 2 + vectors[1, j] ** 2 <= least**2
            before = lattice[i, 0, j - 1] if j else lattice[max(i - 1, 0), 0, 0]
            lattice[i, 0, j] -= width * np.rint((lattice[i, 0, j] - before) / width)
    lattice[:, 0] -= width * math.floor(lattice[:, 0].min() / width)
    return lattice, rough


@numba.njit(cache=True, nogil=True)
def _rough_part(rough, step, size):  # type: ignore[no-untyped-def]
    """First column, and the one behind the last, of a run of rows that must not be interpolated; (0, 0) if all can be.

    `rough` (4, m) tells of the nodes around these rows, each of which counts for three blocks of columns.
    """
    first, last = size, 0
    for j in range(rough.shape[1]):
        if rough[:, j].any():
            first, last = min(first, max(j - 3, 0) * step), max(last, min((j + 1) * step, size))
    return (first, last) if first < last else (0, 0)


@numba.njit(cache=True, nogil=True)
def _full_part(mask, shape, lattice):  # type: ignore[no-untyped-def]
    """First and last column and row of what a lattice spans if there is data everywhere, else `NOWHERE`."""
    height, width, _ = shape
    first_col = max(math.floor(lattice[:, 0].min()) // 8 * 8, 0)
    last_col = min(math.floor(lattice[:, 0].max()) // 8 * 8 + 7, width // 8 * 8 - 1)
    first_row = max(math.floor(lattice[:, 1].min()), 0)
    last_row = min(math.floor(lattice[:, 1].max()), height - 1)
    bits = np.uint8(255)
    for r in range(first_row, last_row + 1):
        for k in range(first_col >> 3, (last_col >> 3) + 1):
            bits &= mask[r, k]
    return (first_col, last_col, first_row, last_row) if bits == 255 else NOWHERE


@numba.njit(cache=True, nogil=True)
def _fit_cubics(nodes, width, cubics):  # type: ignore[no-untyped-def]
    """Polynomials (2, m, 4) down through four rows of nodes (4, 2, m), between the second and the third.

    Around a pole, columns that run on from node to node come back another time round: here they run on again.
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
def _interpolate(cubics, step, i, line, places):  # type: ignore[no-untyped-def]
    """Column and row (2, m) of the places of a picture's row, from the polynomials of the nodes around it."""
    down = (i % step) / step
    for axis in range(2):
        for j in range(line.shape[1]):
            a, b, c, d = cubics[axis, j]
            line[axis, j] = a + down * (b + down * (c + down * d))
        for block in range(line.shape[1] - 3):
            a, b, c, d = _cubic(line[axis, block : block + 4])
            out = places[axis, block * step : (block + 1) * step]
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
def _to_vectors(curved, frame, x, y, vectors):  # type: ignore[no-untyped-def]
    """Unit vectors (3, m) of one row of a frame (see `sample_picture`).

    The sine and cosine of x and of hypot(x, y) are their Taylor series: error below 1e-9 up to pi.
    """
    aside = 1.0 if curved else math.cos(y)
    for j in range(x.size):
        s = x[j] * x[j] + (y * y if curved else 0.0)
        cosine = 1 - s / 132 * (
            1 - s / 182 * (1 - s / 240 * (1 - s / 306 * (1 - s / 380 * (1 - s / 462))))
        )
        cosine = 1 - s / 2 * (1 - s / 12 * (1 - s / 30 * (1 - s / 56 * (1 - s / 90 * cosine))))
        sinc = 1 - s / 156 * (
            1 - s / 210 * (1 - s / 272 * (1 - s / 342 * (1 - s / 420 * (1 - s / 506))))
        )
        sinc = 1 - s / 6 * (1 - s / 20 * (1 - s / 42 * (1 - s / 72 * (1 - s / 110 * sinc))))
        up, east = aside * cosine, aside * sinc * x[j]
        north = sinc * y if curved else math.sin(y)
        for k in range(3):
            vectors[k, j] = up * frame[0, k] + east * frame[1, k] + north * frame[2, k]


@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def _to_pixels(vectors, lon_west, shape, places, first, last):  # type: ignore[no-untyped-def]
    """Column and row, in part of some places (2, m), of the first unit vectors (3, n) in an image of a shape."""
    for j in range(first, last):
        k = j - first
        x, y, z = vectors[0, k], vectors[1, k], vectors[2, k]
        east = arctan2(y, x) - lon_west
        east += 2 * math.pi if east < 0.0 else 0.0
        south = math.pi / 2 - arctan2(z, math.sqrt(x * x + y * y))
        places[0, j] = east * (shape[1] / (2 * math.pi))
        places[1, j] = south * (shape[0] / math.pi)
