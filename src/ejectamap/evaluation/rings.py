"""Pixels counted by where they lie around a crater: rings of distance, sectors of azimuth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from ejectamap.evaluation.counts import Bools, Counts
from ejectamap.evaluation.deciles import DECILES, cos_distance, places_about
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.sphere import Array

DISTANCES = ("0-3", "3-10", ">10")
"""Names of the distance classes, in crater radii from the centre."""
SECTORS = ("0-45", "45-90", "90-135", "135-180", "180-225", "225-270", "270-315", "315-360")
"""Names of the sectors, in degrees clockwise from north."""
LEVELS = 256  # of a stored probability; the last one is unknown

_RADII = (1.0, 3.0, 10.0)
_M2_PER_KM2 = 1e6


@dataclass(frozen=True)
class RingTable:
    """Counts of one crater by ring and sector, filled window by window.

    Attributes
    ----------
    crater : Crater
    reach_m : float
        Ground farther away is not counted; infinite to count all.
    deciles_m : float array (9,)
        Edges of the deciles of the true ejecta.
    pixels : int64 array (rings, sectors, 4)
        Columns tn, fp, fn, tp.
    area_km2 : float64 array (rings, sectors, 4)
        The same by ground area.
    levels : int64 array (2, 256)
        Pixels by truth and by stored probability.
    """

    crater: Crater
    reach_m: float
    deciles_m: Array
    pixels: npt.NDArray[np.int64]
    area_km2: Array
    levels: npt.NDArray[np.int64]

    @classmethod
    def empty(cls, crater: Crater, reach_m: float, deciles_m: Array) -> "RingTable":
        """A table in which nothing is counted yet."""
        shape = len(_RADII) + deciles_m.size + 1, len(SECTORS), 4
        levels = np.zeros((2, LEVELS), np.int64)
        return cls(crater, reach_m, deciles_m, np.zeros(shape, np.int64), np.zeros(shape), levels)

    @property
    def edges_m(self) -> Array:
        """Distances at which the rings meet, ascending."""
        return np.sort(np.concatenate([np.multiply(_RADII, self.crater.radius_m), self.deciles_m]))

    def count(
        self,
        grid: Grid,
        window: Window,
        truth: Bools,
        prediction: Bools,
        stored: npt.NDArray[np.uint8],
    ) -> npt.NDArray[np.int64]:
        """Add a window, and return its own counts of (tn, fp, fn, tp).

        Parameters
        ----------
        grid : Grid
        window : Window
        truth, prediction : bool array (height, width)
        stored : uint8 array (height, width)
            Probabilities as they are stored, 255 where unknown.
        """
        dlon, lat, lat0, row_area_m2 = places_about(self.crater, grid, window)
        before = self.pixels.sum(axis=(0, 1))
        reach_rad = self.reach_m / grid.radius_m
        _count(
            (truth, prediction, stored),
            (dlon, lat, lat0),
            np.cos(np.minimum(self.edges_m / grid.radius_m, np.pi)),
            np.cos(reach_rad) if reach_rad < np.pi else -2.0,
            row_area_m2 / _M2_PER_KM2,
            (self.pixels, self.area_km2, self.levels),
        )
        return np.asarray(self.pixels.sum(axis=(0, 1)) - before, np.int64)

    def distances(self) -> dict[str, Counts]:
        """Pixels by distance class."""
        rings = np.searchsorted(
            np.multiply(_RADII[1:], self.crater.radius_m), self._starts_m(), "right"
        )
        return {
            name: counts(self.pixels[rings == k].sum(axis=(0, 1)))
            for k, name in enumerate(DISTANCES)
        }

    def outside_km2(self) -> Counts:
        """Ground area beyond the rim."""
        return counts(self.area_km2[self._outside()].sum(axis=(0, 1)))

    def deciles(self) -> tuple[Counts, ...]:
        """Ground area beyond the rim, by decile of the true ejecta's area from the centre outwards."""
        rings = np.searchsorted(self.deciles_m, self._starts_m(), "right")
        return tuple(
            counts(self.area_km2[self._outside() & (rings == k)].sum(axis=(0, 1)))
            for k in range(DECILES)
        )

    def sectors(self) -> dict[str, Counts]:
        """Ground area beyond the rim, by direction from the crater."""
        beyond = self.area_km2[self._outside()].sum(axis=0)
        return {name: counts(row) for name, row in zip(SECTORS, beyond, strict=True)}

    def _starts_m(self) -> Array:
        """Inner edge of each ring."""
        return np.concatenate([[-1.0], self.edges_m])

    def _outside(self) -> Bools:
        return np.asarray(self._starts_m() >= self.crater.radius_m)


def counts(row: npt.NDArray[np.number] | Sequence[float]) -> Counts:
    """Name the counts of (tn, fp, fn, tp)."""
    tn, fp, fn, tp = np.asarray(row).tolist()
    return Counts(tp=tp, fp=fp, fn=fn, tn=tn)


def within_reach(crater: Crater, grid: Grid, window: Window, truth: Bools, reach_m: float) -> Bools:
    """True pixels of a window that are no farther from a crater than `reach_m`."""
    reach_rad = reach_m / grid.radius_m
    if reach_rad >= np.pi:
        return truth
    near = truth.copy()
    _keep_near(near, places_about(crater, grid, window), np.cos(reach_rad))
    return near


@numba.njit(cache=True, nogil=True)
def _keep_near(mask, places, reach_cos):  # type: ignore[no-untyped-def]
    """Clear the pixels of a mask that are too far away."""
    dlon, lat, lat0, _ = places
    sin0, cos0, cos_lon = np.sin(lat0), np.cos(lat0), np.cos(dlon)
    for r in range(mask.shape[0]):
        sin_lat, cos_lat = np.sin(lat[r]), np.cos(lat[r])
        for c in range(mask.shape[1]):
            if mask[r, c]:
                cos_d = cos_distance(sin0, cos0, sin_lat, cos_lat, cos_lon[c])
                mask[r, c] = cos_d >= reach_cos


@numba.njit(cache=True, nogil=True)
def _count(masks, places, edge_cos, reach_cos, row_area, tables):  # type: ignore[no-untyped-def]
    """Count each pixel in its ring and sector. Distances are compared by their cosines, which costs no arccosine."""
    truth, prediction, stored = masks
    dlon, lat, lat0 = places
    pixels, area, levels = tables
    sin0, cos0 = np.sin(lat0), np.cos(lat0)
    sin_lon, cos_lon = np.sin(dlon), np.cos(dlon)
    for r in range(truth.shape[0]):
        sin_lat, cos_lat = np.sin(lat[r]), np.cos(lat[r])
        for c in range(truth.shape[1]):
            cos_d = cos_distance(sin0, cos0, sin_lat, cos_lat, cos_lon[c])
            if cos_d < reach_cos:
                continue
            ring = edge_cos.size
            while ring > 0 and cos_d > edge_cos[ring - 1]:
                ring -= 1
            east = cos_lat * sin_lon[c]
            north = cos0 * sin_lat - sin0 * cos_lat * cos_lon[c]
            sector = _octant(east, north)
            case = 2 * truth[r, c] + prediction[r, c]
            pixels[ring, sector, case] += 1
            area[ring, sector, case] += row_area[r]
            levels[int(truth[r, c]), stored[r, c]] += 1


@numba.njit(cache=True, nogil=True)
def _octant(east, north):  # type: ignore[no-untyped-def]
    """Eighth of the circle, clockwise from north, in which a direction lies."""
    quarter, ahead, aside = 0, north, east
    while ahead <= 0.0 or aside < 0.0:
        if quarter == 3:
            break
        ahead, aside = aside, -ahead
        quarter += 1
    return 2 * quarter + (1 if aside >= ahead else 0)
