"""Overlapping chips that cover a crater's surroundings, for mapping; and tiles that cover the planet, for training."""

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ejectamap.errors import SettingsError
from ejectamap.views.chip import Chip
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.labels import Tile
from ejectamap.world.sphere import distance

_MOST_ACROSS = 5000  # chips; more in all than a cluster predicts in a year


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
        The indices of chips run from -half to half in each direction; (0, 0) is centred on the crater.
    cells : int array (n, 2)
        Index (i, j) of each chip that overlaps the reach: i strides east, j strides north.
    """

    side_m: float
    stride_m: float
    half: int
    cells: npt.NDArray[np.int64]

    @classmethod
    def around(cls, reach_m: float, side_m: float, overlap: float) -> "ChipGrid":
        """Cover the disc of radius `reach_m` with chips that overlap by a fraction of their side (0 <= overlap < 1)."""
        stride_m = side_m * (1.0 - overlap)
        half = int(np.ceil(reach_m / stride_m))
        steps = np.arange(-half, half + 1)
        i, j = (axis.ravel() for axis in np.meshgrid(steps, steps))
        # Offset, along both axes, from the crater to the nearest point of each chip.
        offset_m = np.maximum(np.abs([i, j]) * stride_m - side_m / 2, 0.0)
        within = np.hypot(*offset_m) <= reach_m
        return cls(side_m, stride_m, half, np.stack([i[within], j[within]], axis=1))

    @classmethod
    def of_crater(
        cls, crater: Crater, radius_m: float, side_m: float, overlap: float
    ) -> "ChipGrid":
        """Cover a crater's reach on a body of radius `radius_m`; see `around`.

        Raises
        ------
        SettingsError
            If chips so small would be more than can be listed.
        """
        reach_m = crater.reach_m(radius_m)
        across = 2 * reach_m / (side_m * (1.0 - overlap))
        if across > _MOST_ACROSS:
            raise SettingsError(
                f"views.tile_km, views.overlap: chips of {side_m / 1000:g} km that overlap by {overlap:g} make"
                f" {across:.2g} x {across:.2g} of them around crater {crater.crater_id}: set a larger tile_km or a"
                " smaller overlap"
            )
        return cls.around(reach_m, side_m, overlap)

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
    """Divide the planet into adjacent tiles that are about square on the ground.

    The planet is divided into zones of latitude of about `side_px` rows, and each zone into equal tiles. Their number
    follows the length of the zone's middle parallel, so that tiles near a pole are wide in pixels, not narrow on the
    ground.
    """
    zones = max(1, round(grid.height / side_px))
    row_edges = np.linspace(0, grid.height, zones + 1).round().astype(int)
    tiles: list[Tile] = []
    for top, bottom in itertools.pairwise(row_edges):
        lat = np.radians(grid.lat_north - (top + bottom) / 2 * grid.span_deg / grid.height)
        count = max(3, round(grid.width * np.cos(lat) / side_px))
        col_edges = np.linspace(0, grid.width, count + 1).round().astype(int)
        for left, right in itertools.pairwise(col_edges):
            window = Window(int(top), int(left), int(bottom - top), int(right - left))
            tiles.append(Tile(len(tiles), window))
    return tuple(tiles)


def tiles_in_reach(crater: Crater, tiles: tuple[Tile, ...], grid: Grid) -> list[Tile]:
    """Tiles whose centre lies within a crater's reach, without those in which other craters alone were labelled."""
    tiles = tuple(tile for tile in tiles if tile.is_labelled_for(crater.crater_id))
    lon, lat = grid.window_centres([tile.window for tile in tiles])
    near = distance(crater.lon, crater.lat, lon, lat, grid.radius_m) <= crater.reach_m(
        grid.radius_m
    )
    return [tile for tile, keep in zip(tiles, near, strict=True) if keep]
