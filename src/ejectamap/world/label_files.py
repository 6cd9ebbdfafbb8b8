"""Reading labels: a folder of masks or a layer of polygons, and the table of labelled tiles."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio.features
import rasterio.windows
import shapely
from affine import Affine
from pyproj import CRS

from ejectamap.errors import LabelError
from ejectamap.world.craters import Crater
from ejectamap.world.georeference import check_radius, cylinder, open_raster, raster_crs
from ejectamap.world.grid import STRIP_PIXELS, Bools, Grid, Window
from ejectamap.world.labels import Labels, PackedMasks, Tile, extract_window, shortest_span
from ejectamap.world.sphere import distance
from ejectamap.world.tables import read_table

_MASK_NAME = re.compile(r"mask_crater_(\d+)\.tiff?", re.IGNORECASE)
LABELLED_CRATERS = "labelled_craters"
"""Column of a table of tiles: ids of the craters whose ejecta were labelled in the tile."""
_ON_GRID_PX = 0.05  # tolerance for rounding in a mask's transform: distance of its corner from the grid, in pixels


def label_path(folder: Path, crater_id: int) -> Path:
    """Path of a crater's label in a folder of masks."""
    return folder / f"mask_crater_{crater_id}.tif"


def load_labels(
    path: Path | str,
    grid: Grid,
    craters: Sequence[Crater],
    tiles_csv: Path | str | None = None,
    may_be_empty: bool = False,
) -> Labels:
    """Read the labels: a folder of rasters, or a layer of polygons.

    Parameters
    ----------
    path : Path or str
        A folder of rasters `mask_crater_{id}.tif` on the mosaic's grid, each of the whole globe or
        a window of it, in which any value but 0 and the declared no-data value is ejecta. Or a vector
        file of polygons with a column `crater_id`, in degrees or in an equidistant cylindrical CRS;
        a pixel is ejecta if its centre is in a polygon.
    grid : Grid
        Grid of the mosaic.
    craters : sequence of Crater
        The catalogue.
    tiles_csv : Path or str, optional
        Columns tile_id, row, col, height, width, in mosaic pixels: the windows in which every
        crater's ejecta were labelled. Without it the labels are taken as complete within the reach
        of each labelled crater.
    may_be_empty : bool
        Whether all masks may be empty.

    Raises
    ------
    LabelError
        If something is missing or unreadable, does not fit the mosaic or the catalogue, or all
        masks are empty though they may not be. A single empty mask means that its crater has no visible ejecta.
    """
    path = Path(path)
    tiles = None if tiles_csv is None else load_tiles(Path(tiles_csv), grid)
    if not path.exists():
        raise LabelError(
            f"{path}: does not exist: give the folder of masks or the file of polygons"
        )
    masks = _read_masks(path, grid) if path.is_dir() else _read_polygons(path, grid)
    by_id = {crater.crater_id: crater for crater in craters}

    def checked() -> Iterator[tuple[int, Window, Bools]]:
        for name, crater_id, window, mask in masks:
            if crater_id not in by_id:
                raise LabelError(
                    f"{name}: crater {crater_id} is not in the catalogue: add it there, or remove its"
                    " label"
                )
            if mask.any():
                check_reach(name, by_id[crater_id], window, mask, grid)
            yield crater_id, window, mask

    packed = PackedMasks(checked())
    if not may_be_empty and not any(packed.window(crater_id).height for crater_id in packed):
        raise LabelError(f"{path}: every mask is empty: draw the ejecta of at least one crater")
    return Labels(grid, packed, tiles)


def check_reach(name: object, crater: Crater, window: Window, mask: Bools, grid: Grid) -> None:
    """Check that a mask has ejecta within its crater's reach; if not, it probably belongs to another crater.

    Parameters
    ----------
    name : object
        Name of the mask's file, for the error message.
    crater : Crater
    window, mask : Window, bool array
        Window of the mosaic and the mask in it.
    grid : Grid

    Raises
    ------
    LabelError
        If all of the mask is outside the reach.
    """
    reach_m = crater.reach_m(grid.radius_m)
    for strip in grid.strips(window):
        lon, lat = grid.centres(strip)
        near = distance(crater.lon, crater.lat, lon, lat, grid.radius_m) <= reach_m
        if (near & extract_window(window, mask, strip, grid.width)).any():
            return
    raise LabelError(
        f"{name}: no ejecta within the reach of crater {crater.crater_id} (lon {crater.lon:g}, lat"
        f" {crater.lat:g}): check the id, and whether the crater's lon and lat are swapped"
    )


def _read_masks(folder: Path, grid: Grid) -> Iterator[tuple[str, int, Window, Bools]]:
    """Name, crater id, window and mask of each raster in a folder."""
    matches = {path: _MASK_NAME.fullmatch(path.name) for path in sorted(folder.iterdir())}
    ids = {path: int(match[1]) for path, match in matches.items() if match}
    if not ids:
        raise LabelError(f"{folder}: has no mask_crater_{{id}}.tif: give the folder that has them")
    for path, crater_id in ids.items():
        if list(ids.values()).count(crater_id) > 1:
            raise LabelError(f"{path}: crater {crater_id} has another mask beside it: keep one")
        yield str(path), crater_id, *read_mask(path, grid)


def read_mask(path: Path, grid: Grid) -> tuple[Window, Bools]:
    """Read one raster of labels: the smallest window of the mosaic that holds its ones, and the mask there.

    The window may wrap around the grid's right edge.

    Raises
    ------
    LabelError
        If it cannot be read, or does not fit the grid.
    """
    with open_raster(path, LabelError) as source:
        window = _read_window(source, grid)
        mask = read_nonzero(source)
    return crop_to_ones(window, mask, grid.width)


def _read_window(source: "rasterio.io.DatasetReader", grid: Grid) -> Window:
    """Read which window of the mosaic a raster of labels covers, and check that it is on the mosaic's grid.

    Unlike `Grid.window_of` it accepts another CRS of the same sphere.
    """
    crs = raster_crs(source, LabelError)
    check_radius(source.name, crs, grid.radius_m, LabelError)
    corners = source.transform @ np.array([[0, source.width], [0, source.height]], np.float64)
    cols, rows = to_mosaic_px(source.name, crs, np.stack(corners), grid)
    left, top = round(cols[0]), round(rows[0])
    size = cols[1] - cols[0], rows[1] - rows[0]
    if not np.allclose(size, (source.width, source.height), rtol=0, atol=_ON_GRID_PX):
        raise LabelError(
            f"{source.name}: its pixels are {size[0] / source.width:.6g} x"
            f" {size[1] / source.height:.6g} of the mosaic's: resample it to the"
            " mosaic's grid with gdalwarp -tr -te -r near"
        )
    if abs(cols[0] - left) > _ON_GRID_PX or abs(rows[0] - top) > _ON_GRID_PX:
        raise LabelError(
            f"{source.name}: its corner is at column {cols[0]:.3f}, row {rows[0]:.3f} of the"
            " mosaic, off its grid: align it with gdalwarp -tr -te -r near"
        )
    if top < 0 or top + source.height > grid.height or source.width > grid.width:
        raise LabelError(
            f"{source.name}: covers rows {top} to {top + source.height} and {source.width} columns,"
            f" the mosaic has {grid.height} x {grid.width}: cut it to the mosaic"
        )
    return Window(top, left % grid.width, source.height, source.width)


def to_mosaic_px(
    name: object, crs: CRS, xy: npt.NDArray[np.float64], grid: Grid
) -> npt.NDArray[np.float64]:
    """Mosaic pixel coordinates (col, row), not wrapped, of coordinates (x, y) in a CRS; shape (2, n).

    `name` is that of the file, for error messages.
    """
    lonlat = cylinder(name, crs, LabelError).to_degrees(*xy)
    x, y = cylinder("mosaic", CRS.from_wkt(grid.crs), LabelError).from_degrees(*lonlat)
    return np.stack(~grid.transform @ np.stack([x, y]))


def read_nonzero(source: "rasterio.io.DatasetReader") -> Bools:
    """Read where a raster is neither 0 nor no-data, bool (row, col); in strips, to limit the memory."""
    mask = np.empty((source.height, source.width), bool)
    rows = max(1, STRIP_PIXELS // source.width)
    for top in range(0, source.height, rows):
        height = min(rows, source.height - top)
        strip = rasterio.windows.Window(0, top, source.width, height)
        values = source.read(1, window=strip, masked=True).filled(0)
        mask[top : top + height] = np.nan_to_num(values) != 0
    return mask


def _read_polygons(path: Path, grid: Grid) -> Iterator[tuple[str, int, Window, Bools]]:
    """Name, crater id, window and mask of each crater in a layer of polygons."""
    table = read_table(path, LabelError)
    ids = np.array(table.integers(table.require("crater_id", "crat_fid")))
    if table.geometry is None:
        table.fail("has no polygons: give a GeoPackage or shapefile of them, or a folder of masks")
    crs = table.geometry.crs
    if crs is None:
        table.fail("has no CRS: assign the one that the polygons were drawn in")
    check_radius(path, crs, grid.radius_m, LabelError)
    shapes = np.asarray(table.geometry.array)
    for crater_id in np.unique(ids):
        polygons = shapes[ids == crater_id]
        yield str(path), int(crater_id), *rasterise(path, int(crater_id), polygons, crs, grid)


def rasterise(
    name: object, crater_id: int, polygons: npt.NDArray[np.object_], crs: CRS, grid: Grid
) -> tuple[Window, Bools]:
    """Rasterise polygons: a pixel is True if its centre is in any of them.

    Parameters
    ----------
    name : object
        Name of the polygons' file, for error messages.
    crater_id : int
        The crater whose ejecta they show, for error messages.
    polygons : object array
        Shapely geometries in the CRS; None, empty ones and those without area are ignored.
    crs : CRS
    grid : Grid

    Returns
    -------
    Window, bool array (height, width)
        The smallest window that holds the mask, and the mask in it. It may wrap around the grid's right edge.

    Raises
    ------
    LabelError
        If a shape reaches beyond a pole.
    """
    shapes = [shape for shape in polygons if shape is not None and not shape.is_empty]
    shapes_px = shapely.transform(shapes, lambda xy: to_mosaic_px(name, crs, xy.T, grid).T)
    areal = shapes_px[shapely.area(shapes_px) > 0]
    if areal.size == 0:
        return crop_to_ones(Window(0, 0, 0, 0), np.zeros((0, 0), bool), grid.width)
    left, top, right, bottom = shapely.total_bounds(areal)
    if top < -1 or bottom > grid.height + 1:
        raise LabelError(
            f"{name}: crater {crater_id}: its polygons reach beyond a pole: check the layer's CRS,"
            " above all its unit"
        )
    top, bottom = max(0, int(np.floor(top))), min(grid.height, int(np.ceil(bottom)))
    left, right = int(np.floor(left)), int(np.ceil(right))
    canvas = rasterio.features.rasterize(
        areal,
        out_shape=(bottom - top, right - left),
        transform=Affine.translation(left, top),
        dtype=np.uint8,
    ).astype(bool)
    # A layer may contain polygons on both sides of the dateline, more than a grid width apart.
    for start in range(grid.width, right - left, grid.width):
        wrapped = canvas[:, start : start + grid.width]
        canvas[:, : wrapped.shape[1]] |= wrapped
    canvas = canvas[:, : grid.width]
    window = Window(top, left % grid.width, *canvas.shape)
    return crop_to_ones(window, canvas, grid.width)


def crop_to_ones(window: Window, mask: Bools, grid_width: int) -> tuple[Window, Bools]:
    """Crop a mask to the smallest window that holds its ones, which may wrap around; 0 x 0 if there are none."""
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0:
        return Window(0, 0, 0, 0), np.zeros((0, 0), bool)
    cols = np.sort((window.col + np.flatnonzero(mask.any(axis=0))) % grid_width)
    first, width = shortest_span(cols, grid_width)
    small = Window(window.row + int(rows[0]), first, int(rows[-1] - rows[0]) + 1, width)
    return small, extract_window(window, mask, small, grid_width)


def as_raster(
    window: Window, values: npt.NDArray[np.uint8], grid: Grid
) -> tuple[Window, npt.NDArray[np.uint8]]:
    """Crop values (row, col) for a file: to the smallest window that holds those above 0 and does not wrap around.

    It has whole rows where it would wrap around, and one pixel where all values are 0.
    """
    small, _ = crop_to_ones(window, values > 0, grid.width)
    if small.width == 0:
        small = Window(0, 0, 1, 1)
    elif small.col + small.width > grid.width:
        small = Window(small.row, 0, small.height, grid.width)
    return small, extract_window(window, values, small, grid.width)


def load_tiles(path: Path, grid: Grid, numbered: bool = False) -> tuple[Tile, ...]:
    """Read and check a table of tiles, in the file's order; column names of the published release are accepted too.

    Parameters
    ----------
    path : Path
        A table with columns tile_id, row, col, height, width, in mosaic pixels, and optionally labelled_craters: ids of
        the craters whose ejecta were labelled in the tile, separated by spaces; an empty cell means all craters.
    grid : Grid
    numbered : bool
        Number the rows from 0 if the file has no column of ids.

    Raises
    ------
    LabelError
        If it cannot be read, or a tile is not in the mosaic.
    """
    table = read_table(path, LabelError)
    if numbered and table.find("tile_id", "pos_index") is None:
        ids = list(range(table.rows))
    else:
        ids = table.unique_ids(table.require("tile_id", "pos_index"))
    rows = table.integers(table.require("row", "y"))
    cols = table.integers(table.require("col", "x"))
    heights = table.integers(table.require("height"))
    widths = table.integers(table.require("width"))
    labelled = [parse_crater_ids(path, text) for text in table.texts(table.find(LABELLED_CRATERS))]
    tiles = []
    for tile_id, craters, *sides in zip(ids, labelled, rows, cols, heights, widths, strict=True):
        window = Window(*sides)
        if not (
            0 <= window.row < window.row + window.height <= grid.height
            and 0 <= window.col < grid.width
            and 0 < window.width <= grid.width
        ):
            table.fail(
                f"tile {tile_id} (row {window.row}, col {window.col}, {window.height} x"
                f" {window.width}) is not in the mosaic of {grid.height} x {grid.width}"
                " pixels: give mosaic pixels"
            )
        tiles.append(Tile(tile_id, window, craters))
    return tuple(tiles)


def format_tiles(tiles: Sequence[Tile]) -> str:
    """Tiles as the content of a table that `load_tiles` reads; with a column of craters only if a tile names some."""
    rows = [["tile_id", "row", "col", "height", "width"]]
    for tile in tiles:
        place = tile.window.row, tile.window.col, tile.window.height, tile.window.width
        rows.append([str(number) for number in (tile.tile_id, *place)])
    if any(tile.craters is not None for tile in tiles):
        craters = [" ".join(map(str, sorted(tile.craters or ()))) for tile in tiles]
        rows = [[*row, cell] for row, cell in zip(rows, [LABELLED_CRATERS, *craters], strict=True)]
    return "".join(",".join(row) + "\n" for row in rows)


def parse_crater_ids(path: Path, text: str) -> frozenset[int] | None:
    """Crater ids of a cell of the column `labelled_craters` of a table of tiles; None if it is empty.

    Raises
    ------
    LabelError
        If it is no list of ids, with the table's `path` in the message.
    """
    words = text.split()
    if not all(word.isdecimal() for word in words):
        raise LabelError(
            f"{path}: column {LABELLED_CRATERS}: {text!r} is no list of crater ids: give whole numbers, separated by"
            " spaces"
        )
    return frozenset(map(int, words)) or None
