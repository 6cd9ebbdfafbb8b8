"""The study that all processes share: who works on which trial, and which trials were interrupted.

It lives in a journal beside the trials, or in a database. A process that works on a trial shows in the study that it
is alive; a trial whose process is gone is put back in the queue, with the same settings and the same folder.
"""

import platform
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import psutil
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler, TPESampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from ejectamap.errors import ProjectError, SettingsError
from ejectamap.tuning.search import Direction

_SIGN_OF_LIFE_S = 30.0
_GIVEN_UP_S = 300.0  # without a sign from another machine
_COMPARED_TRIALS, _WARM_UP_EPOCHS = 4, 2
MANY_EPOCHS = 100_000
"""More than any network learns for: a step of a trial is its network's number times this, plus the epoch."""


class NumberedSampler(BaseSampler):
    """Optuna's TPE, which draws by the project's seed and the trial's number: processes never draw the same."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.inner: BaseSampler = TPESampler(seed=seed)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Make this trial's sampler."""
        self.inner = TPESampler(seed=self.seed + trial.number)
        self.inner.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """As TPE."""
        return self.inner.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As TPE."""
        return self.inner.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """As TPE."""
        return self.inner.sample_independent(study, trial, param_name, param_distribution)


class MedianPruner(BasePruner):
    """Gives a trial up where its network's F1 is below the median of what finished trials had at the same step.

    Optuna's own compares the best of all steps, and would take the F1 of one kind of network for that of another.
    """

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether to give a trial up."""
        step = trial.last_step
        if step is None or step % MANY_EPOCHS < _WARM_UP_EPOCHS:
            return False
        finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        others = [t.intermediate_values[step] for t in finished if step in t.intermediate_values]
        enough = len(others) >= _COMPARED_TRIALS
        return enough and trial.intermediate_values[step] < float(np.median(others))


def open_study(
    folder: Path,
    url: str | None,
    name: str,
    about: Mapping[str, Any],
    directions: Sequence[Direction],
    seed: int,
) -> optuna.Study:
    """Open the study, or begin it.

    Parameters
    ----------
    folder : Path
        Of the trials; holds the journal.
    url : str or None
        Of a database to use instead, as SQLAlchemy writes it.
    name : str
    about : mapping
        What trials have in common, ready for JSON; two runs with different ones cannot share a study.
    directions : sequence of Direction
    seed : int

    Raises
    ------
    SettingsError
        If the database cannot be used.
    ProjectError
        If the study was begun with another search.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        storage=_open_storage(folder, url),
        sampler=NumberedSampler(seed),
        pruner=MedianPruner(),
        study_name=name,
        directions=directions,
        load_if_exists=True,
    )
    begun = study.user_attrs.get("about")
    if begun is None:
        study.set_user_attr("about", dict(about))
    elif begun != about:
        other = sorted(key for key in {*begun, *about} if begun.get(key) != about.get(key))
        raise ProjectError(
            f"{url or folder}: its trials were begun with another {' and '.join(other)}: go on as they began, or move"
            f" {folder} away to begin anew"
        )
    return study


def _open_storage(folder: Path, url: str | None) -> BaseStorage:
    if url is None:
        return JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    try:
        return RDBStorage(url)
    except Exception as error:  # SQLAlchemy and its drivers raise what they like
        line = str(error).splitlines()[0]
        raise SettingsError(
            f"--storage {url}: cannot be opened ({line}): check the address"
        ) from None


def is_counted(trial: FrozenTrial) -> bool:
    """Whether a trial takes one of the places that were asked for: finished, failed or being worked on."""
    if trial.state == TrialState.FAIL:
        return "error" in trial.user_attrs
    return trial.state != TrialState.WAITING


def has_place(trial: Trial, study: optuna.Study, places: int) -> bool:
    """Whether fewer than so many trials come before this one; else another process took the last place meanwhile."""
    return sum(is_counted(t) and t.number < trial.number for t in study.trials) < places


def requeue_interrupted(study: optuna.Study) -> None:
    """Put trials whose process is gone back in the queue."""
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        if not _is_alive(trial):
            requeue(study, trial)


def requeue(study: optuna.Study, trial: FrozenTrial) -> None:
    """End a trial that was interrupted, and have one with the same settings and the same folder wait in its stead."""
    try:
        study.tell(trial.number, state=TrialState.FAIL)
    except (ValueError, RuntimeError):
        return  # another process has done it
    kept = {key: trial.user_attrs[key] for key in ("folder",) if key in trial.user_attrs}
    again = optuna.create_trial(
        state=TrialState.WAITING,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs=kept,
        system_attrs=trial.system_attrs,
        intermediate_values=trial.intermediate_values,
    )
    study.add_trial(again)


@contextmanager
def sign_of_life(trial: Trial) -> Iterator[None]:
    """Have a trial show that its process is alive."""
    me = psutil.Process()
    trial.set_user_attr("process", [platform.node(), me.pid, me.create_time()])
    ended = threading.Event()

    def show() -> None:
        while not ended.wait(_SIGN_OF_LIFE_S):
            with suppress(Exception):  # the next sign may get through
                trial.set_user_attr("alive", time.time())

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _is_alive(trial: FrozenTrial) -> bool:
    """Whether a process works on a trial: on this machine it exists, on another one it gave a sign not long ago."""
    machine, pid, created = trial.user_attrs.get("process", [None, 0, 0.0])
    if machine == platform.node():
        try:
            return bool(abs(psutil.Process(pid).create_time() - created) < 1)
        except psutil.NoSuchProcess:
            return False
    began = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
    sign = float(trial.user_attrs.get("alive", 0.0))
    return time.time() - max(sign, began) < _GIVEN_UP_S
