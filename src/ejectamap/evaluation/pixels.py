"""A map judged as the poster does: per pixel and per tile, pooled over all (crater, tile) pairs.

Also what the poster only tells in words: the same by true ground area, by distance and direction from the crater,
for each crater, and whether ejecta went to the right crater. Masks are compared on the mosaic's own grid, one tile
at a time.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ejectamap.evaluation.calibration import Calibration
from ejectamap.evaluation.counts import Bools, Counts, compare
from ejectamap.evaluation.deciles import true_deciles_m
from ejectamap.evaluation.ownership import Ownership
from ejectamap.evaluation.rings import RingTable, counts, within_reach
from ejectamap.evaluation.scores import CraterScore, Evaluation, Scores
from ejectamap.mapping.export import NO_DATA
from ejectamap.views.tiling import planet_tiles, tiles_in_reach
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Window
from ejectamap.world.labels import Labels, Tile
from ejectamap.world.sphere import Array

__all__ = ["Counts", "CraterScore", "Evaluation", "Ownership", "Scores", "compare", "evaluate"]

ReadMask = Callable[[int, Window], Bools]
ReadStored = Callable[[int, Window], npt.NDArray[np.uint8]]
ReadOrigin = Callable[[Window], npt.NDArray[np.integer[Any]]]


def evaluate(
    labels: Labels,
    craters: Sequence[Crater],
    predicted_mask: ReadMask,
    split: Mapping[tuple[int, int], str] | None,
    *,
    tile_px: int,
    stored: ReadStored | None = None,
    origin: ReadOrigin | None = None,
) -> Evaluation:
    """Compare a map with the labels.

    Where the labels name tiles, every crater of the catalogue is judged in every tile whose centre
    is within its reach, over the whole tile. Without tiles every labelled crater is judged on all
    ground within its reach, cut into the tiles of `views.tiling.planet_tiles`.

    Parameters
    ----------
    labels : Labels
    craters : sequence of Crater
        The catalogue.
    predicted_mask : callable
        (crater_id, window) to a bool array (height, width). Asked for one crater after another, so
        that it can keep the last one in memory.
    split : mapping of (crater_id, tile_id) to "train", "test" or "unused", or None
        What each pair was used for; a pair that it lacks taught nothing, and is test; an unused one is not judged.
    tile_px : int
        Side of a tile where the labels name none, in mosaic pixels.
    stored : callable, optional
        (crater_id, window) to the probabilities as they are stored, uint8, 255 where unknown.
    origin : callable, optional
        A window to the map's id + 1 of the likeliest crater, 0 for none, shape (height, width).
    """
    judge = _Judge(labels, predicted_mask, tile_px, stored, origin)
    rows = []
    held_out = False
    for crater in craters:
        tiles = judge.tiles_of(crater)
        used = {t.tile_id: (split or {}).get((crater.crater_id, t.tile_id), "test") for t in tiles}
        tiles = [tile for tile in tiles if used[tile.tile_id] != "unused"]
        unseen = [tile for tile in tiles if used[tile.tile_id] == "test"]
        seen = [tile for tile in tiles if used[tile.tile_id] != "test"]
        held_out |= bool(seen)
        if tiles:
            edges_m = judge.decile_edges_m(crater, tiles)
            test = judge.scores(crater, unseen, edges_m)
            both = test + judge.scores(crater, seen, edges_m)
            rows.append(CraterScore(crater.crater_id, crater.name, crater.family, both, test))
    return Evaluation(tuple(rows), held_out)


class _Judge:
    """Compares one crater after another with its label."""

    def __init__(
        self,
        labels: Labels,
        predicted_mask: ReadMask,
        tile_px: int,
        stored: ReadStored | None,
        origin: ReadOrigin | None,
    ) -> None:
        self.labels = labels
        self.predicted_mask = predicted_mask
        self.stored = stored or (lambda _, window: np.full(window.shape, NO_DATA, np.uint8))
        self.origin = origin
        self.tiles = planet_tiles(labels.grid, tile_px) if labels.tiles is None else labels.tiles

    def tiles_of(self, crater: Crater) -> list[Tile]:
        """Tiles in which a crater is judged."""
        grid = self.labels.grid
        if self.labels.tiles is not None:
            return tiles_in_reach(crater, self.tiles, grid)
        if crater.crater_id not in self.labels.masks:
            return []
        cap = grid.cap_window(crater.lon, crater.lat, crater.reach_m(grid.radius_m))
        return [tile for tile in self.tiles if _overlap(tile.window, cap)]

    def decile_edges_m(self, crater: Crater, tiles: Sequence[Tile]) -> Array:
        """Distances that cut a crater's true ejecta beyond its rim into ten parts of equal area."""
        windows = [tile.window for tile in tiles]
        read = partial(self.labels.read, crater.crater_id)
        return true_deciles_m(crater, self.labels.grid, self._judged_m(crater), read, windows)

    def scores(self, crater: Crater, tiles: Sequence[Tile], deciles_m: Array) -> Scores:
        """Scores of a crater in some tiles."""
        grid = self.labels.grid
        in_reach = {tile.tile_id for tile in tiles_in_reach(crater, tuple(tiles), grid)}
        table = RingTable.empty(crater, self._judged_m(crater), deciles_m)
        tile_counts, owner = Counts(), Ownership()
        for tile in tiles:
            truth = self.labels.read(crater.crater_id, tile.window)
            prediction = self.predicted_mask(crater.crater_id, tile.window)
            stored = self.stored(crater.crater_id, tile.window)
            _, fp, fn, tp = table.count(grid, tile.window, truth, prediction, stored)
            if tile.tile_id in in_reach:
                tile_counts += compare(np.array(tp + fp > 0), np.array(tp + fn > 0))
            if self.origin is not None and tp + fn > 0:
                owner += self._owner(crater, truth, tile.window)
        return Scores(
            pixel=counts(table.pixels.sum(axis=(0, 1))),
            area_km2=counts(table.area_km2.sum(axis=(0, 1))),
            outside_km2=table.outside_km2(),
            tile=tile_counts,
            distance=table.distances(),
            deciles=table.deciles(),
            sectors=table.sectors(),
            calibration=Calibration(table.levels),
            owner=None if self.origin is None else owner,
        )

    def _judged_m(self, crater: Crater) -> float:
        """How far out a crater is judged."""
        if self.labels.tiles is not None:
            return np.inf
        return crater.reach_m(self.labels.grid.radius_m)

    def _owner(self, crater: Crater, truth: Bools, window: Window) -> Ownership:
        """Whom the map gives a crater's true pixels to."""
        assert self.origin is not None
        grid = self.labels.grid
        true = within_reach(crater, grid, window, truth, self._judged_m(crater))
        origin = self.origin(window)
        value = origin[true]
        numbers = np.bincount(value)
        given = {int(k) - 1: int(numbers[k]) for k in np.flatnonzero(numbers) if k > 0}
        rightly = {
            owner: int(
                np.count_nonzero(self.labels.read(owner, window) & true & (origin == owner + 1))
            )
            for owner in given
        }
        return Ownership(given, rightly, int(numbers[0]) if numbers.size else 0)


def _overlap(a: Window, b: Window) -> bool:
    """Whether two windows that do not wrap around have a pixel in common."""
    rows = min(a.row + a.height, b.row + b.height) > max(a.row, b.row)
    return rows and min(a.col + a.width, b.col + b.width) > max(a.col, b.col)
