"""Overviews of the mosaic (reduced copies), without which a view of the whole globe would read the whole file."""

import hashlib
import shutil
import tempfile
from pathlib import Path

import rasterio
import rasterio.shutil
from rasterio.enums import Resampling
from rasterio.errors import RasterioError

from ejectamap.errors import MosaicError, OutputError
from ejectamap.world.raster_files import open_raster

# Width of a raster, or of its coarsest overview, that is small enough to be read whole.
_COARSEST_PX = 2048
_NAME = "mosaic.vrt"


def mosaic_with_overviews(mosaic: Path, cache: Path) -> Path:
    """Path of the mosaic if it has overviews or is small; else of a VRT with overviews, built in the cache if missing.

    The cached folder is named by a digest of the mosaic's path, size and time of change, and renamed to that name when
    it is complete.

    Raises
    ------
    MosaicError
        If the mosaic cannot be read.
    OutputError
        If the cache cannot be written.
    """
    with open_raster(mosaic, MosaicError) as source:
        width, existing = source.width, source.overviews(1)
    if width <= _COARSEST_PX * max(existing, default=1):
        return mosaic
    status = mosaic.stat()
    key = f"{mosaic.resolve()} {status.st_size} {status.st_mtime_ns}"
    folder = cache / f"mosaic-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    if not folder.is_dir():
        _build(mosaic, width, folder)
    return folder / _NAME


def _build(mosaic: Path, width: int, folder: Path) -> None:
    """Build the folder under a temporary name, remove those of other mosaics, and rename it."""
    factors = [2**k for k in range(1, 16) if width > _COARSEST_PX * 2 ** (k - 1)]
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
