"""The chip: the square picture, in a crater's azimuthal frame, that the segmentation network sees."""

from dataclasses import dataclass

import numpy as np

from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.mosaic import Bools, Floats, Mosaic
from ejectamap.world.picture import Picture
from ejectamap.world.sphere import (
    XY,
    Array,
    LonLat,
    azimuthal_forward,
    azimuthal_inverse,
    bearing,
    turned,
)


@dataclass(frozen=True)
class Chip:
    """A square in a crater's azimuthal frame, axis-aligned or turned.

    Attributes
    ----------
    x_m, y_m : float
        Centre, metres east and north of the crater.
    side_m : float
        Side, in metres.
    up_deg : float
        Azimuth, in the crater's frame, of what is up in the picture; 0, north, for an axis-aligned one. A turned chip
        is an axis-aligned one in the frame turned by that much about the crater.
    """

    x_m: float
    y_m: float
    side_m: float
    up_deg: float = 0.0

    @property
    def distance_m(self) -> float:
        """Ground distance from the crater's centre to the chip's centre, in metres."""
        return float(np.hypot(self.x_m, self.y_m))

    @property
    def bearing_deg(self) -> float:
        """Direction of the chip's centre as seen from the crater, in degrees clockwise from north."""
        return float(np.degrees(np.arctan2(self.x_m, self.y_m)) % 360.0)

    def pixel_xy(self, size_px: int) -> tuple[Array, Array]:
        """Pixel centres in the frame turned by `up_deg`: x of shape (1, size), y of shape (size, 1); row 0 is up."""
        x_m, y_m = turned(self.x_m, self.y_m, self.up_deg)
        offsets = ((np.arange(size_px) + 0.5) / size_px - 0.5) * self.side_m
        return (x_m + offsets)[None, :], (y_m - offsets)[:, None]

    def pixel_east_north(self, size_px: int) -> XY:
        """Pixel centres in the crater's azimuthal frame, metres east and north; each of shape (size, size)."""
        return turned(*self.pixel_xy(size_px), -self.up_deg)

    def places(self, crater: Crater, radius_m: float, size_px: int) -> LonLat:
        """Places of the pixel centres of this chip at a size, each of shape (size, size)."""
        x, y = self.pixel_east_north(size_px)
        return azimuthal_inverse(x, y, crater.lon, crater.lat, radius_m)

    def picture(self, crater: Crater, size_px: int) -> Picture:
        """Where the picture of this chip lies that the networks see."""
        x, y = (axis.ravel() for axis in self.pixel_xy(size_px))
        spacing_m = self.side_m / size_px
        return Picture.azimuthal(crater.lon, crater.lat, x, y, spacing_m, self.up_deg)

    def sample(self, mosaic: Mosaic, crater: Crater, size_px: int) -> tuple[Floats, Bools]:
        """Values (band, size, size) of the mosaic in this chip and where they are data (size, size)."""
        return mosaic.sample_picture(self.picture(crater, size_px))


def largest_chip(crater: Crater, window: Window, grid: Grid, radial_up: bool = False) -> Chip:
    """Find the largest axis-aligned square inside a tile's outline in a crater's azimuthal frame.

    The square's half side is the Chebyshev distance from its centre to the outline, so the best centre is where that
    distance is largest: a grid search, refined three times, over centres whose place is inside the tile. The side is
    never more than the tile's own height on the ground.

    Parameters
    ----------
    crater : Crater
    window : Window
        The tile, in mosaic pixels.
    grid : Grid
    radial_up : bool
        Axis-aligned in the frame turned so that up is away from the crater in the tile's middle.

    Returns
    -------
    Chip
    """
    up_deg = _bearing_of_middle(crater, window, grid) if radial_up else 0.0
    edge_x, edge_y = turned(*_outline(crater, window, grid), up_deg)
    low = np.array([edge_x.min(), edge_y.min()])
    high = np.array([edge_x.max(), edge_y.max()])
    best = (0.0, 0.0, -1.0)
    for _ in range(4):
        xs, ys = (axis.ravel() for axis in np.meshgrid(*np.linspace(low, high, 25).T))
        half = np.maximum(np.abs(xs[:, None] - edge_x), np.abs(ys[:, None] - edge_y)).min(axis=1)
        unturned = turned(xs, ys, -up_deg)
        places = azimuthal_inverse(*unturned, crater.lon, crater.lat, grid.radius_m)
        half[~grid.inside(window, *places)] = -1.0
        k = int(half.argmax())
        if half[k] > best[2]:
            best = (float(xs[k]), float(ys[k]), float(half[k]))
        step = (high - low) / 12
        low, high = np.array(best[:2]) - step, np.array(best[:2]) + step
    x, y = turned(*best[:2], -up_deg)
    side = min(2.0 * max(best[2], grid.pixel_m / 2), window.height * grid.pixel_m)
    return Chip(float(x), float(y), side, up_deg)


def _bearing_of_middle(crater: Crater, window: Window, grid: Grid) -> float:
    """Direction of a tile's middle as seen from a crater, in degrees clockwise from north."""
    middle = grid.to_lonlat(window.col + window.width / 2, window.row + window.height / 2)
    return float(bearing(crater.lon, crater.lat, *middle))


def _outline(crater: Crater, window: Window, grid: Grid) -> tuple[Array, Array]:
    """A tile's outline in a crater's azimuthal frame, 48 points a side."""
    s = np.linspace(0.0, 1.0, 48)
    zero, one = np.zeros_like(s), np.ones_like(s)
    cols = window.col + window.width * np.concatenate([s, one, s, zero])
    rows = window.row + window.height * np.concatenate([zero, s, one, s])
    lon, lat = grid.to_lonlat(cols, rows)
    return azimuthal_forward(lon, lat, crater.lon, crater.lat, grid.radius_m)
