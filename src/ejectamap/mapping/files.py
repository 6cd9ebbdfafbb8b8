"""Files that are either whole or absent, and the one way that rasters are written.

A file is made in memory, written to a temporary name beside its place, and renamed.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile

from ejectamap.errors import OutputError
from ejectamap.world.grid import Grid, Window


def write_cog(
    path: Path,
    values: npt.NDArray[np.unsignedinteger],
    grid: Grid,
    window: Window,
    *,
    description: str,
    nodata: int | None,
    resampling: str,
    colours: Mapping[int, tuple[int, int, int, int]] | None = None,
) -> None:
    """Write an array (window height, window width) as a cloud-optimised GeoTIFF with one band."""
    if values.shape != window.shape or window.col + window.width > grid.width:
        raise ValueError(f"an array of {values.shape} does not fit {window}, or the window wraps")
    try:
        with MemoryFile() as memory:
            with memory.open(
                driver="COG",
                height=window.height,
                width=window.width,
                count=1,
                dtype=values.dtype,
                crs=CRS.from_wkt(grid.crs),
                transform=grid.window_transform(window),
                nodata=nodata,
                compress="deflate",
                overview_resampling=resampling,
            ) as target:
                target.write(values, 1)
                target.set_band_description(1, description)
                if colours is not None:
                    target.write_colormap(1, {0: (0, 0, 0, 0), **colours})
            replace_file(path, memory.getbuffer())
    except RasterioError as error:
        raise OutputError(
            f"{path}: cannot be made ({error}): free some memory and run again"
        ) from error


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
