"""Whether mapped ejecta end where the ground does: at no-data, the mosaic's edge or the crater's reach."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation

from ejectamap.analysis.pattern import CLUSTER_KM2, EjectaPixels, label_clusters
from ejectamap.world.grid import Bools, Window
from ejectamap.world.mosaic import Mosaic

NO_DATA, REACH = "no data", "reach"
"""What may cut ejecta off."""

_TOUCHING = np.ones((3, 3), bool)
_NEAR_PX = 1.5  # from the limit of the reach, within which a pixel touches it


def truncation(pattern: EjectaPixels, mosaic: Mosaic, window: Window, mask: Bools) -> str:
    """What cuts a crater's mapped ejecta off: "no data", "reach", "no data, reach" or "" for nothing.

    Parameters
    ----------
    pattern : EjectaPixels
        Ejecta beyond the rim.
    mosaic : Mosaic
    window : Window
    mask : bool array (height, width)
        The crater's mask over the window. Patches without data of less than `CLUSTER_KM2` cut nothing off.
    """
    grid, crater = mosaic.grid, pattern.crater
    closed = window.width == grid.width
    holes = label_clusters(~mosaic.read_valid(window), closed)
    touched = np.unique(holes[_dilated(mask, closed)])
    causes = []
    if any(
        _area_km2(holes == hole, grid.row_area_m2[window.row :]) >= CLUSTER_KM2
        for hole in touched
        if hole
    ):
        causes.append(NO_DATA)
    limit_m = crater.reach_m(grid.radius_m) - _NEAR_PX * grid.pixel_m
    if (pattern.distance_m > limit_m).any():
        causes.append(REACH)
    return ", ".join(causes)


def _dilated(mask: Bools, closed: bool) -> Bools:
    """Mask grown by a pixel on every side; `closed`: the last column touches the first."""
    if not closed:
        return np.asarray(binary_dilation(mask, _TOUCHING))
    around = np.concatenate([mask[:, -1:], mask, mask[:, :1]], axis=1)
    return np.asarray(binary_dilation(around, _TOUCHING)[:, 1:-1])


def _area_km2(cells: Bools, row_area_m2: npt.NDArray[np.float64]) -> float:
    """Ground area of some pixels."""
    return float(cells.sum(axis=1) @ row_area_m2[: cells.shape[0]]) / 1e6
