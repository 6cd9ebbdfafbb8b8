"""Train the networks of a project, one after another, and save them as bundles."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.utilities import rank_zero_only

from ejectamap.errors import LabelError
from ejectamap.networks.bundle import Bundle, save_bundle
from ejectamap.networks.ensemble import blend_weights, load_initial
from ejectamap.networks.losses import build_loss
from ejectamap.project.bundles import BundleDescription, library_versions
from ejectamap.project.folder import Project
from ejectamap.project.settings import TrainingConfig
from ejectamap.project.splits import write_split
from ejectamap.training.callbacks import EpochCallback
from ejectamap.training.checkpoints import delete_checkpoints, discard_if_changed
from ejectamap.training.loaders import make_loader
from ejectamap.training.setups import (
    TrainingData,
    TrainingSetup,
    training_setup,
    validate_training,
)
from ejectamap.training.sources import gather_sources
from ejectamap.training.summary import summarise
from ejectamap.training.task import Task
from ejectamap.training.trainer import FitResult, fit, loader_workers


@dataclass(frozen=True)
class Member:
    """One network of an ensemble.

    Attributes
    ----------
    kind : str
        One of `NETWORK_KINDS`.
    number : int
        Index in the ensemble, from 0.
    settings : TrainingConfig
        Section of the settings of this kind.
    """

    kind: str
    number: int
    settings: TrainingConfig

    @property
    def name(self) -> str:
        """Name of the member's bundle."""
        return f"member-{self.number:02d}"


def members(project: Project) -> list[Member]:
    """Networks that the project's method needs, in the order of training."""
    return [
        Member(kind, number, config)
        for kind, config in project.settings.network_configs.items()
        for number in range(config.members)
    ]


def train(
    project: Project,
    max_minutes: float | None = None,
    fresh: bool = False,
    after_epoch: Callable[[Member, int, float], None] | None = None,
) -> None:
    """Train the networks that the project's method needs and that are not trained yet.

    An interrupted training is resumed.

    Parameters
    ----------
    project : Project
    max_minutes : float, optional
        Time budget of all networks together, instead of `training.max_minutes`.
    fresh : bool
        Delete all trained networks first.
    after_epoch : callable, optional
        Called after each epoch with the network, the epoch (from 0) and its F1 on the validation data. An exception
        that it raises ends the training, which can be resumed later.

    Raises
    ------
    LabelError
        If there are no training data.
    ProjectError
        If the project has networks that were trained with another split.
    SettingsError
        If a network, loss or optimiser is unknown.
    """
    if fresh:
        project.delete_models()
    all_members = members(project)
    missing = [m for m in all_members if not (project.models / m.kind / m.name).exists()]
    if missing:
        _train_members(project, missing, max_minutes, after_epoch)
    for member in all_members:
        # An earlier run may have ended between saving a network and deleting its checkpoints.
        delete_checkpoints(project.logs / member.kind / member.name)
    rank_zero_only(summarise)(project)


def _train_members(
    project: Project,
    missing: Sequence[Member],
    max_minutes: float | None,
    after_epoch: Callable[[Member, int, float], None] | None,
) -> None:
    """Train some networks, one after another, within a time budget."""
    budget = max_minutes or project.settings.training.max_minutes
    started = time.monotonic()
    sources = gather_sources(project)
    # Reports an error in the settings of the last network before the first one is trained.
    validate_training(project, sources)
    rank_zero_only(write_split)(project, sources.split)
    for member, minutes in _divide_budget(missing, budget, started):
        callback = None if after_epoch is None else partial(after_epoch, member)
        setup = training_setup(member.kind, project, sources)
        _train_member(project, member, setup, minutes, callback)


def _divide_budget(
    missing: Sequence[Member], budget: float | None, started: float
) -> Iterator[tuple[Member, float | None]]:
    """Each member with its part, in minutes, of the remaining budget, computed when the member is yielded."""
    for k, member in enumerate(missing):
        if budget is None:
            yield member, None
            continue
        remaining = budget - (time.monotonic() - started) / 60
        total = sum(m.settings.budget_weight / m.settings.members for m in missing[k:])
        weight = member.settings.budget_weight
        yield member, max(remaining * weight / member.settings.members / total, 0.05)


def _train_member(
    project: Project,
    member: Member,
    setup: TrainingSetup,
    minutes: float | None,
    after_epoch: EpochCallback | None,
) -> None:
    """Train one network and save its bundle."""
    settings = member.settings
    seed = project.settings.seed + 1000 * member.number
    L.seed_everything(seed, verbose=False)
    data = setup.data(seed)
    if not len(data.train):
        raise LabelError(
            f"{project.folder}: nothing to train the {member.kind} network on: label ejecta in tiles within"
            " their crater's reach"
        )
    start = _load_start(project, member, setup)
    task = _make_task(start, settings, setup, data, seed)
    # Without validation data the best epoch is chosen on the training data.
    validation = data.validation if len(data.validation) else data.train
    folder = project.logs / member.kind / member.name
    discard_if_changed(folder, _dependencies(member, setup, data))
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
    description = _describe(member, setup, data, start, seed, result)
    bundle = Bundle(description, task.network)
    _save(bundle, project.models / member.kind / member.name, folder)


def _describe(
    member: Member,
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
        "epochs": result.epochs,
        "best_epoch": result.best_epoch,
        "validation_f1": result.f1,
        "validation_loss": result.loss,
        "minutes": result.minutes,
    }
    return BundleDescription(
        kind=member.kind,
        network=setup.arguments,
        views=setup.views,
        normalisation=data.normalisation,
        metadata_normalisation=data.metadata_normalisation,
        calibration=None if start is None else start.description.calibration,
        training=summary,
        versions=library_versions(),
    )


@rank_zero_only
def _save(bundle: Bundle, folder: Path, logs: Path) -> None:
    """Save a bundle and delete the checkpoints, on the first of the processes that train together."""
    save_bundle(bundle, folder)
    delete_checkpoints(logs)


def _dependencies(member: Member, setup: TrainingSetup, data: TrainingData) -> dict[str, Any]:
    """What a training depends on, without settings that may change while it is interrupted."""
    of_length = {"members", "budget_weight", "max_epochs", "patience"}
    return {
        "settings": member.settings.model_dump(mode="json", exclude=of_length),
        "network": setup.arguments,
        "views": setup.views.to_dict(),
        "samples": [len(data.train), len(data.validation)],
        "normalisation": [data.normalisation.offset, data.normalisation.divisor],
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
