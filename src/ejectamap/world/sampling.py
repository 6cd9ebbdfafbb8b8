"""The compiled loops under `Mosaic`: from unit vectors to pixels, bilinear sampling, and the next pyramid level.

A picture is made row by row: unit vectors of a row's places, their pixel coordinates, their values. A row
stays in the cache, nothing larger is ever stored, and none of it holds the interpreter's lock.

No library function is called for a pixel: `arctan2` is a polynomial (Abramowitz and Stegun 1964, 4.4.49, error
below 2e-8 rad), the sine and cosine of an azimuthal frame are their Taylor series (error below 1e-9 up to the
antipode), so that the processor does several pixels at once. On a mosaic of 23 040 columns that is less than
0.001 pixels.
"""

import math

import numba
import numpy as np

_RUN = 256  # pixels taken together: their indices and weights stay in the first-level cache
# Products may be fused with sums and signs of zeros ignored; sums keep their order.
_FAST = {"contract", "nsz"}


@numba.njit(cache=True, nogil=True)
def azimuthal_picture(image, mask, lon_west, frame, x, y, values, valid):  # type: ignore[no-untyped-def]
    """Sample a rectangle of an azimuthal equidistant frame.

    Parameters
    ----------
    image : array (rows, cols, bands)
    mask : uint8 array (rows, cols / 8)
        One bit a pixel, lowest bit first: 1 where there is data.
    lon_west : float
        Longitude of the image's left edge, in radians.
    frame : array (3, 3)
        Unit vectors up, east and north at the frame's centre.
    x, y : array (m,), (n,)
        Coordinates of columns and rows, in radians of arc.
    values : float32 array (bands, n, m)
        Output: 0 where there is no data.
    valid : bool array (n, m)
        Output: whether at least half of the bilinear weight fell on data.
    """
    vectors, work = np.empty((3, x.size)), _workspace(x.size)
    for i in range(y.size):
        _azimuthal_row(frame, x, y[i], vectors)
        _to_pixels(vectors, lon_west, image.shape, work[0])
        _sample_run(image, mask, work, values[:, i], valid[i])


@numba.njit(cache=True, nogil=True)
def oblique_picture(image, mask, lon_west, equator, axis, lat, values, valid):  # type: ignore[no-untyped-def]
    """Sample a picture whose rows are parallels about any axis, and whose columns are meridians.

    Parameters
    ----------
    image, mask, lon_west, values, valid
        As in `azimuthal_picture`.
    equator : array (3, m)
        Unit vectors of the columns' places on the equator of that axis.
    axis : array (3,)
        Unit vector of the axis.
    lat : array (n,)
        Latitude of the rows about the axis, in radians.
    """
    vectors, work = np.empty_like(equator), _workspace(equator.shape[1])
    for i in range(lat.size):
        outward, upward = math.cos(lat[i]), math.sin(lat[i])
        for k in range(3):
            for j in range(equator.shape[1]):
                vectors[k, j] = outward * equator[k, j] + upward * axis[k]
        _to_pixels(vectors, lon_west, image.shape, work[0])
        _sample_run(image, mask, work, values[:, i], valid[i])


@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def _azimuthal_row(frame, x, y, vectors):  # type: ignore[no-untyped-def]
    """Unit vectors (3, m) of one row: cos(d) up + sin(d) / d (x east + y north), with d = hypot(x, y)."""
    for j in range(x.size):
        s = x[j] * x[j] + y * y
        cosine = 1 - s / 132 * (
            1 - s / 182 * (1 - s / 240 * (1 - s / 306 * (1 - s / 380 * (1 - s / 462))))
        )
        cosine = 1 - s / 2 * (1 - s / 12 * (1 - s / 30 * (1 - s / 56 * (1 - s / 90 * cosine))))
        sinc = 1 - s / 156 * (
            1 - s / 210 * (1 - s / 272 * (1 - s / 342 * (1 - s / 420 * (1 - s / 506))))
        )
        sinc = 1 - s / 6 * (1 - s / 20 * (1 - s / 42 * (1 - s / 72 * (1 - s / 110 * sinc))))
        east, north = sinc * x[j], sinc * y
        for k in range(3):
            vectors[k, j] = cosine * frame[0, k] + east * frame[1, k] + north * frame[2, k]


@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def _to_pixels(vectors, lon_west, shape, places):  # type: ignore[no-untyped-def]
    """Column and row (2, n) of unit vectors (3, n) in an image of a shape."""
    for j in range(vectors.shape[1]):
        x, y, z = vectors[0, j], vectors[1, j], vectors[2, j]
        east = arctan2(y, x) - lon_west
        east += 2 * math.pi if east < 0.0 else 0.0
        south = math.pi / 2 - arctan2(z, math.sqrt(x * x + y * y))
        places[0, j] = east * (shape[1] / (2 * math.pi))
        places[1, j] = south * (shape[0] / math.pi)


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


@numba.njit(cache=True, nogil=True)
def sample_pixels(image, mask, col, row, values, valid):  # type: ignore[no-untyped-def]
    """Sample bilinearly at fractional pixel coordinates of an image.

    Parameters
    ----------
    image, mask
        As in `azimuthal_picture`.
    col, row : array (n,)
        A pixel's centre is at +0.5; 0 <= col <= cols, 0 <= row <= rows.
    values : float32 array (bands, n)
        Output.
    valid : bool array (n,)
        Output.
    """
    for start in range(0, col.size, _RUN):
        run = slice(start, min(start + _RUN, col.size))
        work = _workspace(run.stop - run.start)
        work[0][0], work[0][1] = col[run], row[run]
        _sample_run(image, mask, work, values[:, run], valid[run])


@numba.njit(cache=True, nogil=True)
def _workspace(n):  # type: ignore[no-untyped-def]
    """Room for n places: column and row; those of the pixel up left of each; weights of its right and lower ones."""
    return np.empty((2, n)), np.empty((2, n), np.int64), np.empty((2, n), np.float32)


@numba.njit(cache=True, nogil=True)
def _sample_run(image, mask, work, values, valid):  # type: ignore[no-untyped-def]
    """Sample a few pixels, at once if all of them have four neighbours with data."""
    places, corners, weights = work
    if _find_corners(image.shape, mask, places, corners, weights):
        _blend(image, corners, weights, values)
        valid[:] = True
        return
    for j in range(valid.size):
        valid[j] = _blend_with_care(image, mask, corners[:, j], weights[:, j], values[:, j])


@numba.njit(cache=True, nogil=True)
def _find_corners(shape, mask, places, corners, weights):  # type: ignore[no-untyped-def]
    """Fill in corners and weights; return whether all four pixels around each place lie inside and have data."""
    plain = True
    n = places.shape[1]
    for j in range(n):
        col, row = places[0, j] - 0.5, places[1, j] - 0.5
        c, r = math.floor(col), math.floor(row)
        corners[0, j], corners[1, j] = int(c), int(r)
        weights[0, j], weights[1, j] = col - c, row - r
        plain &= (c >= 0) & (c < shape[1] - 1) & (r >= 0) & (r < shape[0] - 1)
    if not plain:
        return False
    bits = np.uint8(1)
    for j in range(n):
        c, r = corners[0, j], corners[1, j]
        here, beside = c >> 3, (c + 1) >> 3
        bits &= (mask[r, here] & mask[r + 1, here]) >> (c & 7)
        bits &= (mask[r, beside] & mask[r + 1, beside]) >> ((c + 1) & 7)
    return bits == 1


@numba.njit(cache=True, nogil=True, fastmath=_FAST)
def _blend(image, corners, weights, values):  # type: ignore[no-untyped-def]
    """Bilinear values (bands, n) where all four pixels lie inside and have data."""
    _, width, bands = image.shape
    flat = image.reshape(-1)
    below = np.uint64(width * bands)
    for j in range(values.shape[1]):
        corners[0, j] = (corners[1, j] * width + corners[0, j]) * bands
    for b in range(bands):
        for j in range(values.shape[1]):
            # Unsigned indices spare a test for negative ones.
            west = np.uint64(corners[0, j] + b)
            east = west + np.uint64(bands)
            right, down = weights[0, j], weights[1, j]
            upper = flat[west] + right * (np.float32(flat[east]) - np.float32(flat[west]))
            west += below
            east += below
            lower = flat[west] + right * (np.float32(flat[east]) - np.float32(flat[west]))
            values[b, j] = upper + down * (lower - upper)


@numba.njit(cache=True, nogil=True)
def _blend_with_care(image, mask, corner, weights, values):  # type: ignore[no-untyped-def]
    """Bilinear values (bands,) over the dateline, over a pole and beside no-data; whether there are any."""
    height, width, bands = image.shape
    (col, row), (right, down) = corner, weights
    values[:] = 0.0
    total = 0.0
    for k in range(4):
        r, c = row + k // 2, col + k % 2
        weight = (down if k // 2 else 1.0 - down) * (right if k % 2 else 1.0 - right)
        # Over a pole the neighbour is the same row on the opposite meridian.
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


@numba.njit(cache=True, nogil=True)
def halve(image, valid, integral):  # type: ignore[no-untyped-def]
    """Next pyramid level: mean of the valid pixels in each 2 x 2 block; valid where half of them are.

    Parameters
    ----------
    image : array (rows, cols, bands)
    valid : bool array (rows, cols)
    integral : bool
        Whether the values are whole numbers, to be rounded.

    Returns
    -------
    array (rows // 2, cols // 2, bands), bool array (rows // 2, cols // 2)
    """
    rows, cols, bands = image.shape[0] // 2, image.shape[1] // 2, image.shape[2]
    coarse = np.zeros((rows, cols, bands), image.dtype)
    good = np.zeros((rows, cols), np.bool_)
    for r in range(rows):
        for c in range(cols):
            block = valid[2 * r : 2 * r + 2, 2 * c : 2 * c + 2]
            count = np.float32(block.sum())
            good[r, c] = count >= 2
            if count == 0:
                continue
            for b in range(bands):
                total = np.float32(0.0)
                for k in range(4):
                    if block[k // 2, k % 2]:
                        total += np.float32(image[2 * r + k // 2, 2 * c + k % 2, b])
                mean = total / count
                coarse[r, c, b] = np.rint(mean) if integral else mean
    return coarse, good
