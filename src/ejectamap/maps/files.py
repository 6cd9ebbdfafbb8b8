"""Write rasters as cloud-optimised GeoTIFFs (COGs).

A raster is compressed strip by strip in memory, and is never held uncompressed as a whole.
"""

from collections.abc import Iterable, Mapping
from math import ceil, log2
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio.shutil
import rasterio.windows
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile

from ejectamap.errors import OutputError
from ejectamap.files import replace_file
from ejectamap.world.grid import Grid, Window

Strips = Iterable[tuple[Window, npt.NDArray[np.unsignedinteger]]]
"""Strips of a window, whole rows of it from north to south, each with its values (height, width)."""
_BLOCK_PX = 512  # the COG driver's own
# By default GDAL caches blocks in a twentieth of the machine's memory, though each is written only once.
_CACHE_BYTES = 64 * 2**20


def write_cog(
    path: Path,
    strips: Strips,
    grid: Grid,
    window: Window,
    *,
    dtype: type[np.unsignedinteger] = np.uint8,
    description: str,
    nodata: int | None,
    resampling: str,
    colours: Mapping[int, tuple[int, int, int, int]] | None = None,
    tags: Mapping[str, str] | None = None,
    scale: float | None = None,
) -> None:
    """Write a window of a grid as a cloud-optimised GeoTIFF with one band.

    Parameters
    ----------
    path : Path
    strips : iterable
    grid : Grid
    window : Window
        It must not wrap around.
    dtype : type
    description : str
        Of the band.
    nodata : int, optional
    resampling : str
        Of the overviews, as rasterio names it.
    colours : mapping, optional
        Red, green, blue and opacity, 0 to 255, by value.
    tags : mapping, optional
        Metadata of the file, by name.
    scale : float, optional
        What programs that show the file multiply its values by; the values stay as they are.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    if window.col + window.width > grid.width:
        raise ValueError(f"{window} wraps around: no raster can")
    try:
        with rasterio.Env(GDAL_CACHEMAX=_CACHE_BYTES), MemoryFile() as plain, MemoryFile() as cog:
            # The COG driver copies a complete raster, so a plain, quickly compressed one is written first.
            with plain.open(**_plain_profile(grid, window, dtype, nodata)) as target:
                for strip, values in strips:
                    top = strip.row - window.row
                    part = rasterio.windows.Window(0, top, strip.width, strip.height)
                    target.write(values, 1, window=part)
                target.set_band_description(1, description)
                if scale is not None:
                    target.scales = (scale,)
                target.update_tags(**(tags or {}))
                # Before the colour table is set: with one, GDAL averages colours, not values, at thirty times the cost.
                target.build_overviews(_overviews(window), Resampling[resampling])
                if colours is not None:
                    target.write_colormap(1, {0: (0, 0, 0, 0), **colours})
            with plain.open() as source:
                options: dict[str, Any] = {"driver": "COG", "compress": "deflate"}
                rasterio.shutil.copy(source, cog.name, **options, sparse_ok=True)
            replace_file(path, cog.getbuffer())
    except RasterioError as error:
        raise OutputError(
            f"{path}: cannot be made ({error}): free some memory and run again"
        ) from error


def _plain_profile(
    grid: Grid, window: Window, dtype: type[np.unsignedinteger], nodata: int | None
) -> dict[str, Any]:
    """Profile of a quickly compressed GeoTIFF; empty blocks, most of a window around the globe, are left out."""
    return {
        "driver": "GTiff",
        "compress": "zstd",
        "zstd_level": 1,
        "tiled": True,
        "blockxsize": _BLOCK_PX,
        "blockysize": _BLOCK_PX,
        "bigtiff": "if_safer",
        "sparse_ok": True,
        "height": window.height,
        "width": window.width,
        "count": 1,
        "dtype": dtype,
        "crs": CRS.from_wkt(grid.crs),
        "transform": grid.window_transform(window),
        "nodata": nodata,
    }


def _overviews(window: Window) -> list[int]:
    """Factors of the overviews of a raster, down to one that is a single block."""
    return [2**k for k in range(1, ceil(log2(max(window.shape) / _BLOCK_PX)) + 1)]
