"""One crater's mapped ejecta as a list of pixels, and how many craters' ejecta cover each pixel of the globe."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import label
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ejectamap.world.craters import Crater
from ejectamap.world.grid import Bools, Grid, Window
from ejectamap.world.sphere import Array, azimuthal_forward

CLUSTER_KM2 = 100 * 0.66524315**2
"""Smallest ground area of a cluster that counts as ejecta: the published 100 pixels of 665.24315 m."""
_TOUCHING = np.ones((3, 3), int)


@dataclass(frozen=True)
class EjectaPixels:
    """Ejecta of one crater beyond its rim, one entry per pixel of about 50 bytes.

    Attributes
    ----------
    crater : Crater
    body_radius_m : float
    lon, lat : float array (n,)
        Pixel centres, in degrees.
    distance_m, bearing_deg : float array (n,)
        Distance and direction of each pixel from the crater's centre.
    area_km2 : float array (n,)
        Exact ground area of each pixel.
    shared : bool array (n,)
        Whether ejecta of another crater are mapped at the pixel too.
    """

    crater: Crater
    body_radius_m: float
    lon: Array
    lat: Array
    distance_m: Array
    bearing_deg: Array
    area_km2: Array
    shared: Bools

    @classmethod
    def of_mask(
        cls, crater: Crater, grid: Grid, window: Window, mask: Bools, shared: Bools
    ) -> "EjectaPixels":
        """Ejecta pixels of a mask over a window; `shared` (same window) is True where other craters have ejecta too."""
        rows, cols = np.nonzero(mask)
        lon, lat = grid.to_lonlat(cols + window.col + 0.5, rows + window.row + 0.5)
        x_m, y_m = azimuthal_forward(lon, lat, crater.lon, crater.lat, grid.radius_m)
        pattern = cls(
            crater,
            grid.radius_m,
            lon,
            lat,
            np.hypot(x_m, y_m),
            np.degrees(np.arctan2(x_m, y_m)) % 360.0,
            grid.row_area_m2[rows + window.row] / 1e6,
            shared[rows, cols],
        )
        return pattern.select(pattern.distance_m > crater.radius_m)

    def select(self, chosen: Bools) -> "EjectaPixels":
        """Ejecta pixels: the chosen pixels only."""
        names = ("lon", "lat", "distance_m", "bearing_deg", "area_km2", "shared")
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})


class EjectaCount:
    """Number of craters whose ejecta are mapped at each pixel of the globe, in one byte per pixel."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._count = np.zeros(grid.shape, np.uint8)

    def add(self, window: Window, mask: Bools) -> None:
        """Add one crater's mask; counts stop at 255."""
        rows = self._count[window.row : window.row + window.height]
        cols = self._grid.columns(window)
        rows[:, cols] = np.minimum(rows[:, cols], 254) + mask

    def other_craters(self, window: Window, mask: Bools) -> Bools:
        """Whether craters other than the one with this mask have ejecta; shape of the window."""
        rows = self._count[window.row : window.row + window.height]
        return np.asarray(rows[:, self._grid.columns(window)] > mask)

    def sample(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> npt.NDArray[np.uint8]:
        """Number of craters at the pixels that hold places (degrees, any shape)."""
        col, row = np.broadcast_arrays(*self._grid.to_pixel(lon, lat))
        last = self._grid.height - 1
        count: npt.NDArray[np.uint8] = self._count[
            np.minimum(row.astype(np.intp), last), col.astype(np.intp)
        ]
        return count


def without_small_clusters(mask: Bools, grid: Grid, window: Window) -> Bools:
    """Mask without clusters of touching pixels that cover less ground than `CLUSTER_KM2`.

    Pixels touch at sides and corners, and across the raster's left and right edge. The published recipe counts pixels
    of its own projection; ground area is comparable at any resolution and latitude.
    """
    labels = label_clusters(mask, closed=window.width == grid.width)
    area_km2 = np.zeros(int(labels.max(initial=0)) + 1)
    for row, row_area_m2 in zip(labels, grid.row_area_m2[window.row :], strict=False):
        cluster, pixels = np.unique(row[row > 0], return_counts=True)
        area_km2[cluster] += pixels * row_area_m2 / 1e6
    return np.asarray((area_km2 >= CLUSTER_KM2)[labels] & mask)


def label_clusters(mask: Bools, closed: bool) -> npt.NDArray[np.int32]:
    """Number the clusters of touching cells from 1 on; 0 elsewhere. `closed`: the last column touches the first."""
    labels, count = label(mask, _TOUCHING)
    if not closed or count == 0:
        return np.asarray(labels, np.int32)
    right, left = labels[:, -1], np.pad(labels[:, 0], 1)
    pairs = [np.stack([right, left[k : k + len(right)]]) for k in range(3)]
    a, b = np.concatenate(pairs, axis=1)
    a, b = a[(a > 0) & (b > 0)], b[(a > 0) & (b > 0)]
    graph = coo_array((np.ones(len(a), bool), (a, b)), shape=(count + 1, count + 1))
    _, joined = connected_components(graph, directed=False)
    return np.asarray(joined[labels], np.int32)
