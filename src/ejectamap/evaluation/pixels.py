"""Evaluation of masks: per pixel and per tile, pooled over all pairs of a crater and a tile, as on the poster.

The same pass counts true ground area, distances and directions from the crater, the calibration of the stored
probabilities, and whether ejecta are assigned to the right crater. Masks are compared on the mosaic's own grid, one
tile at a time.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ejectamap.errors import LabelError
from ejectamap.evaluation.counts import Counts, compare
from ejectamap.evaluation.disjoint import disjoint_parts
from ejectamap.evaluation.origin_counts import OriginCounts
from ejectamap.evaluation.rings import (
    RingTable,
    counts_from_row,
    true_decile_edges_m,
    within_reach,
)
from ejectamap.evaluation.scores import AnnotatorAgreement, CraterScore, Evaluation, Scores, pool
from ejectamap.maps.rasters import NO_DATA
from ejectamap.views.tiling import planet_tiles, tiles_in_reach
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Bools, Window, windows_overlap
from ejectamap.world.labels import Labels, Tile
from ejectamap.world.sphere import Array

ReadMask = Callable[[int, Window], Bools]
ReadStored = Callable[[int, Window], npt.NDArray[np.uint8]]
ReadOrigin = Callable[[Window], npt.NDArray[np.integer[Any]]]
FindSeen = Callable[[Crater, Sequence[Window]], Bools]


def evaluate(
    labels: Labels,
    craters: Sequence[Crater],
    predicted_mask: ReadMask,
    split: Mapping[tuple[int, int], str] | None,
    *,
    tile_px: int,
    stored: ReadStored | None = None,
    origin: ReadOrigin | None = None,
    seen: FindSeen | None = None,
) -> Evaluation:
    """Compare a map with the labels.

    Where the labels name tiles, every crater of the catalogue is evaluated in every tile whose centre is within its
    reach, over the whole tile. Without tiles every labelled crater is evaluated on all ground within its reach, divided
    into the tiles of `views.tiling.planet_tiles`. Where tiles overlap, each pixel counts once for a crater: as a test
    pixel, if any of its tiles is a test tile.

    Parameters
    ----------
    labels : Labels
    craters : sequence of Crater
        The catalogue.
    predicted_mask : callable
        (crater_id, window) to a bool array (height, width). All windows of one crater are read before those of the
        next, so that it can keep the last crater in memory.
    split : mapping of (crater_id, tile_id) to "train", "test" or "unused", or None
        What each pair was used for. A pair that is missing here is a test pair; unused pairs are not evaluated.
    tile_px : int
        Side of a tile where the labels name none, in mosaic pixels.
    stored : callable, optional
        (crater_id, window) to the stored probabilities, uint8, 255 where there is no data.
    origin : callable, optional
        A window to the id + 1 of each pixel's origin, 0 for none, shape (height, width).
    seen : callable, optional
        A crater and tiles to whether any network was trained on the crater's label there, shape (number of tiles,).
        Without it, none was but on the training pairs.
    """
    evaluator = _Evaluator(labels, predicted_mask, tile_px, stored, origin)
    rows = []
    any_training = False
    for crater in craters:
        tiles = evaluator.tiles_of(crater)
        use = {t.tile_id: (split or {}).get((crater.crater_id, t.tile_id), "test") for t in tiles}
        tiles = [tile for tile in tiles if use[tile.tile_id] != "unused"]
        test_tiles = [tile for tile in tiles if use[tile.tile_id] == "test"]
        training_tiles = [tile for tile in tiles if use[tile.tile_id] != "test"]
        any_training |= bool(training_tiles)
        if tiles:
            windows = [tile.window for tile in test_tiles]
            was_seen = np.zeros(len(windows), bool) if seen is None else seen(crater, windows)
            unseen_tiles = [t for t, before in zip(test_tiles, was_seen, strict=True) if not before]
            seen_tiles = [t for t, before in zip(test_tiles, was_seen, strict=True) if before]
            parts = evaluator.parts_of([*unseen_tiles, *seen_tiles, *training_tiles])
            counted = [window for tile in tiles for window in parts[tile.tile_id]]
            edges_m = evaluator.decile_edges_m(crater, counted)
            unseen = evaluator.scores(crater, unseen_tiles, parts, edges_m)
            test = unseen + evaluator.scores(crater, seen_tiles, parts, edges_m)
            both = test + evaluator.scores(crater, training_tiles, parts, edges_m)
            names = crater.crater_id, crater.name, crater.family
            rows.append(CraterScore(*names, both, test, unseen))
    return Evaluation(tuple(rows), any_training)


def compare_annotators(
    evaluation: Evaluation, labels: Labels, second: Labels, craters: Sequence[Crater], tile_px: int
) -> AnnotatorAgreement:
    """Evaluate a second annotator's labels against the first one's, on the mapped craters that both have drawn.

    Where the labels name tiles, both annotators are assumed to have labelled all of them.

    Parameters
    ----------
    evaluation : Evaluation
        Of the map, against the first annotator's labels.
    labels, second : Labels
        Of the two annotators.
    craters : sequence of Crater
        The mapped ones.
    tile_px : int
        As of `evaluate`.

    Raises
    ------
    LabelError
        If there is no such crater.
    """
    shared = [c for c in craters if c.crater_id in labels.masks and c.crater_id in second.masks]
    ids = {crater.crater_id for crater in shared}
    map_scores = [row.scores for row in evaluation.craters if row.crater_id in ids]
    if not map_scores:
        raise LabelError(
            "--second-labels: has no crater in common with the project's labels and map: check the ids"
        )
    agreement = evaluate(labels, shared, second.read, None, tile_px=tile_px)
    return AnnotatorAgreement(agreement, pool(map_scores))


class _Evaluator:
    """Compares the map of one crater after another with its label."""

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
        """Tiles in which a crater is evaluated."""
        grid = self.labels.grid
        if self.labels.tiles is not None:
            return tiles_in_reach(crater, self.tiles, grid)
        if crater.crater_id not in self.labels.masks:
            return []
        cap = grid.cap_window(crater.lon, crater.lat, crater.reach_m(grid.radius_m))
        return [tile for tile in self.tiles if windows_overlap(tile.window, cap, grid.width)]

    def parts_of(self, tiles: Sequence[Tile]) -> dict[int, list[Window]]:
        """Windows of each tile, by its id, that no earlier one of these tiles covers."""
        windows = [tile.window for tile in tiles]
        if self.labels.tiles is None:  # those of the planet do not overlap
            parts = [[window] for window in windows]
        else:
            parts = disjoint_parts(windows, self.labels.grid.width)
        return {tile.tile_id: part for tile, part in zip(tiles, parts, strict=True)}

    def decile_edges_m(self, crater: Crater, windows: Sequence[Window]) -> Array:
        """Distances that divide a crater's true ejecta beyond its rim into ten parts of equal area."""
        read = partial(self.labels.read, crater.crater_id)
        return true_decile_edges_m(
            crater, self.labels.grid, self._evaluated_m(crater), read, windows
        )

    def scores(
        self,
        crater: Crater,
        tiles: Sequence[Tile],
        parts: Mapping[int, Sequence[Window]],
        deciles_m: Array,
    ) -> Scores:
        """Scores of a crater in some tiles, of which the pixels in `parts` count; a tile without any is left out."""
        grid = self.labels.grid
        in_reach = {tile.tile_id for tile in tiles_in_reach(crater, tuple(tiles), grid)}
        table = RingTable.empty(crater, self._evaluated_m(crater), deciles_m)
        tile_counts, origin_counts = Counts(), OriginCounts()
        for tile in (tile for tile in tiles if parts[tile.tile_id]):
            has_truth = has_prediction = False
            for window in parts[tile.tile_id]:
                truth = self.labels.read(crater.crater_id, window)
                prediction = self.predicted_mask(crater.crater_id, window)
                stored = self.stored(crater.crater_id, window)
                _, fp, fn, tp = table.count(grid, window, truth, prediction, stored)
                has_truth |= bool(tp + fn > 0)
                has_prediction |= bool(tp + fp > 0)
                if self.origin is not None and tp + fn > 0:
                    origin_counts += self._count_origins(crater, truth, window)
            if parts[tile.tile_id] != [tile.window]:  # the tile is judged by all of it
                has_truth = bool(self.labels.read(crater.crater_id, tile.window).any())
                has_prediction = bool(self.predicted_mask(crater.crater_id, tile.window).any())
            if tile.tile_id in in_reach:
                tile_counts += compare(np.array(has_prediction), np.array(has_truth))
        return Scores(
            pixel=counts_from_row(table.pixels.sum(axis=(0, 1))),
            area_km2=counts_from_row(table.area_km2.sum(axis=(0, 1))),
            outside_km2=table.outside_km2(),
            tile=tile_counts,
            distance=table.distances(),
            deciles=table.deciles(),
            sectors=table.sectors(),
            reliability=table.reliability(),
            origin=None if self.origin is None else origin_counts,
        )

    def _evaluated_m(self, crater: Crater) -> float:
        """Distance up to which a crater is evaluated; infinite where the labels name tiles."""
        if self.labels.tiles is not None:
            return np.inf
        return crater.reach_m(self.labels.grid.radius_m)

    def _count_origins(self, crater: Crater, truth: Bools, window: Window) -> OriginCounts:
        """Count a crater's true pixels by the crater that the origin map assigns them to."""
        assert self.origin is not None
        grid = self.labels.grid
        true = within_reach(crater, grid, window, truth, self._evaluated_m(crater))
        origin = self.origin(window)
        numbers, pixels = np.unique(origin[true], return_counts=True)
        counted = dict(zip(numbers.tolist(), pixels.tolist(), strict=True))
        unmapped = counted.pop(0, 0)
        assigned = {number - 1: count for number, count in counted.items()}
        correct = {
            crater_id: int(
                np.count_nonzero(
                    self.labels.read(crater_id, window) & true & (origin == crater_id + 1)
                )
            )
            for crater_id in assigned
        }
        return OriginCounts(assigned, correct, unmapped)
