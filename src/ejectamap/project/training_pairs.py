"""The pairs that a project trains on: its own without those held out, and all pairs of other projects."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ejectamap.errors import ProjectError
from ejectamap.project.folder import Project
from ejectamap.project.pairs import Pair, pair_labels
from ejectamap.project.splits import Split, make_split, pair_key
from ejectamap.world.labels import Labels, PackedMasks
from ejectamap.world.world import labelled_craters


@dataclass(frozen=True)
class TrainingPairs:
    """Pairs of one project that are trained on.

    Attributes
    ----------
    project : Project
    pairs : list of Pair
    labels : Labels or None
        Those that training may read.
    split : Split
        "train", "test" or "unused" for each pair (crater_id, tile_id); empty if all are trained on.
    """

    project: Project
    pairs: list[Pair]
    labels: Labels | None
    split: Split

    def with_tiles_of_all_craters(self) -> list[Pair]:
        """The pairs, and those of all other craters with the same tiles: what a network learns that sees all labels."""
        tile_ids = {pair.tile_id for pair in self.pairs}
        everything = _pair_up(self.project, self.labels, self.project.tile_side_px)
        more = [pair for pair in everything if pair.tile_id in tile_ids]
        return list({pair_key(pair): pair for pair in [*more, *self.pairs]}.values())


def own_training_pairs(project: Project) -> TrainingPairs:
    """The project's own pairs that are not held out.

    With `training.split: crater`, labels of the craters that are held out cannot be read at all, so that they do not
    even count as other craters' ejecta.

    Raises
    ------
    LabelError
        If the split in `inputs.split` is not valid.
    """
    training, labels = project.settings.training, project.labels
    pairs = _pair_up(project, labels, project.tile_side_px)
    split = make_split(project, pairs)
    if training.families:
        craters = project.family_craters(training.families)
        pairs = [pair for pair in pairs if pair.crater in craters]
        split = {pair_key(pair): split[pair_key(pair)] for pair in pairs}
    kept = {crater_id for (crater_id, _), part in split.items() if part == "train"}
    if training.split == "crater" and labels is not None and labels.masks.keys() - kept:
        masks = ((k, *labels.masks[k]) for k in labels.masks if k in kept)
        labels = replace(labels, masks=PackedMasks(masks))
        pairs = [p for p in _pair_up(project, labels, project.tile_side_px) if pair_key(p) in split]
    train = [pair for pair in pairs if split[pair_key(pair)] == "train"]
    return TrainingPairs(project, train, labels, split)


def other_training_pairs(project: Project) -> Iterator[TrainingPairs]:
    """All pairs of each project in `training.also_train_on`.

    Unless it has labelled tiles, its tiles are as large on the ground as the project's.

    Raises
    ------
    ProjectError
        If one of them does not exist, or is the project itself, whose held-out pairs would be trained on.
    """
    for text in project.settings.training.also_train_on:
        other = Project.open(project.input_path(text))
        if other.folder.resolve() == project.folder.resolve():
            raise ProjectError(
                f"{project.folder / 'project.yaml'}: training.also_train_on: {text} is this project, whose labels are"
                " trained on anyway, but for those held out: take it out"
            )
        tile_px = max(2, round(project.tile_side_m / other.grid.pixel_m))
        yield TrainingPairs(other, _pair_up(other, other.labels, tile_px), other.labels, {})


def _pair_up(project: Project, labels: Labels | None, tile_px: int) -> list[Pair]:
    known = labelled_craters(project.craters, labels)
    return pair_labels(labels, known, project.grid, tile_px)
