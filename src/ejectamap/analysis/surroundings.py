"""A crater's surroundings in the polar view: its ejecta, those of other craters, and the mosaic's bands.

Rows of the polar view are rings and columns are azimuths, so that widths, gaps and backgrounds are measured on the
sphere and not in stretched pixels of the mosaic.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ejectamap.analysis.pattern import EjectaCount
from ejectamap.views.polar import PolarView
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Bools, Window
from ejectamap.world.labels import Labels
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import Array, distance

_MIN_RANGE_RADII = 8.0  # least range in crater radii: ground without ejecta is needed as background
_MAX_ROWS, _COLS = 4096, (720, 2880)


@dataclass(frozen=True)
class Surroundings:
    """Samples at the cells of an even polar grid (rows: range; columns: azimuth), from half a crater radius outwards.

    Cells are half a pixel deep, or 1/4096 of the range where that is more, and at the farthest range about two pixels
    wide, but never less than 1/2880 of the circle.

    Attributes
    ----------
    view : PolarView
    ejecta : bool array (rows, cols)
        Ejecta of the crater.
    others : bool array (rows, cols)
        Ejecta of other craters.
    known : bool array (rows, cols)
        Whether the mosaic has data.
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
        cls, crater: Crater, mosaic: Mosaic, window: Window, mask: Bools, count: EjectaCount
    ) -> "Surroundings":
        """Sample masks and mosaic around a crater, up to the farthest pixel of its mask and a little farther."""
        view = _view(crater, mosaic, window, mask)
        lon, lat = view.places()
        ejecta = Labels(mosaic.grid, {0: (window, mask)}, None).sample(0, lon, lat)
        bands, known = mosaic.sample(lon, lat)
        return cls(view, ejecta, count.sample(lon, lat) > ejecta, known, bands)

    def unshared(self) -> "Surroundings":
        """The same surroundings, with no data where other craters have ejecta."""
        return replace(self, ejecta=self.ejecta & ~self.others, known=self.known & ~self.others)

    @property
    def range_m(self) -> Array:
        """Range of the middle of each row; (rows, 1)."""
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
    """Polar grid that reaches a little farther than the farthest pixel of a mask."""
    grid = mosaic.grid
    rows, cols = np.nonzero(mask)
    lon, lat = grid.to_lonlat(cols + window.col + 0.5, rows + window.row + 0.5)
    ejecta_m = distance(crater.lon, crater.lat, lon, lat, grid.radius_m).max(initial=0.0)
    farthest_m = max(float(ejecta_m) + 2 * grid.pixel_m, _MIN_RANGE_RADII * crater.radius_m)
    range_m = min(farthest_m, 0.99 * np.pi * grid.radius_m)
    row_count = int(np.ceil((range_m - 0.5 * crater.radius_m) / (0.5 * grid.pixel_m)))
    widest_m = grid.radius_m * np.sin(min(range_m / grid.radius_m, np.pi / 2))
    col_count = int(np.pi * widest_m / grid.pixel_m)
    col_count = min(max(col_count, _COLS[0]), _COLS[1])
    return PolarView(
        crater, grid.radius_m, range_m, min(row_count, _MAX_ROWS), col_count, power=1.0
    )
