"""The chip: a square picture in a crater's azimuthal frame, the input of segmentation networks."""

from dataclasses import dataclass

import numpy as np

from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.sampling_grid import SamplingGrid
from ejectamap.world.sphere import (
    Array,
    LonLat,
    azimuthal_forward,
    azimuthal_inverse,
)


@dataclass(frozen=True)
class Chip:
    """An axis-aligned square in a crater's azimuthal frame.

    Attributes
    ----------
    x_m, y_m : float
        Centre, metres east and north of the crater.
    side_m : float
        Side, in metres.
    """

    x_m: float
    y_m: float
    side_m: float

    @property
    def distance_m(self) -> float:
        """Ground distance from the crater's centre to the chip's centre, in metres."""
        return float(np.hypot(self.x_m, self.y_m))

    @property
    def bearing_deg(self) -> float:
        """Direction of the chip's centre as seen from the crater, in degrees clockwise from north."""
        return float(np.degrees(np.arctan2(self.x_m, self.y_m)) % 360.0)

    def pixel_xy(self, size_px: int) -> tuple[Array, Array]:
        """Pixel centres, metres east and north of the crater: x (1, size), y (size, 1); row 0 is north."""
        offsets = ((np.arange(size_px) + 0.5) / size_px - 0.5) * self.side_m
        return (self.x_m + offsets)[None, :], (self.y_m - offsets)[:, None]

    def places(self, crater: Crater, radius_m: float, size_px: int) -> LonLat:
        """Longitudes and latitudes of the pixel centres of a chip of `size_px` pixels a side, each (size, size)."""
        x, y = self.pixel_xy(size_px)
        return azimuthal_inverse(x, y, crater.lon, crater.lat, radius_m)

    def sampling_grid(self, crater: Crater, size_px: int) -> SamplingGrid:
        """Points at which the mosaic is sampled for a chip of `size_px` pixels a side."""
        x, y = (axis.ravel() for axis in self.pixel_xy(size_px))
        spacing_m = self.side_m / size_px
        return SamplingGrid.azimuthal(crater.lon, crater.lat, x, y, spacing_m)


def largest_chip(crater: Crater, window: Window, grid: Grid) -> Chip:
    """Find the largest axis-aligned square inside a tile's outline in a crater's azimuthal frame.

    The square's half side is the Chebyshev distance from its centre to the outline, so the best centre is where that
    distance is largest. It is found by a grid search, refined three times, over centres inside the tile. The side is
    at most the tile's height on the ground, and at least a mosaic pixel.

    Parameters
    ----------
    crater : Crater
    window : Window
        The tile, in mosaic pixels.
    grid : Grid

    Returns
    -------
    Chip
    """
    edge_x, edge_y = _outline(crater, window, grid)
    low = np.array([edge_x.min(), edge_y.min()])
    high = np.array([edge_x.max(), edge_y.max()])
    best = (0.0, 0.0, -1.0)
    for _ in range(4):
        xs, ys = (axis.ravel() for axis in np.meshgrid(*np.linspace(low, high, 25).T))
        half = np.maximum(np.abs(xs[:, None] - edge_x), np.abs(ys[:, None] - edge_y)).min(axis=1)
        places = azimuthal_inverse(xs, ys, crater.lon, crater.lat, grid.radius_m)
        half[~grid.inside(window, *places)] = -1.0
        k = int(half.argmax())
        if half[k] > best[2]:
            best = (float(xs[k]), float(ys[k]), float(half[k]))
        step = (high - low) / 12
        low, high = np.array(best[:2]) - step, np.array(best[:2]) + step
    side = min(2.0 * max(best[2], grid.pixel_m / 2), window.height * grid.pixel_m)
    return Chip(*best[:2], side)


def _outline(crater: Crater, window: Window, grid: Grid) -> tuple[Array, Array]:
    """A tile's outline in a crater's azimuthal frame, 48 points a side."""
    s = np.linspace(0.0, 1.0, 48)
    zero, one = np.zeros_like(s), np.ones_like(s)
    cols = window.col + window.width * np.concatenate([s, one, s, zero])
    rows = window.row + window.height * np.concatenate([zero, s, one, s])
    lon, lat = grid.to_lonlat(cols, rows)
    return azimuthal_forward(lon, lat, crater.lon, crater.lat, grid.radius_m)
