"""A crater's truth and map side by side on the ground: rasters in its azimuthal equidistant frame.

Distances from the crater are true there; across that direction ground at distance d is stretched by d / sin d: 11 %
at the default reach, 57 % at a quarter of the circumference.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.ndimage import distance_transform_edt

from ejectamap.evaluation.counts import Bools
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.labels import Labels, Tile
from ejectamap.world.sphere import Array, LonLat, azimuthal_inverse

AZIMUTHS = 720
"""Columns of a polar raster."""
_STEPS = 4096  # cells in half a circumference: 1.9 km on Mercury
_STRIP_CELLS = 2**21


@dataclass(frozen=True)
class Ground:
    """Truth and map about a crater, in square cells; row 0 is the farthest north.

    Attributes
    ----------
    truth, prediction : bool array (rows, cols)
        False where nothing is known.
    known : bool array (rows, cols)
        Where the labels are complete.
    spacing_km : float
        Side of a cell.
    centre : (float, float)
        Row and column of the crater's centre; a cell's centre is at +0.5.
    rim_km : float
        Radius of the crater.
    """

    truth: Bools
    prediction: Bools
    known: Bools
    spacing_km: float
    centre: tuple[float, float]
    rim_km: float

    @classmethod
    def around(cls, crater: Crater, labels: Labels, prediction: Labels) -> "Ground":
        """Sample a crater's label and map within its reach, no wider than they need."""
        grid = labels.grid
        spacing_m = max(grid.pixel_m, np.pi * grid.radius_m / _STEPS)
        half = int(np.ceil(crater.reach_m(grid.radius_m) / spacing_m)) + 1
        layers = np.zeros((3, 2 * half, 2 * half), bool)
        step = max(1, _STRIP_CELLS // (2 * half))
        across = (np.arange(2 * half) + 0.5 - half) * spacing_m
        for top in range(0, 2 * half, step):
            x_m, y_m = np.meshgrid(across, -across[top : top + step])
            near = np.hypot(x_m, y_m) <= crater.reach_m(grid.radius_m)
            places = azimuthal_inverse(x_m[near], y_m[near], crater.lon, crater.lat, grid.radius_m)
            known = _in_tiles(places, labels.tiles, grid)
            for layer, source in ((0, labels), (1, prediction)):
                layers[layer, top : top + step][near] = known & source.sample(
                    crater.crater_id, *places
                )
            layers[2, top : top + step][near] = known
        reach = _farthest(layers[0] | layers[1], half)
        truth, mapped, known = layers[
            :, half - reach : half + reach, half - reach : half + reach
        ].copy()
        centre = float(reach), float(reach)
        return cls(truth, mapped, known, spacing_m / 1000, centre, crater.radius_m / 1000)

    @cached_property
    def missed_km(self) -> Array:
        """Distance of each true cell, in their order, to the map; infinite if it is empty."""
        return distances_km(self.truth, self.prediction, self.spacing_km)

    @cached_property
    def false_km(self) -> Array:
        """Distance of each mapped cell, in their order, to the truth."""
        return distances_km(self.prediction, self.truth, self.spacing_km)

    def polar(self, mask: Bools) -> tuple[Bools, Array]:
        """A mask by range (rows, one cell apart, from the rim outwards) and azimuth, and the ranges in km."""
        corners = np.hypot(*np.maximum(self.centre, np.subtract(mask.shape, self.centre)))
        range_km = np.arange(self.rim_km, corners * self.spacing_km, self.spacing_km)
        azimuth = (np.arange(AZIMUTHS) + 0.5) * (2 * np.pi / AZIMUTHS)
        away = range_km[:, None] / self.spacing_km
        row = np.floor(self.centre[0] - away * np.cos(azimuth)).astype(np.intp)
        col = np.floor(self.centre[1] + away * np.sin(azimuth)).astype(np.intp)
        inside = (row >= 0) & (row < mask.shape[0]) & (col >= 0) & (col < mask.shape[1])
        found = np.zeros(row.shape, bool)
        found[inside] = mask[row[inside], col[inside]]
        return found, range_km


def distances_km(cells: Bools, mask: Bools, spacing_km: float) -> Array:
    """Distance of each of some cells, in their order, to the nearest one of a mask; infinite if it has none."""
    row, col = np.nonzero(cells)
    if not mask.any():
        return np.full(row.size, np.inf)
    # Distances are taken at the cells alone: over the whole ground they would need several times its memory.
    nearest = distance_transform_edt(~mask, return_distances=False, return_indices=True)
    away = np.hypot(nearest[0, row, col] - row, nearest[1, row, col] - col)
    return np.asarray(away * spacing_km, np.float64)


def _farthest(ejecta: Bools, half: int) -> int:
    """Half-width, in cells, of the square about the centre that holds all ejecta and a margin."""
    rows, cols = np.flatnonzero(ejecta.any(axis=1)), np.flatnonzero(ejecta.any(axis=0))
    used = np.concatenate([rows, cols, [half]]) + 0.5 - half
    return min(half, int(np.ceil(np.abs(used).max())) + 2)


def _in_tiles(places: LonLat, tiles: tuple[Tile, ...] | None, grid: Grid) -> Bools:
    """Whether places lie in any of some tiles; all do if there are none."""
    if tiles is None:
        return np.ones(places.lon.shape, bool)
    col, row = grid.to_pixel(*places)
    inside = np.zeros(col.shape, bool)
    for tile in tiles:
        top, left = tile.window.row, tile.window.col
        within = (row >= top) & (row < top + tile.window.height)
        inside |= within & ((col - left) % grid.width < tile.window.width)
    return inside
