"""The pyramid of a mosaic: levels, each averaged from the one before, and their masks with one bit per pixel."""

import numba
import numpy as np
import numpy.typing as npt

from ejectamap.world.arrays import Arrays
from ejectamap.world.grid import STRIP_PIXELS, Bools

Bits = npt.NDArray[np.uint8]
_LEAST_ROWS = 64


def build_pyramid(
    values: npt.NDArray[np.generic], mask: Bits, arrays: Arrays
) -> tuple[tuple[npt.NDArray[np.generic], ...], tuple[Bits, ...]]:
    """Build the levels and their masks, from the finest to one with less than 64 rows.

    Parameters
    ----------
    values : array (rows, cols, bands)
        The finest level.
    mask : uint8 array (rows, cols / 8)
        Where the finest level has data; see `pack_bits`.
    arrays : Arrays
        Where the coarser levels are made, as `level_1`, `mask_1` and so on.
    """
    levels, masks = [values], [mask]
    while min(levels[-1].shape[:2]) >= _LEAST_ROWS:
        level, mask = _next_level(levels[-1], masks[-1], arrays, len(levels))
        levels.append(level)
        masks.append(mask)
    return tuple(levels), tuple(masks)


def _next_level(
    image: npt.NDArray[np.generic], mask: Bits, arrays: Arrays, number: int
) -> tuple[npt.NDArray[np.generic], Bits]:
    """Halve a level in strips; memory of strips without data is never touched, so a part of a globe costs little."""
    rows, cols, bands = image.shape[0] // 2, image.shape[1] // 2, image.shape[2]
    names = f"level_{number}", f"mask_{number}"
    coarser = arrays.create(names[0], (rows, cols, bands), image.dtype)
    coarser_mask: Bits = arrays.create(names[1], (rows, -(-cols // 8)), np.uint8)
    count = max(1, STRIP_PIXELS // image.shape[1] // 2)
    strips = [slice(top, min(top + count, rows)) for top in range(0, rows, count)]
    for out in arrays.follow(strips, f"level {number} of its pyramid", len(strips)):
        strip = slice(2 * out.start, 2 * out.stop)
        if mask[strip].any():
            valid = unpack_bits(mask[strip], image.shape[1])
            for name in names:
                arrays.reserve(name, out)
            good = halve(image[strip], valid, np.issubdtype(image.dtype, np.integer), coarser[out])
            coarser_mask[out] = pack_bits(good)
    return coarser, coarser_mask


def pack_bits(valid: Bools) -> Bits:
    """Pack a mask (rows, cols) to eight pixels of a row per byte, lowest bit first."""
    return np.packbits(valid, axis=1, bitorder="little")


def unpack_bits(mask: Bits, width: int) -> Bools:
    """Unpack the mask (rows, width) from the result of `pack_bits`."""
    return np.unpackbits(mask, axis=1, count=width, bitorder="little").view(bool)


@numba.njit(cache=True, nogil=True)
def interleave(bands, valid, out):  # type: ignore[no-untyped-def]
    """Write bands (bands, rows, cols) to `out` (rows, cols, bands), with 0 where pixels are not valid."""
    for r in range(out.shape[0]):
        for c in range(out.shape[1]):
            for b in range(out.shape[2]):
                out[r, c, b] = bands[b, r, c] if valid[r, c] else 0


@numba.njit(cache=True, nogil=True)
def paste(bands, new, columns, out):  # type: ignore[no-untyped-def]
    """Write bands (bands, rows, cols) to columns of `out` (rows, all cols, bands), only where `new` (rows, cols)."""
    for r in range(new.shape[0]):
        for c in range(new.shape[1]):
            if new[r, c]:
                for b in range(out.shape[2]):
                    out[r, columns[c], b] = bands[b, r, c]


@numba.njit(cache=True, nogil=True)
def halve(image, valid, integral, coarse):  # type: ignore[no-untyped-def]
    """Compute rows of the next pyramid level: the mean of the valid pixels in each 2 x 2 block.

    Parameters
    ----------
    image : array (rows, cols, bands)
        0 where not valid.
    valid : bool array (rows, cols)
    integral : bool
        Whether the data type is an integer type, so that means are rounded.
    coarse : array (rows // 2, cols // 2, bands)
        Output: the means, unchanged where no pixel is valid.

    Returns
    -------
    bool array (rows // 2, cols // 2)
        Where the level has data: where at least two of the four pixels have.
    """
    rows, cols, bands = image.shape[0] // 2, image.shape[1] // 2, image.shape[2]
    good = np.zeros((rows, cols), np.bool_)
    for r in range(rows):
        upper, lower = image[2 * r], image[2 * r + 1]
        for c in range(cols):
            left, right = 2 * c, 2 * c + 1
            count = np.float32(valid[2 * r, left]) + np.float32(valid[2 * r, right])
            count += np.float32(valid[2 * r + 1, left]) + np.float32(valid[2 * r + 1, right])
            good[r, c] = count >= 2
            if count == 0:
                continue
            for b in range(bands):
                total = np.float32(upper[left, b]) + np.float32(upper[right, b])
                total += np.float32(lower[left, b]) + np.float32(lower[right, b])
                mean = total / count
                coarse[r, c, b] = np.rint(mean) if integral else mean
    return good
