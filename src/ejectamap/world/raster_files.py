"""Opening raster files: whatever cannot be read is refused in one line, and nothing else reaches the terminal."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ELOOP
from pathlib import Path
from stat import S_ISDIR, S_ISREG

import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from ejectamap.errors import EjectamapError
from ejectamap.world.georeference import one_line

_NOT_RECOGNISED = "not recognized as being in a supported file format"


@contextmanager
def open_raster(path: Path, error: type[EjectamapError]) -> Iterator["rasterio.io.DatasetReader"]:
    """Open a raster; a failure of GDAL, also later in the block, is raised as an error with a one-line message.

    Raises
    ------
    EjectamapError
        Of the type `error`.
    """
    _check_file(path, error)
    try:
        with warnings.catch_warnings(), _proj_database():
            # The checks of CRS and transform have more specific messages than this warning.
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            source = rasterio.open(path)
        with source:
            yield source
    except RasterioError as problem:
        reason = one_line(problem.__cause__ or problem)
        if _NOT_RECOGNISED in reason:
            raise error(f"{path}: {_remedy_of_foreign(path)}") from problem
        raise error(
            f"{path}: cannot be read ({reason}): check the file, or copy it again"
        ) from problem


@contextmanager
def _proj_database() -> Iterator[None]:
    """Set PROJ_DATA: GDAL's reader of units in a GeoTIFF looks nowhere else, and complains on the terminal."""
    folder = Path(rasterio.__file__).parent / "proj_data"
    if "PROJ_DATA" in os.environ or not folder.is_dir():
        yield
        return
    os.environ["PROJ_DATA"] = str(folder)
    try:
        yield
    finally:
        os.environ.pop("PROJ_DATA", None)


def _check_file(path: Path, error: type[EjectamapError]) -> None:
    """Check that a path is a file: GDAL waits for ever for what a pipe may bring, and advises on drivers otherwise."""
    try:
        mode, size = path.stat().st_mode, path.stat().st_size
    except FileNotFoundError as problem:
        raise error(f"{path}: does not exist: check the path") from problem
    except OSError as problem:
        hint = (
            "replace the link, which leads to itself"
            if problem.errno == ELOOP
            else "check the path and permissions"
        )
        raise error(f"{path}: cannot be opened ({problem.strerror}): {hint}") from problem
    if not (S_ISREG(mode) or S_ISDIR(mode)):
        raise error(f"{path}: is a device or a pipe, not a file: give a file")
    if S_ISREG(mode) and size == 0:
        raise error(f"{path}: is empty: copy it again")


def _remedy_of_foreign(path: Path) -> str:
    """What to do about a file that GDAL does not recognise as a raster."""
    for suffix in (".lbl", ".LBL", ".xml"):
        label = path.with_suffix(suffix)
        if label.is_file():
            return f"has the pixels, but not what they are: give {label.name}, the label beside it"
    return "is no raster that GDAL reads: give a raster, as a GeoTIFF, or convert it to one with gdal_translate"
