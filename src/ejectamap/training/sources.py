"""What a project's networks may learn from: its own labelled pairs but for the test ones, and other projects'."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ejectamap.errors import LabelError, ProjectError
from ejectamap.project.folder import Project
from ejectamap.project.pairs import Pair, make_pairs
from ejectamap.project.splits import Parts, divide, pair_key, split_parts
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
    """Pairs of the project itself, split, and of the projects it also trains on.

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
    sources = [source for source in sources if source.pairs]
    if not sources:
        raise LabelError(
            f"{project.folder}: nothing to learn from: give labels, or set training.also_train_on"
        )
    return Sources(tuple(sources), split, tile_m)


def _whole_world(world: World, tile_m: float) -> Source:
    """All pairs of another world; where it names no tiles, with tiles as large on the ground as the project's own."""
    tile_px = max(2, round(tile_m / world.mosaic.grid.pixel_m))
    return Source(world, make_pairs(world, tile_px))


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
