"""Labels that a person drew or corrected elsewhere, brought back into a project.

They go to the folder `labels-corrected` of the project, which begins as a copy of the labels that the project had;
those stay as they are. Only what was changed is changed there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
from pyproj import CRS

from ejectamap.errors import LabelError
from ejectamap.interop.qgis import EDITED, MAPPED, TILES
from ejectamap.mapping.colours import crater_colour
from ejectamap.mapping.files import replace_file, write_cog
from ejectamap.mapping.state import mask_path
from ejectamap.project import Project
from ejectamap.project.yaml import write_settings
from ejectamap.world.georeference import check_radius, one_line
from ejectamap.world.grid import Grid, Window
from ejectamap.world.label_files import (
    check_reach,
    load_labels,
    load_tiles,
    rasterise,
    read_mask,
    to_mosaic_px,
)
from ejectamap.world.labels import Bools, Labels, Tile
from ejectamap.world.tables import read_table

Mask = tuple[Window, Bools]

FOLDER = "labels-corrected"


@dataclass(frozen=True)
class Corrections:
    """What is to become of the labels.

    Attributes
    ----------
    drawn : mapping of int to (Window, bool array)
        New masks, by crater id.
    accepted : tuple of int
        Craters whose mapped mask is to be their label, as it is.
    removed : tuple of int
        Craters that shall have no label.
    tiles : tuple of Tile or None
        New tiles; None: they stay as they are.
    """

    drawn: dict[int, Mask]
    accepted: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()
    tiles: tuple[Tile, ...] | None = None


def import_labels(project: Project, path: Path) -> Corrections:
    """Take over what a person drew, as labels of the project.

    Parameters
    ----------
    project : Project
    path : Path
        A GeoPackage of `export qgis`, edited: changed polygons become the label of their crater, accepted ones too, and
        a deleted row takes a label away. Or QClassiPy's table of tiles (CSV), with the masks that it names. Or labels
        in any form that a project takes: all of them are new.

    Returns
    -------
    Corrections
        What was changed. If nothing was, no file is written.

    Raises
    ------
    LabelError
        If the file cannot be read, or does not fit the mosaic or the catalogue.
    """
    found = _read(project, path)
    _check(project, path, found)
    if not (found.drawn or found.accepted or found.removed or found.tiles is not None):
        return found
    folder, grid = project.folder / FOLDER, project.mosaic.grid
    if project.settings.inputs.labels != FOLDER:
        _copy_labels(project, folder)
    for crater_id, mask in found.drawn.items():
        _write_mask(_label_path(folder, crater_id), crater_id, mask, grid)
    for crater_id in found.accepted:
        content = _mask_path(project, crater_id).read_bytes()
        replace_file(_label_path(folder, crater_id), memoryview(content))
    for crater_id in found.removed:
        _label_path(folder, crater_id).unlink(missing_ok=True)
    _adopt(project, found.tiles)
    return found


def _check(project: Project, path: Path, found: Corrections) -> None:
    """Refuse what the project could not use afterwards."""
    known = {crater.crater_id: crater for crater in project.craters}
    for crater_id in (*found.drawn, *found.accepted):
        if crater_id not in known:
            raise LabelError(
                f"{path}: crater {crater_id} is not in the catalogue: add it there, or remove its row"
            )
    for crater_id, (window, mask) in found.drawn.items():
        if mask.any():
            check_reach(path, known[crater_id], window, mask, project.mosaic.grid)
    if (project.folder / FOLDER).exists() and project.settings.inputs.labels != FOLDER:
        raise LabelError(
            f"{project.folder / FOLDER}: has earlier corrections, but inputs.labels in project.yaml is another:"
            f" set it to {FOLDER}, or move them away"
        )


def _read(project: Project, path: Path) -> Corrections:
    """What a file says, whatever its form."""
    grid = project.mosaic.grid
    if path.suffix.lower() == ".csv":
        return _read_qclassipy(path, grid)
    if path.suffix.lower() == ".gpkg" and path.is_file():
        try:
            layers = {str(name) for name, _ in pyogrio.list_layers(path)}
        except pyogrio.errors.DataSourceError as problem:
            raise LabelError(
                f"{path}: cannot be read ({one_line(problem)}): give a GeoPackage"
            ) from problem
        if {EDITED, MAPPED} <= layers:
            return _read_edits(project, path, layers)
    return Corrections(dict(load_labels(path, grid, project.craters).masks))


def _read_edits(project: Project, path: Path, layers: set[str]) -> Corrections:
    """What was changed in a GeoPackage since it was exported."""
    grid = project.mosaic.grid
    edited, mapped = _masks(path, EDITED, grid), _masks(path, MAPPED, grid)
    table = gpd.read_file(path, layer=EDITED, ignore_geometry=True)
    ticked = table["accepted"].fillna(False).astype(bool) if "accepted" in table else []
    accepted = sorted({int(k) for k in table["crater_id"][ticked]}) if len(table) else []
    drawn = {k: mask for k, mask in edited.items() if k not in mapped or not _same(mask, mapped[k])}
    as_mapped = []
    for k in (k for k in accepted if k not in drawn):  # accepted and changed: as it was changed
        if _is_on_map(project, k, mapped[k]):
            as_mapped.append(k)
        else:
            drawn[k] = mapped[k]
    labelled = set() if project.labels is None else set(project.labels.masks)
    removed = sorted((mapped.keys() - edited.keys()) & labelled)
    tiles = _read_tiles(path, grid) if TILES in layers else ()
    before = () if project.labels is None or project.labels.tiles is None else project.labels.tiles
    return Corrections(
        drawn, tuple(as_mapped), tuple(removed), tiles if set(tiles) != set(before) else None
    )


def _is_on_map(project: Project, crater_id: int, mask: Mask) -> bool:
    """Whether a crater is mapped today as it was when it was exported."""
    path = _mask_path(project, crater_id)
    return path.exists() and _same(read_mask(path, project.mosaic.grid), mask)


def _mask_path(project: Project, crater_id: int) -> Path:
    (crater,) = project.chosen_craters([crater_id])
    return mask_path(project, crater)


def _masks(path: Path, layer: str, grid: Grid) -> dict[int, Mask]:
    """Mask of each crater in a layer of polygons."""
    frame = gpd.read_file(path, layer=layer)
    crs = CRS.from_user_input(frame.crs)
    check_radius(path, crs, grid.radius_m, LabelError)
    if frame["crater_id"].isna().any():
        raise LabelError(f"{path}: a row of layer {layer} has no crater_id: fill it in")
    shapes, ids = np.asarray(frame.geometry.array), frame["crater_id"].to_numpy(np.int64)
    return {int(k): rasterise(path, int(k), shapes[ids == k], crs, grid) for k in np.unique(ids)}


def _same(one: Mask, other: Mask) -> bool:
    """Whether two masks are the same; their windows are the smallest that hold them."""
    return one[0] == other[0] and np.array_equal(one[1], other[1])


def _read_tiles(path: Path, grid: Grid) -> tuple[Tile, ...]:
    """Tiles of a layer of rectangles, to the nearest pixels; those without an id get the next ones."""
    frame = gpd.read_file(path, layer=TILES)
    crs = CRS.from_user_input(frame.crs)
    given = [None if pd.isna(k) else int(k) for k in frame["tile_id"]]
    following = max((k for k in given if k is not None), default=-1) + 1
    tiles: list[Tile] = []
    for wanted, shape in zip(given, frame.geometry, strict=True):
        if shape is None or shape.is_empty:
            continue
        left, bottom, right, top = shape.bounds
        corners = to_mosaic_px(path, crs, np.array([[left, right], [top, bottom]]), grid)
        (first, last), (upper, lower) = np.rint(corners).astype(int).tolist()
        upper, lower = max(upper, 0), min(lower, grid.height)
        tile_id = wanted
        if tile_id is None or tile_id in {tile.tile_id for tile in tiles}:
            tile_id, following = following, following + 1
        window = Window(upper, first % grid.width, lower - upper, min(last - first, grid.width))
        if window.height > 0 and window.width > 0:
            tiles.append(Tile(tile_id, window))
    return tuple(tiles)


def _read_qclassipy(path: Path, grid: Grid) -> Corrections:
    """Tiles and masks of a table of QClassiPy: y, x, height, width, filename; rows are numbered where it has no ids.

    A mask belongs to the crater whose id its name has: mask_crater_{id}.tif.
    """
    table = read_table(path, LabelError)
    tiles = load_tiles(path, grid, numbered=True)
    names = sorted(set(table.words(table.find("filename"))) - {""})
    drawn: dict[int, Mask] = {}
    for name in names:
        raster = path.parent / Path(name.replace("\\", "/")).name
        digits = raster.stem.rsplit("_", 1)[-1]
        if not raster.exists() or not digits.isdigit():
            raise LabelError(
                f"{path}: its mask {name} should be beside it under the name mask_crater_{{id}}.tif:"
                " copy or rename it"
            )
        drawn[int(digits)] = read_mask(raster, grid)
    return Corrections(drawn, tiles=tiles)


def _copy_labels(project: Project, folder: Path) -> None:
    """Begin the folder with the labels that the project has, byte by byte where they are masks."""
    folder.mkdir()
    labels, given = project.labels, project.settings.inputs.labels
    if labels is None or given is None:
        return
    grid = project.mosaic.grid
    for crater_id, mask in labels.masks.items():
        path, copy = (
            project.input_path(given) / f"mask_crater_{crater_id}.tif",
            _label_path(folder, crater_id),
        )
        if path.is_file():
            replace_file(copy, memoryview(path.read_bytes()))
        else:
            _write_mask(copy, crater_id, mask, grid)


def _write_mask(path: Path, crater_id: int, mask: Mask, grid: Grid) -> None:
    """Write a label; whole rows where it wraps around, and one pixel without ejecta where it is empty."""
    window, _ = mask
    if window.width == 0:
        window = Window(0, 0, 1, 1)
    elif window.col + window.width > grid.width:
        window = Window(window.row, 0, window.height, grid.width)
    values = Labels(grid, {crater_id: mask}, None).read(crater_id, window).view(np.uint8)
    write_cog(
        path,
        [(window, values)],
        grid,
        window,
        description="1 = ejecta, drawn by hand",
        nodata=None,
        resampling="mode",
        colours={1: (*crater_colour(crater_id), 255)},
    )


def _adopt(project: Project, tiles: Sequence[Tile] | None) -> None:
    """Make the folder, and new tiles, the inputs of the project."""
    changes = {"labels": FOLDER}
    if tiles is not None:
        name = f"{FOLDER}/tiles.csv"
        replace_file(project.folder / name, memoryview(_tile_table(tiles).encode()))
        changes["tiles"] = name
    inputs = project.settings.inputs.model_copy(update=changes)
    settings = project.settings.model_copy(update={"inputs": inputs})
    write_settings(settings, project.folder / "project.yaml")


def _tile_table(tiles: Sequence[Tile]) -> str:
    """Tiles as a table that a project takes."""
    lines = [
        f"{t.tile_id},{t.window.row},{t.window.col},{t.window.height},{t.window.width}"
        for t in tiles
    ]
    return "\n".join(["tile_id,row,col,height,width", *lines]) + "\n"


def _label_path(folder: Path, crater_id: int) -> Path:
    return folder / f"mask_crater_{crater_id}.tif"
