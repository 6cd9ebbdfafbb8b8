"""Which pairs are held out: as published, by place, or as a table says; and how much of the test ground was seen."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse.csgraph import connected_components

from ejectamap.errors import LabelError
from ejectamap.training.pairs import Pair, split_pairs, strata
from ejectamap.world.grid import Window
from ejectamap.world.labels import Bools, cut
from ejectamap.world.tables import read_table

Parts = dict[tuple[int, int], str]
"""What each pair (crater_id, tile_id) is used for: "train" (validation included), "test" or "unused"."""

_PARTS = {0: "train", 1: "test", -1: "unused"}


@dataclass(frozen=True)
class Leakage:
    """How much of the test set was trained on under another crater's name.

    Attributes
    ----------
    test_px : int
        Pixels of the test pairs' tiles, each counted once a pair.
    seen_px : int
        Those of them that lie in the tile of any training pair, be it the same tile with another crater.
    """

    test_px: int
    seen_px: int

    def __str__(self) -> str:
        share = self.seen_px / self.test_px if self.test_px else 0.0
        return f"training tiles have seen {self.seen_px:,} of {self.test_px:,} test pixels ({share:.0%})"


def divide(
    pairs: Sequence[Pair], fraction: float, seed: int, how: str, grid_width: int
) -> tuple[list[Pair], list[Pair]]:
    """Split pairs into a large and a small part (`fraction` of them) by "pairs" (as published) or by "place"."""
    if how == "place":
        return split_by_place(pairs, fraction, seed, grid_width)
    return split_pairs(pairs, fraction, seed)


def split_by_place(
    pairs: Sequence[Pair], fraction: float, seed: int, grid_width: int
) -> tuple[list[Pair], list[Pair]]:
    """Split pairs so that no tile of one part overlaps a tile of the other, whichever craters they belong to.

    Tiles that overlap, directly or through others, are one place. Places are taken out in random order, each if that
    brings the small part's strata nearer to their fraction; one that holds too much of everything stays.
    """
    if not pairs:
        return [], []
    windows = {pair.tile_id: pair.window for pair in pairs}
    tiles = list(windows.values())
    count, places = connected_components(overlaps(tiles, tiles, grid_width))
    place_of = dict(zip(windows, places.tolist(), strict=True))
    where = [place_of[pair.tile_id] for pair in pairs]
    classes = strata(pairs)
    counts = np.zeros((count, max(classes) + 1))
    np.add.at(counts, (where, classes), 1)
    missing = fraction * counts.sum(axis=0)
    held = set()
    for place in np.random.default_rng(seed).permutation(count).tolist():
        after = missing - counts[place]
        if (after**2).sum() < (missing**2).sum():
            missing = after
            held.add(place)
    large = [pair for pair, place in zip(pairs, where, strict=True) if place not in held]
    return large, [pair for pair, place in zip(pairs, where, strict=True) if place in held]


def overlaps(first: Sequence[Window], second: Sequence[Window], grid_width: int) -> Bools:
    """Which windows have a pixel in common, across the grid's edge too; (len(first), len(second))."""
    row, col, height, width = _columns(first)[:, :, None]
    row2, col2, height2, width2 = _columns(second)
    ahead = (col2 - col) % grid_width
    cols = (ahead < width) | ((-ahead) % grid_width < width2)
    return np.asarray((row < row2 + height2) & (row2 < row + height) & cols)


def _columns(windows: Sequence[Window]) -> "np.ndarray[tuple[int, int], np.dtype[np.int64]]":
    """Row, col, height and width of windows; (4, n)."""
    rows = [(w.row, w.col, w.height, w.width) for w in windows]
    return np.array(rows, np.int64).reshape(-1, 4).T


def read_parts(path: Path, pairs: Sequence[Pair]) -> Parts:
    """What a user's table says of pairs; those that it lacks are unused.

    Parameters
    ----------
    path : Path
        CSV of crater_id, tile_id and test: 0 train and validation, 1 test, -1 unused.
    pairs : sequence of Pair

    Raises
    ------
    LabelError
        If a column is missing, a value is another, a pair stands there twice, or none of the pairs is there.
    """
    table = read_table(path, LabelError)
    crater_ids = table.integers(table.require("crater_id"))
    tile_ids = table.integers(table.require("tile_id"))
    marks = table.integers(table.require("test"))
    given: Parts = {}
    for row, (*key, mark) in enumerate(zip(crater_ids, tile_ids, marks, strict=True), start=1):
        if mark not in _PARTS:
            table.fail(f"column test, row {row}: is {mark}: use 0 (train), 1 (test) or -1 (unused)")
        crater_id, tile_id = key
        if (crater_id, tile_id) in given:
            table.fail(
                f"crater {crater_id} with tile {tile_id} stands in row {row} again: remove one"
            )
        given[crater_id, tile_id] = _PARTS[mark]
    parts = {key: given.get(key, "unused") for key in map(pair_key, pairs)}
    if pairs and not given.keys() & parts.keys():
        table.fail("names no crater with a tile in its reach: check crater_id and tile_id")
    return parts


def pair_key(pair: Pair) -> tuple[int, int]:
    """A pair's name in tables: (crater_id, tile_id)."""
    return pair.crater.crater_id, pair.tile_id


def count_leakage(parts: Parts, tiles: Mapping[int, Window], grid_width: int) -> Leakage:
    """Count the test pairs' pixels, and those that any training pair's tile has seen.

    Parameters
    ----------
    parts : Parts
    tiles : mapping of int to Window
        Each tile's window by its id.
    grid_width : int
    """
    taught = [tiles[k] for k in sorted({k for (_, k), part in parts.items() if part == "train"})]
    tested = Counter(tile_id for (_, tile_id), part in parts.items() if part == "test")
    test_px = seen_px = 0
    for tile_id, times in tested.items():
        window = tiles[tile_id]
        seen = np.zeros(window.shape, bool)
        for k in np.flatnonzero(overlaps([window], taught, grid_width)[0]):
            seen |= cut(taught[k], np.ones(taught[k].shape, bool), window, grid_width)
        test_px += times * seen.size
        seen_px += times * int(seen.sum())
    return Leakage(test_px, seen_px)
