"""Check a search completely before its first trial runs."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from ejectamap.errors import LabelError, ProjectError, SettingsError
from ejectamap.evaluation.crater_rasters import CraterRasters
from ejectamap.evaluation.scores import CraterScore, Evaluation, Scores, value_of
from ejectamap.evaluation.structure import Structure, structure_figures
from ejectamap.project.folder import Project
from ejectamap.project.settings import Settings
from ejectamap.training.setups import validate_training
from ejectamap.training.sources import Sources
from ejectamap.tuning.search import Search
from ejectamap.tuning.space import boundary_values, encode_value
from ejectamap.world.craters import Crater


def check_search(project: Project, search: Search, path: Path) -> None:
    """Check names of figures and settings, every choice and bound, and the projects to evaluate on.

    Raises
    ------
    SettingsError, BundleError
        If a figure, setting, choice or bound is not possible; the message names the nearest right ones.
    ProjectError, LabelError
        If a project to evaluate on is missing, has no labels, or is also trained on.
    """
    evaluated = open_evaluation_projects(project, search)
    _check_figures(search, path, evaluated or [project])
    if not evaluated and project.labels is None:
        raise LabelError(f"{path}: {project.folder} has no labels to evaluate with: set judge_on")
    _check_settings(project, search, path)


def open_evaluation_projects(project: Project, search: Search) -> list[Project]:
    """Open the other projects on which a search's trials are evaluated.

    Raises
    ------
    ProjectError, LabelError
        See `check_search`.
    """
    evaluated = [Project.open(project.input_path(text)) for text in search.judge_on]
    training = project.settings.training
    trained_on = [Project.open(project.input_path(text)) for text in training.also_train_on]
    if training.test_fraction < 1:
        trained_on.append(project)
    training_labels = {_label_path(source): source.folder for source in trained_on}
    for other in evaluated:
        if other.settings.inputs.labels is None:
            raise LabelError(
                f"judge_on: {other.folder} has no labels: name a project that has some"
            )
        if _label_path(other) in training_labels:
            raise ProjectError(
                f"judge_on: {other.folder} has the labels of {training_labels[_label_path(other)]}, which trials are"
                " trained on: name the project of another planet"
            )
    return evaluated


def _label_path(project: Project) -> Path | None:
    labels = project.settings.inputs.labels
    return None if labels is None else project.input_path(labels)


def _check_figures(search: Search, path: Path, evaluated: list[Project]) -> None:
    """Check that an evaluation of these projects has all figures of the objectives."""
    for project in evaluated:
        example = _example_evaluation(project.craters)
        for name in search.figures:
            try:
                value_of(example, name)
            except SettingsError as error:
                raise SettingsError(f"{path}: {error}") from None
    for name in search.figures:
        if not search.judge_on and not name.startswith(("test.", "unseen.")):
            raise SettingsError(
                f"{path}: {name} includes training pairs: use figures of the test pairs, as in test.pixel.f1,"
                " or name other projects in judge_on"
            )


def _example_evaluation(craters: tuple[Crater, ...]) -> Evaluation:
    """An evaluation that has every possible figure, with meaningless values."""
    empty = np.zeros((8, 8), bool)
    diagonal = np.eye(8, dtype=bool)
    rasters = CraterRasters(diagonal, empty, ~empty, 1.0, (4.0, 4.0), 1.0)
    figures = structure_figures(rasters)
    rows = [CraterScore(c.crater_id, c.name, c.family, *[Scores.empty(True)] * 3) for c in craters]
    structure = Structure(1.0, {crater.crater_id: figures for crater in craters})
    return Evaluation(tuple(rows), has_training_pairs=True, structure=structure)


def _check_settings(project: Project, search: Search, path: Path) -> None:
    """Build the method's networks with every choice and every bound."""
    base = project.settings
    _check_training(project, base, path)
    for name, dimension in search.search.items():
        for value in boundary_values(dimension):
            sampled = {name: encode_value(dimension, value)}
            settings = search.settings(base, sampled, f"{path}: search")
            if settings != base:
                _check_training(project, settings, path)


def _check_training(project: Project, settings: Settings, path: Path) -> None:
    """Check that a project could be trained with other settings; errors name the search's file instead of its own."""
    trial = replace(project, settings=settings, shared_inputs=project.input_files)
    try:
        validate_training(trial, Sources((), {}, project.tile_side_m))
    except SettingsError as error:
        project_file = project.folder / "project.yaml"
        raise SettingsError(str(error).replace(str(project_file), str(path), 1)) from None
