"""The Optuna study that all processes share: sampling, pruning, and trials whose process ended unexpectedly.

The study is stored in a journal beside the trials, or in a database. A process that runs a trial records in the study
that it is running. A trial whose process no longer runs is queued again with the same settings and the same folder.
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
from ejectamap.project.yaml import make_settings
from ejectamap.tuning.own_settings import OWN
from ejectamap.tuning.search import Direction

_HEARTBEAT_S = 30.0
# A trial on another machine without a heartbeat for so long was interrupted.
_HEARTBEAT_TIMEOUT_S = 300.0
_COMPARED_TRIALS, _WARM_UP_EPOCHS = 4, 2
STEPS_PER_NETWORK = 100_000
"""More epochs than any network is trained for. A step of a trial is its network's number times this, plus the epoch."""


class TrialSeededSampler(BaseSampler):
    """Optuna's TPE sampler, seeded for each trial with the project's seed plus the trial's number.

    Processes that share a study therefore sample different values, and the same trial samples the same values again.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.inner: BaseSampler = TPESampler(seed=seed)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Make the sampler of this trial."""
        self.inner = TPESampler(seed=self.seed + trial.number)
        self.inner.before_trial(study, trial)

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Sample as TPE does."""
        return self.inner.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Sample as TPE does."""
        return self.inner.sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Sample as TPE does."""
        return self.inner.sample_independent(study, trial, param_name, param_distribution)


class MedianPruner(BasePruner):
    """Prunes a trial whose network's F1 is below the median of the finished trials' F1 at the same step.

    Optuna's own pruner compares the best values of all steps, and would compare F1 of different network kinds.
    """

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether to end a trial early."""
        step = trial.last_step
        if step is None or step % STEPS_PER_NETWORK < _WARM_UP_EPOCHS:
            return False
        finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        others = [t.intermediate_values[step] for t in finished if step in t.intermediate_values]
        enough = len(others) >= _COMPARED_TRIALS
        return enough and trial.intermediate_values[step] < float(np.median(others))


def open_study(
    folder: Path,
    url: str | None,
    name: str,
    identity: Mapping[str, Any],
    directions: Sequence[Direction],
    seed: int,
) -> optuna.Study:
    """Open the study, or create it.

    Parameters
    ----------
    folder : Path
        Folder of the trials and of the journal.
    url : str or None
        SQLAlchemy address of a database to use instead of the journal.
    name : str
    identity : mapping
        What all trials have in common, as JSON values; runs with different identities cannot share a study.
    directions : sequence of Direction
    seed : int

    Raises
    ------
    SettingsError
        If the database cannot be used.
    ProjectError
        If the study was created with another identity.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        storage=_open_storage(folder, url),
        sampler=TrialSeededSampler(seed),
        pruner=MedianPruner(),
        study_name=name,
        directions=directions,
        load_if_exists=True,
    )
    stored = study.user_attrs.get("about")
    if stored is None:
        study.set_user_attr("about", dict(identity))
    elif _with_new_settings(stored) != identity:
        keys = {*stored, *identity}
        different = sorted(key for key in keys if stored.get(key) != identity.get(key))
        raise ProjectError(
            f"{url or folder}: its trials were started with different {' and '.join(different)}: restore these, or"
            f" move {folder} away to start again"
        )
    return study


def _with_new_settings(identity: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a study of an earlier version has in common, with the defaults of settings that were added since."""
    if "settings" not in identity:
        return identity
    try:
        settings = make_settings(identity["settings"], "the study")
    except SettingsError:  # with settings that there are no more: it is another study
        return identity
    return {**identity, "settings": settings.model_dump(mode="json")}


def _open_storage(folder: Path, url: str | None) -> BaseStorage:
    if url is None:
        return JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    try:
        return RDBStorage(url)
    except Exception as error:  # SQLAlchemy's drivers raise exceptions of their own
        line = str(error).splitlines()[0]
        raise SettingsError(
            f"--storage {url}: cannot be opened ({line}): check the address"
        ) from None


def is_counted(trial: FrozenTrial) -> bool:
    """Whether a trial counts towards the requested number: it finished, was pruned, failed with an error, or runs."""
    if trial.state == TrialState.FAIL:
        return "error" in trial.user_attrs
    return trial.state != TrialState.WAITING


def is_within_limit(trial: Trial, study: optuna.Study, limit: int) -> bool:
    """Whether fewer than `limit` counted trials precede this one; False if another process started the last trial."""
    return sum(is_counted(t) and t.number < trial.number for t in study.trials) < limit


def requeue_interrupted(study: optuna.Study) -> None:
    """Queue trials again whose process no longer runs."""
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        if not _is_running(trial):
            requeue(study, trial)


def requeue(study: optuna.Study, trial: FrozenTrial) -> None:
    """End an interrupted trial, and queue a new one with the same settings and the same folder."""
    try:
        study.tell(trial.number, state=TrialState.FAIL)
    except (ValueError, RuntimeError):
        return  # another process queued it already
    kept = {key: trial.user_attrs[key] for key in ("folder", OWN) if key in trial.user_attrs}
    queued = optuna.create_trial(
        state=TrialState.WAITING,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs=kept,
        system_attrs=trial.system_attrs,
        intermediate_values=trial.intermediate_values,
    )
    study.add_trial(queued)


@contextmanager
def heartbeat(trial: Trial) -> Iterator[None]:
    """Record in the study, at regular intervals, that this process runs a trial."""
    process = psutil.Process()
    trial.set_user_attr("process", [platform.node(), process.pid, process.create_time()])
    ended = threading.Event()

    def record() -> None:
        while not ended.wait(_HEARTBEAT_S):
            with suppress(
                Exception
            ):  # the storage may be unavailable; the next heartbeat may succeed
                trial.set_user_attr("alive", time.time())

    thread = threading.Thread(target=record, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _is_running(trial: FrozenTrial) -> bool:
    """Whether a process runs a trial: it exists on this machine, or had a recent heartbeat on another one."""
    machine, pid, created = trial.user_attrs.get("process", [None, 0, 0.0])
    if machine == platform.node():
        try:
            return bool(abs(psutil.Process(pid).create_time() - created) < 1)
        except psutil.NoSuchProcess:
            return False
    started = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
    last = float(trial.user_attrs.get("alive", 0.0))
    return time.time() - max(last, started) < _HEARTBEAT_TIMEOUT_S
