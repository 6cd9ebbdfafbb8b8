"""Sources of training pairs: a project's own labelled pairs except the test pairs, and all pairs of other projects."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ejectamap.errors import LabelError, ProjectError
from ejectamap.project.folder import Project
from ejectamap.project.pairs import Pair
from ejectamap.project.splits import Split, divide_pairs
from ejectamap.project.training_pairs import (
    TrainingPairs,
    other_training_pairs,
    own_training_pairs,
)
from ejectamap.world.world import World


@dataclass(frozen=True)
class Source:
    """Training or validation pairs of one world.

    Attributes
    ----------
    world : World
    pairs : sequence of Pair
    """

    world: World
    pairs: Sequence[Pair]

    def with_pairs(self, pairs: Sequence[Pair]) -> "Source":
        """The same world with other pairs."""
        return replace(self, pairs=pairs)


@dataclass(frozen=True)
class Sources:
    """All training pairs of a project.

    Attributes
    ----------
    sources : tuple of Source
        One for each world.
    split : Split
        "train", "test" or "unused" for each pair (crater_id, tile_id) of the project itself.
    tile_m : float
        Side of the project's tiles on the ground, in metres.
    """

    sources: tuple[Source, ...]
    split: Split
    tile_m: float


def gather_sources(project: Project) -> Sources:
    """Collect the training pairs of a project and of the projects in `training.also_train_on`.

    Raises
    ------
    LabelError
        If there are none, or the split in `inputs.split` is not valid.
    ProjectError
        If another project does not exist, or its mosaic has another number of bands.
    """
    own = own_training_pairs(project)
    sources = [_source(own)]
    for other in other_training_pairs(project):
        bands = other.project.mosaic.bands
        if bands != project.mosaic.bands:
            raise ProjectError(
                f"{other.project.folder}: its mosaic has {bands} bands, this project's has {project.mosaic.bands}:"
                " take it out of training.also_train_on"
            )
        sources.append(_source(other))
    sources = [source for source in sources if source.pairs]
    if not sources:
        raise LabelError(
            f"{project.folder}: no training data: give labels, or set training.also_train_on"
        )
    return Sources(tuple(sources), own.split, project.tile_side_m)


def _source(part: TrainingPairs) -> Source:
    """Training pairs with their world, whose labels are those that training may read."""
    project = part.project
    return Source(World(project.mosaic, project.craters, part.labels), part.pairs)


def split_validation(
    sources: Sequence[Source], fraction: float, seed: int, split: str = "pairs"
) -> tuple[list[Source], list[Source]]:
    """Split each world's pairs into training and validation, stratified.

    Parameters
    ----------
    sources : sequence of Source
    fraction : float
        Fraction of the pairs for validation.
    seed : int
    split : str
        "pairs", "place" or "crater", as in `training.split`.
    """
    parts = [
        divide_pairs(source.pairs, fraction, seed, split, source.world.mosaic.grid.width)
        for source in sources
    ]
    train = [s.with_pairs(pairs) for s, (pairs, _) in zip(sources, parts, strict=True)]
    validation = [s.with_pairs(pairs) for s, (_, pairs) in zip(sources, parts, strict=True)]
    return train, validation


def connected_only(sources: Sequence[Source]) -> list[Source]:
    """The same worlds with only those pairs whose tile contains ejecta of the crater."""
    return [s.with_pairs([pair for pair in s.pairs if pair.connected]) for s in sources]


def once_per_tile(sources: Sequence[Source]) -> list[Source]:
    """The same worlds with only one pair for each tile: that of the nearest crater."""
    result = []
    for source in sources:
        nearest: dict[int, Pair] = {}
        for pair in sorted(source.pairs, key=lambda p: p.distance_m):
            nearest.setdefault(pair.tile_id, pair)
        result.append(source.with_pairs([nearest[tile_id] for tile_id in sorted(nearest)]))
    return result


def hold_out_craters(
    sources: Sequence[Source], fraction: float, seed: int
) -> tuple[list[Source], list[Source]]:
    """Split into training and validation by craters, with at least one crater in each.

    With fewer than two craters the pairs are split; see `split_validation`.
    """
    craters = [
        (k, c) for k, s in enumerate(sources) for c in dict.fromkeys(p.crater for p in s.pairs)
    ]
    if len(craters) < 2 or fraction == 0:
        return split_validation(sources, fraction, seed)
    count = min(max(1, round(fraction * len(craters))), len(craters) - 1)
    rng = np.random.default_rng(seed)
    held_out = {craters[i] for i in rng.choice(len(craters), count, replace=False)}
    train, validation = [], []
    for k, source in enumerate(sources):
        kept = [pair for pair in source.pairs if (k, pair.crater) not in held_out]
        taken = [pair for pair in source.pairs if (k, pair.crater) in held_out]
        train.append(source.with_pairs(kept))
        validation.append(source.with_pairs(taken))
    return train, validation
