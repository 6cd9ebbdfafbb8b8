"""Corrections that a person makes in the viewer, stored as labels of the project's format in its folder `corrections`.

Corrections are made tile by tile, crater by crater. A correction starts from the crater's label where the tile is
labelled, elsewhere from its map. A tile in tiles.csv counts as labelled for the craters that were corrected in it; the
others stay as they are. Beside each mask stands what the person did where (`world.label_sources`).
"""

from collections.abc import Iterator, Mapping, Sequence
from threading import Lock
from typing import Annotated, Any, Literal

import numpy as np
import shapely
from pydantic import BaseModel, Field
from shapely.geometry import LineString, Point

from ejectamap.errors import LabelError
from ejectamap.files import replace_file
from ejectamap.interop.label_writing import write_label
from ejectamap.maps.state import mask_path
from ejectamap.pages.viewer.outlines import outline_window
from ejectamap.pages.viewer.place import read_window
from ejectamap.project.folder import Project
from ejectamap.views.tiling import planet_tiles, tiles_in_reach
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Bools, Window
from ejectamap.world.label_files import format_tiles, label_path, load_tiles
from ejectamap.world.label_masks import read_mask
from ejectamap.world.label_sources import LabelSource, LabelSources, SourcedMask, source_path
from ejectamap.world.labels import Labels, Tile, extract_window, joint_window

Parts = Mapping[int, SourcedMask]
"""The corrected craters of a tile: by crater_id, the label in the tile."""

FOLDER = "corrections"
_UNDO_LIMIT = 50

Degrees = Annotated[float, Field(ge=-1e4, le=1e4, allow_inf_nan=False)]


class Change(BaseModel):
    """A change to a crater's ejecta in a tile: its map is accepted or rejected, or ejecta are painted or erased.

    Attributes
    ----------
    line
        Places (lon, lat) along the stroke of the brush, in degrees; longitudes are continuous.
    radius_px
        Radius of the brush, in mosaic pixels.
    """

    action: Literal["accept", "reject", "paint", "erase"]
    line: list[tuple[Degrees, Degrees]] = Field(default=[], max_length=5000)
    radius_px: float = Field(default=1.0, ge=0.5, le=500)


class Corrections:
    """The corrected tiles, with a label for each crater that was corrected in each; every change is saved immediately.

    Parameters
    ----------
    project : Project
        Its labels determine the size of the tiles.

    Raises
    ------
    LabelError
        If the folder `corrections` holds other tiles.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self.folder = project.folder / FOLDER
        self._table = self.folder / "tiles.csv"
        stored = load_tiles(self._table, project.grid) if self._table.exists() else ()
        self.tiles = _tiles_of_planet(project, stored)
        self._parts: dict[int, Parts] = {}  # by tile_id
        self._history: list[tuple[int, Parts | None]] = []
        self._lock = Lock()
        if stored:
            self._load(stored)

    def tile_at(self, lon: float, lat: float) -> Tile:
        """The tile at a place (degrees)."""
        grid = self.project.grid
        col, row = grid.to_pixel(lon, lat)
        row_in_grid = float(np.clip(row, 0, grid.height - 0.5))
        return next(tile for tile in self.tiles if _contains(tile.window, row_in_grid, float(col)))

    def describe(self, tile_id: int) -> dict[str, Any]:
        """Describe a tile: its outline, the corrected craters, and each crater's number of ejecta pixels in it."""
        tile, corrected = self.tiles[tile_id], self._parts.get(tile_id, {})
        parts = {
            crater.crater_id: corrected.get(crater.crater_id) or self._base(tile, crater)
            for crater in self.project.craters
            if tiles_in_reach(crater, (tile,), self.project.grid)
        }
        ejecta_px = {crater_id: int(part.mask.sum()) for crater_id, part in parts.items()}
        return {**self._outline(tile_id), "ejecta_px": ejecta_px, "undo": len(self._history)}

    def corrected_tiles(self) -> list[dict[str, Any]]:
        """Outlines and corrected craters of the corrected tiles."""
        return [self._outline(tile_id) for tile_id in sorted(self._parts)]

    def labels(self, crater_id: int) -> Labels:
        """Corrected labels of one crater; without a mask if no tile holds any."""
        merged = self._merge_tiles(crater_id)
        masks = {} if merged is None else {crater_id: (merged.window, merged.mask)}
        return Labels(self.project.grid, masks, None)

    def apply(self, tile_id: int, crater: Crater, change: Change) -> None:
        """Apply a change to a crater's ejecta in a tile, and save.

        Raises
        ------
        LabelError
            If the tile's centre is beyond the crater's reach, or a map is accepted that does not exist.
        OutputError
            If a file cannot be read or written; nothing is changed then.
        """
        tile = self.tiles[tile_id]
        if not tiles_in_reach(crater, (tile,), self.project.grid):
            raise LabelError(
                f"tile {tile_id}: is beyond the reach of {crater.name}: choose a nearer tile"
            )
        with self._lock:
            previous = self._parts.get(tile_id)
            before = (previous or {}).get(crater.crater_id) or self._base(tile, crater)
            part = self._changed(tile, crater, before, change)
            self._replace(tile_id, {**(previous or {}), crater.crater_id: part})
            self._history = [*self._history[1 - _UNDO_LIMIT :], (tile_id, previous)]

    def undo(self) -> int | None:
        """Undo the last change, and save; returns its tile_id, or None if there is no change to undo."""
        with self._lock:
            if not self._history:
                return None
            *earlier, (tile_id, parts) = self._history
            self._replace(tile_id, parts)
            self._history = earlier
            return tile_id

    def _outline(self, tile_id: int) -> dict[str, Any]:
        """Describe what of a tile needs no map: its outline, and the craters that were corrected in it."""
        return {
            "tile": tile_id,
            "outline": outline_window(self.project.grid, self.tiles[tile_id].window),
            "corrected_craters": sorted(self._parts.get(tile_id, {})),
        }

    def _changed(
        self, tile: Tile, crater: Crater, before: SourcedMask, change: Change
    ) -> SourcedMask:
        """A crater's label in a tile after a change, given the one before it."""
        window, mapped = tile.window, self._read_map_mask(crater, tile.window)
        if change.action == "accept":
            if mapped is None:
                raise LabelError(f"{crater.name}: has no map to accept: paint its ejecta")
            return SourcedMask(
                window, mapped, np.full(window.shape, LabelSource.ACCEPTED, np.uint8)
            )
        touched = np.ones(window.shape, bool)
        if change.action != "reject":
            touched = self._rasterise_stroke(window, change)
        mask = np.where(touched, change.action == "paint", before.mask)
        # What a person sees and changes may be the map, also where the label was right before.
        differs = (mask != before.mask) | (touched & (mask != (mask if mapped is None else mapped)))
        is_drawn = mapped is None and not self._labelled(crater, window).any()
        source = np.uint8(LabelSource.DRAWN if is_drawn else LabelSource.CORRECTED)
        return SourcedMask(window, mask, np.where(differs, source, before.source))

    def _rasterise_stroke(self, window: Window, change: Change) -> Bools:
        """Mask of the pixels of a window whose centres are under the brush."""
        grid = self.project.grid
        if not change.line:
            return np.zeros(window.shape, bool)
        lon, lat = np.array(change.line).T
        cols, y = grid.to_pixel(lon, lat)
        x = float(cols[0]) + (lon - lon[0]) * grid.width / 360.0
        # The stroke's longitudes may differ from the window's by whole turns.
        x += grid.width * round(float(window.col + window.width / 2 - x.mean()) / grid.width)
        points = np.stack([x - window.col, y - window.row], axis=1)
        line = LineString(points) if len(points) > 1 else Point(points[0])
        shapely.prepare(line)
        rows, cols = np.mgrid[: window.height, : window.width] + 0.5
        return np.asarray(shapely.dwithin(line, shapely.points(cols, rows), change.radius_px))

    def _base(self, tile: Tile, crater: Crater) -> SourcedMask:
        """What a correction in a tile starts from: the crater's label where it has one, elsewhere its map."""
        window, mapped = tile.window, self._read_map_mask(crater, tile.window)
        mask = np.zeros(window.shape, bool) if mapped is None else mapped
        start = LabelSource.DRAWN if mapped is None else LabelSource.ACCEPTED
        labels, labelled = self.project.labels, self._labelled(crater, window)
        if labels is None:
            return SourcedMask(window, mask, np.full(window.shape, start, np.uint8))
        recorded = self.project.label_sources.read(crater.crater_id, window)
        recorded[recorded == LabelSource.NOT_RECORDED] = LabelSource.DRAWN
        label = labels.read(crater.crater_id, window)
        source = np.where(labelled, recorded, np.uint8(start))
        return SourcedMask(window, np.where(labelled, label, mask), source)

    def _labelled(self, crater: Crater, window: Window) -> Bools:
        """Where in a window the crater's label is complete."""
        labels, grid = self.project.labels, self.project.grid
        if labels is None or labels.tiles is None:
            return np.full(window.shape, labels is not None and crater.crater_id in labels.masks)
        labelled = np.zeros(window.shape, bool)
        for tile in tiles_in_reach(crater, labels.tiles, grid):
            inside = np.ones(tile.window.shape, bool)
            labelled |= extract_window(tile.window, inside, window, grid.width)
        return labelled

    def _read_map_mask(self, crater: Crater, window: Window) -> Bools | None:
        """Mask of a crater's map in a window; None if the crater is not mapped."""
        path = mask_path(self.project, crater)
        if not path.is_file():
            return None
        mask: Bools = read_window(path, self.project.grid, window, fill=0) == 1
        return mask

    def _replace(self, tile_id: int, parts: Parts | None) -> None:
        """Replace a tile's labels, or delete them if None, and save; if that fails, nothing is changed."""
        previous = self._parts
        self._parts = {tile: kept for tile, kept in previous.items() if tile != tile_id}
        if parts:
            self._parts[tile_id] = parts
        before, after = previous.get(tile_id, {}), parts or {}
        changed = [k for k in before.keys() | after.keys() if before.get(k) is not after.get(k)]
        try:
            self._save(changed)
        except BaseException:
            self._parts = previous
            raise

    def _save(self, crater_ids: list[int]) -> None:
        """Write the labels of some craters, then the table of tiles."""
        self.folder.mkdir(exist_ok=True)
        for crater_id in crater_ids:
            label = self._merge_tiles(crater_id)
            if label is None:
                label_path(self.folder, crater_id).unlink(missing_ok=True)
                source_path(self.folder, crater_id).unlink(missing_ok=True)
            else:
                write_label(self.folder, crater_id, label, self.project.grid)
        if not self._parts:
            self._table.unlink(missing_ok=True)
            return
        tiles = [
            Tile(tile_id, self.tiles[tile_id].window, frozenset(self._parts[tile_id]))
            for tile_id in sorted(self._parts)
        ]
        replace_file(self._table, format_tiles(tiles).encode())

    def _merge_tiles(self, crater_id: int) -> SourcedMask | None:
        """Merge a crater's labels of all tiles into one; None if no tile has any."""
        parts = list(self._parts_of(crater_id))
        if not parts:
            return None
        width = self.project.grid.width
        window = joint_window([part.window for part in parts], width)
        mask, source = np.zeros(window.shape, bool), np.zeros(window.shape, np.uint8)
        for part in (part.extract(window, width) for part in parts):
            mask |= part.mask
            source |= part.source
        return SourcedMask(window, mask, source)

    def _parts_of(self, crater_id: int) -> Iterator[SourcedMask]:
        """A crater's label in each tile in which it was corrected."""
        return (parts[crater_id] for parts in self._parts.values() if crater_id in parts)

    def _load(self, tiles: Sequence[Tile]) -> None:
        """Read the corrections of some tiles from the folder."""
        grid, sources = self.project.grid, LabelSources(self.folder, self.project.grid)
        paths = {c.crater_id: label_path(self.folder, c.crater_id) for c in self.project.craters}
        masks = {k: read_mask(path, grid) for k, path in paths.items() if path.exists()}
        labels = Labels(grid, masks, None)
        for tile in tiles:
            if not _is_among(tile, self.tiles):
                raise LabelError(
                    f"{self._table}: tile {tile.tile_id} is not a tile of the viewer: move the folder away, and"
                    " name it in inputs.labels to train with it"
                )
            craters = [c for c in self.project.craters if c.crater_id in masks]
            near = [c.crater_id for c in craters if tiles_in_reach(c, (tile,), grid)]
            self._parts[tile.tile_id] = {k: _read_part(labels, sources, k, tile) for k in near}


def _tiles_of_planet(project: Project, stored: Sequence[Tile]) -> tuple[Tile, ...]:
    """Tiles that cover the planet, among them those of stored corrections if there is a side that gives them.

    The project's own side follows its labelled tiles, which may be others once corrections were imported.
    """
    tiles = planet_tiles(project.grid, project.tile_side_px)
    heights = {tile.window.height for tile in stored}
    sides = range(max(1, min(heights) - 1), max(heights) + 2) if len(heights) in (1, 2) else ()
    candidates = (tiles, *(planet_tiles(project.grid, side) for side in sides))
    fitting = (found for found in candidates if all(_is_among(tile, found) for tile in stored))
    return next(fitting, tiles)


def _is_among(tile: Tile, tiles: Sequence[Tile]) -> bool:
    """Whether a tile of the same id and window is among some tiles in the order of their ids."""
    return tile.tile_id < len(tiles) and tiles[tile.tile_id].window == tile.window


def _read_part(labels: Labels, sources: LabelSources, crater_id: int, tile: Tile) -> SourcedMask:
    """A crater's stored label in a tile."""
    source = sources.read(crater_id, tile.window)
    source[source == LabelSource.NOT_RECORDED] = LabelSource.DRAWN
    return SourcedMask(tile.window, labels.read(crater_id, tile.window), source)


def _contains(window: Window, row: float, col: float) -> bool:
    return 0 <= row - window.row < window.height and 0 <= col - window.col < window.width
