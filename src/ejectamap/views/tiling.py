"""How a crater's surroundings are cut into overlapping chips for mapping, and the planet into tiles for training."""

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ejectamap.errors import SettingsError
from ejectamap.views.chip import Chip
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.labels import Tile
from ejectamap.world.sphere import Array, distance


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
    radial_up : bool
        Whether each chip is turned about its centre so that up is away from the crater.
    """

    side_m: float
    stride_m: float
    half: int
    cells: npt.NDArray[np.int64]
    radial_up: bool = False

    @classmethod
    def around(
        cls, reach_m: float, side_m: float, overlap: float, radial_up: bool = False
    ) -> "ChipGrid":
        """Cover the disc of radius `reach_m` with chips of a side that overlap by a fraction (0 <= overlap < 1).

        Raises
        ------
        SettingsError
            If they are to be turned and overlap too little; see `check_overlap`.
        """
        check_overlap(overlap, radial_up)
        stride_m = side_m * (1.0 - overlap)
        half = int(np.ceil(reach_m / stride_m))
        steps = np.arange(-half, half + 1)
        i, j = (axis.ravel() for axis in np.meshgrid(steps, steps))
        # Nearest point of each chip to the crater: does it lie within the reach? A turned one's lies straight below.
        away = np.array([np.zeros(i.size), np.hypot(i, j)]) if radial_up else np.abs([i, j])
        gap = np.maximum(away * stride_m - side_m / 2, 0.0)
        touches = np.hypot(*gap) <= reach_m
        return cls(side_m, stride_m, half, np.stack([i[touches], j[touches]], axis=1), radial_up)

    def __len__(self) -> int:
        return len(self.cells)

    @cached_property
    def up_deg(self) -> Array:
        """Azimuth that is up in each chip, (n,): its bearing where chips are turned, else 0."""
        if not self.radial_up:
            return np.zeros(len(self))
        east, north = self.cells.T
        return np.asarray(np.degrees(np.arctan2(east, north)) % 360.0)

    def chip(self, index: int) -> Chip:
        """The chip at an index of `cells`."""
        x_m, y_m = (self.cells[index] * self.stride_m).tolist()
        return Chip(x_m, y_m, self.side_m, float(self.up_deg[index]))

    def chips(self) -> list[Chip]:
        """All chips, in the order of `cells`."""
        return [self.chip(index) for index in range(len(self))]


def check_overlap(overlap: float, radial_up: bool) -> None:
    """Refuse chips that are turned and overlap too little to cover all ground whatever way each is turned.

    A place is up to stride / sqrt(2) from the nearest centre, and a chip surely holds the circle inscribed in it.

    Raises
    ------
    SettingsError
    """
    if radial_up and overlap < 1 - 1 / np.sqrt(2):
        raise SettingsError(
            f"views.overlap is {overlap:g}: with views.radial_up use 0.293 or more, else turned chips leave gaps"
        )


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
    rows = np.array([tile.window.row + tile.window.height / 2 for tile in tiles])
    cols = np.array([tile.window.col + tile.window.width / 2 for tile in tiles])
    lon, lat = grid.to_lonlat(cols, rows)
    near = distance(crater.lon, crater.lat, lon, lat, grid.radius_m) <= crater.reach_m(
        grid.radius_m
    )
    return [tile for tile, keep in zip(tiles, near, strict=True) if keep]
