"""A mosaic of a planet: read once, sampled at any places, also across the dateline and the poles.

The raster is held in its own data type, with one bit per pixel for where it has data; an averaged pyramid (a third
more) prevents aliasing in coarse views. A small mosaic is in memory, a large one in files that all processes of a
machine share; see `world.store`. Sampling is bilinear; pixels without data have no influence on a value: only valid
neighbours count.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ejectamap.errors import MosaicError
from ejectamap.world.arrays import Arrays, MemoryArrays
from ejectamap.world.georeference import SAME_RADIUS
from ejectamap.world.grid import STRIP_PIXELS, Bools, Grid, Window
from ejectamap.world.mosaic_files import (
    MosaicHeader,
    enough_memory,
    read_mosaic_header,
    read_mosaic_pixels,
)
from ejectamap.world.pyramid import Bits, build_pyramid, interleave, pack_bits, unpack_bits
from ejectamap.world.sampling import as_words, sample_pixels
from ejectamap.world.sampling_grid import SamplingGrid, sample_grid_rows
from ejectamap.world.sphere import Array
from ejectamap.world.store import MosaicStore, is_stored
from ejectamap.world.value_checks import check_values

Floats = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint64] | None
_LEAST_SAMPLES = 20_000  # for means and variances


@dataclass(frozen=True, eq=False)
class BandStatistics:
    """Statistics of a mosaic's bands, over every n-th row and column of about a thousand rows.

    Attributes
    ----------
    mean, std : float64 array (band,)
    covariance : float64 array (band, band)
    """

    mean: Array
    std: Array
    covariance: Array

    @classmethod
    def of(cls, sample: Array) -> "BandStatistics":
        """Statistics of a sample (n, band)."""
        bands = sample.shape[1]
        covariance = np.cov(sample, rowvar=False).reshape(bands, bands)
        return cls(sample.mean(axis=0), sample.std(axis=0), covariance)

    def to_json(self) -> dict[str, list[object]]:
        """As JSON has it, to the last bit."""
        return {name: getattr(self, name).tolist() for name in ("mean", "std", "covariance")}

    @classmethod
    def from_json(cls, content: dict[str, list[object]]) -> "BandStatistics":
        """The inverse of `to_json`."""
        return cls(**{name: np.array(values, np.float64) for name, values in content.items()})


@dataclass(frozen=True, eq=False)
class Mosaic:
    """A raster of one or more bands on a grid of the whole globe, which may have data in a part of it only.

    Attributes
    ----------
    grid : Grid
    band_names : tuple of str
    levels : tuple of arrays, each of shape (rows, cols, bands)
        The pyramid, finest first, each level half the size of the one before, in the raster's data
        type, read-only. Bands are last, because a sample reads all bands of a pixel together; the
        methods of this class return arrays with the bands first.
    masks : tuple of uint8 arrays, each of shape (rows, cols / 8)
        Where each level has data: one bit a pixel, lowest bit first.
    notes : tuple of str
        What a person should know about how the files were read, one line each.
    larger : Mosaic or None
        The mosaic that this one is a part of, if there is one.
    known_statistics : BandStatistics or None
        `statistics`, if they were computed before.
    """

    grid: Grid
    band_names: tuple[str, ...]
    levels: tuple[npt.NDArray[np.generic], ...]
    masks: tuple[Bits, ...]
    notes: tuple[str, ...] = ()
    larger: "Mosaic | None" = None
    known_statistics: BandStatistics | None = None

    def __post_init__(self) -> None:
        """Make the arrays read-only, as those of a store are: compiled loops are compiled for one kind."""
        for name in ("levels", "masks"):
            views = tuple(array.view() for array in getattr(self, name))
            for view in views:
                view.flags.writeable = False
            object.__setattr__(self, name, views)

    @property
    def whole(self) -> "Mosaic":
        """The mosaic by whose values bands are scaled: the larger one, or this one."""
        return self if self.larger is None else self.larger

    @property
    def bands(self) -> int:
        """Number of bands."""
        return len(self.band_names)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Data type of the raster's values."""
        return self.levels[0].dtype

    @cached_property
    def statistics(self) -> BandStatistics:
        """Statistics of the bands, taken over every n-th row and column of about a thousand rows."""
        return self.known_statistics or BandStatistics.of(self._sparse_values())

    @property
    def mean_and_std(self) -> tuple[Array, Array]:
        """Mean and standard deviation of each band; see `statistics`."""
        return self.statistics.mean, self.statistics.std

    @property
    def covariance(self) -> Array:
        """Covariance (band, band) of the bands; see `statistics`."""
        return self.statistics.covariance

    @cached_property
    def data_share(self) -> float:
        """Share of the grid's pixels that have data, 0 to 1."""
        mask = self.masks[0]
        rows = max(1, STRIP_PIXELS // mask.shape[1])
        strips = (mask[top : top + rows] for top in range(0, len(mask), rows))
        count = sum(int(np.bitwise_count(strip).sum()) for strip in strips)
        return count / (self.grid.height * self.grid.width)

    def _sparse_values(self) -> Array:
        """Bands (n, band) of every n-th row and column of about a thousand rows, where there is data.

        Of more rows and columns, if data in a small part of the globe would otherwise give few values.
        """
        step = max(1, self.grid.height // 1024)
        values = self._every(step)
        while step > 1 and len(values) < _LEAST_SAMPLES:
            step //= 2
            values = self._every(step)
        return values

    def _every(self, step: int) -> Array:
        """Bands (n, band) of every n-th row and column, where there is data."""
        mask = self.masks[0]
        rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0)) * 8
        if rows.size == 0:
            return np.empty((0, self.bands))
        top, left = rows[0] // step * step, cols[0] // (8 * step) * 8 * step
        right = min(cols[-1] + 8, self.grid.width)
        part = mask[top : rows[-1] + 1 : step, left // 8 : -(-right // 8)]
        valid = unpack_bits(part, right - left)[:, ::step]
        values = self.levels[0][top : rows[-1] + 1 : step, left:right:step]
        return values[valid].astype(np.float64)

    @classmethod
    def open(cls, path: Path | str, cache: Path | None = None) -> "Mosaic":
        """Read any raster that GDAL can place on a sphere, or a folder of them; ground that they lack has no data.

        Parameters
        ----------
        path : Path or str
        cache : Path, optional
            Folder in which a large mosaic is stored, or has been, instead of memory; see `world.store`. By default
            any mosaic is read into memory.

        Raises
        ------
        MosaicError
            If a file cannot be read to its end, does not say where on a sphere it is, has nothing to see, or has
            values that cannot be measurements; or if there is not enough memory.
        OutputError
            If the mosaic cannot be stored.
        """
        header = read_mosaic_header(Path(path))
        if cache is not None and is_stored(header):
            return cls._open_stored(header, cache)
        with enough_memory(header):
            return cls._read(header, MemoryArrays())

    @classmethod
    def _open_stored(cls, header: MosaicHeader, cache: Path) -> "Mosaic":
        """Map the arrays of a mosaic's store into memory; the first time, make it."""

        def convert(arrays: Arrays) -> dict[str, object]:
            mosaic = cls._read(header, arrays)
            return {
                "levels": len(mosaic.levels),
                "notes": mosaic.notes[len(header.notes) :],
                "statistics": mosaic.statistics.to_json(),
            }

        store = MosaicStore.of(header.path, cache)
        record = store.open(convert, header.disk_bytes)
        levels, masks = store.arrays(record["levels"])
        return cls(
            header.grid,
            header.band_names,
            levels,
            masks,
            # Where the files have moved since, the notes of that time name their earlier path.
            (*header.notes, *record["notes"]),
            known_statistics=BandStatistics.from_json(record["statistics"]),
        )

    @classmethod
    def _read(cls, header: MosaicHeader, arrays: Arrays) -> "Mosaic":
        """Read a mosaic's files into arrays."""
        values, mask = read_mosaic_pixels(header, arrays)
        if not mask.any():
            raise MosaicError(
                f"{header.path}: every pixel is no-data: check the no-data value in the file"
            )
        pyramid = build_pyramid(values, mask, arrays)
        mosaic = cls(header.grid, header.band_names, *pyramid)
        sample = mosaic._sparse_values()
        notes = check_values(header.path, mosaic.band_names, sample)
        return replace(
            mosaic, notes=(*header.notes, *notes), known_statistics=BandStatistics.of(sample)
        )

    def as_part_of(self, larger: "Mosaic") -> "Mosaic":
        """The same mosaic as a part of a larger one, by whose values its bands are scaled.

        Raises
        ------
        MosaicError
            If the two differ in their bands or the radius of the sphere.
        """
        if len(larger.band_names) != self.bands or not np.isclose(
            larger.grid.radius_m, self.grid.radius_m, rtol=SAME_RADIUS
        ):
            raise MosaicError(
                f"inputs.part_of: has {larger.bands} bands on a sphere of {larger.grid.radius_m:.10g} m, inputs.mosaic"
                f" has {self.bands} on one of {self.grid.radius_m:.10g} m: name the mosaic that this one was cut from"
            )
        return replace(self, larger=larger)

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
        pyramid = build_pyramid(interleaved, pack_bits(valid), MemoryArrays())
        return cls(grid, band_names, *pyramid)

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
        grid, radius_m = self.grid, self.grid.radius_m
        edges = np.radians((grid.lon_west, grid.lat_north, grid.span_deg))
        frame = points.is_azimuthal, points.axes, points.x_m / radius_m, points.y_m / radius_m
        level = self._level_data(self.level(points.spacing_m))
        sample_grid_rows(level, tuple(edges), *frame, values, valid)
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
