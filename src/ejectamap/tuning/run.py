"""Search for better settings, in one or several processes; an interrupted search continues where it stopped."""

import multiprocessing
import os
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import optuna
import torch
from optuna.trial import Trial, TrialState
from rich.console import Console
from rich.progress import Progress

from ejectamap.errors import EjectamapError, ProjectError
from ejectamap.project.copy import copy_project
from ejectamap.project.folder import Project
from ejectamap.tuning.checks import check_search, open_evaluation_projects
from ejectamap.tuning.own_settings import OWN, verdict
from ejectamap.tuning.report import describe, write_report
from ejectamap.tuning.search import read_search
from ejectamap.tuning.space import distribution_of, encode_if_contained, setting_value
from ejectamap.tuning.study import (
    heartbeat,
    is_counted,
    is_within_limit,
    open_study,
    requeue,
    requeue_interrupted,
)
from ejectamap.tuning.trial import TrialRunner
from ejectamap.world.georeference import one_line

_POLL_S = 2.0


@dataclass(frozen=True)
class TuningOptions:
    """Options of a search.

    Attributes
    ----------
    folder : Path
        The project's folder.
    search : Path
        The search's YAML file.
    trials : int
        Number of trials, in all runs together.
    minutes : float or None
        Time budget of each trial's training; None: that of the project's settings.
    storage : str or None
        Address of a database; None: a journal beside the trials.
    keep : bool
        Keep each trial's networks and maps.
    """

    folder: Path
    search: Path
    trials: int
    minutes: float | None = None
    storage: str | None = None
    keep: bool = False


def tune(options: TuningOptions, workers: int, console: Console) -> None:
    """Run trials up to the given number, and write the results into the project's `tuning` folder.

    Several processes may do this for one project at the same time. A trial that was left unfinished because its process
    was killed is run again by the next process.

    Parameters
    ----------
    options : TuningOptions
    workers : int
        Number of processes.
    console : Console

    Raises
    ------
    EjectamapError
        If search, project or storage cannot be used; raised before any trial runs.
    ProjectError
        If all trials failed.
    """
    runner = _make_runner(options)
    check_search(runner.project, runner.search, options.search)
    study = _open_study(options, runner)
    if not runner.evaluation_projects:
        runner.write_split()
    if workers == 1:
        _run_trials(options, runner, study, console)
    else:
        _run_workers(options, study, workers, console)
    write_report(runner.folder, study, runner.search, console)
    best = _best_trial(study)
    if best is None:
        raise ProjectError(f"{runner.folder}: no trial has finished: {_last_error(study)}")
    settings = runner.search.settings(runner.project.settings, best.params)
    copy_project(runner.project, runner.folder / "best", settings)
    console.print(verdict(study, best, runner.search.titles[0]), soft_wrap=True, highlight=False)
    target = runner.folder / "best"
    console.print(f"settings of trial {best.number}: {target}", soft_wrap=True)


def _make_runner(options: TuningOptions) -> TrialRunner:
    """Open the project, the search and the projects to evaluate on."""
    project = Project.open(options.folder)
    if options.minutes is not None:
        budget = {"max_minutes": options.minutes}
        training = project.settings.training.model_copy(update=budget)
        settings = project.settings.model_copy(update={"training": training})
        project = Project(options.folder, settings)
    search = read_search(options.search)
    return TrialRunner(project, search, open_evaluation_projects(project, search), options.keep)


def _open_study(options: TuningOptions, runner: TrialRunner) -> optuna.Study:
    """Open the study or create it; its first trial has the project's own settings."""
    search, settings = runner.search, runner.project.settings
    base = settings.model_dump(mode="json")
    study = open_study(
        runner.folder,
        options.storage,
        f"ejectamap-{options.folder.resolve().name}",
        {"settings": base, "search": search.model_dump(mode="json")},
        search.directions,
        settings.seed,
    )
    present = {
        name: encode_if_contained(dimension, setting_value(base, name))
        for name, dimension in search.search.items()
    }
    present = {name: value for name, value in present.items() if value is not None}
    if not study.trials and present:
        is_own = len(present) == len(search.search)
        study.enqueue_trial(present, user_attrs={OWN: is_own})
    return study


def _run_trials(
    options: TuningOptions, runner: TrialRunner, study: optuna.Study, console: Console
) -> None:
    """Run one trial after another until there are as many as requested."""
    space = {name: distribution_of(part) for name, part in runner.search.search.items()}
    while True:
        requeue_interrupted(study)
        if sum(map(is_counted, study.trials)) >= options.trials:
            return
        trial = study.ask(space)
        if not is_within_limit(trial, study, options.trials):
            study.tell(trial, state=TrialState.FAIL)
            return
        _run_trial(runner, study, trial)
        console.print(describe(study.trials[trial.number], runner.search), soft_wrap=True)


def _run_trial(runner: TrialRunner, study: optuna.Study, trial: Trial) -> None:
    """Run a trial and record its outcome in the study."""
    try:
        with heartbeat(trial):
            values = runner.run(trial)
    except optuna.TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
    except (OSError, KeyboardInterrupt, SystemExit):
        requeue(study, study.trials[trial.number])
        raise
    # Settings that exclude each other, or need too much memory, end their own trial but not the search.
    except Exception as error:
        name = "" if isinstance(error, EjectamapError) else f"{type(error).__name__}: "
        trial.set_user_attr("error", name + one_line(error))
        study.tell(trial, state=TrialState.FAIL)
    else:
        study.tell(trial, values)
    runner.delete_large_files(trial)


def _run_workers(
    options: TuningOptions, study: optuna.Study, workers: int, console: Console
) -> None:
    """Run trials in several processes, and show how many are finished."""
    spawn = multiprocessing.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // workers)
    processes = [spawn.Process(target=_work, args=(options, threads)) for _ in range(workers)]
    for process in processes:
        process.start()
    try:
        with Progress(console=console) as progress:
            bar = progress.add_task("trials", total=options.trials)
            while any(process.is_alive() for process in processes):
                processes[0].join(_POLL_S)
                finished = sum(t.state.is_finished() and is_counted(t) for t in study.trials)
                progress.update(bar, completed=finished)
    except KeyboardInterrupt:
        for process in processes:
            process.join()  # Ctrl-C interrupts the workers too
        raise
    if any(process.exitcode for process in processes):
        raise ProjectError(
            f"{options.folder / 'tuning'}: a worker has stopped: see worker-*.log there, and run the same command again"
        )


def _work(options: TuningOptions, threads: int) -> None:
    """Run trials in a worker process; its output goes to a log file."""
    torch.set_num_threads(threads)
    log = options.folder / "tuning" / f"worker-{os.getpid()}.log"
    with log.open("w", encoding="utf-8") as file, redirect_stdout(file), redirect_stderr(file):
        runner = _make_runner(options)
        _run_trials(options, runner, _open_study(options, runner), Console(file=file))


def _best_trial(study: optuna.Study) -> optuna.trial.FrozenTrial | None:
    """The best trial; with several objectives, the one of the Pareto front that is best by the first objective."""
    front = study.best_trials if any(t.state == TrialState.COMPLETE for t in study.trials) else []
    if not front:
        return None
    sign = 1 if study.directions[0] == optuna.study.StudyDirection.MAXIMIZE else -1
    return max(front, key=lambda trial: (sign * trial.values[0], -trial.number))


def _last_error(study: optuna.Study) -> str:
    errors = [t.user_attrs["error"] for t in study.trials if "error" in t.user_attrs]
    return errors[-1] if errors else "run the same command with more --trials"
