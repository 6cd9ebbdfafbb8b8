"""Read what a file that a person drew in changes in a project's labels, in whichever form the file is."""

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
from ejectamap.maps.state import mask_path
from ejectamap.project.folder import Project
from ejectamap.world.georeference import check_radius, one_line
from ejectamap.world.grid import Bools, Grid, Window
from ejectamap.world.label_files import (
    crop_to_ones,
    load_labels,
    load_tiles,
    rasterise,
    read_mask,
    to_mosaic_px,
)
from ejectamap.world.labels import Labels, Tile
from ejectamap.world.tables import read_table

Mask = tuple[Window, Bools]
"""A window and, in it, where the ejecta are."""


@dataclass(frozen=True)
class LabelChanges:
    """Changes to a project's labels.

    Attributes
    ----------
    drawn : mapping of int to Mask
        New masks, by crater id.
    accepted : tuple of int
        Ids of craters whose mapped mask becomes their label unchanged.
    removed : tuple of int
        Ids of craters whose label is removed.
    tiles : tuple of Tile or None
        All tiles of the changed labels; None if they stay as they are.
    """

    drawn: dict[int, Mask]
    accepted: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()
    tiles: tuple[Tile, ...] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return not (self.drawn or self.accepted or self.removed or self.tiles is not None)


def read_label_changes(project: Project, path: Path) -> LabelChanges:
    """Compare a file with a project's labels; see `import_labels.import_labels` for the forms of the file.

    Raises
    ------
    LabelError
        If it cannot be read, or does not fit the mosaic, the catalogue or the labels.
    """
    grid = project.grid
    if path.suffix.lower() == ".csv":
        return _changes_within_tiles(project, path, *_read_qclassipy(path, grid))
    if path.suffix.lower() == ".gpkg" and path.is_file():
        try:
            layers = {str(name) for name, _ in pyogrio.list_layers(path)}
        except pyogrio.errors.DataSourceError as problem:
            raise LabelError(
                f"{path}: cannot be read ({one_line(problem)}): give a GeoPackage"
            ) from problem
        if {EDITED, MAPPED} <= layers:
            return _changes_of_export(project, path, layers)
    tiles = path / "tiles.csv"
    if tiles.exists():
        labels = load_labels(path, grid, project.craters, tiles)
        return _changes_within_tiles(project, path, labels.masks, labels.tiles or ())
    return LabelChanges(dict(load_labels(path, grid, project.craters).masks))


def _changes_of_export(project: Project, path: Path, layers: set[str]) -> LabelChanges:
    """Changes to a GeoPackage since `export qgis` wrote it: compares its layers `ejecta` and `mapped`."""
    grid = project.grid
    edited, mapped = _read_masks(path, EDITED, grid), _read_masks(path, MAPPED, grid)
    table = gpd.read_file(path, layer=EDITED, ignore_geometry=True)
    is_accepted = table["accepted"].fillna(False).astype(bool) if "accepted" in table else []
    accepted = sorted({int(k) for k in table["crater_id"][is_accepted]}) if len(table) else []
    drawn = {
        k: mask for k, mask in edited.items() if k not in mapped or not _are_equal(mask, mapped[k])
    }
    unchanged = []
    for k in (k for k in accepted if k not in drawn):  # if accepted and changed, the change counts
        if _is_current_mask(project, k, mapped[k]):
            unchanged.append(k)
        else:
            drawn[k] = mapped[k]
    labelled = set() if project.labels is None else set(project.labels.masks)
    removed = sorted((mapped.keys() - edited.keys()) & labelled)
    tiles = _read_tile_layer(path, grid) if TILES in layers else ()
    present = None if project.labels is None else project.labels.tiles
    same_tiles = set(tiles) == set(present or ())
    return LabelChanges(drawn, tuple(unchanged), tuple(removed), None if same_tiles else tiles)


def _changes_within_tiles(
    project: Project, path: Path, masks: Mapping[int, Mask], tiles: Sequence[Tile]
) -> LabelChanges:
    """Changes by masks that are complete within tiles: inside these they replace the present labels."""
    grid, present = project.grid, project.labels
    if present is None:
        return LabelChanges(dict(masks), tiles=tuple(tiles))
    if present.tiles is None:
        raise LabelError(
            f"{path}: its labels are complete within tiles, the project's within the whole reach of each crater, and"
            " these cannot be combined: set inputs.labels and inputs.tiles of project.yaml to one of the two"
        )
    labels = Labels(grid, masks, None)
    changed = {}
    for crater_id in masks:
        mask = present.read(crater_id, grid.whole)
        for tile in tiles:
            rows = slice(tile.window.row, tile.window.row + tile.window.height)
            mask[rows, grid.columns(tile.window)] = labels.read(crater_id, tile.window)
        cropped = crop_to_ones(grid.whole, mask, grid.width)
        if crater_id not in present.masks or not _are_equal(cropped, present.masks[crater_id]):
            changed[crater_id] = cropped
    known = {tile.window for tile in present.tiles}
    new = [tile.window for tile in tiles if tile.window not in known]
    next_id = max((tile.tile_id for tile in present.tiles), default=-1) + 1
    joined = *present.tiles, *(Tile(next_id + k, window) for k, window in enumerate(new))
    return LabelChanges(changed, tiles=joined if new else None)


def _is_current_mask(project: Project, crater_id: int, mask: Mask) -> bool:
    """Whether a mask equals the crater's mask of the present map."""
    (crater,) = project.chosen_craters([crater_id])
    path = mask_path(project, crater)
    return path.exists() and _are_equal(read_mask(path, project.grid), mask)


def _read_masks(path: Path, layer: str, grid: Grid) -> dict[int, Mask]:
    """Read a layer of polygons as masks, by crater id."""
    frame = gpd.read_file(path, layer=layer)
    crs = CRS.from_user_input(frame.crs)
    check_radius(path, crs, grid.radius_m, LabelError)
    if frame["crater_id"].isna().any():
        raise LabelError(f"{path}: a row of layer {layer} has no crater_id: fill it in")
    shapes, ids = np.asarray(frame.geometry.array), frame["crater_id"].to_numpy(np.int64)
    return {int(k): rasterise(path, int(k), shapes[ids == k], crs, grid) for k in np.unique(ids)}


def _are_equal(first: Mask, second: Mask) -> bool:
    """Whether two masks, each in the smallest window that contains its ejecta, are the same."""
    return first[0] == second[0] and np.array_equal(first[1], second[1])


def _read_tile_layer(path: Path, grid: Grid) -> tuple[Tile, ...]:
    """Read a layer of rectangles as tiles, rounded to whole pixels; missing and repeated ids are replaced."""
    frame = gpd.read_file(path, layer=TILES)
    crs = CRS.from_user_input(frame.crs)
    given_ids = [None if pd.isna(k) else int(k) for k in frame["tile_id"]]
    next_id = max((k for k in given_ids if k is not None), default=-1) + 1
    tiles: list[Tile] = []
    for given_id, shape in zip(given_ids, frame.geometry, strict=True):
        if shape is None or shape.is_empty:
            continue
        left, bottom, right, top = shape.bounds
        corners = to_mosaic_px(path, crs, np.array([[left, right], [top, bottom]]), grid)
        (first, last), (upper, lower) = np.rint(corners).astype(int).tolist()
        upper, lower = max(upper, 0), min(lower, grid.height)
        tile_id = given_id
        if tile_id is None or tile_id in {tile.tile_id for tile in tiles}:
            tile_id, next_id = next_id, next_id + 1
        window = Window(upper, first % grid.width, lower - upper, min(last - first, grid.width))
        if window.height > 0 and window.width > 0:
            tiles.append(Tile(tile_id, window))
    return tuple(tiles)


def _read_qclassipy(path: Path, grid: Grid) -> tuple[dict[int, Mask], tuple[Tile, ...]]:
    """Read a table of QClassiPy (y, x, height, width, filename) and its masks; rows without ids are numbered.

    The crater id of a mask is taken from its file name, mask_crater_{id}.tif.
    """
    table = read_table(path, LabelError)
    tiles = load_tiles(path, grid, numbered=True)
    names = sorted(set(table.texts(table.find("filename"))) - {""})
    masks: dict[int, Mask] = {}
    for name in names:
        raster = path.parent / Path(name.replace("\\", "/")).name
        digits = raster.stem.rsplit("_", 1)[-1]
        if not raster.exists() or not digits.isdigit():
            raise LabelError(
                f"{path}: its mask {name} should be beside it under the name mask_crater_{{id}}.tif:"
                " copy or rename it"
            )
        masks[int(digits)] = read_mask(raster, grid)
    return masks, tiles
