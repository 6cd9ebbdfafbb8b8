"""Hold pairs out for the test: as published, by place, or by a table; and count the leakage of test pixels."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse.csgraph import connected_components

from ejectamap.errors import LabelError, ProjectError
from ejectamap.project.folder import Project
from ejectamap.project.pairs import Pair, labelled_tiles, split_pairs, strata
from ejectamap.world.grid import Window, overlap_matrix
from ejectamap.world.labels import extract_window
from ejectamap.world.tables import read_table

Split = dict[tuple[int, int], str]
"""Use of each pair (crater_id, tile_id): "train" (validation included), "test" or "unused"."""

_PARTS = {0: "train", 1: "test", -1: "unused"}


@dataclass(frozen=True)
class Leakage:
    """How much of the test set lies in tiles that were trained on with another crater.

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
        fraction = self.seen_px / self.test_px if self.test_px else 0.0
        return f"{self.seen_px:,} of {self.test_px:,} test pixels ({fraction:.0%}) lie in training tiles"


def divide_pairs(
    pairs: Sequence[Pair], fraction: float, seed: int, kind: str, grid_width: int
) -> tuple[list[Pair], list[Pair]]:
    """Split pairs into a large and a small part (`fraction` of them) by "pairs" (as published) or by "place"."""
    if kind == "place":
        return split_by_place(pairs, fraction, seed, grid_width)
    return split_pairs(pairs, fraction, seed)


def split_by_place(
    pairs: Sequence[Pair], fraction: float, seed: int, grid_width: int
) -> tuple[list[Pair], list[Pair]]:
    """Split pairs so that no tile of one part overlaps a tile of the other, whichever craters they belong to.

    Tiles that overlap, directly or through others, form one place. Places go to the small part in random order, each if
    that brings the sizes of its strata nearer to `fraction` of all.
    """
    if not pairs:
        return [], []
    windows = {pair.tile_id: pair.window for pair in pairs}
    tiles = list(windows.values())
    count, places = connected_components(overlap_matrix(tiles, tiles, grid_width))
    place_of = dict(zip(windows, places.tolist(), strict=True))
    pair_places = [place_of[pair.tile_id] for pair in pairs]
    classes = strata(pairs)
    counts = np.zeros((count, max(classes) + 1))
    np.add.at(counts, (pair_places, classes), 1)
    missing = fraction * counts.sum(axis=0)
    held_out = set()
    for place in np.random.default_rng(seed).permutation(count).tolist():
        after = missing - counts[place]
        if (after**2).sum() < (missing**2).sum():
            missing = after
            held_out.add(place)
    large = [pair for pair, place in zip(pairs, pair_places, strict=True) if place not in held_out]
    return large, [
        pair for pair, place in zip(pairs, pair_places, strict=True) if place in held_out
    ]


def read_split_table(path: Path, pairs: Sequence[Pair]) -> Split:
    """Read the use of each pair from a user's table; pairs that it lacks are unused.

    Parameters
    ----------
    path : Path
        CSV of crater_id, tile_id and test: 0 train and validation, 1 test, -1 unused.
    pairs : sequence of Pair

    Raises
    ------
    LabelError
        If a column is missing, a value is not possible, a pair has two rows, or none of the pairs has one.
    """
    table = read_table(path, LabelError)
    crater_ids = table.integers(table.require("crater_id"))
    tile_ids = table.integers(table.require("tile_id"))
    codes = table.integers(table.require("test"))
    given: Split = {}
    for row, (*key, code) in enumerate(zip(crater_ids, tile_ids, codes, strict=True), start=1):
        if code not in _PARTS:
            table.fail(f"column test, row {row}: is {code}: use 0 (train), 1 (test) or -1 (unused)")
        crater_id, tile_id = key
        if (crater_id, tile_id) in given:
            table.fail(
                f"crater {crater_id} with tile {tile_id} stands in row {row} again: remove one"
            )
        given[crater_id, tile_id] = _PARTS[code]
    split = {key: given.get(key, "unused") for key in map(pair_key, pairs)}
    if pairs and not given.keys() & split.keys():
        table.fail("names no crater with a tile in its reach: check crater_id and tile_id")
    return split


def pair_key(pair: Pair) -> tuple[int, int]:
    """A pair's key in tables: (crater_id, tile_id)."""
    return pair.crater.crater_id, pair.tile_id


def count_leakage(split: Split, tiles: Mapping[int, Window], grid_width: int) -> Leakage:
    """Count the test pairs' pixels, and those that lie in any training pair's tile.

    Parameters
    ----------
    split : Split
    tiles : mapping of int to Window
        Each tile's window by its id.
    grid_width : int
    """
    train_ids = sorted({tile_id for (_, tile_id), part in split.items() if part == "train"})
    train = [tiles[tile_id] for tile_id in train_ids]
    test = Counter(tile_id for (_, tile_id), part in split.items() if part == "test")
    test_px = seen_px = 0
    for tile_id, times in test.items():
        window = tiles[tile_id]
        seen = np.zeros(window.shape, bool)
        for k in np.flatnonzero(overlap_matrix([window], train, grid_width)[0]):
            seen |= extract_window(train[k], np.ones(train[k].shape, bool), window, grid_width)
        test_px += times * seen.size
        seen_px += times * int(seen.sum())
    return Leakage(test_px, seen_px)


def make_split(project: Project, pairs: Sequence[Pair]) -> Split:
    """Use of each of the project's own pairs: from the table `inputs.split` (codes), else drawn by `training.split`."""
    settings = project.settings
    if settings.inputs.split is not None:
        return read_split_table(project.input_path(settings.inputs.split), pairs)
    fraction, kind = settings.training.test_fraction, settings.training.split
    _, test = divide_pairs(pairs, fraction, settings.seed, kind, project.mosaic.grid.width)
    held = {pair_key(pair) for pair in test}
    return {key: "test" if key in held else "train" for key in map(pair_key, pairs)}


def write_split(project: Project, split: Split) -> None:
    """Write which pairs are used for training, test or not at all, for the evaluation.

    Raises
    ------
    ProjectError
        If networks exist that were trained with another split: one may have been trained on another's test pairs.
    """
    before = read_split(project)
    if before is not None and before != split and any(project.models.glob("*/*")):
        raise ProjectError(
            f"{project.split_path}: the split of pairs differs from that of the networks in {project.models}:"
            " train with --fresh, or restore settings and labels"
        )
    rows = [(*key, part) for key, part in sorted(split.items())]
    table = pd.DataFrame(rows, columns=["crater_id", "tile_id", "split"])
    table.to_csv(project.split_path, index=False)


def read_split(project: Project) -> Split | None:
    """Use of each pair of this project; None if nothing was trained on its labels."""
    if not project.split_path.exists():
        return None
    table = pd.read_csv(project.split_path)
    keys = zip(table["crater_id"].tolist(), table["tile_id"].tolist(), strict=True)
    return dict(zip(keys, table["split"].tolist(), strict=True))


def leakage_of(project: Project, split: Split) -> Leakage:
    """Leakage of a project's test pixels into its training tiles."""
    tiles = labelled_tiles(project.labels, project.grid, project.tile_side_px)
    windows = {tile.tile_id: tile.window for tile in tiles}
    return count_leakage(split, windows, project.grid.width)
