"""Which pairs are held out: as published, by place, or as a table says; and how much of the test ground was seen."""

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

Parts = dict[tuple[int, int], str]
"""What each pair (crater_id, tile_id) is used for: "train" (validation included), "test" or "unused"."""

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
        share = self.seen_px / self.test_px if self.test_px else 0.0
        return (
            f"{self.seen_px:,} of {self.test_px:,} test pixels ({share:.0%}) lie in training tiles"
        )


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
    count, places = connected_components(overlap_matrix(tiles, tiles, grid_width))
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
        for k in np.flatnonzero(overlap_matrix([window], taught, grid_width)[0]):
            seen |= extract_window(taught[k], np.ones(taught[k].shape, bool), window, grid_width)
        test_px += times * seen.size
        seen_px += times * int(seen.sum())
    return Leakage(test_px, seen_px)


def split_parts(project: Project, pairs: Sequence[Pair]) -> Parts:
    """What each of the project's own pairs is used for: as its split table says, else drawn as its settings say."""
    settings = project.settings
    if settings.inputs.split is not None:
        return read_parts(project.input_path(settings.inputs.split), pairs)
    fraction, how = settings.training.test_fraction, settings.training.split
    _, test = divide(pairs, fraction, settings.seed, how, project.mosaic.grid.width)
    held = {pair_key(pair) for pair in test}
    return {key: "test" if key in held else "train" for key in map(pair_key, pairs)}


def write_split(project: Project, split: Parts) -> None:
    """Keep which pairs the networks saw, for the evaluation.

    Raises
    ------
    ProjectError
        If networks are there already that were trained with another split: one may have seen another's test pairs.
    """
    before = read_split(project)
    if before is not None and before != split and any(project.models.glob("*/*")):
        raise ProjectError(
            f"{project.split_path}: the pairs are divided otherwise now than for the networks in {project.models}:"
            " train with --fresh, or restore settings and labels"
        )
    rows = [(*key, part) for key, part in sorted(split.items())]
    table = pd.DataFrame(rows, columns=["crater_id", "tile_id", "split"])
    table.to_csv(project.split_path, index=False)


def read_split(project: Project) -> Parts | None:
    """What each pair of this project was used for; None if its labels trained nothing."""
    if not project.split_path.exists():
        return None
    table = pd.read_csv(project.split_path)
    keys = zip(table["crater_id"].tolist(), table["tile_id"].tolist(), strict=True)
    return dict(zip(keys, table["split"].tolist(), strict=True))


def leakage_of(project: Project, split: Parts) -> Leakage:
    """How much of a project's test ground its training tiles have seen."""
    tiles = labelled_tiles(project.labels, project.grid, project.tile_side_px)
    windows = {tile.tile_id: tile.window for tile in tiles}
    return count_leakage(split, windows, project.grid.width)
