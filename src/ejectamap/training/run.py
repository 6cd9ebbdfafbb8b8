"""Train the networks of a project, one after another, and save them as bundles."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.utilities import rank_zero_only
from rich.console import Console

from ejectamap.errors import LabelError
from ejectamap.networks.bundle import Bundle, save_bundle
from ejectamap.networks.ensemble import blend_weights, load_initial
from ejectamap.networks.losses import build_loss
from ejectamap.project.bundles import (
    BundleDescription,
    delete_replaced,
    library_versions,
    set_aside,
    tidy_bundles,
)
from ejectamap.project.folder import Project
from ejectamap.project.lineage import Lineage, inherit
from ejectamap.project.lock import sole_writer
from ejectamap.project.settings import TrainingConfig
from ejectamap.project.splits import write_split
from ejectamap.project.training_pairs import own_training_pairs
from ejectamap.training.callbacks import EpochCallback
from ejectamap.training.checkpoints import delete_checkpoints, discard_if_changed
from ejectamap.training.loaders import make_loader
from ejectamap.training.plan import Job, Member, Plan, members
from ejectamap.training.polar_data import PolarDataset
from ejectamap.training.recalibration import recalibrate
from ejectamap.training.result import TrainingResult, networks_table
from ejectamap.training.setups import (
    TrainingData,
    TrainingSetup,
    training_setup,
    validate_training,
)
from ejectamap.training.summary import summarise
from ejectamap.training.task import Task
from ejectamap.training.trainer import FitResult, fit, loader_workers


def train(
    project: Project,
    max_minutes: float | None = None,
    fresh: bool = False,
    after_epoch: Callable[[Member, int, float], None] | None = None,
    console: Console | None = None,
) -> TrainingResult:
    """Train the networks that the project's method needs and that are missing, damaged or not current.

    Where labels have changed, training goes on from the present networks; where settings have, it starts anew. A
    network is replaced once the new one is complete. An interrupted training is resumed.

    Parameters
    ----------
    project : Project
    max_minutes : float, optional
        Time budget of all networks together, instead of `training.max_minutes`.
    fresh : bool
        Train all networks anew.
    after_epoch : callable, optional
        Called after each epoch with the network, the epoch (from 0) and its F1 on the validation data. An exception
        that it raises ends the training, which can be resumed later.
    console : Console, optional
        Where what is trained again and why, and the table of the networks, are printed.

    Raises
    ------
    LabelError
        If there are no training data.
    ProjectError
        If the split on disk is damaged, or networks of other methods depend on it.
    SettingsError
        If a network, loss or optimiser is unknown.
    """
    # The other processes of a distributed training work for the first one.
    is_first = getattr(rank_zero_only, "rank", 0) == 0
    with sole_writer(project.folder, "train") if is_first else nullcontext():
        return _train(project, max_minutes, fresh, after_epoch, console)


def _train(
    project: Project,
    max_minutes: float | None,
    fresh: bool,
    after_epoch: Callable[[Member, int, float], None] | None,
    console: Console | None,
) -> TrainingResult:
    """Train; see `train`."""
    rank_zero_only(_prepare_models)(project, fresh)
    plan = Plan(project)
    notes = list(_notes(plan))
    if console is not None:
        rank_zero_only(_print)(notes, console)
    if plan.jobs:
        _train_members(plan, max_minutes, after_epoch)
    elif plan.lacks_split:
        rank_zero_only(write_split)(project, own_training_pairs(project).split)
    for member in members(project):
        # An earlier run may have ended between saving a network and deleting its checkpoints.
        delete_checkpoints(project.logs / member.kind / member.name)
    rank_zero_only(delete_replaced)(project.models)
    rank_zero_only(summarise)(project, console)
    trained = tuple(f"{job.member.kind}/{job.member.name}" for job in plan.jobs)
    return TrainingResult(project.models, trained, tuple(notes), networks_table(project))


def _prepare_models(project: Project, fresh: bool) -> None:
    """Put right what a killed training left, and make way for new networks."""
    tidy_bundles(project.models)
    if fresh:
        project.delete_models()
    for folder in (project.models, *(project.models / k for k in project.settings.network_configs)):
        if folder.is_file():
            set_aside(folder)


def _notes(plan: Plan) -> Iterator[str]:
    """What is trained again and why, or that there is nothing to do; a line each."""
    yield from plan.notes
    if not plan.jobs:
        folder = plan.project.folder
        yield f"all networks are trained; ejectamap train {folder} --fresh trains them anew"


def _print(notes: Sequence[str], console: Console) -> None:
    for note in notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)


def _train_members(
    plan: Plan,
    max_minutes: float | None,
    after_epoch: Callable[[Member, int, float], None] | None,
) -> None:
    """Train the networks of a plan, one after another, within a time budget."""
    project = plan.project
    budget = max_minutes or project.settings.training.max_minutes
    started = time.monotonic()
    # Reports an error in the settings of the last network before the first one is trained.
    validate_training(project, plan.sources)
    rank_zero_only(plan.prepare)()
    rank_zero_only(write_split)(project, plan.sources.split)
    minutes_of_jobs = divide_budget(
        [job.member for job in plan.jobs], budget, lambda: (time.monotonic() - started) / 60
    )
    for job, (_, minutes) in zip(plan.jobs, minutes_of_jobs, strict=True):
        callback = None if after_epoch is None else partial(after_epoch, job.member)
        setup = training_setup(job.member.kind, project, plan.sources)
        _train_member(plan, job, setup, minutes, callback)


def divide_budget(
    untrained: Sequence[Member], budget: float | None, elapsed: Callable[[], float]
) -> Iterator[tuple[Member, float | None]]:
    """Each member with its part of the remaining budget, computed when the member is yielded.

    Parameters
    ----------
    untrained : sequence of Member
        In the order in which they are trained.
    budget : float or None
        In minutes; None if there is no limit.
    elapsed : callable
        Minutes since the start of the training.
    """
    weights = [member.settings.budget_weight / member.settings.members for member in untrained]
    for k, member in enumerate(untrained):
        if budget is None:
            yield member, None
            continue
        remaining = budget - elapsed()
        yield member, max(remaining * weights[k] / sum(weights[k:]), 0.05)


def _train_member(
    plan: Plan,
    job: Job,
    setup: TrainingSetup,
    minutes: float | None,
    after_epoch: EpochCallback | None,
) -> None:
    """Train one network and save its bundle."""
    project, member = plan.project, job.member
    settings = member.settings
    seed = project.settings.seed + 1000 * member.number
    L.seed_everything(seed, verbose=False)
    data = setup.data(seed)
    if not len(data.train):
        raise LabelError(
            f"{project.folder}: nothing to train the {member.kind} network on: label ejecta in tiles within"
            " their crater's reach"
        )
    start = plan.start(job) or _load_start(project, member, setup)
    task = _make_task(start, settings, setup, data, seed)
    # Without validation data the best epoch is chosen on the training data.
    validation = data.validation if len(data.validation) else data.train
    folder = project.logs / member.kind / member.name
    lineage = plan.lineage(member.kind)
    discard_if_changed(folder, _dependencies(job, setup, data, lineage))
    options = settings.batch_size, seed, loader_workers(project.settings.training)
    result = fit(
        task,
        make_loader(data.train, *options, shuffle=True),
        make_loader(validation, *options, shuffle=False),
        folder,
        project.settings.training,
        minutes,
        f"{member.kind} {member.number + 1} of {settings.members}",
        after_epoch,
    )
    if settings.blend < 1 and start is not None:
        blend_weights(task.network, start.model.state_dict(), settings.blend)
    description = _describe(setup, data, start, seed, result)
    description = description.model_copy(update={"lineage": _inherit(lineage, start)})
    bundle = Bundle(description, task.network)
    if isinstance(data.validation, PolarDataset):
        bundle = recalibrate(bundle, data.validation, project.settings.map.threshold)
    _save(bundle, project.models / member.kind / member.name, folder)


def _inherit(lineage: Lineage, start: Bundle | None) -> Lineage:
    """Lineage of a network with those that it started from."""
    if start is None:
        return lineage
    before = start.description.lineage
    is_complete = before is not None and before.is_complete
    return lineage.model_copy(update={"inherited": inherit(before), "is_complete": is_complete})


def _describe(
    setup: TrainingSetup,
    data: TrainingData,
    start: Bundle | None,
    seed: int,
    result: FitResult,
) -> BundleDescription:
    """Description of a trained network for its bundle."""
    summary = {
        "seed": seed,
        "samples": len(data.train),
        "validation_samples": len(data.validation),
        "validation_craters": data.validation_craters,
        "epochs": result.epochs,
        "best_epoch": result.best_epoch,
        "validation_f1": result.f1,
        "validation_loss": result.loss,
        "minutes": result.minutes,
    }
    return BundleDescription(
        kind=setup.kind,
        network=setup.arguments,
        views=setup.views,
        normalisation=data.normalisation,
        metadata_normalisation=data.metadata_normalisation,
        calibration=None if start is None else start.description.calibration,
        raises_faint_rays=start is not None and start.description.raises_faint_rays,
        training=summary,
        versions=library_versions(),
    )


@rank_zero_only
def _save(bundle: Bundle, folder: Path, logs: Path) -> None:
    """Save a bundle and delete the checkpoints, on the first of the processes that train together."""
    save_bundle(bundle, folder)
    delete_checkpoints(logs)


def _dependencies(
    job: Job, setup: TrainingSetup, data: TrainingData, lineage: Lineage
) -> dict[str, Any]:
    """What a training depends on, without settings that may change while it is interrupted."""
    of_length = {"members", "budget_weight", "max_epochs", "patience"}
    seen = json.dumps([planet.model_dump() for planet in lineage.trained_on])
    return {
        "settings": job.member.settings.model_dump(mode="json", exclude=of_length),
        "network": setup.arguments,
        "views": setup.views.to_dict(),
        "samples": [len(data.train), len(data.validation)],
        "normalisation": [data.normalisation.offset, data.normalisation.divisor],
        "labels": hashlib.blake2b(seen.encode(), digest_size=16).hexdigest(),
        "goes_on": job.goes_on,
    }


def _load_start(project: Project, member: Member, setup: TrainingSetup) -> Bundle | None:
    """Load the trained network that this training starts from; None for an untrained one."""
    folder = project.start_networks(member.kind)
    if folder is None:
        return None
    return load_initial(folder, setup.arguments, setup.views.scaling, member.number)


def _make_task(
    start: Bundle | None,
    settings: TrainingConfig,
    setup: TrainingSetup,
    data: TrainingData,
    seed: int,
) -> Task:
    """Build the network, with the weights of `start` if there is one, and its loss."""
    network = setup.network(pretrained=settings.pretrained and start is None)
    if start is not None:
        network.load_state_dict(start.model.state_dict())
    loss = build_loss(settings.loss.name, **settings.loss.arguments)
    return Task(network, loss, settings, data.normalisation, data.metadata_normalisation, seed)
