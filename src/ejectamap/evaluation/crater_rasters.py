"""Truth and map of one crater as rasters in its azimuthal equidistant frame.

Distances from the crater are true in this frame; at right angles to that direction, ground at distance d is stretched
by d / sin d: 11 % at the default reach, 57 % at a quarter of the circumference.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.ndimage import distance_transform_edt

from ejectamap.world.craters import Crater
from ejectamap.world.grid import Bools, Grid
from ejectamap.world.labels import Labels, Tile
from ejectamap.world.sphere import Array, LonLat, azimuthal_inverse

AZIMUTHS = 720
"""Columns of a polar raster."""
_CELLS = 4096  # in half a circumference: 1.9 km on Mercury
_STRIP_CELLS = 2**21


@dataclass(frozen=True)
class CraterRasters:
    """Truth and map around a crater, in square cells; row 0 is the farthest north.

    Attributes
    ----------
    truth, prediction : bool array (rows, cols)
        Whether a cell holds ejecta; False where the labels are not complete.
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
    def around(cls, crater: Crater, labels: Labels, prediction: Labels) -> "CraterRasters":
        """Sample a crater's label and map within its reach; the rasters are cropped to the ejecta of both."""
        grid = labels.grid
        spacing_m = max(grid.pixel_m, np.pi * grid.radius_m / _CELLS)
        half = int(np.ceil(crater.reach_m(grid.radius_m) / spacing_m)) + 1
        layers = np.zeros((3, 2 * half, 2 * half), bool)
        step = max(1, _STRIP_CELLS // (2 * half))
        across = (np.arange(2 * half) + 0.5 - half) * spacing_m
        for top in range(0, 2 * half, step):
            x_m, y_m = np.meshgrid(across, -across[top : top + step])
            near = np.hypot(x_m, y_m) <= crater.reach_m(grid.radius_m)
            lonlat = azimuthal_inverse(x_m[near], y_m[near], crater.lon, crater.lat, grid.radius_m)
            known = _in_tiles(lonlat, labels.tiles, crater.crater_id, grid)
            for layer, source in ((0, labels), (1, prediction)):
                layers[layer, top : top + step][near] = known & source.sample(
                    crater.crater_id, *lonlat
                )
            layers[2, top : top + step][near] = known
        used = _half_width(layers[0] | layers[1], half)
        truth, mapped, known = layers[
            :, half - used : half + used, half - used : half + used
        ].copy()
        centre = float(used), float(used)
        return cls(truth, mapped, known, spacing_m / 1000, centre, crater.radius_m / 1000)

    @cached_property
    def truth_to_map_km(self) -> Array:
        """Distance of each true cell to the nearest mapped cell, row by row; infinite if nothing is mapped."""
        return distances_km(self.truth, self.prediction, self.spacing_km)

    @cached_property
    def map_to_truth_km(self) -> Array:
        """Distance of each mapped cell to the nearest true cell, row by row; infinite if nothing is true."""
        return distances_km(self.prediction, self.truth, self.spacing_km)

    def polar(self, mask: Bools) -> tuple[Bools, Array]:
        """Resample a mask to range (rows, one cell apart, from the rim outwards) and azimuth; the ranges are in km."""
        corners = np.hypot(*np.maximum(self.centre, np.subtract(mask.shape, self.centre)))
        range_km = np.arange(self.rim_km, corners * self.spacing_km, self.spacing_km)
        azimuth = (np.arange(AZIMUTHS) + 0.5) * (2 * np.pi / AZIMUTHS)
        range_cells = range_km[:, None] / self.spacing_km
        row = np.floor(self.centre[0] - range_cells * np.cos(azimuth)).astype(np.intp)
        col = np.floor(self.centre[1] + range_cells * np.sin(azimuth)).astype(np.intp)
        inside = (row >= 0) & (row < mask.shape[0]) & (col >= 0) & (col < mask.shape[1])
        resampled = np.zeros(row.shape, bool)
        resampled[inside] = mask[row[inside], col[inside]]
        return resampled, range_km


def distances_km(cells: Bools, mask: Bools, spacing_km: float) -> Array:
    """Distance of each of some cells, row by row, to the nearest cell of a mask; infinite if the mask is empty."""
    row, col = np.nonzero(cells)
    if not mask.any():
        return np.full(row.size, np.inf)
    # Distances are computed only at these cells: a raster of distances would need several times the mask's memory.
    nearest = distance_transform_edt(~mask, return_distances=False, return_indices=True)
    distance_cells = np.hypot(nearest[0, row, col] - row, nearest[1, row, col] - col)
    return np.asarray(distance_cells * spacing_km, np.float64)


def _half_width(ejecta: Bools, half: int) -> int:
    """Half-width, in cells, of the square around the centre that holds all ejecta and a margin."""
    rows, cols = np.flatnonzero(ejecta.any(axis=1)), np.flatnonzero(ejecta.any(axis=0))
    offsets = np.concatenate([rows, cols, [half]]) + 0.5 - half
    return min(half, int(np.ceil(np.abs(offsets).max())) + 2)


def _in_tiles(lonlat: LonLat, tiles: tuple[Tile, ...] | None, crater_id: int, grid: Grid) -> Bools:
    """Whether places lie in any of some tiles in which a crater was labelled; True for all without tiles."""
    if tiles is None:
        return np.ones(lonlat.lon.shape, bool)
    col, row = grid.to_pixel(*lonlat)
    inside = np.zeros(col.shape, bool)
    for tile in (tile for tile in tiles if tile.is_labelled_for(crater_id)):
        top, left = tile.window.row, tile.window.col
        within = (row >= top) & (row < top + tile.window.height)
        inside |= within & ((col - left) % grid.width < tile.window.width)
    return inside
