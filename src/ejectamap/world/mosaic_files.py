"""Reading a mosaic: one raster or a folder of them, placed or warped to the program's grid of the whole globe.

Rasters are read in strips, and what has to be held whole (the mosaic, and a raster that is warped) is held in the
arrays that the caller makes: in memory, or in files.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import rasterio.windows
from rasterio.io import DatasetReader

from ejectamap.errors import MosaicError
from ejectamap.world.arrays import AnyArray, Arrays
from ejectamap.world.georeference import SAME_RADIUS, projection_name
from ejectamap.world.grid import Bools, Grid, Window
from ejectamap.world.placement import Placement, grid_of, read_placement
from ejectamap.world.pyramid import Bits, pack_bits, paste, unpack_bits
from ejectamap.world.raster_files import open_raster
from ejectamap.world.raster_pixels import RasterPixels
from ejectamap.world.warp import ground_covered, warp_to_grid

_STRIP_BYTES = 64 * 2**20
_LARGEST_STRIP_BYTES = 4 * _STRIP_BYTES  # where a row of the file's blocks takes so much
_SUFFIXES = (".tif", ".tiff", ".vrt", ".cub", ".lbl", ".xml", ".img", ".jp2", ".png", ".jpg")
_PYRAMID = 4 / 3  # memory of all levels over that of the finest


@dataclass(frozen=True, eq=False)
class _Part:
    """One raster of a mosaic: what its header says."""

    path: Path
    placement: Placement
    band_names: tuple[str, ...]
    dtype: np.dtype[np.generic]
    is_plain: bool
    strip_rows: int

    def strips_on(self, grid: Grid) -> int:
        """Number of strips in which it comes to a grid."""
        if self.placement.window_on(grid) is not None:
            return -(-self.placement.shape[0] // self.strip_rows)
        return len(list(grid.strips(self.covered(grid))))

    def covered(self, grid: Grid) -> Window:
        """Window of a grid that it covers, if it has to be warped."""
        placement = self.placement
        return ground_covered(placement.projection, placement.transform, placement.shape, grid)


@dataclass(frozen=True, eq=False)
class MosaicHeader:
    """What the headers of a mosaic's files say.

    Attributes
    ----------
    path : Path
    grid : Grid
    band_names : tuple of str
    dtype : dtype
        Of the values on the grid.
    parts : tuple
        The mosaic's rasters.
    """

    path: Path
    grid: Grid
    band_names: tuple[str, ...]
    dtype: np.dtype[np.generic]
    parts: tuple[_Part, ...]

    @property
    def pixel_bytes(self) -> int:
        """Bytes of a pixel, all bands."""
        return len(self.band_names) * self.dtype.itemsize

    @property
    def memory_bytes(self) -> float:
        """Memory of the pyramid and its masks, as far as there may be data, and of what a warp takes meanwhile."""
        return self._bytes(sum(window.height * window.width for window in self._windows))

    @property
    def disk_bytes(self) -> float:
        """The same in files, of which whole rows are written."""
        rows = np.zeros(self.grid.height, bool)
        for window in self._windows:
            rows[max(0, window.row) : window.row + window.height] = True
        return self._bytes(int(rows.sum()) * self.grid.width)

    def _bytes(self, covered: int) -> float:
        pixels = self.grid.height * self.grid.width
        levels = _PYRAMID * (min(covered, pixels) * self.pixel_bytes + pixels / 8)
        # A raster that is warped is held meanwhile, with a weight for each of its pixels.
        warped = [p for p in self.parts if p.placement.window_on(self.grid) is None]
        sizes = [float(np.prod(p.placement.shape)) * (self.pixel_bytes + 4) for p in warped]
        return levels + max(sizes, default=0.0)

    @property
    def _windows(self) -> list[Window]:
        """Windows of the grid that the rasters cover; rows beyond a pole included."""
        placed = [(part, part.placement.window_on(self.grid)) for part in self.parts]
        return [part.covered(self.grid) if window is None else window for part, window in placed]

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know about how the files are read, one line each."""
        return tuple(note for part in self.parts for note in _notes(part, self.grid))


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


def read_mosaic_header(path: Path) -> MosaicHeader:
    """What the headers of a mosaic's files say; raises as `read_mosaic_grid`."""
    parts = _read_headers(path)
    dtype = np.result_type(*(part.dtype for part in parts))
    return MosaicHeader(path, _common_grid(path, parts), parts[0].band_names, dtype, tuple(parts))


def read_mosaic_pixels(header: MosaicHeader, arrays: Arrays) -> tuple[AnyArray, Bits]:
    """Read a mosaic; where its rasters overlap, the first one's data count.

    Parameters
    ----------
    header : MosaicHeader
    arrays : Arrays
        Where the two arrays are made, as `level_0` and `mask_0`.

    Returns
    -------
    values : array (row, col, band)
        On the grid; 0 where there is no data.
    mask : uint8 array (row, col / 8)
        Where there is data; see `pyramid.pack_bits`.

    Raises
    ------
    MosaicError
        If a file cannot be read to its end.
    """
    grid = header.grid
    values = arrays.create("level_0", (*grid.shape, len(header.band_names)), header.dtype)
    mask: Bits = arrays.create("mask_0", (grid.height, -(-grid.width // 8)), np.uint8)
    strips = (strip for part in header.parts for strip in _strips(part, grid, arrays))
    total = sum(part.strips_on(grid) for part in header.parts)
    for window, strip, valid in arrays.follow(strips, "converting the mosaic", total):
        _paste(values, mask, grid, window, strip, valid, arrays)
    return values, mask


def _read_headers(path: Path) -> list[_Part]:
    """What the header of each raster of a mosaic says; all must have as many bands, on one sphere."""
    parts = []
    for file in mosaic_rasters(path):
        with open_raster(file, MosaicError) as source:
            pixels = RasterPixels.of(source)
            placement = read_placement(source)
            pixel_bytes = len(pixels.names) * pixels.dtype.itemsize
            rows = _strip_rows(source, pixel_bytes)
            about = pixels.names, pixels.dtype, pixels.is_plain
            parts.append(_Part(file, placement, *about, rows))
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


def _strip_rows(source: DatasetReader, pixel_bytes: int) -> int:
    """Rows of a raster that are read at a time: whole rows of its blocks, where these are not too large."""
    row_bytes = int(source.width) * pixel_bytes
    block_rows = int(source.block_shapes[0][0])
    rows = max(1, _STRIP_BYTES // row_bytes)
    if block_rows * row_bytes > _LARGEST_STRIP_BYTES:
        return rows
    return max(rows // block_rows, 1) * block_rows


def _strips(part: _Part, grid: Grid, arrays: Arrays) -> Iterator[tuple[Window, AnyArray, Bools]]:
    """Windows of the grid, which may wrap around, with values (band, row, col) and validity of a raster in them."""
    window = part.placement.window_on(grid)
    with open_raster(part.path, MosaicError) as source:
        pixels = RasterPixels.of(source)
        if window is not None:
            yield from _placed_strips(part, pixels, window, grid)
            return
        values = arrays.create("source", (len(pixels.names), *source.shape), pixels.dtype)
        weight = arrays.create("weight", source.shape, np.float32)
        _read_whole(part, pixels, values, weight, arrays)
    yield from warp_to_grid(
        values, weight, part.placement.projection, part.placement.transform, grid
    )
    del values, weight
    arrays.discard("source")
    arrays.discard("weight")


def _read_whole(
    part: _Part, pixels: RasterPixels, values: AnyArray, weight: AnyArray, arrays: Arrays
) -> None:
    """Read a raster into arrays: values (band, row, col), 0 where there is no data, and weight (row, col)."""
    height, width = part.placement.shape
    arrays.reserve("source", slice(0, len(values)))
    arrays.reserve("weight", slice(0, height))
    tops = range(0, height, part.strip_rows)
    for top in arrays.follow(tops, f"reading {part.path.name}", len(tops)):
        rows = slice(top, min(top + part.strip_rows, height))
        window = rasterio.windows.Window(0, top, width, rows.stop - top)
        strip, valid = pixels.read(window)
        np.copyto(values[:, rows], strip, where=valid)
        weight[rows] = valid


def _placed_strips(
    part: _Part, pixels: RasterPixels, window: Window, grid: Grid
) -> Iterator[tuple[Window, AnyArray, Bools]]:
    """Strips of a raster whose pixels are pixels of the grid, north up."""
    (height, width), (south_up, west_up) = part.placement.shape, part.placement.is_mirrored
    first, last = max(0, -window.row), min(height, grid.height - window.row)
    cols = min(width, grid.width)
    left = width - cols if west_up else 0
    # The mask of a strip is unpacked for all columns of the grid.
    rows = min(part.strip_rows, max(1, _LARGEST_STRIP_BYTES // grid.width))
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
    values: AnyArray,
    mask: Bits,
    grid: Grid,
    window: Window,
    strip: AnyArray,
    valid: Bools,
    arrays: Arrays,
) -> None:
    """Write valid pixels of a strip where there are none yet."""
    if not valid.any():
        return
    rows = slice(window.row, window.row + window.height)
    columns = grid.columns(window)
    known = unpack_bits(mask[rows], grid.width)
    new = valid & ~known[:, columns]
    for name in ("level_0", "mask_0"):
        arrays.reserve(name, rows)
    paste(np.ascontiguousarray(strip), np.ascontiguousarray(new), columns, values[rows])
    known[:, columns] |= new
    mask[rows] = pack_bits(known)


@contextmanager
def enough_memory(header: MosaicHeader) -> Iterator[None]:
    """Refuse a mosaic, before it is read, that does not fit into this machine's memory; raises `MosaicError`."""
    path, grid = header.path, header.grid
    memory = header.memory_bytes
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


def _notes(part: _Part, grid: Grid) -> Iterator[str]:
    """What to say about how a raster was read."""
    placement = part.placement
    yield from placement.projection.notes
    if placement.window_on(grid) is None:
        yield (
            f"{part.path}: warped from its projection ({projection_name(placement.crs)}) to a grid of"
            f" {grid.width} x {grid.height} pixels of {grid.pixel_m:,.0f} m, equidistant cylindrical"
        )
