"""Everything that can be wrong with a search, found out before the first trial."""

from pathlib import Path

import numpy as np

from ejectamap.errors import LabelError, ProjectError, SettingsError
from ejectamap.evaluation.ground import Ground
from ejectamap.evaluation.scores import CraterScore, Evaluation, Scores, value_of
from ejectamap.evaluation.structure import Structure, structure_of
from ejectamap.project import Project, Settings
from ejectamap.training.rehearsal import rehearse
from ejectamap.training.sources import Sources
from ejectamap.tuning.search import Search
from ejectamap.tuning.space import extremes, label
from ejectamap.world.craters import Crater


def check_search(project: Project, search: Search, path: Path) -> None:
    """Check names of figures and settings, every choice and bound, and the projects to judge on.

    Raises
    ------
    SettingsError, BundleError
        If a figure, setting, choice or bound is not possible; the message names the nearest right ones.
    ProjectError, LabelError
        If a project to judge on is missing, without labels, or among those that teach.
    """
    judges = open_judges(project, search)
    _check_figures(search, path, judges or [project])
    if not judges and project.labels is None:
        raise LabelError(f"{path}: {project.folder} has no labels to judge by: set judge_on")
    _check_settings(project, search, path)


def open_judges(project: Project, search: Search) -> list[Project]:
    """Open the other projects on which a search's trials are judged.

    Raises
    ------
    ProjectError, LabelError
        See `check_search`.
    """
    judges = [Project.open(project.input_path(text)) for text in search.judge_on]
    training = project.settings.training
    teachers = [Project.open(project.input_path(text)) for text in training.also_train_on]
    if training.test_fraction < 1:
        teachers.append(project)
    taught = {_labels(teacher): teacher.folder for teacher in teachers}
    for judge in judges:
        if judge.settings.inputs.labels is None:
            raise LabelError(
                f"judge_on: {judge.folder} has no labels: name a project that has some"
            )
        if _labels(judge) in taught:
            raise ProjectError(
                f"judge_on: {judge.folder} has the labels of {taught[_labels(judge)]}, which trials learn from:"
                " name the project of another planet"
            )
    return judges


def _labels(project: Project) -> Path | None:
    labels = project.settings.inputs.labels
    return None if labels is None else project.input_path(labels)


def _check_figures(search: Search, path: Path, judges: list[Project]) -> None:
    """Whether an evaluation of these projects has the figures that the objectives are made of."""
    for judge in judges:
        blank = blank_evaluation(judge.craters)
        for name in search.figures:
            try:
                value_of(blank, name)
            except SettingsError as error:
                raise SettingsError(f"{path}: {error}") from None
    for name in search.figures:
        if not search.judge_on and not name.startswith("test."):
            raise SettingsError(
                f"{path}: {name} counts pairs that taught, too: take figures of test, as in test.pixel.f1,"
                " or name other projects in judge_on"
            )


def blank_evaluation(craters: tuple[Crater, ...]) -> Evaluation:
    """An evaluation with all figures that there are, and nothing behind them."""
    nothing = np.zeros((8, 8), bool)
    something = np.eye(8, dtype=bool)
    ground = Ground(something, nothing, ~nothing, 1.0, (4.0, 4.0), 1.0)
    shape = structure_of(ground)
    rows = [
        CraterScore(c.crater_id, c.name, c.family, Scores.none(True), Scores.none(True))
        for c in craters
    ]
    structure = Structure(1.0, {crater.crater_id: shape for crater in craters})
    return Evaluation(tuple(rows), split=True, structure=structure)


def _check_settings(project: Project, search: Search, path: Path) -> None:
    """Build what the method needs with every choice and every bound."""
    nothing = Sources((), {}, project.tile_side_m)
    base = project.settings
    _rehearse(project, base, nothing, path)
    for name, dimension in search.search.items():
        for value in extremes(dimension):
            drawn = value if not isinstance(dimension, tuple) else label(value)
            settings = search.settings(base, {name: drawn}, f"{path}: search")
            if settings != base:
                _rehearse(project, settings, nothing, path)


def _rehearse(project: Project, settings: Settings, nothing: Sources, path: Path) -> None:
    trial = Project(project.folder, settings)
    vars(trial)["mosaic"] = project.mosaic  # which is read once
    try:
        rehearse(trial, nothing)
    except SettingsError as error:
        where = project.folder / "project.yaml"
        raise SettingsError(str(error).replace(str(where), str(path), 1)) from None
