"""A map judged as the poster does: per pixel and per tile, pooled over all (crater, tile) pairs.

Also what the poster only tells in words: the same by true ground area, by distance from the crater,
for each crater, and whether ejecta went to the right crater. Masks are compared on the mosaic's own
grid, one tile at a time.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import numpy.typing as npt

from ejectamap.evaluation.counts import Bools, Counts, compare
from ejectamap.evaluation.scores import CraterScore, Evaluation, Ownership, Scores
from ejectamap.views.tiling import planet_tiles, tiles_in_reach
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Window
from ejectamap.world.labels import Labels, Tile
from ejectamap.world.sphere import distance

__all__ = ["Counts", "CraterScore", "Evaluation", "Ownership", "Scores", "compare", "evaluate"]

ReadMask = Callable[[int, Window], Bools]
ReadOrigin = Callable[[Window], npt.NDArray[np.integer[Any]]]

DISTANCES = ("0-3", "3-10", ">10")  # crater radii from the centre
_EDGES = (3.0, 10.0)
_M2_PER_KM2 = 1e6


@dataclass(frozen=True)
class _Pair:
    """Counts of one crater in one tile; tables have a row a distance, columns tn, fp, fn, tp."""

    test: bool
    in_reach: bool  # the tile's centre is: only then it counts as a tile
    pixels: npt.NDArray[np.int64]
    area_km2: npt.NDArray[np.float64]
    owner: Ownership


def evaluate(
    labels: Labels,
    craters: Sequence[Crater],
    predicted_mask: ReadMask,
    split: Mapping[tuple[int, int], str] | None,
    *,
    tile_px: int,
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
    split : mapping of (crater_id, tile_id) to "train", "validation" or "test", or None
        What each pair was used for; a pair that it lacks was used for nothing, and is test.
    tile_px : int
        Side of a tile where the labels name none, in mosaic pixels.
    origin : callable, optional
        A window to the map's id + 1 of the likeliest crater, 0 for none, shape (height, width).
    """
    pairs: list[_Pair] = []
    rows: list[CraterScore] = []
    judge = _Judge(labels, predicted_mask, split or {}, tile_px, origin)
    for crater in craters:
        own = list(judge.pairs(crater))
        if own:
            rows.append(CraterScore(crater.crater_id, crater.name, judge.pool(own)))
        pairs += own
    test = [pair for pair in pairs if pair.test]
    return Evaluation(judge.pool(pairs), judge.pool(test), len(test) < len(pairs), tuple(rows))


class _Judge:
    """Counts one pair after another."""

    def __init__(
        self,
        labels: Labels,
        predicted_mask: ReadMask,
        split: Mapping[tuple[int, int], str],
        tile_px: int,
        origin: ReadOrigin | None,
    ) -> None:
        self.labels = labels
        self.predicted_mask = predicted_mask
        self.split = split
        self.origin = origin
        self.tiles = planet_tiles(labels.grid, tile_px) if labels.tiles is None else labels.tiles

    def pairs(self, crater: Crater) -> Iterator[_Pair]:
        """All pairs of a crater."""
        grid = self.labels.grid
        in_reach = {tile.tile_id for tile in tiles_in_reach(crater, self.tiles, grid)}
        if self.labels.tiles is not None:
            tiles = [tile for tile in self.tiles if tile.tile_id in in_reach]
        elif crater.crater_id in self.labels.masks:
            reach_m = crater.reach_m(grid.radius_m)
            cap = grid.cap_window(crater.lon, crater.lat, reach_m)
            tiles = [tile for tile in self.tiles if _overlap(tile.window, cap)]
        else:
            tiles = []
        for tile in tiles:
            yield self._pair(crater, tile, tile.tile_id in in_reach)

    def _pair(self, crater: Crater, tile: Tile, in_reach: bool) -> _Pair:
        grid, window = self.labels.grid, tile.window
        distance_m = distance(crater.lon, crater.lat, *grid.centres(window), grid.radius_m)
        truth = self.labels.read(crater.crater_id, window)
        if self.labels.tiles is None:
            where = distance_m <= crater.reach_m(grid.radius_m)
        else:
            where = np.ones(window.shape, bool)
        prediction = self.predicted_mask(crater.crater_id, window)
        code = 4 * np.digitize(distance_m / crater.radius_m, _EDGES) + 2 * truth + prediction
        row_area_m2 = grid.row_area_m2[window.row : window.row + window.height, None]
        area_km2 = np.broadcast_to(row_area_m2 / _M2_PER_KM2, window.shape)
        size = 4 * len(DISTANCES)
        areas = np.bincount(code[where], area_km2[where], size).astype(np.float64)
        return _Pair(
            self.split.get((crater.crater_id, tile.tile_id), "test") == "test",
            in_reach,
            np.bincount(code[where], minlength=size).reshape(-1, 4),
            areas.reshape(-1, 4),
            self._owner(truth & where, window),
        )

    def _owner(self, truth: Bools, window: Window) -> Ownership:
        """Whom the map gives a crater's true pixels to."""
        if self.origin is None or not truth.any():
            return Ownership()
        value = np.where(truth, self.origin(window), 0)
        owners = np.unique(value[value > 0])
        right = sum(
            int(np.count_nonzero((value == owner) & self.labels.read(int(owner) - 1, window)))
            for owner in owners
        )
        return Ownership(int(np.count_nonzero(value)), right)

    def pool(self, pairs: Sequence[_Pair]) -> Scores:
        """Scores of some pairs together."""
        none = np.zeros((len(DISTANCES), 4))
        pixels = reduce(add, (pair.pixels for pair in pairs), none.astype(np.int64))
        area_km2 = reduce(add, (pair.area_km2 for pair in pairs), none)
        owner = reduce(add, (pair.owner for pair in pairs), Ownership())
        return Scores(
            pixel=_counts(pixels.sum(axis=0)),
            area_km2=_counts(area_km2.sum(axis=0)),
            tile=_tiles(pair.pixels for pair in pairs if pair.in_reach),
            distance={name: _counts(row) for name, row in zip(DISTANCES, pixels, strict=True)},
            owner=None if self.origin is None else owner,
        )


def _overlap(a: Window, b: Window) -> bool:
    """Whether two windows that do not wrap around have a pixel in common."""
    rows = min(a.row + a.height, b.row + b.height) > max(a.row, b.row)
    return rows and min(a.col + a.width, b.col + b.width) > max(a.col, b.col)


def _counts(row: npt.NDArray[Any]) -> Counts:
    """Name the counts of (tn, fp, fn, tp)."""
    tn, fp, fn, tp = row.tolist()
    return Counts(tp=tp, fp=fp, fn=fn, tn=tn)


def _tiles(tables: Iterable[npt.NDArray[np.int64]]) -> Counts:
    """Tiles that truly hold ejecta against tiles in which some were predicted."""
    totals = [table.sum(axis=0) for table in tables]
    truth = np.array([fn + tp > 0 for _, _, fn, tp in totals], bool)
    prediction = np.array([fp + tp > 0 for _, fp, _, tp in totals], bool)
    return compare(prediction, truth)
