"""What a file that a person drew in says about labels, whatever its form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
from pyproj import CRS

from ejectamap.errors import LabelError
from ejectamap.interop.qgis import EDITED, MAPPED, TILES
from ejectamap.mapping.state import mask_path
from ejectamap.project import Project
from ejectamap.world.georeference import check_radius, one_line
from ejectamap.world.grid import Grid, Window
from ejectamap.world.label_files import (
    crop,
    load_labels,
    load_tiles,
    rasterise,
    read_mask,
    to_mosaic_px,
)
from ejectamap.world.labels import Bools, Labels, Tile
from ejectamap.world.tables import read_table

Mask = tuple[Window, Bools]


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


def read_drawn(project: Project, path: Path) -> Corrections:
    """What a file says that a project's labels do not.

    Raises
    ------
    LabelError
        If it cannot be read, or does not fit the mosaic, the catalogue or the labels.
    """
    grid = project.mosaic.grid
    if path.suffix.lower() == ".csv":
        return _within_tiles(project, path, *_read_qclassipy(path, grid))
    if path.suffix.lower() == ".gpkg" and path.is_file():
        try:
            layers = {str(name) for name, _ in pyogrio.list_layers(path)}
        except pyogrio.errors.DataSourceError as problem:
            raise LabelError(
                f"{path}: cannot be read ({one_line(problem)}): give a GeoPackage"
            ) from problem
        if {EDITED, MAPPED} <= layers:
            return _read_edits(project, path, layers)
    tiles = path / "tiles.csv"
    if tiles.exists():
        found = load_labels(path, grid, project.craters, tiles)
        return _within_tiles(project, path, found.masks, found.tiles or ())
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


def _within_tiles(
    project: Project, path: Path, masks: Mapping[int, Mask], tiles: Sequence[Tile]
) -> Corrections:
    """Masks that hold within tiles: there they replace what was drawn before."""
    grid, before = project.mosaic.grid, project.labels
    if before is None:
        return Corrections(dict(masks), tiles=tuple(tiles))
    if before.tiles is None:
        raise LabelError(
            f"{path}: its labels hold within tiles, the project's within the whole reach of each crater: name one of"
            " them alone in inputs.labels and inputs.tiles of project.yaml"
        )
    found = Labels(grid, masks, None)
    drawn = {}
    for crater_id in masks:
        mask = before.read(crater_id, grid.whole)
        for tile in tiles:
            rows = slice(tile.window.row, tile.window.row + tile.window.height)
            mask[rows, grid.columns(tile.window)] = found.read(crater_id, tile.window)
        drawn[crater_id] = crop(grid.whole, mask, grid.width)
    changed = {
        k: mask
        for k, mask in drawn.items()
        if k not in before.masks or not _same(mask, before.masks[k])
    }
    known = {tile.window for tile in before.tiles}
    new = [tile.window for tile in tiles if tile.window not in known]
    first = max((tile.tile_id for tile in before.tiles), default=-1) + 1
    joined = *before.tiles, *(Tile(first + k, window) for k, window in enumerate(new))
    return Corrections(changed, tiles=joined if new else None)


def _is_on_map(project: Project, crater_id: int, mask: Mask) -> bool:
    """Whether a crater is mapped today as it was when it was exported."""
    path = mask_file(project, crater_id)
    return path.exists() and _same(read_mask(path, project.mosaic.grid), mask)


def mask_file(project: Project, crater_id: int) -> Path:
    """Where the mapped mask of a crater is."""
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


def _read_qclassipy(path: Path, grid: Grid) -> tuple[dict[int, Mask], tuple[Tile, ...]]:
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
    return drawn, tiles
