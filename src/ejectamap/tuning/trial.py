"""One trial: a project of its own, trained, mapped and judged."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from optuna.trial import Trial

from ejectamap.errors import LabelError
from ejectamap.evaluation import evaluate_project
from ejectamap.evaluation.scores import value_of
from ejectamap.mapping import map_project
from ejectamap.mapping.files import replace_file
from ejectamap.project import Project
from ejectamap.project.copy import copy_project
from ejectamap.project.folder import relative_path
from ejectamap.training import train
from ejectamap.training.pairs import make_pairs
from ejectamap.training.run import Member, members
from ejectamap.training.sources import split_parts
from ejectamap.training.splits import divide, pair_key
from ejectamap.tuning.search import Search
from ejectamap.tuning.study import MANY_EPOCHS

_HEAVY = ("models", "map")


@dataclass(frozen=True)
class Bench:
    """What all trials of a search have in common.

    Attributes
    ----------
    project : Project
        With the time budget of a trial in its settings.
    search : Search
    judges : list of Project
        The other projects to judge on.
    keep : bool
        Keep each trial's networks and maps.
    """

    project: Project
    search: Search
    judges: list[Project]
    keep: bool

    @property
    def folder(self) -> Path:
        """Folder of the trials."""
        return self.project.folder / "tuning"

    @property
    def split_path(self) -> Path:
        """Table of the pairs that are kept out of all trials, to judge them by."""
        return self.folder / "split.csv"

    def run(self, trial: Trial) -> list[float]:
        """Draw settings, train, map, and judge.

        Returns
        -------
        list of float
            A value an objective.

        Raises
        ------
        optuna.TrialPruned
            If the trial is given up.
        EjectamapError
            Whatever training, mapping and evaluation raise.
        """
        folder = self.folder / trial.user_attrs.get("folder", f"trial-{trial.number:03d}")
        trial.set_user_attr("folder", folder.name)
        settings = self.search.settings(self.project.settings, trial.params)
        if not self.judges:
            own = settings.inputs.model_copy(update={"split": f"tuning/{self.split_path.name}"})
            settings = settings.model_copy(update={"inputs": own})
        project = copy_project(self.project, folder, settings)
        train(project, watch=self._watch(trial, project) if self.search.prunes else None)
        return self._judge(project)

    def clear(self, trial: Trial) -> None:
        """Remove a finished trial's networks and maps, unless they are to be kept."""
        if self.keep:
            return
        folder = self.folder / trial.user_attrs["folder"]
        for project in (folder, *folder.glob("judged/*")):
            for name in _HEAVY:
                shutil.rmtree(project / name, ignore_errors=True)

    def write_split(self) -> None:
        """Keep part of the project's own teaching pairs out of all trials, to judge them by.

        Raises
        ------
        LabelError
            If there are none to judge by.
        """
        project = self.project
        pairs = make_pairs(project.world, project.tile_side_px)
        split = split_parts(project, pairs)
        teaching = [pair for pair in pairs if split[pair_key(pair)] == "train"]
        settings = project.settings
        # Not the seed that parted training from test, or the same pairs would be drawn again and again.
        seed, how = settings.seed + 1, settings.training.split
        width = project.mosaic.grid.width
        rest, held = divide(teaching, self.search.held_out, seed, how, width)
        if not rest or not any(pair.connected for pair in held):
            raise LabelError(
                f"{project.folder}: has too few labels to hold some out for judging: set judge_on to other projects"
            )
        parts = {pair_key(pair): 0 for pair in rest} | {pair_key(pair): 1 for pair in held}
        rows = [(*key, parts.get(key, -1)) for key in sorted(split)]
        table = pd.DataFrame(rows, columns=["crater_id", "tile_id", "test"])
        replace_file(self.split_path, memoryview(table.to_csv(index=False).encode()))

    def _judge(self, project: Project) -> list[float]:
        """The mean of each objective over what a trial is judged on."""
        structure = any(name.startswith("structure") for name in self.search.figures)
        values = []
        for judged in self._judged(project):
            map_project(judged)
            evaluation = evaluate_project(judged, structure=structure)
            values.append([value_of(evaluation, wanted) for wanted in self.search.objectives])
        means = [float(value) for value in np.mean(values, axis=0)]
        for title, value in zip(self.search.titles, means, strict=True):
            if np.isnan(value):
                raise LabelError(f"{project.folder}: its evaluation has no value for {title}")
        return means

    def _judged(self, project: Project) -> Iterator[Project]:
        """What a trial is judged on: itself, or other projects with its settings and networks."""
        if not self.judges:
            yield project
        settings = project.settings
        for k, judge in enumerate(self.judges):
            learnt = {
                "start_from": relative_path(project.models, judge.folder),
                "also_train_on": (),
            }
            update = {
                "inputs": judge.settings.inputs,
                "training": settings.training.model_copy(update=learnt),
            }
            folder = project.folder / "judged" / f"{k}-{judge.folder.resolve().name}"
            yield copy_project(judge, folder, settings.model_copy(update=update))

    def _watch(self, trial: Trial, project: Project) -> Callable[[Member, int, float], None]:
        """Report each network's best validation F1 so far, and give the trial up if it falls behind."""
        order = {(m.kind, m.number): k for k, m in enumerate(members(project))}
        # An interrupted trial that goes on has reported some already.
        reported = dict(trial.study.trials[trial.number].intermediate_values)

        def watch(member: Member, epoch: int, f1: float) -> None:
            first = order[member.kind, member.number] * MANY_EPOCHS
            before = [v for step, v in reported.items() if first <= step < first + epoch]
            if first + epoch not in reported:
                reported[first + epoch] = max([f1, *before])
                trial.report(reported[first + epoch], first + epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

        return watch
