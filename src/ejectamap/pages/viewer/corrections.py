"""What a person corrects in the viewer, kept as labels of the project's own format in its folder `corrections`.

Corrections are made tile by tile. A tile that is in tiles.csv counts as labelled for every crater in whose reach it
lies, so the first correction in a tile takes the others' maps there as they are; each can be corrected in turn.
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
from rasterio.windows import Window as RasterWindow
from shapely.geometry import LineString, Point

from ejectamap.errors import LabelError, OutputError
from ejectamap.mapping.files import replace_file, write_cog
from ejectamap.pages.viewer.place import window_outline
from ejectamap.pages.viewer.tiles import raster_window
from ejectamap.project import Project
from ejectamap.views.tiling import planet_tiles, tiles_in_reach
from ejectamap.world.craters import Crater
from ejectamap.world.georeference import open_raster
from ejectamap.world.grid import Window
from ejectamap.world.label_files import read_mask
from ejectamap.world.labels import Bools, Labels, Tile, cut

FOLDER = "corrections"
_STEPS_BACK = 50

Degrees = Annotated[float, Field(ge=-1e4, le=1e4, allow_inf_nan=False)]


class Change(BaseModel):
    """What is done to a crater's ejecta in a tile: its map taken or refused, or a stroke of a brush.

    Attributes
    ----------
    line
        Places (lon, lat) along the stroke, in degrees; the longitudes make no jump.
    radius_px
        Of the brush, in mosaic pixels.
    """

    action: Literal["accept", "reject", "paint", "erase"]
    line: list[tuple[Degrees, Degrees]] = Field(default=[], max_length=5000)
    radius_px: float = Field(default=1.0, ge=0.5, le=500)


class Corrections:
    """The corrected tiles, one mask for each crater in each; every change is saved at once.

    Parameters
    ----------
    project : Project
        Its labels are read, for the size of their tiles.

    Raises
    ------
    LabelError
        If the folder holds something else.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self.folder = project.folder / FOLDER
        self.tiles = planet_tiles(project.grid, project.tile_side_px)
        self._masks: dict[int, dict[int, Bools]] = {}  # by tile, by crater
        self._before: list[tuple[int, dict[int, Bools] | None]] = []
        self._lock = Lock()
        if (self.folder / "tiles.csv").exists():
            self._load()

    def tile_at(self, lon: float, lat: float) -> Tile:
        """The tile that holds a place."""
        grid = self.project.grid
        col, row = grid.to_pixel(lon, lat)
        below = min(float(row), grid.height - 0.5)
        return next(tile for tile in self.tiles if _holds(tile.window, below, float(col)))

    def describe(self, tile_id: int) -> dict[str, Any]:
        """A tile: its outline, whether it is corrected, and how many pixels of each crater are ejecta in it."""
        tile, done = self.tiles[tile_id], self._masks.get(tile_id)
        craters = self._masks_of_maps(tile) if done is None else done
        return {
            "tile": tile_id,
            "outline": window_outline(self.project.grid, tile.window),
            "corrected": done is not None,
            "ejecta_px": {crater: int(mask.sum()) for crater, mask in craters.items()},
            "undo": len(self._before),
        }

    def done(self) -> list[dict[str, Any]]:
        """The corrected tiles, described."""
        return [self.describe(tile_id) for tile_id in sorted(self._masks)]

    def labels(self, crater_id: int) -> Labels:
        """What is corrected of one crater, as labels; no mask if that is nothing."""
        corrected = any(crater_id in masks for masks in self._masks.values())
        masks = {crater_id: self._mask(crater_id)} if corrected else {}
        return Labels(self.project.grid, masks, None)

    def apply(self, tile_id: int, crater: Crater, change: Change) -> None:
        """Change a crater's ejecta in a tile, and save.

        Raises
        ------
        LabelError
            If the tile's centre is beyond the crater's reach.
        OutputError
            If a file cannot be read or written; then nothing is changed.
        """
        tile = self.tiles[tile_id]
        if not tiles_in_reach(crater, (tile,), self.project.grid):
            raise LabelError(
                f"tile {tile_id}: is beyond the reach of {crater.name}: choose a nearer one"
            )
        with self._lock:
            before = self._masks.get(tile_id)
            masks = dict(self._masks_of_maps(tile) if before is None else before)
            masks[crater.crater_id] = self._changed(tile, crater, masks, change)
            self._set(tile_id, masks)
            self._before = [*self._before[1 - _STEPS_BACK :], (tile_id, before)]

    def undo(self) -> int | None:
        """Take the last change back, and save; the tile where it was, or None if there was none."""
        with self._lock:
            if not self._before:
                return None
            *earlier, (tile_id, masks) = self._before
            self._set(tile_id, masks)
            self._before = earlier
            return tile_id

    def _changed(
        self, tile: Tile, crater: Crater, masks: dict[int, Bools], change: Change
    ) -> Bools:
        """A crater's mask in a tile after a change."""
        if change.action == "accept":
            return self._mask_of_map(crater, tile.window)
        now = masks.get(crater.crater_id, np.zeros(tile.window.shape, bool))
        if change.action == "reject":
            return np.zeros_like(now)
        stroke = self._stroke(tile.window, change)
        return now | stroke if change.action == "paint" else now & ~stroke

    def _stroke(self, window: Window, change: Change) -> Bools:
        """Pixels of a window whose centres a brush touches."""
        grid = self.project.grid
        if not change.line:
            return np.zeros(window.shape, bool)
        lon, lat = np.array(change.line).T
        col, _ = grid.to_pixel(lon[0], lat[0])
        x = float(col) + (lon - lon[0]) * grid.width / 360.0
        y = (90.0 - lat) * grid.height / 180.0
        # The stroke or a copy of it a turn away may lie over the window.
        x += grid.width * round(float(window.col + window.width / 2 - x.mean()) / grid.width)
        points = np.stack([x - window.col, y - window.row], axis=1)
        line = LineString(points) if len(points) > 1 else Point(points[0])
        area = line.buffer(change.radius_px)
        touched: Bools = rasterize([area], out_shape=window.shape, dtype=np.uint8).astype(bool)
        return touched

    def _masks_of_maps(self, tile: Tile) -> dict[int, Bools]:
        """What the maps show in a tile, of each mapped crater that reaches it."""
        return {
            crater.crater_id: self._mask_of_map(crater, tile.window)
            for crater in self.project.craters
            if self._map_path(crater).is_file()
            and tiles_in_reach(crater, (tile,), self.project.grid)
        }

    def _mask_of_map(self, crater: Crater, window: Window) -> Bools:
        """What the map shows of a crater in a window; nothing if it is not mapped."""
        mask, path = np.zeros(window.shape, bool), self._map_path(crater)
        if path.is_file():
            with open_raster(path, OutputError) as source:
                held = raster_window(source, self.project.grid)
                top, left = max(window.row, held.row), max(window.col, held.col)
                bottom = min(window.row + window.height, held.row + held.height)
                right = min(window.col + window.width, held.col + held.width)
                if top < bottom and left < right:
                    part = RasterWindow(left - held.col, top - held.row, right - left, bottom - top)
                    here = np.s_[
                        top - window.row : bottom - window.row,
                        left - window.col : right - window.col,
                    ]
                    mask[here] = source.read(1, window=part) == 1
        return mask

    def _map_path(self, crater: Crater) -> Path:
        return self.project.maps / f"crater_{crater.crater_id}_mask.tif"

    def _set(self, tile_id: int, masks: dict[int, Bools] | None) -> None:
        """Make these a tile's masks, or forget the tile, and save; if that fails all is as before."""
        kept = self._masks
        self._masks = {tile: old for tile, old in kept.items() if tile != tile_id}
        if masks is not None:
            self._masks[tile_id] = masks
        before, after = kept.get(tile_id) or {}, masks or {}
        changed = [
            crater
            for crater in before.keys() | after.keys()
            if crater not in before or crater not in after or before[crater] is not after[crater]
        ]
        try:
            self._save(changed)
        except BaseException:
            self._masks = kept
            raise

    def _save(self, craters: list[int]) -> None:
        """Write the masks of some craters, then the table of tiles."""
        self.folder.mkdir(exist_ok=True)
        for crater in craters:
            path = self.folder / f"mask_crater_{crater}.tif"
            if any(crater in masks for masks in self._masks.values()):
                self._write_mask(path, crater)
            else:
                path.unlink(missing_ok=True)
        rows = [
            (tile, window.row, window.col, window.height, window.width)
            for tile, window in ((tile, self.tiles[tile].window) for tile in sorted(self._masks))
        ]
        if not rows:
            (self.folder / "tiles.csv").unlink(missing_ok=True)
            return
        table = pd.DataFrame(rows, columns=["tile_id", "row", "col", "height", "width"])
        text = io.BytesIO(table.to_csv(index=False, lineterminator="\n").encode())
        replace_file(self.folder / "tiles.csv", text.getbuffer())

    def _write_mask(self, path: Path, crater: int) -> None:
        window, mask = self._mask(crater)
        write_cog(
            path,
            [(window, mask.view(np.uint8))],
            self.project.grid,
            window,
            description="1 = ejecta, corrected by hand",
            nodata=None,
            resampling="mode",
        )

    def _mask(self, crater: int) -> tuple[Window, Bools]:
        """All of a crater's corrected tiles in one window."""
        parts = list(self._parts(crater))
        top = min(window.row for window, _ in parts)
        bottom = max(window.row + window.height for window, _ in parts)
        left = min(window.col for window, _ in parts)
        right = max(window.col + window.width for window, _ in parts)
        around = Window(top, left, bottom - top, right - left)
        mask = np.zeros(around.shape, bool)
        for window, part in parts:
            mask |= cut(window, part, around, self.project.grid.width)
        return around, mask

    def _parts(self, crater: int) -> Iterator[tuple[Window, Bools]]:
        for tile, masks in self._masks.items():
            if crater in masks:
                yield self.tiles[tile].window, masks[crater]

    def _load(self) -> None:
        """Read the folder back."""
        table = pd.read_csv(self.folder / "tiles.csv")
        known = {crater.crater_id: crater for crater in self.project.craters}
        masks = {
            crater: read_mask(path, self.project.grid)
            for crater in known
            if (path := self.folder / f"mask_crater_{crater}.tif").exists()
        }
        labels = Labels(self.project.grid, masks, None)
        for row in table.itertuples(index=False):
            tile_id, *place = (int(value) for value in row)
            if tile_id >= len(self.tiles) or self.tiles[tile_id].window != Window(*place):
                raise LabelError(
                    f"{self.folder / 'tiles.csv'}: tile {tile_id} is not one of the viewer's: move the"
                    " folder away, and name it in inputs.labels to learn from it"
                )
            tile = self.tiles[tile_id]
            self._masks[tile_id] = {
                crater: labels.read(crater, tile.window)
                for crater in masks
                if tiles_in_reach(known[crater], (tile,), self.project.grid)
            }


def _holds(window: Window, row: float, col: float) -> bool:
    below, across = row - window.row, col - window.col
    return 0 <= below < window.height and 0 <= across < window.width
