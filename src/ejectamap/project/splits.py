"""Hold pairs out for the test: as published, by place, by crater, or by a table; count the leakage of test pixels."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse.csgraph import connected_components

from ejectamap.errors import LabelError, ProjectError
from ejectamap.files import hash_file, read_text, replace_file
from ejectamap.project.folder import Project
from ejectamap.project.pairs import Pair, labelled_tiles, split_pairs, strata
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Window, overlap_matrix
from ejectamap.world.labels import extract_window
from ejectamap.world.tables import read_table

Split = dict[tuple[int, int], str]
"""Use of each pair (crater_id, tile_id): "train" (validation included), "test" or "unused"."""

_PARTS = {0: "train", 1: "test", -1: "unused"}
_HEADER = "crater_id,tile_id,split"


@dataclass(frozen=True)
class Leakage:
    """How much of the test set lies in tiles that were trained on, with whatever crater.

    Attributes
    ----------
    test_px : int
        Pixels of the test pairs' tiles, each counted once a pair.
    seen_px : int
        Those of them that lie in the tile of any training pair, be it the same tile with another crater; of this
        training or, where these are known, of those that the networks started from.
    """

    test_px: int
    seen_px: int

    def __str__(self) -> str:
        fraction = self.seen_px / self.test_px if self.test_px else 0.0
        return f"{self.seen_px:,} of {self.test_px:,} test pixels ({fraction:.0%}) lie in training tiles"


def divide_pairs(
    pairs: Sequence[Pair], fraction: float, seed: int, kind: str, grid_width: int
) -> tuple[list[Pair], list[Pair]]:
    """Split pairs into a large and a small part (`fraction` of them) as `training.split` says."""
    if kind == "place":
        return split_by_place(pairs, fraction, seed, grid_width)
    if kind == "crater":
        return split_by_crater(pairs, fraction, seed)
    return split_pairs(pairs, fraction, seed)


def split_by_crater(
    pairs: Sequence[Pair], fraction: float, seed: int
) -> tuple[list[Pair], list[Pair]]:
    """Split pairs by whole craters: `fraction` of those with labelled ejecta, at least one, with all their pairs.

    Craters without any labelled ejecta, which judge nothing but false ejecta, stay in the large part.
    """
    if fraction == 1.0:
        return [], list(pairs)
    sizes = count_connected(pairs)
    count = min(max(1, round(fraction * len(sizes))), len(sizes) - 1) if fraction else 0
    if count < 1:
        return list(pairs), []
    blocks = np.array_split(np.array(ranked_craters(pairs)), count)
    rng = np.random.default_rng(seed)
    held_out = {int(rng.choice(block)) for block in blocks}
    large = [pair for pair in pairs if pair.crater.crater_id not in held_out]
    return large, [pair for pair in pairs if pair.crater.crater_id in held_out]


def crater_folds(pairs: Sequence[Pair], folds: int, seed: int) -> list[list[int]]:
    """Divide the craters with labelled ejecta into folds that are alike: giants and well-labelled craters in each.

    Craters are ranked, giants first and then by the number of tiles with their ejecta; every `folds` successive ones go
    to different folds, at random.

    Returns
    -------
    list of list of int
        Ids of each fold's craters, sorted; fewer folds than asked for if there are fewer craters.
    """
    ranked = ranked_craters(pairs)
    rng = np.random.default_rng(seed)
    count = max(1, min(folds, len(ranked)))
    members: list[list[int]] = [[] for _ in range(count)]
    for first in range(0, len(ranked), count):
        block = ranked[first : first + count]
        for fold, crater_id in zip(rng.permutation(count)[: len(block)], block, strict=True):
            members[int(fold)].append(crater_id)
    return [sorted(ids) for ids in members if ids]


def ranked_craters(pairs: Sequence[Pair]) -> list[int]:
    """Ids of the craters with labelled ejecta: giants first, then by the number of tiles with their ejecta."""
    connected = count_connected(pairs)
    default_reach = Crater.reach  # the field's default
    giants = {pair.crater.crater_id for pair in pairs if pair.crater.reach > default_reach}
    return sorted(connected, key=lambda k: (k not in giants, -connected[k], k))


def count_connected(pairs: Sequence[Pair]) -> dict[int, int]:
    """Number of tiles with a crater's ejecta, by crater id; craters without any are left out."""
    return dict(Counter(pair.crater.crater_id for pair in pairs if pair.connected))


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


def count_leakage(
    split: Split, tiles: Mapping[int, Window], grid_width: int, seen_before: Sequence[Window] = ()
) -> Leakage:
    """Count the test pairs' pixels, and those that lie in any training pair's tile.

    Parameters
    ----------
    split : Split
    tiles : mapping of int to Window
        Each tile's window by its id.
    grid_width : int
    seen_before : sequence of Window
        More ground that was trained on.
    """
    train_ids = sorted({tile_id for (_, tile_id), part in split.items() if part == "train"})
    train = [*(tiles[tile_id] for tile_id in train_ids), *seen_before]
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
    """Use of each of the project's own pairs: from the table `inputs.split` (codes), else drawn by `training.split`.

    Pairs that were drawn before with the same settings keep their part, so that tests before and after new labels can
    be compared, and no test pair was trained on; only new pairs are drawn.
    """
    settings = project.settings
    if settings.inputs.split is not None:
        return read_split_table(project.input_path(settings.inputs.split), pairs)
    kept = _kept_parts(project, pairs)
    new = [pair for pair in pairs if pair_key(pair) not in kept]
    return {**kept, **_draw(project, new)} if kept else _draw(project, pairs)


def write_split(project: Project, split: Split) -> None:
    """Write which pairs are used for training, test or not at all, for the evaluation and the next training.

    A hidden file beside it says by what the split was drawn, and by a digest whether the table is whole. It is written
    first and knows the table before too, so that a kill at any moment leaves a pair of files that belong together.
    """
    rows = [f"{crater_id},{tile_id},{part}" for (crater_id, tile_id), part in sorted(split.items())]
    text = "\n".join([_HEADER, *rows, ""])
    before = _read_split_file(project)
    known = {} if before is None else {_digest(before.text): before.drawn_by}
    known[_digest(text)] = _drawn_by(project)
    replace_file(project.split_record_path, json.dumps(known, indent=2).encode())
    replace_file(project.split_path, text.encode())


def read_split(project: Project) -> Split | None:
    """Use of each pair of this project; None if nothing was trained on its labels.

    Raises
    ------
    ProjectError
        If the file is damaged: a part of it would give other figures.
    """
    content = _read_split_file(project)
    return None if content is None else content.split


def leakage_of(
    project: Project,
    split: Split,
    seen_before: Callable[[Sequence[Window]], Sequence[Window]] = lambda _: (),
) -> Leakage:
    """Leakage of a project's test pixels into its training tiles, and into ground that was seen before.

    `seen_before` is called with the tiles' windows.
    """
    tiles = labelled_tiles(project.labels, project.grid, project.tile_side_px)
    windows = {tile.tile_id: tile.window for tile in tiles}
    width = project.grid.width
    return count_leakage(split, windows, width, seen_before(list(windows.values())))


def _draw(project: Project, pairs: Sequence[Pair]) -> Split:
    """Draw the test pairs as `training.split` says."""
    training = project.settings.training
    seed, width = project.settings.seed, project.grid.width
    _, test = divide_pairs(pairs, training.test_fraction, seed, training.split, width)
    held = {pair_key(pair) for pair in test}
    return {key: "test" if key in held else "train" for key in map(pair_key, pairs)}


def _kept_parts(project: Project, pairs: Sequence[Pair]) -> Split:
    """Parts of those pairs that follow from the split on disk; none if it was drawn with other settings."""
    content = _read_split_file(project)
    if content is None:
        return {}
    before, drawn_by = content.split, content.drawn_by
    kept = {key: before[key] for key in map(pair_key, pairs) if key in before}
    if (
        drawn_by is None
    ):  # written by an earlier version: valid if the present settings draw the same
        same = kept.keys() == before.keys()
        old = [pair for pair in pairs if pair_key(pair) in before]
        return kept if same and _draw(project, old) == kept else {}
    if drawn_by != _drawn_by(project):
        return {}
    return kept | _follow(project, pairs, kept)


def _follow(project: Project, pairs: Sequence[Pair], kept: Split) -> Split:
    """Parts of new pairs that may not be drawn: of a crater, or of ground, that has a part already."""
    new = [pair for pair in pairs if pair_key(pair) not in kept]
    old = [pair for pair in pairs if pair_key(pair) in kept]
    kind = project.settings.training.split
    if kind == "pairs" or not new or not old:
        return {}
    if kind == "crater":
        of_crater = {pair.crater: kept[pair_key(pair)] for pair in old}
        return {pair_key(p): of_crater[p.crater] for p in new if p.crater in of_crater}
    windows = [pair.window for pair in old]
    overlaps = overlap_matrix([pair.window for pair in new], windows, project.grid.width)
    parts = np.array([kept[pair_key(pair)] for pair in old])
    found = {pair_key(p): set(parts[row]) for p, row in zip(new, overlaps, strict=True)}
    # Ground of both parts cannot be used for either.
    return {
        key: str(*names) if len(names) == 1 else "unused" for key, names in found.items() if names
    }


def _drawn_by(project: Project) -> dict[str, Any]:
    """Everything but the pairs that a split follows from."""
    settings = project.settings
    if settings.inputs.split is not None:
        return {"table": hash_file(project.input_path(settings.inputs.split))}
    has_named_tiles = project.labels is not None and project.labels.tiles is not None
    return {
        "split": settings.training.split,
        "test_fraction": settings.training.test_fraction,
        "seed": settings.seed,
        "tile_px": None if has_named_tiles else project.tile_side_px,
    }


@dataclass(frozen=True)
class _SplitFile:
    """The split on disk: its text, what it says, and by what it was drawn (None if an earlier version wrote it)."""

    text: str
    split: Split
    drawn_by: dict[str, Any] | None


def _read_split_file(project: Project) -> _SplitFile | None:
    """The split on disk; None if there is none."""
    path, record = project.split_path, project.split_record_path
    try:
        text = read_text(path)
        known = json.loads(read_text(record)) if record.exists() else {}
        header, *lines = text.splitlines()
        if header != _HEADER or not text.endswith("\n") or (known and _digest(text) not in known):
            raise ValueError
        split = {}
        for line in lines:
            crater_id, tile_id, part = line.split(",")
            if part not in _PARTS.values():
                raise ValueError
            split[int(crater_id), int(tile_id)] = part
        return _SplitFile(text, split, known.get(_digest(text)))
    except FileNotFoundError:
        return None
    except ValueError:
        raise ProjectError(
            f"{path}: is damaged, incomplete or was edited: delete it and run ejectamap train {project.folder}"
        ) from None


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
