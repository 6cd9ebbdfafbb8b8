"""Pairs of a crater with a tile in its reach, and how they are split into training, validation and test."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ejectamap.views.tiling import planet_tiles, tiles_in_reach
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.labels import Labels, Tile
from ejectamap.world.sphere import distance
from ejectamap.world.world import World

_DISTANCE_CLASSES = 5


@dataclass(frozen=True)
class Pair:
    """A crater and a tile in its reach, and its ejecta there according to the labels.

    Attributes
    ----------
    crater : Crater
    tile_id : int
    window : Window
        The tile, in mosaic pixels.
    distance_m : float
        Ground distance from the crater's centre to the tile's.
    connected : bool
        Whether the tile holds any ejecta of this crater.
    ejecta_ratio : float
        All craters' ejecta pixels in the tile over this crater's, 1 or more; infinite where this crater has none.
    """

    crater: Crater
    tile_id: int
    window: Window
    distance_m: float
    connected: bool
    ejecta_ratio: float


def make_pairs(world: World, tile_px: int) -> list[Pair]:
    """Pair every labelled crater with every labelled tile in its reach; none without labels.

    Parameters
    ----------
    world : World
        With labels. Where no tiles were named, the whole planet is cut into tiles.
    tile_px : int
        Side of those tiles, in mosaic pixels.
    """
    return pair_labels(world.labels, world.labelled_craters(), world.mosaic.grid, tile_px)


def pair_labels(
    labels: Labels | None, labelled: Sequence[Crater], grid: Grid, tile_px: int
) -> list[Pair]:
    """The same from the labels and the craters with known ejecta, without the mosaic's values."""
    if labels is None:
        return []
    tiles = labelled_tiles(labels, grid, tile_px)
    pairs = []
    for crater in labelled:
        for tile in tiles_in_reach(crater, tiles, grid):
            own_px = int(labels.read(crater.crater_id, tile.window).sum())
            all_px = int(labels.any_ejecta(tile.window).sum()) if own_px else 0
            ejecta_ratio = all_px / own_px if own_px else np.inf
            distance_m = float(
                distance(crater.lon, crater.lat, *grid.window_centre(tile.window), grid.radius_m)
            )
            pairs.append(
                Pair(crater, tile.tile_id, tile.window, distance_m, own_px > 0, ejecta_ratio)
            )
    return pairs


def labelled_tiles(labels: Labels | None, grid: Grid, tile_px: int) -> tuple[Tile, ...]:
    """The tiles that were named or, where none were, the whole planet cut into tiles of `tile_px` pixels."""
    named = None if labels is None else labels.tiles
    return planet_tiles(grid, tile_px) if named is None else named


def distance_class(pair: Pair, reach_m: float) -> int:
    """Which fifth of the longest reach a pair's distance falls into, 0 to 4."""
    return min(int(_DISTANCE_CLASSES * pair.distance_m / reach_m), _DISTANCE_CLASSES - 1)


def strata(pairs: Sequence[Pair]) -> list[int]:
    """Stratum of each pair: connectedness and five equal distance intervals, as published."""
    longest = max((pair.distance_m for pair in pairs), default=1.0) + 1.0
    return [2 * distance_class(pair, longest) + pair.connected for pair in pairs]


def split_pairs(pairs: Sequence[Pair], fraction: float, seed: int) -> tuple[list[Pair], list[Pair]]:
    """Split pairs into a large and a small part (`fraction` of them), stratified as published.

    A stratum of one pair cannot be split; it goes to the large part.
    """
    if fraction == 1.0:
        return [], list(pairs)
    if fraction == 0.0 or len(pairs) < 2:
        return list(pairs), []
    classes = np.array(strata(pairs))
    values, counts = np.unique(classes, return_counts=True)
    alone = np.isin(classes, values[counts < 2])
    rest = np.flatnonzero(~alone)
    splittable = int((counts >= 2).sum())
    small_size = max(round(fraction * len(pairs)), splittable)
    if splittable == 0 or len(rest) - small_size < splittable:
        return list(pairs), []
    from sklearn.model_selection import train_test_split  # noqa: PLC0415 - slow, and only training splits

    large, small = train_test_split(
        rest, test_size=small_size, random_state=seed, stratify=classes[rest]
    )
    large = np.concatenate([large, np.flatnonzero(alone)])
    return [pairs[i] for i in sorted(large)], [pairs[i] for i in sorted(small)]
