"""Reading labels: a folder of masks or a layer of polygons, and the table of labelled tiles."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from ejectamap.errors import LabelError
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Bools, Grid, Window
from ejectamap.world.label_masks import read_mask
from ejectamap.world.label_polygons import read_polygons
from ejectamap.world.labels import Labels, PackedMasks, Tile, extract_window
from ejectamap.world.sphere import distance
from ejectamap.world.tables import read_table

_MASK_NAME = re.compile(r"mask_crater_(\d+)\.tiff?", re.IGNORECASE)
_SOURCE_NAME = re.compile(r"source_crater_\d+\.tif")  # see `label_sources`
LABELLED_CRATERS = "labelled_craters"
"""Column of a table of tiles: ids of the craters whose ejecta were labelled in the tile."""


def label_path(folder: Path, crater_id: int) -> Path:
    """Path of a crater's label in a folder of masks."""
    return folder / f"mask_crater_{crater_id}.tif"


def load_labels(
    path: Path | str,
    grid: Grid,
    craters: Sequence[Crater],
    tiles_csv: Path | str | None = None,
    may_be_empty: bool = False,
    notes: list[str] | None = None,
) -> Labels:
    """Read the labels: a folder of rasters, or a layer of polygons.

    Parameters
    ----------
    path : Path or str
        A folder of rasters `mask_crater_{id}.tif`, each of the whole globe or a window of it, in which one value
        other than 0 and the declared no-data value is ejecta; those on another grid than the mosaic's are brought
        to it. Or a vector file of polygons with a column `crater_id`, in any CRS of the body; a pixel is ejecta if
        its centre is in a polygon.
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
    notes : list of str, optional
        What the user should know about how the files were read is added, one line each.

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
    notes = [] if notes is None else notes
    is_folder = path.is_dir() and path.suffix.lower() != ".gdb"
    masks = _read_masks(path, grid, notes) if is_folder else read_polygons(path, grid, notes)
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


def _read_masks(
    folder: Path, grid: Grid, notes: list[str]
) -> Iterator[tuple[str, int, Window, Bools]]:
    """Name, crater id, window and mask of each raster in a folder."""
    matches = {path: _MASK_NAME.fullmatch(path.name) for path in sorted(folder.iterdir())}
    ids = {path: int(match[1]) for path, match in matches.items() if match}
    if not ids:
        raise LabelError(f"{folder}: has no mask_crater_{{id}}.tif: give the folder that has them")
    others = [path.name for path, match in matches.items() if not match and _may_be_mask(path)]
    if others:
        notes.append(
            f"{folder}: {', '.join(others[:3])}{' and more' if len(others) > 3 else ''} is not read: the name of a mask"
            " is mask_crater_{id}.tif"
        )
    files_by_note: dict[str, list[Path]] = defaultdict(list)
    for path, crater_id in ids.items():
        if list(ids.values()).count(crater_id) > 1:
            raise LabelError(f"{path}: crater {crater_id} has another mask beside it: keep one")
        own: list[str] = []
        yield str(path), crater_id, *read_mask(path, grid, own)
        for note in own:
            files_by_note[note.removeprefix(f"{path}: ")].append(path)
    for note, paths in files_by_note.items():
        others_too = f" and {len(paths) - 1} other masks" if len(paths) > 1 else ""
        notes.append(f"{paths[0]}{others_too}: {note}")


def _may_be_mask(path: Path) -> bool:
    """Whether a file of another name may be meant as a mask: any image, but those beside masks."""
    is_image = path.suffix.lower() in (".tif", ".tiff", ".img", ".png", ".jp2", ".vrt", ".asc")
    return is_image and not path.name.startswith(".") and not _SOURCE_NAME.fullmatch(path.name)


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
