"""What a project's networks may learn from: its own labelled pairs but for the test ones, and other projects'."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ejectamap.errors import LabelError, ProjectError
from ejectamap.project import Project
from ejectamap.training.pairs import Pair, labelled_tiles, make_pairs
from ejectamap.training.planted import planted_world
from ejectamap.training.splits import Leakage, Parts, count_leakage, divide, pair_key, read_parts
from ejectamap.world.world import World


@dataclass(frozen=True)
class Source:
    """Pairs of one world to learn from.

    Attributes
    ----------
    world : World
    pairs : sequence of Pair
    """

    world: World
    pairs: Sequence[Pair]

    def only(self, pairs: Sequence[Pair]) -> "Source":
        """The same world with other pairs."""
        return replace(self, pairs=pairs)


@dataclass(frozen=True)
class Sources:
    """All worlds to learn from.

    Attributes
    ----------
    sources : tuple of Source
    split : Parts
        "train", "test" or "unused" for each pair (crater_id, tile_id) of the project itself.
    tile_m : float
        Side of a tile on the ground, in metres.
    """

    sources: tuple[Source, ...]
    split: Parts
    tile_m: float


def gather_sources(project: Project) -> Sources:
    """Pairs of the project itself, split, of the projects it also trains on, and of planted craters.

    Raises
    ------
    LabelError
        If there are none at all, or the given split is not possible.
    ProjectError
        If another project is not there, or its mosaic has another number of bands.
    """
    training = project.settings.training
    pairs = make_pairs(project.world, project.tile_side_px)
    split = split_parts(project, pairs)
    if training.families:
        chosen = project.family_craters(training.families)
        pairs = [pair for pair in pairs if pair.crater in chosen]
        split = {pair_key(pair): split[pair_key(pair)] for pair in pairs}
    train = [pair for pair in pairs if split[pair_key(pair)] == "train"]
    sources = [Source(project.world, train)]
    tile_m = project.tile_side_m
    for other in (Project.open(project.input_path(text)) for text in training.also_train_on):
        if other.mosaic.bands != project.mosaic.bands:
            raise ProjectError(
                f"{other.folder}: its mosaic has {other.mosaic.bands} bands, this project's has {project.mosaic.bands}:"
                " take it out of training.also_train_on"
            )
        sources.append(_whole_world(other.world, tile_m))
    if training.plant:
        sources.append(_whole_world(planted_world(project), tile_m))
    sources = [source for source in sources if source.pairs]
    if not sources:
        raise LabelError(
            f"{project.folder}: nothing to learn from: give labels, or set training.also_train_on or training.plant"
        )
    return Sources(tuple(sources), split, tile_m)


def _whole_world(world: World, tile_m: float) -> Source:
    """All pairs of another world; where it names no tiles, with tiles as large on the ground as the project's own."""
    tile_px = max(2, round(tile_m / world.mosaic.grid.pixel_m))
    return Source(world, make_pairs(world, tile_px))


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


def split_validation(
    sources: Sequence[Source], fraction: float, seed: int, how: str = "pairs"
) -> tuple[list[Source], list[Source]]:
    """Take a stratified part of each world's pairs out for validation, by pairs or by place."""
    parts = [
        divide(source.pairs, fraction, seed, how, source.world.mosaic.grid.width)
        for source in sources
    ]
    return (
        [source.only(train) for source, (train, _) in zip(sources, parts, strict=True)],
        [source.only(validation) for source, (_, validation) in zip(sources, parts, strict=True)],
    )


def connected_only(sources: Sequence[Source]) -> list[Source]:
    """The same worlds with only those pairs whose tile holds ejecta of the crater."""
    return [s.only([pair for pair in s.pairs if pair.connected]) for s in sources]


def once_per_tile(sources: Sequence[Source]) -> list[Source]:
    """The same worlds with one pair a tile: that with the nearest crater."""
    result = []
    for source in sources:
        nearest: dict[int, Pair] = {}
        for pair in sorted(source.pairs, key=lambda p: p.distance_m):
            nearest.setdefault(pair.tile_id, pair)
        result.append(source.only([nearest[tile_id] for tile_id in sorted(nearest)]))
    return result


def hold_out_craters(
    sources: Sequence[Source], fraction: float, seed: int
) -> tuple[list[Source], list[Source]]:
    """Take whole craters out for validation, at least one of several; a lone crater gives some of its tiles."""
    craters = [
        (k, c) for k, s in enumerate(sources) for c in dict.fromkeys(p.crater for p in s.pairs)
    ]
    if len(craters) < 2 or fraction == 0:
        return split_validation(sources, fraction, seed)
    count = min(max(1, round(fraction * len(craters))), len(craters) - 1)
    rng = np.random.default_rng(seed)
    held = {craters[i] for i in rng.choice(len(craters), count, replace=False)}
    train, validation = [], []
    for k, source in enumerate(sources):
        train.append(source.only([p for p in source.pairs if (k, p.crater) not in held]))
        validation.append(source.only([p for p in source.pairs if (k, p.crater) in held]))
    return train, validation
