"""The levels of a mosaic, each averaged from the one before, and its masks, one bit a pixel."""

import numpy as np
import numpy.typing as npt

from ejectamap.world.sampling import halve

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
