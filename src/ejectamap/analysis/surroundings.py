"""A crater's surroundings in the polar view: who has ejecta where, and what the mosaic shows there.

Rings and azimuths of the ground are rows and columns here, so that widths, gaps and backgrounds are measured on the
sphere and never in stretched pixels.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ejectamap.analysis.pattern import Claims
from ejectamap.views.polar import PolarView
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Window
from ejectamap.world.labels import Labels
from ejectamap.world.mosaic import Bools, Mosaic
from ejectamap.world.sphere import Array, distance

_NEAREST_RADII = 8.0  # looked at even where all ejecta are nearer: there is the background
_MOST_ROWS, _COLS = 4096, (720, 2880)


@dataclass(frozen=True)
class Surroundings:
    """Samples at the cells of an even polar grid (rows: range; columns: azimuth), from half a crater radius outwards.

    Cells are half a pixel deep, or 1/4096 of the range where that is more, and at the farthest range about two pixels
    wide, but never less than 1/2880 of the circle.

    Attributes
    ----------
    view : PolarView
    ejecta : bool array (rows, cols)
        The crater's.
    others : bool array (rows, cols)
        Other craters' ejecta.
    known : bool array (rows, cols)
        Where there is anything to see.
    bands : float32 array (band, rows, cols)
        In the mosaic's units.
    """

    view: PolarView
    ejecta: Bools
    others: Bools
    known: Bools
    bands: npt.NDArray[np.float32]

    @classmethod
    def sample(
        cls, crater: Crater, mosaic: Mosaic, window: Window, mask: Bools, claims: Claims
    ) -> "Surroundings":
        """Sample everything about a crater, as far as its mask goes and a little more."""
        view = _view(crater, mosaic, window, mask)
        lon, lat = view.places()
        ejecta = Labels(mosaic.grid, {0: (window, mask)}, None).sample(0, lon, lat)
        bands, known = mosaic.sample(lon, lat)
        return cls(view, ejecta, claims.at(lon, lat) > ejecta, known, bands)

    def unshared(self) -> "Surroundings":
        """The same as if nothing were known where others have ejecta."""
        return replace(self, ejecta=self.ejecta & ~self.others, known=self.known & ~self.others)

    @property
    def range_m(self) -> Array:
        """Range of each row's middle; (rows, 1)."""
        return self.view.row_ranges_m()[:, None]

    @property
    def depth_m(self) -> float:
        """Depth of a row."""
        return float(np.diff(self.view.row_edges_m()[:2])[0])

    @property
    def beyond_rim(self) -> Bools:
        """Whether rows lie beyond the rim; (rows, 1)."""
        return np.asarray(self.range_m > self.view.crater.radius_m)

    @property
    def area_km2(self) -> Array:
        """Ground area of each cell; (rows, cols)."""
        return np.broadcast_to(self.view.cell_area_m2() / 1e6, self.ejecta.shape)


def _view(crater: Crater, mosaic: Mosaic, window: Window, mask: Bools) -> PolarView:
    """Polar grid that holds a mask and a little more."""
    grid = mosaic.grid
    rows, cols = np.nonzero(mask)
    lon, lat = grid.to_lonlat(cols + window.col + 0.5, rows + window.row + 0.5)
    away = distance(crater.lon, crater.lat, lon, lat, grid.radius_m).max(initial=0.0)
    farthest = max(float(away) + 2 * grid.pixel_m, _NEAREST_RADII * crater.radius_m)
    range_m = min(farthest, 0.99 * np.pi * grid.radius_m)
    deep = int(np.ceil((range_m - 0.5 * crater.radius_m) / (0.5 * grid.pixel_m)))
    widest_m = grid.radius_m * np.sin(min(range_m / grid.radius_m, np.pi / 2))
    wide = int(np.pi * widest_m / grid.pixel_m)
    wide = min(max(wide, _COLS[0]), _COLS[1])
    return PolarView(crater, grid.radius_m, range_m, min(deep, _MOST_ROWS), wide, power=1.0)
