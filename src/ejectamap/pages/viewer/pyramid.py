"""The mosaic with reduced copies of itself, without which a view of the whole globe would read all of the file."""

import hashlib
import shutil
import tempfile
from pathlib import Path

import rasterio
import rasterio.shutil
from rasterio.enums import Resampling
from rasterio.errors import RasterioError

from ejectamap.errors import MosaicError, OutputError
from ejectamap.world.georeference import open_raster

_COARSE_PX = 2048  # a raster or an overview no wider than this is read at once
_NAME = "mosaic.vrt"


def mosaic_with_overviews(mosaic: Path, cache: Path) -> Path:
    """The mosaic's file if it has overviews or needs none; else a virtual one in a cache that has them.

    Made once: a folder that is named by the mosaic's path, size and time, and appears when it is complete.

    Raises
    ------
    MosaicError
        If the mosaic cannot be read.
    OutputError
        If the cache cannot be written.
    """
    with open_raster(mosaic, MosaicError) as source:
        width, existing = source.width, source.overviews(1)
    if width <= _COARSE_PX * max(existing, default=1):
        return mosaic
    about = mosaic.stat()
    key = f"{mosaic.resolve()} {about.st_size} {about.st_mtime_ns}"
    folder = cache / f"mosaic-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    if not folder.is_dir():
        _make(mosaic, width, folder)
    return folder / _NAME


def _make(mosaic: Path, width: int, folder: Path) -> None:
    """Make the folder under a temporary name, rename it, and remove those of other mosaics."""
    factors = [2**k for k in range(1, 16) if width > _COARSE_PX * 2 ** (k - 1)]
    try:
        folder.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=".", dir=folder.parent, ignore_cleanup_errors=True
        ) as unfinished:
            path = Path(unfinished) / _NAME
            rasterio.shutil.copy(mosaic.resolve(), path, driver="VRT")
            with (
                rasterio.Env(COMPRESS_OVERVIEW="DEFLATE", GDAL_TIFF_OVR_BLOCKSIZE=512),
                rasterio.open(path, "r+") as target,
            ):
                target.build_overviews(factors, Resampling.average)
            for old in folder.parent.glob("mosaic-*"):
                shutil.rmtree(old)
            Path(unfinished).rename(folder)
    except RasterioError as error:
        raise OutputError(f"{folder}: cannot be made ({error}): free some space") from error
