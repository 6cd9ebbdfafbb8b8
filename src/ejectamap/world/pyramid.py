"""The levels of a mosaic, each averaged from the one before, and its masks, one bit a pixel."""

import numba
import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint8]
_LEAST_ROWS = 64


def build_pyramid(
    values: npt.NDArray[np.generic], mask: Bits
) -> tuple[tuple[npt.NDArray[np.generic], ...], tuple[Bits, ...]]:
    """Levels and their masks, from the finest down to one of less than 64 rows.

    Parameters
    ----------
    values : array (rows, cols, bands)
        The finest level.
    mask : uint8 array (rows, cols / 8)
        Where it has data; see `pack_bits`.
    """
    levels, masks = [values], [mask]
    while min(levels[-1].shape[:2]) >= _LEAST_ROWS:
        valid = unpack_bits(masks[-1], levels[-1].shape[1])
        coarser, valid = halve(levels[-1], valid, np.issubdtype(values.dtype, np.integer))
        levels.append(coarser)
        masks.append(pack_bits(valid))
    return tuple(levels), tuple(masks)


def pack_bits(valid: npt.NDArray[np.bool_]) -> Bits:
    """A mask (rows, cols) with eight pixels of a row in a byte, lowest bit first."""
    return np.packbits(valid, axis=1, bitorder="little")


def unpack_bits(mask: Bits, width: int) -> npt.NDArray[np.bool_]:
    """The mask (rows, width) that `pack_bits` packed."""
    return np.unpackbits(mask, axis=1, count=width, bitorder="little").view(bool)


@numba.njit(cache=True, nogil=True)
def interleave(bands, valid, out):  # type: ignore[no-untyped-def]
    """Put bands (bands, rows, cols) beside one another, out (rows, cols, bands), with 0 where they are not valid."""
    for r in range(out.shape[0]):
        for c in range(out.shape[1]):
            for b in range(out.shape[2]):
                out[r, c, b] = bands[b, r, c] if valid[r, c] else 0


@numba.njit(cache=True, nogil=True)
def halve(image, valid, integral):  # type: ignore[no-untyped-def]
    """Next pyramid level: mean of the valid pixels in each 2 x 2 block; valid where half of them are.

    Parameters
    ----------
    image : array (rows, cols, bands)
        0 where not valid.
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
    return coarse, good
