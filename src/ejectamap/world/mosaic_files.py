"""Reading a mosaic: one raster or a folder of them, placed or warped to the program's grid of the whole globe."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil
import rasterio
import rasterio.windows

from ejectamap.errors import MosaicError
from ejectamap.world.georeference import SAME_RADIUS, projection_name
from ejectamap.world.grid import Bools, Grid, Window
from ejectamap.world.placement import Placement, grid_of, read_placement
from ejectamap.world.pyramid import Bits, pack_bits, paste, unpack_bits
from ejectamap.world.raster_files import open_raster
from ejectamap.world.raster_pixels import RasterPixels
from ejectamap.world.warp import ground_covered, warp_to_grid

_STRIP_BYTES = 64 * 2**20
_SUFFIXES = (".tif", ".tiff", ".vrt", ".cub", ".lbl", ".xml", ".img", ".jp2", ".png", ".jpg")
_PYRAMID = 4 / 3  # memory of all levels over that of the finest


@dataclass(frozen=True, eq=False)
class MosaicPixels:
    """Pixels of a mosaic on the grid of the whole globe.

    Attributes
    ----------
    grid : Grid
    band_names : tuple of str
    values : array (row, col, band)
        0 where there is no data.
    mask : uint8 array (row, col / 8)
        Where there is data; see `pyramid.pack_bits`.
    notes : tuple of str
        What a person should know about how the files were read, one line each.
    """

    grid: Grid
    band_names: tuple[str, ...]
    values: npt.NDArray[np.generic]
    mask: Bits
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Part:
    """One raster of a mosaic: what its header says."""

    path: Path
    placement: Placement
    band_names: tuple[str, ...]
    dtype: np.dtype[np.generic]
    is_plain: bool


def mosaic_rasters(path: Path) -> list[Path]:
    """The rasters of a mosaic: the file itself, or all rasters in a folder, by name.

    Raises
    ------
    MosaicError
        If the path is neither, or the folder has none.
    """
    if not path.is_dir():
        return [path]
    files = sorted(p for p in path.iterdir() if p.suffix.lower() in _SUFFIXES and p.is_file())
    files = [p for p in files if not (p.name.startswith(".") or p.name.endswith(".aux.xml"))]
    # The pixels of a detached label are in a file of the same name.
    labelled = {p.stem for p in files if p.suffix.lower() in (".lbl", ".xml")}
    files = [p for p in files if p.suffix.lower() != ".img" or p.stem not in labelled]
    if not files:
        raise MosaicError(
            f"{path}: has no rasters ({', '.join(_SUFFIXES)}): give the mosaic's file, or the folder of its tiles"
        )
    return files


def is_on_grid(path: Path) -> bool:
    """Whether a mosaic is one raster whose rows and columns, and values as stored, are those of the mosaic's grid."""
    parts = _read_headers(path)
    return len(parts) == 1 and parts[0].is_plain and parts[0].placement.is_north_up


def read_mosaic_grid(path: Path) -> Grid:
    """The grid of a mosaic, from the headers of its files alone.

    Raises
    ------
    MosaicError
        If they cannot be read, cannot be placed on a sphere, or do not belong together.
    """
    return _common_grid(path, _read_headers(path))


def read_mosaic_pixels(path: Path) -> MosaicPixels:
    """Read a mosaic; where its rasters overlap, the first one's data count.

    Raises
    ------
    MosaicError
        As `read_mosaic_grid`, and if there is not enough memory.
    """
    parts = _read_headers(path)
    grid = _common_grid(path, parts)
    dtype = np.result_type(*(part.dtype for part in parts))
    bands = len(parts[0].band_names)
    with _enough_memory(path, grid, parts, bands * dtype.itemsize):
        # Memory of ground that no file covers is never touched, and so costs nothing.
        values = np.zeros((*grid.shape, bands), dtype)
        mask = np.zeros((grid.height, -(-grid.width // 8)), np.uint8)
        for part in parts:
            for window, strip, valid in _strips(part, grid):
                _paste(values, mask, grid, window, strip, valid)
    notes = [note for part in parts for note in _notes(part, grid)]
    return MosaicPixels(grid, parts[0].band_names, values, mask, tuple(notes))


def _read_headers(path: Path) -> list[_Part]:
    """What the header of each raster of a mosaic says; all must have as many bands, on one sphere."""
    parts = []
    for file in mosaic_rasters(path):
        with open_raster(file, MosaicError) as source:
            pixels = RasterPixels.of(source)
            placement = read_placement(source)
            parts.append(_Part(file, placement, pixels.names, pixels.dtype, pixels.is_plain))
    first = parts[0]
    radius_m = first.placement.projection.radius_m
    for part in parts[1:]:
        if len(part.band_names) != len(first.band_names):
            raise MosaicError(
                f"{part.path}: has {len(part.band_names)} bands, {first.path.name} has {len(first.band_names)}: give"
                " every file of a mosaic the same bands, as with gdal_translate -b"
            )
        if abs(part.placement.projection.radius_m - radius_m) > SAME_RADIUS * radius_m:
            raise MosaicError(
                f"{part.path}: its CRS has a radius of {part.placement.projection.radius_m:.10g} m, that of"
                f" {first.path.name} has {radius_m:.10g} m: assign all of them the same with rio edit-info --crs"
            )
    return parts


def _common_grid(path: Path, parts: list[_Part]) -> Grid:
    """Grid of a mosaic: that of its one raster, or of several with the same pixels; else that of the finest."""
    grids = [grid_of(part.placement) for part in parts]
    if len(parts) == 1:
        return grids[0]
    if all(part.placement.window_on(grids[0]) is not None for part in parts):
        return grids[0]
    finest = min(range(len(parts)), key=lambda k: grids[k].pixel_m)
    return grids[finest]


def _strips(part: _Part, grid: Grid) -> Iterator[tuple[Window, npt.NDArray[np.generic], Bools]]:
    """Windows of the grid, which may wrap around, with values (band, row, col) and validity of a raster in them."""
    window = part.placement.window_on(grid)
    with open_raster(part.path, MosaicError) as source:
        pixels = RasterPixels.of(source)
        if window is None:
            whole = rasterio.windows.Window(0, 0, source.width, source.height)
            values, valid = pixels.read(whole)
            projection, transform = part.placement.projection, part.placement.transform
            yield from warp_to_grid(values, valid, projection, transform, grid)
            return
        yield from _placed_strips(part, pixels, window, grid)


def _placed_strips(
    part: _Part, pixels: RasterPixels, window: Window, grid: Grid
) -> Iterator[tuple[Window, npt.NDArray[np.generic], Bools]]:
    """Strips of a raster whose pixels are pixels of the grid, north up."""
    (height, width), (south_up, west_up) = part.placement.shape, part.placement.is_mirrored
    first, last = max(0, -window.row), min(height, grid.height - window.row)
    cols = min(width, grid.width)
    left = width - cols if west_up else 0
    row_bytes = width * len(pixels.names) * pixels.dtype.itemsize
    rows = max(1, _STRIP_BYTES // row_bytes)
    for top in range(first, last, rows):
        count = min(rows, last - top)
        start = height - top - count if south_up else top
        values, valid = pixels.read(rasterio.windows.Window(left, start, cols, count))
        if south_up:
            values, valid = values[:, ::-1], valid[::-1]
        if west_up:
            values, valid = values[:, :, ::-1], valid[:, ::-1]
        yield Window(window.row + top, window.col, count, cols), values, valid


def _paste(
    values: npt.NDArray[np.generic],
    mask: Bits,
    grid: Grid,
    window: Window,
    strip: npt.NDArray[np.generic],
    valid: Bools,
) -> None:
    """Write valid pixels of a strip where there are none yet."""
    if not valid.any():
        return
    rows = slice(window.row, window.row + window.height)
    columns = grid.columns(window)
    known = unpack_bits(mask[rows], grid.width)
    new = valid & ~known[:, columns]
    paste(np.ascontiguousarray(strip), np.ascontiguousarray(new), columns, values[rows])
    known[:, columns] |= new
    mask[rows] = pack_bits(known)


@contextmanager
def _enough_memory(path: Path, grid: Grid, parts: list[_Part], pixel_bytes: int) -> Iterator[None]:
    """Refuse a mosaic, before it is read, that does not fit into this machine's memory."""
    memory = memory_bytes(grid, parts, pixel_bytes)
    machine = psutil.virtual_memory().available + psutil.swap_memory().free
    problem = (
        f"{path}: would take {memory / 1e9:,.1f} GB of memory ({grid.width} x {grid.height} pixels on the whole"
        f" globe), this machine has {machine / 1e9:,.1f} GB free: make it coarser, as with gdal_translate -r average"
        f" -outsize 25% 25% {path} coarse.tif"
    )
    if memory > machine:
        raise MosaicError(problem)
    try:
        yield
    except MemoryError as error:
        raise MosaicError(problem) from error


def memory_bytes(grid: Grid, parts: list[_Part], pixel_bytes: int) -> float:
    """Estimate the memory that reading a mosaic takes at its peak, from headers alone."""
    covered, held = 0, 0.0
    for part in parts:
        placement = part.placement
        if placement.window_on(grid) is not None:
            covered += int(np.prod(placement.shape))
            continue
        window = ground_covered(placement.projection, placement.transform, placement.shape, grid)
        covered += window.height * window.width
        # The raster as stored, weighted, and its mask in two types.
        held = max(held, float(np.prod(placement.shape)) * (2 * pixel_bytes + 5))
    covered = min(covered, grid.height * grid.width)
    mask = grid.height * grid.width / 8
    return _PYRAMID * (covered * pixel_bytes + mask) + held


def _notes(part: _Part, grid: Grid) -> Iterator[str]:
    """What to say about how a raster was read."""
    placement = part.placement
    yield from placement.projection.notes
    if placement.window_on(grid) is None:
        yield (
            f"{part.path}: warped from its projection ({projection_name(placement.crs)}) to a grid of"
            f" {grid.width} x {grid.height} pixels of {grid.pixel_m:,.0f} m, equidistant cylindrical"
        )
