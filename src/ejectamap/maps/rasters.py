"""A crater's rasters on disk, probabilities and mask: how they are coded, written and read.

Both are cloud-optimised GeoTIFFs. A file is either whole or absent (see `maps.files`), and nothing in it depends on the
clock: the same map gives the same bytes.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numba
import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.windows

from ejectamap.files import link_file
from ejectamap.maps.colours import Colour
from ejectamap.maps.edits import Edit
from ejectamap.maps.files import Strips, write_cog
from ejectamap.outputs import reading_raster
from ejectamap.world.grid import Bools, Grid, Window
from ejectamap.world.mosaic import Floats

Bytes = npt.NDArray[np.uint8]
StripReader = Callable[[Window], Floats]
"""From a strip of a window, whole rows of it, to its probabilities (height, width), nan where unknown."""

NO_DATA = 255
"""Stored value where the probability is unknown."""
STEPS = 250
"""Stored value of a probability of 1."""


def quantise(probability: Floats) -> Bytes:
    """Probabilities (nan where unknown) as they are stored: round(250 p), 255 where unknown.

    All outputs go through the stored value, so that they agree with one another, and a map that was
    interrupted and continued from its files is the same map.
    """
    stored = np.empty(probability.shape, np.uint8)
    _quantise(probability, stored)
    return stored


@numba.njit(cache=True, nogil=True)
def _quantise(probability, stored):  # type: ignore[no-untyped-def]
    """See `quantise`: one pass over what may be as large as the mosaic."""
    for r in range(stored.shape[0]):
        for c in range(stored.shape[1]):
            p = probability[r, c]
            stored[r, c] = NO_DATA if np.isnan(p) else np.uint8(np.rint(np.float32(STEPS) * p))


def write_probability(path: Path, grid: Grid, window: Window, probability: StripReader) -> None:
    """Write one crater's probabilities as a COG: uint8, round(250 p), 255 where nothing is known.

    The file says that its values are to be multiplied by 1/250: programs that heed it show 0 to 1.

    Parameters
    ----------
    path : Path
    grid : Grid
        The mosaic's.
    window : Window
        Where the probabilities lie; it must not wrap around.
    probability : callable
        From strips of the window, north to south, to float32 in [0, 1], nan where nothing is known.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    strips = grid.strips(window)
    _write_stored(path, grid, window, ((strip, quantise(probability(strip))) for strip in strips))


def copy_probability(path: Path, target: Path, grid: Grid) -> None:
    """Write a copy of one crater's probabilities that carries their scale; maps of earlier versions have none.

    A file that has it is linked, or copied where the two places cannot share one file.

    Raises
    ------
    OutputError
        If a file cannot be read or written.
    """
    with _opened(path) as source:
        scaled = source.scales == (1 / STEPS,)
    if scaled:
        link_file(path, target)
    else:
        _write_stored(target, grid, stored_window(path, grid), stored_strips(path, grid))


def _write_stored(path: Path, grid: Grid, window: Window, strips: Strips) -> None:
    """Write stored probabilities, strip by strip."""
    write_cog(
        path,
        strips,
        grid,
        window,
        description=f"probability of ejecta x {STEPS}, {NO_DATA} = unknown",
        nodata=NO_DATA,
        resampling="average",
        scale=1 / STEPS,
    )


def probabilities(stored: Bytes) -> Floats:
    """Probabilities as they were before `quantise`, within 1/500; nan where unknown."""
    probability = stored.astype(np.float32) / np.float32(STEPS)
    probability[stored == NO_DATA] = np.nan
    return probability


def write_mask(
    path: Path,
    grid: Grid,
    probability: Path,
    threshold: float = 0.5,
    colour: Colour | None = None,
    edit: Edit | None = None,
) -> None:
    """Write one crater's mask as a COG: uint8, 1 where its stored probability exceeds a threshold, else 0.

    An edited mask has the tag EDITED_KM2, the ground area that a person edited.

    Parameters
    ----------
    path : Path
    grid : Grid
        The mosaic's.
    probability : Path
        What `write_probability` wrote.
    threshold : float
    colour : Colour, optional
        Of the ejecta, for programs that show the file.
    edit : Edit, optional
        Where a person added or removed ejecta.

    Raises
    ------
    OutputError
        If the one file cannot be read or the other cannot be written.
    """
    write_cog(
        path,
        (
            (strip, exceeds(stored, threshold).view(np.uint8))
            for strip, stored in stored_strips(probability, grid, edit)
        ),
        grid,
        stored_window(probability, grid),
        description=f"1 = ejecta (probability > {threshold:g}{', edited by hand' if edit else ''})",
        nodata=None,
        resampling="average",  # rounded: of four pixels two ones make a one
        colours=None if colour is None else {1: (*colour, 255)},
        tags={} if edit is None else {"EDITED_KM2": f"{edit.area_km2(grid):.6g}"},
    )


def recolour_mask(path: Path, grid: Grid, colour: Colour) -> None:
    """Give a mask another colour, if it has another one; its pixels stay as they are.

    The file keeps its time of modification, so that what was measured on the mask counts as measured after it.

    Raises
    ------
    OutputError
        If the file cannot be read or written.
    """
    with _opened(path) as source:
        (description,) = source.descriptions
        tags = {k: v for k, v in source.tags().items() if k != "AREA_OR_POINT"}
        if _colour_of_ones(source) == colour:
            return
    written = path.stat()
    write_cog(
        path,
        stored_strips(path, grid),
        grid,
        stored_window(path, grid),
        description=description or "",
        nodata=None,
        resampling="average",
        colours={1: (*colour, 255)},
        tags=tags,
    )
    os.utime(path, ns=(written.st_atime_ns, written.st_mtime_ns))


def _colour_of_ones(source: "rasterio.DatasetReader") -> tuple[int, ...] | None:
    """Colour of the value 1; None without a colour table."""
    try:
        return tuple(source.colormap(1)[1][:3])
    except ValueError:
        return None


def read_mask(path: Path, grid: Grid) -> tuple[Window, Bools]:
    """Read what `write_mask` wrote: its window, and where the ejecta are.

    Raises
    ------
    OutputError
        If the file is missing or damaged.
    """
    window, stored = read_stored(path, grid)
    return window, stored == 1


def exceeds(stored: Bytes, threshold: float) -> Bools:
    """Where stored probabilities are known and above a threshold."""
    above: Bools = (stored > threshold * STEPS) & (stored != NO_DATA)
    return above


def read_stored(path: Path, grid: Grid) -> tuple[Window, Bytes]:
    """Read a raster of the map as it is stored, and which window of the grid it covers.

    Raises
    ------
    OutputError
        If the file is missing or damaged.
    """
    with _opened(path) as source:
        return _window(source, grid), source.read(1)


def read_part(path: Path, grid: Grid, part: Window) -> Bytes:
    """Read a part of a raster of the map as it is stored; errors as in `read_stored`."""
    with _opened(path) as source:
        return _read_part(source, _window(source, grid), part)


def read_overview(path: Path, grid: Grid, step: int) -> tuple[Window, Bytes]:
    """Read a raster of the map as it is stored, thinned out by a power of two, and which window of the grid it covers.

    Raises
    ------
    OutputError
        If the file is missing or damaged.
    """
    with _opened(path) as source:
        window = _window(source, grid)
        return window, source.read(1, out_shape=tuple(-(-side // step) for side in window.shape))


def stored_window(path: Path, grid: Grid) -> Window:
    """Which window of the grid a raster of the map covers; errors as in `read_stored`."""
    with _opened(path) as source:
        return _window(source, grid)


def stored_strips(
    path: Path, grid: Grid, edit: Edit | None = None
) -> Iterator[tuple[Window, Bytes]]:
    """Read a raster of the map as `read_stored` does, in strips of whole rows from north to south.

    With the crater's edit its stored probabilities are those that mask and origin map take (see `Edit.apply`).
    """
    with _opened(path) as source:
        window = _window(source, grid)
        for strip in grid.strips(window):
            stored = _read_part(source, window, strip)
            yield strip, stored if edit is None else edit.apply(strip, stored, grid.width)


@contextmanager
def _opened(path: Path) -> Iterator["rasterio.DatasetReader"]:
    """Open a raster of the map for reading."""
    with reading_raster(path, "remove it and run ejectamap map again") as source:
        yield source


def _read_part(source: "rasterio.DatasetReader", window: Window, part: Window) -> Bytes:
    """Read a part of a raster that covers a window."""
    offset = part.col - window.col, part.row - window.row
    stored: Bytes = source.read(1, window=rasterio.windows.Window(*offset, part.width, part.height))
    return stored


def _window(source: "rasterio.DatasetReader", grid: Grid) -> Window:
    """Which window of a grid a raster covers."""
    window = grid.window_of(source.transform, source.shape)
    bottom, right = window.row + window.height, window.col + window.width
    if not (window.row >= 0 <= window.col and bottom <= grid.height and right <= grid.width):
        raise ValueError("it is not on the mosaic's grid")
    return window
