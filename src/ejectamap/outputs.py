"""Reading files that the program wrote itself: a damaged one is one line, with the command that makes it again."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rasterio
from PIL import Image
from pyarrow.lib import ArrowException
from rasterio._err import CPLE_BaseError  # what GDAL raises while it copies
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from shapely.errors import ShapelyError

from ejectamap.errors import OutputError
from ejectamap.files import require_file

_REMOVE = "remove it and "
# What readers of JSON, tables, polygons and pictures raise for content that is not what was written.
_DAMAGE = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    RuntimeError,
    ArrowException,
    RasterioError,
    CPLE_BaseError,
    ShapelyError,
    Image.DecompressionBombError,
)


@contextmanager
def reading(path: Path, remedy: str) -> Iterator[None]:
    """Read and take apart an output within this context; keep all else out of it.

    Parameters
    ----------
    path : Path
    remedy : str
        What makes the file again: "run ejectamap map mercury again", with "remove it and " before that if need be.

    Raises
    ------
    OutputError
        If the file is missing, or not what was written.
    """
    try:
        require_file(path)
        yield
    except OutputError:
        raise
    except FileNotFoundError as error:
        raise OutputError(f"{path}: is missing: {remedy.removeprefix(_REMOVE)}") from error
    except _DAMAGE as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise OutputError(f"{path}: is damaged ({reason}): {remedy}") from error


@contextmanager
def reading_raster(path: Path, remedy: str) -> Iterator["rasterio.io.DatasetReader"]:
    """Open a raster and read it within this context; as `reading`."""
    with reading(path, remedy), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path) as source:
            if source.transform.is_identity:
                raise ValueError("it has no place on the ground")
            yield source
