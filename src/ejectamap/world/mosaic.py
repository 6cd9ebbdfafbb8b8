"""A planet-wide mosaic: read once, sampled at any places, over the dateline and the poles.

The raster is held in memory in its own data type with an averaged pyramid on top (a third more
memory), so that a coarse view neither aliases nor touches the disk. Sampling is bilinear, and
no-data never bleeds into a value: only valid neighbours count.
"""

from dataclasses import dataclass
from pathlib import Path

import numba
import numpy as np
import numpy.typing as npt
import rasterio.windows

from ejectamap.errors import MosaicError
from ejectamap.world.georeference import cylinder, open_raster, raster_crs
from ejectamap.world.grid import Grid, Window

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
_STRIP_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Mosaic:
    """A whole-globe raster of one or more bands.

    Attributes
    ----------
    grid : Grid
    band_names : tuple of str
    levels : tuple of arrays, each of shape (rows, cols, bands)
        The pyramid, finest first, each level half the size of the one before, in the raster's data
        type. Bands last, because a sample reads all bands of a pixel together; everything that
        leaves this class has them first.
    valid : tuple of bool arrays, each of shape (rows, cols)
        Where each level has data.
    """

    grid: Grid
    band_names: tuple[str, ...]
    levels: tuple[npt.NDArray[np.generic], ...]
    valid: tuple[Bools, ...]

    @property
    def bands(self) -> int:
        """Number of bands."""
        return len(self.band_names)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Data type of the raster's values."""
        return self.levels[0].dtype

    @classmethod
    def open(cls, path: Path | str) -> "Mosaic":
        """Read any GDAL raster of the whole globe, equidistant cylindrical or in degrees.

        Raises
        ------
        MosaicError
            If the file cannot be read to its end, has no or another projection, is not on a sphere,
            does not span the globe, or has no data.
        """
        with open_raster(Path(path), MosaicError) as source:
            grid = read_grid(source)
            names = tuple(d or f"band {i + 1}" for i, d in enumerate(source.descriptions))
            values, valid = _read_interleaved(source)
        if not valid.any():
            raise MosaicError(
                f"{path}: every pixel is no-data: check the no-data value in the file"
            )
        return cls.from_array(np.moveaxis(values, -1, 0), valid, grid, names)

    @classmethod
    def from_array(
        cls,
        values: npt.NDArray[np.generic],
        valid: Bools,
        grid: Grid,
        band_names: tuple[str, ...],
    ) -> "Mosaic":
        """Make a mosaic of values (band, row, col) and a mask (row, col) of where they are data."""
        levels = [np.ascontiguousarray(np.moveaxis(values, 0, -1))]
        masks = [valid]
        while min(levels[-1].shape[:2]) >= 64:
            coarser, mask = _halve(levels[-1], masks[-1])
            levels.append(coarser)
            masks.append(mask)
        return cls(grid, band_names, tuple(levels), tuple(masks))

    def read(self, window: Window) -> tuple[npt.NDArray[np.generic], Bools]:
        """Values (band, height, width) of a window, and validity (height, width)."""
        rows = slice(window.row, window.row + window.height)
        cols = self.grid.columns(window)
        return np.moveaxis(self.levels[0][rows][:, cols], -1, 0), self.valid[0][rows][:, cols]

    def reduced(self, widest_px: int) -> "Mosaic":
        """The same mosaic at a coarser level of its pyramid, no wider than asked where whole pixels allow it."""
        level, grid = 0, self.grid
        while grid.width > widest_px and grid.height % 2 == 0 and level + 1 < len(self.levels):
            level, grid = level + 1, grid.halved()
        return Mosaic(grid, self.band_names, self.levels[level:], self.valid[level:])

    def sample(
        self, lon: npt.ArrayLike, lat: npt.ArrayLike, spacing_m: npt.ArrayLike = 0.0
    ) -> tuple[Floats, Bools]:
        """Sample all bands at places, bilinearly.

        Parameters
        ----------
        lon, lat : array_like
            Places in degrees, of any shape; they broadcast.
        spacing_m : array_like, optional
            Ground distance between neighbouring samples, in metres. Where it exceeds a pixel the
            pyramid level nearest to it is used, so that the view does not alias.

        Returns
        -------
        values : float32 array (band, ...), in the raster's units, 0 where there is no data
        valid : bool array (...), where at least half of the bilinear weight fell on data
        """
        col, row = self.grid.to_pixel(lon, lat)
        ratio = np.maximum(np.asarray(spacing_m, np.float64) / self.grid.pixel_m, 1.0)
        level = np.minimum(np.rint(np.log2(ratio)), len(self.levels) - 1).astype(np.uint8)
        col, row, level = np.broadcast_arrays(col, row, level)
        values, valid = _sample(self.levels, self.valid, col.ravel(), row.ravel(), level.ravel())
        return values.reshape(self.bands, *col.shape), valid.reshape(col.shape)


def read_grid(source: "rasterio.DatasetReader") -> Grid:
    """Describe an open raster as a `Grid`, or say in one line why it cannot be one.

    Raises
    ------
    MosaicError
        See `Mosaic.open`.
    """
    name = source.name
    crs = raster_crs(source, MosaicError)
    degrees = cylinder(name, crs, MosaicError)
    transform = source.transform
    if transform.b != 0 or transform.d != 0 or transform.e >= 0 or transform.a <= 0:
        raise MosaicError(f"{name}: is rotated or upside down: make it north-up with gdalwarp")
    west, north = degrees.to_degrees(transform.c, transform.f)
    width_deg = source.width * transform.a * degrees.lon_per_x
    height_deg = -source.height * transform.e * degrees.lat_per_y
    misfits = np.abs([width_deg - 360.0, height_deg - 180.0, north - 90.0])
    if misfits.max() > 360.0 / source.width:
        raise MosaicError(
            f"{name}: spans {width_deg:.2f} x {height_deg:.2f} degrees from latitude {north:.2f}"
            " down, not the whole globe (360 x 180 from 90): pad it with gdalwarp -te, or check the"
            " radius in its CRS"
        )
    return Grid(source.height, source.width, degrees.radius_m, float(west), crs.to_wkt(), transform)


def _read_interleaved(source: "rasterio.DatasetReader") -> tuple[npt.NDArray[np.generic], Bools]:
    """Read (row, col, band) and validity in strips: never two copies of a large mosaic at once."""
    dtype = np.result_type(*source.dtypes)
    values = np.empty((source.height, source.width, source.count), dtype)
    valid = np.empty((source.height, source.width), bool)
    # 0 is also a fair value of a stretched band: there is no data only where all bands have it.
    together = np.any if source.nodata == 0 else np.all
    rows = max(1, _STRIP_BYTES // (source.width * source.count * dtype.itemsize))
    for top in range(0, source.height, rows):
        window = rasterio.windows.Window(0, top, source.width, min(rows, source.height - top))
        strip = source.read(window=window)
        rows_here = slice(top, top + strip.shape[1])
        good = together(source.read_masks(window=window) > 0, axis=0)
        if np.issubdtype(dtype, np.floating):
            good &= np.isfinite(strip).all(axis=0)
        values[rows_here] = np.moveaxis(np.where(good, strip, 0), 0, -1)
        valid[rows_here] = good
    return values, valid


def _halve(values: npt.NDArray[np.generic], valid: Bools) -> tuple[npt.NDArray[np.generic], Bools]:
    """Next level: mean of the valid pixels in each 2 x 2 block; valid where half of them are."""
    rows, cols = (size - size % 2 for size in valid.shape)
    total = np.zeros((rows // 2, cols // 2, values.shape[2]), np.float32)
    count = np.zeros((rows // 2, cols // 2, 1), np.float32)
    for dr in (0, 1):
        for dc in (0, 1):
            good = valid[dr:rows:2, dc:cols:2, None]
            total += np.where(good, values[dr:rows:2, dc:cols:2], 0)
            count += good
    mean = total / np.maximum(count, 1)
    if np.issubdtype(values.dtype, np.integer):
        mean = np.rint(mean)
    return mean.astype(values.dtype), count[..., 0] >= 2


@numba.njit(cache=True, nogil=True, fastmath=False)
def _sample(levels, masks, col, row, level):  # type: ignore[no-untyped-def]
    """Sample a pyramid bilinearly at fractional level-0 pixel coordinates; see `Mosaic.sample`."""
    height0, width0 = masks[0].shape
    bands = levels[0].shape[2]
    n = col.size
    values = np.zeros((bands, n), np.float32)
    valid = np.zeros(n, np.bool_)
    for i in range(n):
        image = levels[level[i]]
        mask = masks[level[i]]
        height, width = mask.shape
        # Centres at +0.5 in every level; an odd size loses its last row or column: scale by sizes.
        c = col[i] * (width / width0) - 0.5
        r = row[i] * (height / height0) - 0.5
        c0 = int(np.floor(c))
        r0 = int(np.floor(r))
        fc = c - c0
        fr = r - r0
        weight = 0.0
        for k in range(4):
            rk = r0 + k // 2
            ck = c0 + k % 2
            w = (fr if k // 2 else 1.0 - fr) * (fc if k % 2 else 1.0 - fc)
            # Over a pole the neighbour is the same row on the opposite meridian.
            if rk < 0:
                rk = -1 - rk
                ck += width // 2
            elif rk >= height:
                rk = 2 * height - 1 - rk
                ck += width // 2
            ck %= width
            if w > 0.0 and mask[rk, ck]:
                weight += w
                for b in range(bands):
                    values[b, i] += w * image[rk, ck, b]
        if weight >= 0.5:
            valid[i] = True
            for b in range(bands):
                values[b, i] /= weight
        else:
            for b in range(bands):
                values[b, i] = 0.0
    return values, valid
