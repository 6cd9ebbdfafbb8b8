"""The origin map: which crater the ejecta of every pixel of the globe most likely came from."""

from collections.abc import Sequence
from pathlib import Path

import numba
import numpy as np
import numpy.typing as npt

from ejectamap.errors import OutputError
from ejectamap.maps.colours import crater_colour
from ejectamap.maps.files import write_cog
from ejectamap.maps.rasters import NO_DATA, STEPS, Bytes
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window

_MAX_ID = np.iinfo(np.uint16).max - 1


class OriginMap:
    """The likeliest crater of every pixel of the globe, accumulated crater by crater, in any order.

    Takes three bytes a pixel of the whole grid.

    Parameters
    ----------
    grid : Grid
        The mosaic's.
    threshold : float
        Probability above which a pixel is a crater's.
    """

    def __init__(self, grid: Grid, threshold: float = 0.5) -> None:
        self.grid = grid
        self.threshold = threshold
        # `full`, because pages that `zeros` has not touched yet make the masked writes below forty times slower.
        self._probability = np.full(grid.shape, 0, np.uint8)
        self._origin = np.full(grid.shape, 0, np.uint16)

    def add(self, crater_id: int, window: Window, stored: Bytes) -> None:
        """Add one crater, or a strip of its map.

        It gets the pixels where its probability exceeds the threshold and that of every other crater; equal
        probabilities go to the smaller id.

        Parameters
        ----------
        crater_id : int
        window : Window
        stored : uint8 array (height, width)
            Its stored probability; see `rasters.quantise`.

        Raises
        ------
        OutputError
            If the id does not fit the map's 16 bits.
        """
        if not 0 <= crater_id <= _MAX_ID:
            raise OutputError(
                f"crater {crater_id}: the origin map holds ids 0 to {_MAX_ID}: renumber it"
            )
        area = np.s_[
            window.row : window.row + window.height, window.col : window.col + window.width
        ]
        level = self.threshold * STEPS
        _assign_likelier(self._probability[area], self._origin[area], stored, crater_id + 1, level)

    @property
    def origin(self) -> npt.NDArray[np.uint16]:
        """Id + 1 of the likeliest crater, 0 where there is none; shape of the grid."""
        return self._origin

    def write(self, path: Path, craters: Sequence[Crater]) -> None:
        """Write a global COG of id + 1 with a colour table: uint8 if all ids fit, else uint16.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        largest = max((crater.crater_id for crater in craters), default=0) + 1
        dtype: type[np.unsignedinteger] = (
            np.uint8 if largest <= np.iinfo(np.uint8).max else np.uint16
        )
        whole = self.grid.whole
        strips = (
            (s, self._origin[s.row : s.row + s.height].astype(dtype, copy=False))
            for s in self.grid.strips(whole)
        )
        write_cog(
            path,
            strips,
            self.grid,
            whole,
            dtype=dtype,
            description="id of the likeliest crater + 1, 0 = none",
            nodata=0,
            resampling="nearest",
            colours={c.crater_id + 1: (*crater_colour(c.crater_id), 255) for c in craters},
        )


@numba.njit(cache=True, nogil=True)
def _assign_likelier(probability, origin, stored, number, level):  # type: ignore[no-untyped-def]
    """Assign the pixels where a crater exceeds a level (see `rasters.exceeds`) and is likelier than any so far."""
    for r in range(stored.shape[0]):
        for c in range(stored.shape[1]):
            p = stored[r, c]
            if level < p < NO_DATA and (
                p > probability[r, c] or (p == probability[r, c] and number < origin[r, c])
            ):
                probability[r, c], origin[r, c] = p, number
