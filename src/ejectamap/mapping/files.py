"""Files that are either whole or absent, and the one way that rasters are written.

A file is made in memory, written to a temporary name beside its place, and renamed. A raster is compressed strip by
strip, and is never there as a whole otherwise.
"""

import hashlib
import os
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
from ejectamap.world.grid import Grid, Window

Strips = Iterable[tuple[Window, npt.NDArray[np.unsignedinteger]]]
"""Strips of a window, whole rows of it from north to south, with what is there, (height, width)."""
_BLOCK_PX = 512  # the COG driver's own
_CACHE_BYTES = (
    64 * 2**20
)  # GDAL would take a twentieth of the machine's memory for blocks it will not see again


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
) -> None:
    """Write a window of a grid as a cloud-optimised GeoTIFF with one band."""
    if window.col + window.width > grid.width:
        raise ValueError(f"{window} wraps around: no raster can")
    # The COG driver must see a whole raster, so there is a plain one first, quickly compressed.
    plain: dict[str, Any] = {"driver": "GTiff", "compress": "zstd", "zstd_level": 1, "tiled": True}
    plain |= {"blockxsize": _BLOCK_PX, "blockysize": _BLOCK_PX, "bigtiff": "if_safer"}
    # Blocks without anything are left out: a window that wraps around is mostly empty.
    plain |= {"sparse_ok": True}
    try:
        with rasterio.Env(GDAL_CACHEMAX=_CACHE_BYTES), MemoryFile() as first, MemoryFile() as cog:
            with first.open(
                height=window.height,
                width=window.width,
                count=1,
                dtype=dtype,
                crs=CRS.from_wkt(grid.crs),
                transform=grid.window_transform(window),
                nodata=nodata,
                **plain,
            ) as target:
                for strip, values in strips:
                    top = strip.row - window.row
                    here = rasterio.windows.Window(0, top, strip.width, strip.height)
                    target.write(values, 1, window=here)
                target.set_band_description(1, description)
                # Before there are colours, which GDAL would average instead of the values, at thirty times the cost.
                target.build_overviews(_overviews(window), Resampling[resampling])
                if colours is not None:
                    target.write_colormap(1, {0: (0, 0, 0, 0), **colours})
            with first.open() as source:
                about: dict[str, Any] = {"driver": "COG", "compress": "deflate", "sparse_ok": True}
                rasterio.shutil.copy(source, cog.name, **about)
            replace_file(path, cog.getbuffer())
    except RasterioError as error:
        raise OutputError(
            f"{path}: cannot be made ({error}): free some memory and run again"
        ) from error


def _overviews(window: Window) -> list[int]:
    """Factors of the overviews of a raster, down to one that is a single block."""
    return [2**k for k in range(1, ceil(log2(max(window.shape) / _BLOCK_PX)) + 1)]


def replace_file(path: Path, content: memoryview) -> None:
    """Write a file under a temporary name and rename it; leave nothing behind if that fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror}): free some space, or check the folder, "
            "and run again"
        ) from error


def hash_file(path: Path) -> str:
    """A file's content in one word."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
