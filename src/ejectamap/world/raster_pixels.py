"""Pixels of a raster as its file means them: values and where there are any.

Bands without alpha, palettes expanded, scale and offset applied. A pixel has no data by a no-data value, a mask or
alpha, as one of the special pixels of ISIS, or if its value is too large for any measurement.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.windows
from rasterio.enums import ColorInterp, MaskFlags

from ejectamap.errors import MosaicError
from ejectamap.world.grid import Bools

_LARGEST = 1e30  # of a float that is a measurement: ISIS's special pixels and other programs' fill values exceed it
_LEAST_INT16 = -32763  # below are the special pixels of 16-bit cubes: NULL, LRS, LIS, HIS, HRS
# Special pixels of unsigned cubes; in other files these values are data.
_ISIS_DRIVERS = ("ISIS3", "ISIS2")
_ISIS_RANGE = {"uint8": (1, 254), "uint16": (3, 65533)}


@dataclass(frozen=True, eq=False)
class RasterPixels:
    """The bands of an open raster.

    Attributes
    ----------
    source : rasterio.DatasetReader
    bands : tuple of int
        Numbers of the bands that are read, from 1: all but alpha.
    names : tuple of str
        Of the bands that result.
    dtype : dtype
        Of the values that result.
    palette : uint8 array (n, band) or None
        Colours by index.
    opaque : bool array (n,) or None
        Which colours of the palette are not transparent.
    scale, offset : float64 array (band,) or None
        By which stored values become measurements.
    """

    source: "rasterio.DatasetReader"
    bands: tuple[int, ...]
    names: tuple[str, ...]
    dtype: np.dtype[np.generic]
    palette: npt.NDArray[np.uint8] | None = None
    opaque: Bools | None = None
    scale: npt.NDArray[np.float64] | None = None
    offset: npt.NDArray[np.float64] | None = None

    @classmethod
    def of(cls, source: "rasterio.DatasetReader") -> "RasterPixels":
        """Find out what the bands of an open raster are.

        Raises
        ------
        MosaicError
            If it has no bands of real numbers.
        """
        pairs = enumerate(source.colorinterp, start=1)
        bands = tuple(band for band, meaning in pairs if meaning != ColorInterp.alpha)
        if not bands:
            raise MosaicError(
                f"{source.name}: has no band but alpha: give the raster that was masked"
            )
        names = tuple(source.descriptions[band - 1] or f"band {band}" for band in bands)
        dtype = np.result_type(*(source.dtypes[band - 1] for band in bands))
        if dtype.kind == "c":
            raise MosaicError(
                f"{source.name}: its values are complex numbers ({dtype}): write their amplitude to a new file, as in"
                f" gdal_calc.py -A {source.name} --calc='abs(A)' --type=Float32 --outfile=amplitude.tif"
            )
        if len(bands) == 1 and source.colorinterp[bands[0] - 1] == ColorInterp.palette:
            return cls._of_palette(source, bands, names)
        scale = np.array([source.scales[band - 1] for band in bands], np.float64)
        offset = np.array([source.offsets[band - 1] for band in bands], np.float64)
        if (scale == 1).all() and (offset == 0).all():
            return cls(source, bands, names, dtype)
        if not (np.isfinite(scale) & np.isfinite(offset) & (scale != 0)).all():
            raise MosaicError(
                f"{source.name}: scale and offset of its bands ({scale.tolist()}, {offset.tolist()}) cannot be applied:"
                " correct them with gdal_edit.py -scale -offset"
            )
        return cls(source, bands, names, np.dtype(np.float32), scale=scale, offset=offset)

    @classmethod
    def _of_palette(
        cls, source: "rasterio.DatasetReader", bands: tuple[int, ...], names: tuple[str, ...]
    ) -> "RasterPixels":
        """One grey band if all colours of the palette are grey, else red, green and blue."""
        colours = source.colormap(bands[0])
        size = max(colours) + 1
        table = np.zeros((max(size, 256), 4), np.uint8)
        for index, colour in colours.items():
            table[index] = colour
        is_grey = (table[:, :1] == table[:, 1:3]).all()
        palette = table[:, :1] if is_grey else table[:, :3]
        shown = names if is_grey else ("red", "green", "blue")
        return cls(source, bands, shown, np.dtype(np.uint8), palette, table[:, 3] > 0)

    @property
    def is_plain(self) -> bool:
        """Whether the values are as stored, and the file says by itself where there are any."""
        is_told = self.dtype.kind == "u" or self.source.nodata is not None
        return self.palette is None and self.scale is None and is_told

    def read(self, window: rasterio.windows.Window) -> tuple[npt.NDArray[np.generic], Bools]:
        """Values (band, row, col) of a window, and where it has data, (row, col); other values mean nothing."""
        stored = self.source.read(list(self.bands), window=window)
        valid = self._declared_valid(window, stored.shape[1:]) & _not_special(
            stored, self.source.driver
        )
        if self.palette is not None and self.opaque is not None:
            index = np.minimum(stored[0], len(self.palette) - 1)
            return np.moveaxis(self.palette[index], -1, 0), valid & self.opaque[index]
        if self.scale is None or self.offset is None:
            return stored.astype(self.dtype, copy=False), valid
        stored = np.where(valid, stored, 0)
        scaled = stored * self.scale[:, None, None] + self.offset[:, None, None]
        return scaled.astype(np.float32), valid

    def _declared_valid(self, window: rasterio.windows.Window, shape: tuple[int, ...]) -> Bools:
        """Where a window has data by the file's own account: no-data value, mask or alpha."""
        source, bands = self.source, list(self.bands)
        if all(source.mask_flag_enums[band - 1] == [MaskFlags.all_valid] for band in bands):
            return np.ones(shape, bool)
        # 0 may be a valid value of a stretched band: a pixel has no data only if all of its bands are 0.
        combine = np.any if source.nodata == 0 else np.all
        return np.asarray(combine(source.read_masks(bands, window=window) > 0, axis=0))


def _not_special(stored: npt.NDArray[Any], driver: str) -> Bools:
    """Where no band (band, row, col) has a value that stands for missing data though the file may not say so."""
    if np.issubdtype(stored.dtype, np.floating):
        # The comparison is false for nan as well.
        return np.asarray((np.abs(stored) < _LARGEST).all(axis=0))
    if stored.dtype == np.int16:
        return np.asarray((stored >= _LEAST_INT16).all(axis=0))
    if driver in _ISIS_DRIVERS and stored.dtype.name in _ISIS_RANGE:
        low, high = _ISIS_RANGE[stored.dtype.name]
        return np.asarray(((stored >= low) & (stored <= high)).all(axis=0))
    return np.ones(stored.shape[1:], bool)
