"""Run one trial: a project of its own, trained, mapped and evaluated."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from optuna.trial import Trial

from ejectamap.errors import LabelError
from ejectamap.evaluation.paired import CraterFigure
from ejectamap.evaluation.run import evaluate_project
from ejectamap.evaluation.scores import value_of
from ejectamap.files import replace_file
from ejectamap.mapping.run import map_project
from ejectamap.project.copy import copy_project
from ejectamap.project.folder import Project, relative_path
from ejectamap.project.pairs import make_pairs
from ejectamap.project.splits import divide_pairs, make_split, pair_key
from ejectamap.terminal import results_console
from ejectamap.training.hardly_trained import hardly_trained
from ejectamap.training.plan import Member, members
from ejectamap.training.run import train
from ejectamap.tuning.own_settings import FIGURES, to_attribute
from ejectamap.tuning.search import Search
from ejectamap.tuning.study import STEPS_PER_NETWORK

HARDLY_TRAINED = "hardly_trained"
"""Attribute of a trial: why its networks count as hardly trained."""
_LARGE_FOLDERS = ("models", "map")


@dataclass(frozen=True)
class TrialRunner:
    """Runs the trials of a search; holds what they have in common.

    Attributes
    ----------
    project : Project
        With a trial's time budget in its settings.
    search : Search
    evaluation_projects : list of Project
        Other projects to evaluate on; if there are none, the project itself.
    keep : bool
        Keep each trial's networks and maps.
    """

    project: Project
    search: Search
    evaluation_projects: list[Project]
    keep: bool

    @property
    def folder(self) -> Path:
        """Folder of the trials."""
        return self.project.folder / "tuning"

    @property
    def split_path(self) -> Path:
        """Table of the pairs that are held out of all trials' training."""
        return self.folder / "split.csv"

    def run(self, trial: Trial) -> list[float]:
        """Train, map and evaluate with a trial's settings.

        Returns
        -------
        list of float
            One value per objective.

        Raises
        ------
        optuna.TrialPruned
            If the trial is pruned.
        EjectamapError
            Any error of training, mapping and evaluation.
        """
        folder = self.folder / trial.user_attrs.get("folder", f"trial-{trial.number:03d}")
        trial.set_user_attr("folder", folder.name)
        settings = self.search.settings(self.project.settings, trial.params)
        if not self.evaluation_projects:
            split = {"split": f"tuning/{self.split_path.name}"}
            inputs = settings.inputs.model_copy(update=split)
            settings = settings.model_copy(update={"inputs": inputs})
        project = copy_project(self.project, folder, settings)
        report = self._validation_reporter(trial, project) if self.search.prunes else None
        train(project, after_epoch=report, console=results_console())
        trial.set_user_attr(HARDLY_TRAINED, hardly_trained(project))
        values, figures = self._evaluate(project)
        trial.set_user_attr(FIGURES, to_attribute(figures))
        return values

    def delete_large_files(self, trial: Trial) -> None:
        """Delete a finished trial's networks and maps, unless they are to be kept."""
        if self.keep:
            return
        folder = self.folder / trial.user_attrs["folder"]
        for project in (folder, *folder.glob("judged/*")):
            for name in _LARGE_FOLDERS:
                shutil.rmtree(project / name, ignore_errors=True)

    def write_split(self) -> None:
        """Hold part of the project's own training pairs out of all trials, for their evaluation.

        Raises
        ------
        LabelError
            If too few pairs remain to train or to evaluate with.
        """
        project = self.project
        pairs = make_pairs(project.world, project.tile_side_px)
        split = make_split(project, pairs)
        training = [pair for pair in pairs if split[pair_key(pair)] == "train"]
        settings = project.settings
        # Another seed than that of the project's own split; with the same one, the two splits would be correlated.
        seed, how = settings.seed + 1, settings.training.split
        rest, held_out = divide_pairs(training, self.search.held_out, seed, how, project.grid.width)
        if not rest or not any(pair.connected for pair in held_out):
            raise LabelError(
                f"{project.folder}: has too few labels to hold some out for the evaluation: set judge_on to other"
                " projects"
            )
        parts = {pair_key(pair): 0 for pair in rest} | {pair_key(pair): 1 for pair in held_out}
        rows = [(*key, parts.get(key, -1)) for key in sorted(split)]
        table = pd.DataFrame(rows, columns=["crater_id", "tile_id", "test"])
        replace_file(self.split_path, memoryview(table.to_csv(index=False).encode()))

    def _evaluate(self, project: Project) -> tuple[list[float], list[CraterFigure | None]]:
        """Map and evaluate a trained project.

        Returns
        -------
        values : list of float
            The mean of each objective over the projects to evaluate on.
        figures : list of CraterFigure or None
            The first objective on each of these projects.
        """
        structure = any(name.startswith("structure") for name in self.search.figures)
        objectives = self.search.objectives
        values, figures = [], []
        for evaluated in self._evaluated_copies(project):
            map_project(evaluated)
            evaluation = evaluate_project(evaluated, structure=structure)
            values.append([value_of(evaluation, objective) for objective in objectives])
            figures.append(CraterFigure.of(evaluation, objectives[0]))
        means = [float(value) for value in np.mean(values, axis=0)]
        for title, value in zip(self.search.titles, means, strict=True):
            if np.isnan(value):
                raise LabelError(f"{project.folder}: its evaluation has no value for {title}")
        return means, figures

    def _evaluated_copies(self, project: Project) -> Iterator[Project]:
        """The trial's own project, or copies of the other projects with its settings and networks."""
        if not self.evaluation_projects:
            yield project
        settings = project.settings
        for k, other in enumerate(self.evaluation_projects):
            training = {
                "start_from": relative_path(project.models, other.folder),
                "also_train_on": (),
            }
            update = {
                "inputs": other.settings.inputs,
                "training": settings.training.model_copy(update=training),
            }
            folder = project.folder / "judged" / f"{k}-{other.folder.resolve().name}"
            yield copy_project(other, folder, settings.model_copy(update=update))

    def _validation_reporter(
        self, trial: Trial, project: Project
    ) -> Callable[[Member, int, float], None]:
        """Make the callback that reports each network's best validation F1 so far, and prunes the trial."""
        order = {(m.kind, m.number): k for k, m in enumerate(members(project))}
        # A trial that continues after an interruption has reported some values already.
        reported = dict(trial.study.trials[trial.number].intermediate_values)

        def report(member: Member, epoch: int, f1: float) -> None:
            first = order[member.kind, member.number] * STEPS_PER_NETWORK
            before = [v for step, v in reported.items() if first <= step < first + epoch]
            if first + epoch not in reported:
                reported[first + epoch] = max([f1, *before])
                trial.report(reported[first + epoch], first + epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

        return report
