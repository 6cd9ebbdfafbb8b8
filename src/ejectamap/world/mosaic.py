"""A planet-wide mosaic: read once, sampled at any places, also across the dateline and the poles.

The raster is held in memory in its own data type, with one bit per pixel for where it has data. An averaged pyramid (a
third more memory) prevents aliasing in coarse views and needs no access to the disk. Sampling is bilinear; pixels
without data have no influence on a value: only valid neighbours count.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio.windows
from rasterio.enums import MaskFlags

from ejectamap.errors import MosaicError
from ejectamap.world.georeference import cylinder, open_raster, raster_crs, with_authority
from ejectamap.world.grid import Bools, Grid, Window
from ejectamap.world.pyramid import Bits, build_pyramid, interleave, pack_bits, unpack_bits
from ejectamap.world.sampling import as_words, sample_pixels
from ejectamap.world.sampling_grid import SamplingGrid, sample_grid_rows
from ejectamap.world.sphere import Array

Floats = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint64] | None
_STRIP_BYTES = 64 * 2**20


@dataclass(frozen=True, eq=False)
class Mosaic:
    """A whole-globe raster of one or more bands.

    Attributes
    ----------
    grid : Grid
    band_names : tuple of str
    levels : tuple of arrays, each of shape (rows, cols, bands)
        The pyramid, finest first, each level half the size of the one before, in the raster's data
        type. Bands are last, because a sample reads all bands of a pixel together; the methods of
        this class return arrays with the bands first.
    masks : tuple of uint8 arrays, each of shape (rows, cols / 8)
        Where each level has data: one bit a pixel, lowest bit first.
    """

    grid: Grid
    band_names: tuple[str, ...]
    levels: tuple[npt.NDArray[np.generic], ...]
    masks: tuple[Bits, ...]

    @property
    def bands(self) -> int:
        """Number of bands."""
        return len(self.band_names)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Data type of the raster's values."""
        return self.levels[0].dtype

    @cached_property
    def mean_and_std(self) -> tuple[Array, Array]:
        """Mean and standard deviation of each band, taken over every n-th row and column of about a thousand rows."""
        sample = self._sparse_values()
        return sample.mean(axis=0), sample.std(axis=0)

    @cached_property
    def covariance(self) -> Array:
        """Covariance (band, band) of the bands, over the same pixels as `mean_and_std`."""
        return np.cov(self._sparse_values(), rowvar=False).reshape(self.bands, self.bands)

    def _sparse_values(self) -> Array:
        """Bands (n, band) of every n-th row and column of about a thousand rows, where there is data."""
        step = max(1, self.grid.height // 1024)
        valid = unpack_bits(self.masks[0][::step], self.grid.width)[:, ::step]
        return self.levels[0][::step, ::step][valid].astype(np.float64)

    @classmethod
    def open(cls, path: Path | str) -> "Mosaic":
        """Read any GDAL raster of the whole globe, equidistant cylindrical or in degrees.

        Raises
        ------
        MosaicError
            If the file cannot be read to its end, has no projection or a different one, is not on a
            sphere, does not span the globe, or has no data.
        """
        with open_raster(Path(path), MosaicError) as source:
            grid = read_grid(source)
            names = tuple(d or f"band {i + 1}" for i, d in enumerate(source.descriptions))
            values, mask = _read_interleaved(source)
        if not mask.any():
            raise MosaicError(
                f"{path}: every pixel is no-data: check the no-data value in the file"
            )
        return cls(grid, names, *build_pyramid(values, mask))

    @classmethod
    def from_array(
        cls,
        values: npt.NDArray[np.generic],
        valid: Bools,
        grid: Grid,
        band_names: tuple[str, ...],
    ) -> "Mosaic":
        """Make a mosaic of values (band, row, col) and a mask (row, col) of where they are data."""
        interleaved = np.empty((*values.shape[1:], len(values)), values.dtype)
        interleave(values, valid, interleaved)
        return cls(grid, band_names, *build_pyramid(interleaved, pack_bits(valid)))

    def read(self, window: Window) -> tuple[npt.NDArray[np.generic], Bools]:
        """Values (band, height, width) of a window, and validity (height, width)."""
        rows = slice(window.row, window.row + window.height)
        cols = self.grid.columns(window)
        return np.moveaxis(self.levels[0][rows][:, cols], -1, 0), self.read_valid(window)

    def read_valid(self, window: Window) -> Bools:
        """Where a window has data; shape (height, width)."""
        rows = self.masks[0][window.row : window.row + window.height]
        right = window.col + window.width
        if right > self.grid.width:
            return unpack_bits(rows, self.grid.width)[:, self.grid.columns(window)]
        first = window.col // 8
        return unpack_bits(rows[:, first : -(-right // 8)], right - 8 * first)[
            :, window.col - 8 * first :
        ]

    def sample(
        self, lon: npt.ArrayLike, lat: npt.ArrayLike, spacing_m: npt.ArrayLike = 0.0
    ) -> tuple[Floats, Bools]:
        """Sample all bands at places, bilinearly.

        Parameters
        ----------
        lon, lat : array_like
            Places in degrees, of any shape; they broadcast.
        spacing_m : array_like, optional
            Ground distance between neighbouring samples, in metres. If it exceeds the pixel size,
            the pyramid level with the nearest pixel size is used, to avoid aliasing.

        Returns
        -------
        values : float32 array (band, ...), in the raster's units, 0 where there is no data
        valid : bool array (...), where at least half of the bilinear weight fell on data
        """
        places = np.broadcast_arrays(*self.grid.to_pixel(lon, lat), self._levels(spacing_m))
        col, row, level = (array.ravel() for array in places)
        values = np.empty((self.bands, col.size), np.float32)
        valid = np.empty(col.size, bool)
        for k in np.unique(level):
            chosen = level == k
            level_values = np.empty((self.bands, chosen.sum()), np.float32)
            level_valid = np.empty(chosen.sum(), bool)
            scale = np.divide(self.levels[k].shape[:2], self.grid.shape)
            pixels = col[chosen] * scale[1], row[chosen] * scale[0]
            sample_pixels(self._level_data(k), *pixels, level_values, level_valid)
            values[:, chosen], valid[chosen] = level_values, level_valid
        return values.reshape(self.bands, *places[0].shape), valid.reshape(places[0].shape)

    def sample_on_grid(
        self, points: SamplingGrid, out: Floats | None = None
    ) -> tuple[Floats, Bools]:
        """Sample all bands at the points of a rectangular grid, bilinearly.

        The points differ from those of `sample` by less than 0.01 mosaic pixels; this is many times faster.

        Parameters
        ----------
        points : SamplingGrid
            A grid of m columns and n rows.
        out : float32 array (band, n, m), optional
            Array to write the values to; a new one by default.

        Returns
        -------
        values : float32 array (band, n, m), in the raster's units, 0 where there is no data
        valid : bool array (n, m), where at least half of the bilinear weight fell on data
        """
        values = np.empty((self.bands, *points.shape), np.float32) if out is None else out
        valid = np.empty(points.shape, bool)
        west, radius_m = np.radians(self.grid.lon_west), self.grid.radius_m
        frame = points.is_azimuthal, points.axes, points.x_m / radius_m, points.y_m / radius_m
        level = self._level_data(self.level(points.spacing_m))
        sample_grid_rows(level, west, *frame, values, valid)
        return values, valid

    def level(self, spacing_m: float) -> int:
        """Pyramid level with the pixel size nearest to a spacing in metres."""
        return int(self._levels(spacing_m))

    def _level_data(self, level: int) -> tuple[npt.NDArray[np.generic], Words, Bits]:
        """Image, words and mask of a pyramid level: the argument `level` of the compiled loops."""
        return self.levels[level], as_words(self.levels[level]), self.masks[level]

    def _levels(self, spacing_m: npt.ArrayLike) -> npt.NDArray[np.intp]:
        """Pyramid levels with the pixel sizes nearest to spacings in metres, of any shape."""
        ratio = np.maximum(np.divide(spacing_m, self.grid.pixel_m), 1.0)
        return np.minimum(np.rint(np.log2(ratio)), len(self.levels) - 1).astype(np.intp)


def read_grid(source: "rasterio.DatasetReader") -> Grid:
    """Read the `Grid` of an open raster from its CRS, transform and size.

    Raises
    ------
    MosaicError
        If it is not a grid of the whole globe; see `Mosaic.open`.
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
    wkt = with_authority(crs, degrees).to_wkt()
    return Grid(source.height, source.width, degrees.radius_m, float(west), wkt, transform)


def _read_interleaved(source: "rasterio.DatasetReader") -> tuple[npt.NDArray[np.generic], Bits]:
    """Read values (row, col, band) and mask, in strips so that there is no second copy of a large mosaic in memory."""
    dtype = np.result_type(*source.dtypes)
    values = np.empty((source.height, source.width, source.count), dtype)
    mask = np.empty((source.height, -(-source.width // 8)), np.uint8)
    rows = max(1, _STRIP_BYTES // (source.width * source.count * dtype.itemsize))
    for top in range(0, source.height, rows):
        window = rasterio.windows.Window(0, top, source.width, min(rows, source.height - top))
        strip = source.read(window=window)
        strip_rows = slice(top, top + strip.shape[1])
        valid = _valid_pixels(source, window, strip)
        interleave(strip, valid, values[strip_rows])
        mask[strip_rows] = pack_bits(valid)
    return values, mask


def _valid_pixels(
    source: "rasterio.DatasetReader",
    window: rasterio.windows.Window,
    strip: npt.NDArray[np.generic],
) -> Bools:
    """Where a strip (band, row, col), read from a window, has data; (row, col)."""
    if all(flags == [MaskFlags.all_valid] for flags in source.mask_flag_enums):
        valid = np.ones(strip.shape[1:], bool)
    else:
        # 0 may be a valid value of a stretched band: a pixel has no data only if all of its bands are 0.
        combine = np.any if source.nodata == 0 else np.all
        valid = combine(source.read_masks(window=window) > 0, axis=0)
    if np.issubdtype(strip.dtype, np.floating):
        valid &= np.isfinite(strip).all(axis=0)
    return valid
