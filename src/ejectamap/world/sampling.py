"""Bilinear sampling of an image: the compiled loops used by `Mosaic`.

Points are processed in short runs, whose coordinates and weights fit into the processor's cache, without holding the
interpreter's lock. No library function is called per pixel, so that the compiler can vectorise the loops; therefore
`arctan2` is a polynomial here (Abramowitz and Stegun 1964, 4.4.49; error below 2e-8 rad, which is 0.0001 pixels on a
mosaic of 23 040 columns).
"""

import math

import numba
import numpy as np
import numpy.typing as npt

_RUN = 256  # points processed together: their indices and weights fit into the first-level cache
# Allows fused multiply-add and ignoring the sign of zero, but no reordering of sums.
_FAST = {"contract", "nsz"}
_LARGE = 2**40  # exceeds any pixel index
EMPTY_RANGE = (0, 0, 0, 0)  # first and last column, first and last row of a range without pixels


@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def arctan2(y, x):  # type: ignore[no-untyped-def]
    """Angle of (x, y) in radians, -pi to pi."""
    long, short = max(abs(x), abs(y)), min(abs(x), abs(y))
    t = short / max(long, 1e-300)
    s = t * t
    a = 0.0028662257
    a = a * s - 0.0161657367
    a = a * s + 0.0429096138
    a = a * s - 0.0752896400
    a = a * s + 0.1065626393
    a = a * s - 0.1420889944
    a = a * s + 0.1999355085
    a = a * s - 0.3333314528
    a = t + t * s * a
    a = math.pi / 2 - a if abs(y) > abs(x) else a
    a = math.pi - a if x < 0.0 else a
    return -a if y < 0.0 else a


def as_words(image: npt.NDArray[np.generic]) -> npt.NDArray[np.uint64]:
    """View an image of bytes (rows, cols, bands) as overlapping 64-bit words.

    One load of a word then reads all bands of two neighbouring pixels.

    Returns
    -------
    uint64 array (n - 7,) or (0,)
        The eight bytes that begin at each byte of the image, the first one lowest. Empty if the image is not of bytes
        or if two of its pixels have more than eight bytes.
    """
    if image.dtype != np.uint8 or image.shape[2] > 4 or image.size < 8:
        return np.empty(0, np.uint64)
    return np.ndarray((image.size - 7,), "<u8", buffer=image.data, strides=(1,))


@numba.njit(cache=True, nogil=True)
def sample_pixels(level, col, row, values, valid):  # type: ignore[no-untyped-def]
    """Sample bilinearly at fractional pixel coordinates of an image.

    Parameters
    ----------
    level : tuple
        The image, an array (rows, cols, bands); its words from `as_words`; and its mask of valid pixels, a uint8 array
        (rows, cols / 8) with one bit per pixel, lowest bit first.
    col, row : array (n,)
        A pixel's centre is at +0.5; 0 <= col <= cols, 0 <= row <= rows.
    values : float32 array (bands, n)
        Output: 0 where there is no data.
    valid : bool array (n,)
        Output: whether at least half of the bilinear weight fell on data.
    """
    for start in range(0, col.size, _RUN):
        stop = min(start + _RUN, col.size)
        work = workspace(stop - start)
        work[0][0], work[0][1] = col[start:stop], row[start:stop]
        sample_run(level, EMPTY_RANGE, work, values, valid, start)


@numba.njit(cache=True, nogil=True)
def workspace(n):  # type: ignore[no-untyped-def]
    """Allocate arrays for n points: column and row; the pixel up left of each; weights right and down; two words."""
    return (
        np.empty((2, n)),
        np.empty((2, n), np.int64),
        np.empty((2, n), np.float32),
        np.empty((2, n), np.uint64),
    )


@numba.njit(cache=True, nogil=True)
def sample_run(level, full, work, values, valid, start):  # type: ignore[no-untyped-def]
    """Sample a run of points: vectorised if the four pixels around each of them are in the image and have data.

    Parameters
    ----------
    level, values, valid
        As in `sample_pixels`; columns may lie beyond the image's left and right edges, across which they wrap around.
    full : tuple of int
        First and last column, first and last row of a part of the image where every pixel has data, or `EMPTY_RANGE`.
    work : tuple of arrays
        A `workspace` that contains the columns and rows.
    start : int
        Index of the run's first point in the output.
    """
    (image, _, mask), (points, corners, weights, _) = level, work
    first_col, last_col, first_row, last_row = _find_corners(points, corners, weights)
    height, width, _ = image.shape
    # Not in the last row: a word that begins at its last pixel but one would end beyond the image.
    inside = first_col >= 0 and last_col < width - 1 and first_row >= 0 and last_row < height - 2
    known = (
        first_col >= full[0] and last_col < full[1] and first_row >= full[2] and last_row < full[3]
    )
    n = points.shape[1]
    if inside and (known or _have_data(mask, corners, n)):
        _blend(level, work, values, valid, start, n)
    else:
        _sample_pieces(level, work, values, valid, start)


@numba.njit(cache=True, nogil=True)
def _sample_pieces(level, work, values, valid, start):  # type: ignore[no-untyped-def]
    """Do the same for points some of which are across the dateline, across a pole or next to no-data.

    Stretches of points between those on the image's edges are still vectorised.
    """
    (image, _, mask), (points, corners, weights, _) = level, work
    _wrap_columns(points, image.shape[1])
    _find_corners(points, corners, weights)
    n, begin = points.shape[1], 0
    while begin < n:
        end = _next_on_edge(image.shape, corners, begin)
        size, first = end - begin, start + begin
        _move_to_front(corners, weights, begin, size)
        if not _have_data(mask, corners, size):
            for j in range(size):
                valid[first + j] = _blend_valid(
                    level, corners[:, j], weights[:, j], values[:, first + j]
                )
        else:
            _blend(level, work, values, valid, first, size)
        if end < n:
            point = start + end
            valid[point] = _blend_valid(level, corners[:, end], weights[:, end], values[:, point])
        begin = end + 1


@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def _wrap_columns(points, width):  # type: ignore[no-untyped-def]
    """Wrap columns beyond the left or right edge around into the image."""
    for j in range(points.shape[1]):
        points[0, j] -= width * math.floor(points[0, j] * (1.0 / width))


@numba.njit(cache=True, nogil=True)
def _next_on_edge(shape, corners, begin):  # type: ignore[no-untyped-def]
    """Index of the next point, from `begin` on, whose four pixels are not adjacent in the image; the size if none."""
    height, width, _ = shape
    for j in range(begin, corners.shape[1]):
        c, r = corners[0, j], corners[1, j]
        if c < 0 or c >= width - 1 or r < 0 or r >= height - 2:
            return j
    return corners.shape[1]


@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def _find_corners(points, corners, weights):  # type: ignore[no-untyped-def]
    """Compute corners and weights of points in place; return the first and last column and row of the corners."""
    first_col, last_col, first_row, last_row = _LARGE, -_LARGE, _LARGE, -_LARGE
    for j in range(points.shape[1]):
        col, row = points[0, j] - 0.5, points[1, j] - 0.5
        c, r = math.floor(col), math.floor(row)
        corners[0, j], corners[1, j] = c, r
        weights[0, j], weights[1, j] = col - c, row - r
        first_col, last_col = min(first_col, c), max(last_col, c)
        first_row, last_row = min(first_row, r), max(last_row, r)
    return first_col, last_col, first_row, last_row


@numba.njit(cache=True, nogil=True)
def _move_to_front(corners, weights, begin, size):  # type: ignore[no-untyped-def]
    """Move `size` points from `begin` to the front: the compiler vectorises only loops that start at 0."""
    for axis in range(2):
        for j in range(size):
            corners[axis, j] = corners[axis, begin + j]
            weights[axis, j] = weights[axis, begin + j]


@numba.njit(cache=True, nogil=True)
def _have_data(mask, corners, size):  # type: ignore[no-untyped-def]
    """Whether all four pixels around each of the first `size` points have data."""
    bits = np.uint8(1)
    for j in range(size):
        c, r = corners[0, j], corners[1, j]
        left, right = c >> 3, (c + 1) >> 3
        bits &= (mask[r, left] & mask[r + 1, left]) >> (c & 7)
        bits &= (mask[r, right] & mask[r + 1, right]) >> ((c + 1) & 7)
    return bits == 1


@numba.njit(cache=True, nogil=True)
def _blend(level, work, values, valid, start, size):  # type: ignore[no-untyped-def]
    """Compute bilinear values of the first `size` points, whose four pixels are adjacent and have data."""
    (image, words, _), (_, corners, weights, pairs) = level, work
    if words.size == 0:
        _blend_values(image, corners, weights, values, start, size)
    else:
        _blend_words(words, image.shape, corners, weights, pairs, values, start, size)
    valid[start : start + size] = True


@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def _blend_values(image, corners, weights, values, start, size):  # type: ignore[no-untyped-def]
    """Do the same as `_blend` for any data type."""
    _, width, bands = image.shape
    flat = image.reshape(-1)
    below = np.uint64(width * bands)
    for b in range(bands):
        out = values[b, start : start + size]
        for j in range(out.size):
            # Unsigned indices need no test for negative values.
            west = np.uint64((corners[1, j] * width + corners[0, j]) * bands + b)
            east = west + np.uint64(bands)
            right, down = weights[0, j], weights[1, j]
            upper = flat[west] + right * (np.float32(flat[east]) - np.float32(flat[west]))
            west += below
            east += below
            lower = flat[west] + right * (np.float32(flat[east]) - np.float32(flat[west]))
            out[j] = upper + down * (lower - upper)


@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def _blend_words(words, shape, corners, weights, pairs, values, start, size):  # type: ignore[no-untyped-def]
    """Do the same as `_blend_values` with two loads per point instead of four per band."""
    _, width, bands = shape
    below = np.uint64(width * bands)
    for j in range(size):
        first = np.uint64((corners[1, j] * width + corners[0, j]) * bands)
        pairs[0, j], pairs[1, j] = words[first], words[first + below]
    for b in range(bands):
        west, east = np.uint64(8 * b), np.uint64(8 * (b + bands))
        out = values[b, start : start + size]
        for j in range(out.size):
            left, right = _byte(pairs[0, j], west), _byte(pairs[0, j], east)
            upper = left + weights[0, j] * (right - left)
            left, right = _byte(pairs[1, j], west), _byte(pairs[1, j], east)
            lower = left + weights[0, j] * (right - left)
            out[j] = upper + weights[1, j] * (lower - upper)


@numba.njit(cache=True, nogil=True)
def _byte(word, shift):  # type: ignore[no-untyped-def]
    """The byte of a word that begins at bit `shift`, as float32; via int32, whose conversion can be vectorised."""
    return np.float32(np.int32((word >> shift) & np.uint64(255)))


@numba.njit(cache=True, nogil=True)
def _blend_valid(level, corner, weights, values):  # type: ignore[no-untyped-def]
    """Compute bilinear values (bands,) of one point from its valid pixels, also across the dateline and the poles.

    Returns whether at least half of the bilinear weight fell on valid pixels; otherwise the values are 0.
    """
    image, _, mask = level
    height, width, bands = image.shape
    (col, row), (right, down) = corner, weights
    values[:] = 0.0
    total = 0.0
    for k in range(4):
        r, c = row + k // 2, col + k % 2
        weight = (down if k // 2 else 1.0 - down) * (right if k % 2 else 1.0 - right)
        # Across a pole, the neighbour is in the same row on the opposite meridian.
        if r < 0:
            r = -1 - r
            c += width // 2
        elif r >= height:
            r = 2 * height - 1 - r
            c += width // 2
        c %= width
        if weight > 0.0 and (mask[r, c >> 3] >> (c & 7)) & 1:
            total += weight
            for b in range(bands):
                values[b] += weight * image[r, c, b]
    if total < 0.5:
        values[:] = 0.0
        return False
    for b in range(bands):
        values[b] /= total
    return True
