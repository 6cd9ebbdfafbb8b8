"""Corrections that a person makes in the viewer, stored as labels of the project's format in its folder `corrections`.

Corrections are made tile by tile. A tile in tiles.csv counts as labelled for every crater within whose reach it is. So
the first correction in a tile stores the maps of all those craters there, and each can be corrected afterwards.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field
from rasterio.features import rasterize
from shapely.geometry import LineString, Point

from ejectamap.errors import LabelError
from ejectamap.files import replace_file
from ejectamap.maps.files import write_cog
from ejectamap.maps.state import mask_path
from ejectamap.pages.viewer.outlines import outline_window
from ejectamap.pages.viewer.place import read_window
from ejectamap.project.folder import Project
from ejectamap.views.tiling import planet_tiles, tiles_in_reach
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Bools, Window
from ejectamap.world.label_files import label_path
from ejectamap.world.label_masks import read_mask
from ejectamap.world.labels import Labels, Tile, extract_window

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
    """The corrected tiles, with one mask for each crater in each tile; every change is saved immediately.

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
        self.tiles = planet_tiles(project.grid, project.tile_side_px)
        self._masks: dict[int, dict[int, Bools]] = {}  # by tile_id and crater_id
        self._history: list[tuple[int, dict[int, Bools] | None]] = []
        self._lock = Lock()
        if (self.folder / "tiles.csv").exists():
            self._load()

    def tile_at(self, lon: float, lat: float) -> Tile:
        """The tile at a place (degrees)."""
        grid = self.project.grid
        col, row = grid.to_pixel(lon, lat)
        row_in_grid = min(float(row), grid.height - 0.5)
        return next(tile for tile in self.tiles if _contains(tile.window, row_in_grid, float(col)))

    def describe(self, tile_id: int) -> dict[str, Any]:
        """Describe a tile: its outline, whether it is corrected, and each crater's number of ejecta pixels in it."""
        tile, corrected = self.tiles[tile_id], self._masks.get(tile_id)
        masks = self._read_map_masks(tile) if corrected is None else corrected
        return {
            "tile": tile_id,
            "outline": outline_window(self.project.grid, tile.window),
            "corrected": corrected is not None,
            "ejecta_px": {crater_id: int(mask.sum()) for crater_id, mask in masks.items()},
            "undo": len(self._history),
        }

    def corrected_tiles(self) -> list[dict[str, Any]]:
        """Describe the corrected tiles."""
        return [self.describe(tile_id) for tile_id in sorted(self._masks)]

    def labels(self, crater_id: int) -> Labels:
        """Corrected labels of one crater; without a mask if no tile holds any."""
        corrected = any(crater_id in masks for masks in self._masks.values())
        masks = {crater_id: self._merge_tiles(crater_id)} if corrected else {}
        return Labels(self.project.grid, masks, None)

    def apply(self, tile_id: int, crater: Crater, change: Change) -> None:
        """Apply a change to a crater's ejecta in a tile, and save.

        Raises
        ------
        LabelError
            If the tile's centre is beyond the crater's reach.
        OutputError
            If a file cannot be read or written; nothing is changed then.
        """
        tile = self.tiles[tile_id]
        if not tiles_in_reach(crater, (tile,), self.project.grid):
            raise LabelError(
                f"tile {tile_id}: is beyond the reach of {crater.name}: choose a nearer tile"
            )
        with self._lock:
            previous = self._masks.get(tile_id)
            masks = dict(self._read_map_masks(tile) if previous is None else previous)
            masks[crater.crater_id] = self._change_mask(tile, crater, masks, change)
            self._replace_masks(tile_id, masks)
            self._history = [*self._history[1 - _UNDO_LIMIT :], (tile_id, previous)]

    def undo(self) -> int | None:
        """Undo the last change, and save; returns its tile_id, or None if there is no change to undo."""
        with self._lock:
            if not self._history:
                return None
            *earlier, (tile_id, masks) = self._history
            self._replace_masks(tile_id, masks)
            self._history = earlier
            return tile_id

    def _change_mask(
        self, tile: Tile, crater: Crater, masks: dict[int, Bools], change: Change
    ) -> Bools:
        """A crater's mask in a tile after a change, given the masks of all craters before it."""
        if change.action == "accept":
            return self._read_map_mask(crater, tile.window)
        mask = masks.get(crater.crater_id, np.zeros(tile.window.shape, bool))
        if change.action == "reject":
            return np.zeros_like(mask)
        stroke = self._rasterise_stroke(tile.window, change)
        return mask | stroke if change.action == "paint" else mask & ~stroke

    def _rasterise_stroke(self, window: Window, change: Change) -> Bools:
        """Mask of the pixels of a window whose centres are under the brush."""
        grid = self.project.grid
        if not change.line:
            return np.zeros(window.shape, bool)
        lon, lat = np.array(change.line).T
        col, _ = grid.to_pixel(lon[0], lat[0])
        x = float(col) + (lon - lon[0]) * grid.width / 360.0
        y = (grid.lat_north - lat) * grid.height / grid.span_deg
        # The stroke's longitudes may differ from the window's by whole turns.
        x += grid.width * round(float(window.col + window.width / 2 - x.mean()) / grid.width)
        points = np.stack([x - window.col, y - window.row], axis=1)
        line = LineString(points) if len(points) > 1 else Point(points[0])
        area = line.buffer(change.radius_px)
        mask: Bools = rasterize([area], out_shape=window.shape, dtype=np.uint8).astype(bool)
        return mask

    def _read_map_masks(self, tile: Tile) -> dict[int, Bools]:
        """Masks of the maps in a tile, by crater_id, of each mapped crater within whose reach it is."""
        return {
            crater.crater_id: self._read_map_mask(crater, tile.window)
            for crater in self.project.craters
            if mask_path(self.project, crater).is_file()
            and tiles_in_reach(crater, (tile,), self.project.grid)
        }

    def _read_map_mask(self, crater: Crater, window: Window) -> Bools:
        """Mask of a crater's map in a window; empty if the crater is not mapped."""
        path = mask_path(self.project, crater)
        if not path.is_file():
            return np.zeros(window.shape, bool)
        mask: Bools = read_window(path, self.project.grid, window, fill=0) == 1
        return mask

    def _replace_masks(self, tile_id: int, masks: dict[int, Bools] | None) -> None:
        """Replace a tile's masks, or delete them if None, and save; if that fails, nothing is changed."""
        previous = self._masks
        self._masks = {tile: kept for tile, kept in previous.items() if tile != tile_id}
        if masks is not None:
            self._masks[tile_id] = masks
        before, after = previous.get(tile_id) or {}, masks or {}
        changed = [
            crater_id
            for crater_id in before.keys() | after.keys()
            if before.get(crater_id) is not after.get(crater_id)
        ]
        try:
            self._save(changed)
        except BaseException:
            self._masks = previous
            raise

    def _save(self, crater_ids: list[int]) -> None:
        """Write the masks of some craters, then the table of tiles."""
        self.folder.mkdir(exist_ok=True)
        for crater_id in crater_ids:
            path = label_path(self.folder, crater_id)
            if any(crater_id in masks for masks in self._masks.values()):
                self._write_mask(path, crater_id)
            else:
                path.unlink(missing_ok=True)
        rows = [
            (tile_id, window.row, window.col, window.height, window.width)
            for tile_id in sorted(self._masks)
            for window in (self.tiles[tile_id].window,)
        ]
        if not rows:
            (self.folder / "tiles.csv").unlink(missing_ok=True)
            return
        table = pd.DataFrame(rows, columns=["tile_id", "row", "col", "height", "width"])
        text = io.BytesIO(table.to_csv(index=False, lineterminator="\n").encode())
        replace_file(self.folder / "tiles.csv", text.getbuffer())

    def _write_mask(self, path: Path, crater_id: int) -> None:
        window, mask = self._merge_tiles(crater_id)
        write_cog(
            path,
            [(window, mask.view(np.uint8))],
            self.project.grid,
            window,
            description="1 = ejecta, corrected by hand",
            nodata=None,
            resampling="mode",
        )

    def _merge_tiles(self, crater_id: int) -> tuple[Window, Bools]:
        """Merge all of a crater's corrected tiles into one mask; returns its window as well."""
        parts = list(self._masks_of(crater_id))
        top = min(window.row for window, _ in parts)
        bottom = max(window.row + window.height for window, _ in parts)
        left = min(window.col for window, _ in parts)
        right = max(window.col + window.width for window, _ in parts)
        window = Window(top, left, bottom - top, right - left)
        mask = np.zeros(window.shape, bool)
        for tile_window, part in parts:
            mask |= extract_window(tile_window, part, window, self.project.grid.width)
        return window, mask

    def _masks_of(self, crater_id: int) -> Iterator[tuple[Window, Bools]]:
        """Window and mask of each tile with a mask of a crater."""
        for tile_id, masks in self._masks.items():
            if crater_id in masks:
                yield self.tiles[tile_id].window, masks[crater_id]

    def _load(self) -> None:
        """Read the corrections from the folder."""
        table = pd.read_csv(self.folder / "tiles.csv")
        craters = {crater.crater_id: crater for crater in self.project.craters}
        masks = {
            crater_id: read_mask(path, self.project.grid)
            for crater_id in craters
            if (path := label_path(self.folder, crater_id)).exists()
        }
        labels = Labels(self.project.grid, masks, None)
        for row in table.itertuples(index=False):
            tile_id, *numbers = (int(value) for value in row)
            if tile_id >= len(self.tiles) or self.tiles[tile_id].window != Window(*numbers):
                raise LabelError(
                    f"{self.folder / 'tiles.csv'}: tile {tile_id} is not a tile of the viewer: move the"
                    " folder away, and name it in inputs.labels to train with it"
                )
            tile = self.tiles[tile_id]
            self._masks[tile_id] = {
                crater_id: labels.read(crater_id, tile.window)
                for crater_id in masks
                if tiles_in_reach(craters[crater_id], (tile,), self.project.grid)
            }


def _contains(window: Window, row: float, col: float) -> bool:
    return 0 <= row - window.row < window.height and 0 <= col - window.col < window.width
