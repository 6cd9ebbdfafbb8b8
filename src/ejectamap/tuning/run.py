"""Search for better settings, alone or together with other processes, and go on after any interruption."""

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
from ejectamap.project import Project
from ejectamap.project.copy import copy_project
from ejectamap.tuning.checks import check_search, open_judges
from ejectamap.tuning.report import describe, write_report
from ejectamap.tuning.search import read_search
from ejectamap.tuning.space import distribution_of, drawn_from, found
from ejectamap.tuning.study import (
    has_place,
    is_counted,
    open_study,
    requeue,
    requeue_interrupted,
    sign_of_life,
)
from ejectamap.tuning.trial import Bench

_LOOK_S = 2.0


@dataclass(frozen=True)
class Order:
    """What was asked for.

    Attributes
    ----------
    folder : Path
        Of the project.
    search : Path
        The search's YAML file.
    trials : int
        In all runs together.
    minutes : float or None
        Time budget of each trial's training; None: as in the project's settings.
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


def tune(order: Order, workers: int, console: Console) -> None:
    """Run trials until there are as many as asked for, and write what was found into the project's `tuning` folder.

    Any number of processes may do this for one project at the same time. What a process that was killed has left
    undone is taken up by the next.

    Parameters
    ----------
    order : Order
    workers : int
        Processes.
    console : Console

    Raises
    ------
    EjectamapError
        If search, project or storage cannot be used; before anything runs.
    ProjectError
        If all trials failed.
    """
    bench = _open_bench(order)
    check_search(bench.project, bench.search, order.search)
    study = _open_study(order, bench)
    if not bench.judges:
        bench.write_split()
    if workers == 1:
        _work(order, bench, study, console)
    else:
        _have_worked(order, study, workers, console)
    write_report(bench.folder, study, bench.search, console)
    best = _best(study)
    if best is None:
        raise ProjectError(f"{bench.folder}: no trial has finished: {_last_error(study)}")
    settings = bench.search.settings(bench.project.settings, best.params)
    copy_project(bench.project, bench.folder / "best", settings)
    console.print(f"the winner's settings: {bench.folder / 'best'}", soft_wrap=True)


def _open_bench(order: Order) -> Bench:
    """Open project, search and the projects to judge on."""
    project = Project.open(order.folder)
    if order.minutes is not None:
        training = project.settings.training.model_copy(update={"max_minutes": order.minutes})
        project = Project(order.folder, project.settings.model_copy(update={"training": training}))
    search = read_search(order.search)
    return Bench(project, search, open_judges(project, search), order.keep)


def _open_study(order: Order, bench: Bench) -> optuna.Study:
    """Open the study or begin it, with the project's own settings as its first trial."""
    search, settings = bench.search, bench.project.settings
    about = {"settings": settings.model_dump(mode="json"), "search": search.model_dump(mode="json")}
    name = f"ejectamap-{order.folder.resolve().name}"
    study = open_study(bench.folder, order.storage, name, about, search.directions, settings.seed)
    base = settings.model_dump(mode="json")
    own = {key: drawn_from(space, found(base, key)) for key, space in search.search.items()}
    own = {key: value for key, value in own.items() if value is not None}
    if not study.trials and own:
        study.enqueue_trial(own)
    return study


def _work(order: Order, bench: Bench, study: optuna.Study, console: Console) -> None:
    """Run one trial after another while there are places left."""
    space = {name: distribution_of(part) for name, part in bench.search.search.items()}
    while True:
        requeue_interrupted(study)
        if sum(map(is_counted, study.trials)) >= order.trials:
            return
        trial = study.ask(space)
        if not has_place(trial, study, order.trials):
            study.tell(trial, state=TrialState.FAIL)
            return
        _run_trial(bench, study, trial)
        console.print(describe(study.trials[trial.number], bench.search), soft_wrap=True)


def _run_trial(bench: Bench, study: optuna.Study, trial: Trial) -> None:
    """Run a trial and tell the study how it ended."""
    try:
        with sign_of_life(trial):
            values = bench.run(trial)
    except optuna.TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
    except (OSError, KeyboardInterrupt, SystemExit):
        requeue(study, study.trials[trial.number])
        raise
    except (
        Exception
    ) as error:  # settings that do not go together, or not into memory, end their trial alone
        name = "" if isinstance(error, EjectamapError) else f"{type(error).__name__}: "
        trial.set_user_attr("error", name + " ".join(str(error).split()))
        study.tell(trial, state=TrialState.FAIL)
    else:
        study.tell(trial, values)
    bench.clear(trial)


def _have_worked(order: Order, study: optuna.Study, workers: int, console: Console) -> None:
    """Have several processes work, and show how far they are."""
    spawn = multiprocessing.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // workers)
    processes = [spawn.Process(target=_worker, args=(order, threads)) for _ in range(workers)]
    for process in processes:
        process.start()
    try:
        with Progress(console=console) as progress:
            bar = progress.add_task("trials", total=order.trials)
            while any(process.is_alive() for process in processes):
                processes[0].join(_LOOK_S)
                done = sum(t.state.is_finished() and is_counted(t) for t in study.trials)
                progress.update(bar, completed=done)
    except KeyboardInterrupt:
        for process in processes:
            process.join()  # the keyboard has interrupted it, too
        raise
    if any(process.exitcode for process in processes):
        raise ProjectError(
            f"{order.folder / 'tuning'}: a worker has stopped: see worker-*.log there, and run the same command again"
        )


def _worker(order: Order, threads: int) -> None:
    """One of several processes; what it has to say goes to a file."""
    torch.set_num_threads(threads)
    log = order.folder / "tuning" / f"worker-{os.getpid()}.log"
    with log.open("w", encoding="utf-8") as file, redirect_stdout(file), redirect_stderr(file):
        bench = _open_bench(order)
        _work(order, bench, _open_study(order, bench), Console(file=file))


def _best(study: optuna.Study) -> optuna.trial.FrozenTrial | None:
    """The best trial; of a front, the one that is best by the first objective."""
    front = study.best_trials if any(t.state == TrialState.COMPLETE for t in study.trials) else []
    if not front:
        return None
    sign = 1 if study.directions[0] == optuna.study.StudyDirection.MAXIMIZE else -1
    return max(front, key=lambda trial: (sign * trial.values[0], -trial.number))


def _last_error(study: optuna.Study) -> str:
    errors = [t.user_attrs["error"] for t in study.trials if "error" in t.user_attrs]
    return errors[-1] if errors else "run the same command with more --trials"
