"""How a crater's surroundings are cut into overlapping chips for mapping, and the planet into tiles for training."""

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ejectamap.views.chip import Chip
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.labels import Tile
from ejectamap.world.sphere import distance


@dataclass(frozen=True)
class ChipGrid:
    """A regular, overlapping grid of equal chips over a crater's azimuthal frame, centred on the crater.

    Attributes
    ----------
    side_m : float
        Side of a chip.
    stride_m : float
        Distance between neighbouring chips' centres.
    half : int
        Chips number -half..half in each direction; (0, 0) is the one over the crater.
    cells : int array (n, 2)
        The (i, j) of each chip that touches ground within reach: i steps east, j steps north.
    """

    side_m: float
    stride_m: float
    half: int
    cells: npt.NDArray[np.int64]

    @classmethod
    def around(cls, reach_m: float, side_m: float, overlap: float) -> "ChipGrid":
        """Cover the disc of radius `reach_m` with chips of a side that overlap by a fraction (0 <= overlap < 1)."""
        stride_m = side_m * (1.0 - overlap)
        half = int(np.ceil(reach_m / stride_m))
        steps = np.arange(-half, half + 1)
        i, j = (axis.ravel() for axis in np.meshgrid(steps, steps))
        # Offset, along both axes, from the crater to the nearest point of each chip.
        gap = np.maximum(np.abs([i, j]) * stride_m - side_m / 2, 0.0)
        touches = np.hypot(*gap) <= reach_m
        return cls(side_m, stride_m, half, np.stack([i[touches], j[touches]], axis=1))

    def __len__(self) -> int:
        return len(self.cells)

    def chip(self, index: int) -> Chip:
        """The chip at an index of `cells`."""
        x_m, y_m = (self.cells[index] * self.stride_m).tolist()
        return Chip(x_m, y_m, self.side_m)

    def chips(self) -> list[Chip]:
        """All chips, in the order of `cells`."""
        return [self.chip(index) for index in range(len(self))]


def planet_tiles(grid: Grid, side_px: int) -> tuple[Tile, ...]:
    """Cut the planet into tiles of about square shape on the ground, side by side, without overlap.

    Bands of `side_px` rows; in each, as many equal tiles as the circle of latitude at the band's middle holds, so that
    tiles near a pole are wide in pixels and not slivers on the ground.
    """
    bands = max(1, round(grid.height / side_px))
    row_edges = np.linspace(0, grid.height, bands + 1).round().astype(int)
    tiles: list[Tile] = []
    for top, bottom in itertools.pairwise(row_edges):
        middle = np.radians(90.0 - (top + bottom) / 2 * 180.0 / grid.height)
        count = max(3, round(grid.width * np.cos(middle) / side_px))
        col_edges = np.linspace(0, grid.width, count + 1).round().astype(int)
        for left, right in itertools.pairwise(col_edges):
            window = Window(int(top), int(left), int(bottom - top), int(right - left))
            tiles.append(Tile(len(tiles), window))
    return tuple(tiles)


def tiles_in_reach(crater: Crater, tiles: tuple[Tile, ...], grid: Grid) -> list[Tile]:
    """Tiles whose centre lies within a crater's reach."""
    lon, lat = grid.window_centres([tile.window for tile in tiles])
    near = distance(crater.lon, crater.lat, lon, lat, grid.radius_m) <= crater.reach_m(
        grid.radius_m
    )
    return [tile for tile, keep in zip(tiles, near, strict=True) if keep]
