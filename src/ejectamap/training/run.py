"""Train a project's networks: what to learn from, one network after another, into bundles."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.utilities import rank_zero_only

from ejectamap.errors import LabelError
from ejectamap.networks.bundle import Bundle, library_versions, save_bundle
from ejectamap.networks.ensemble import blend_weights, load_start
from ejectamap.networks.losses import build_loss
from ejectamap.project import Project
from ejectamap.project.fitting import Fitting
from ejectamap.training.checkpoints import forget_checkpoints, start_anew_if_changed
from ejectamap.training.loaders import make_loader
from ejectamap.training.recipes import RECIPES, Data, Recipe
from ejectamap.training.rehearsal import rehearse
from ejectamap.training.sources import gather_sources, write_split
from ejectamap.training.summary import summarise
from ejectamap.training.task import Task
from ejectamap.training.trainer import fit, loader_workers
from ejectamap.training.watch import Watch


@dataclass(frozen=True)
class Member:
    """One network of an ensemble.

    Attributes
    ----------
    kind : str
        "connection", "segmentation", "agnostic", ...
    number : int
        0, 1, ...
    settings : Fitting
    """

    kind: str
    number: int
    settings: Fitting

    @property
    def name(self) -> str:
        """Name of the member's bundle."""
        return f"member-{self.number:02d}"


def members(project: Project) -> list[Member]:
    """Networks that the project's method needs, in the order of training."""
    return [
        Member(kind, number, fitting)
        for kind, fitting in project.settings.fittings.items()
        for number in range(fitting.members)
    ]


def train(
    project: Project,
    max_minutes: float | None = None,
    fresh: bool = False,
    watch: Callable[[Member, int, float], None] | None = None,
) -> None:
    """Train what the project's method needs; what is trained already stays, what was interrupted goes on.

    Parameters
    ----------
    project : Project
    max_minutes : float, optional
        Time budget of everything, instead of the one in the settings.
    fresh : bool
        Forget all trained networks first.
    watch : callable, optional
        Is told each network's F1 on its validation data after each epoch, counted from 0; what it raises ends the
        training, which can go on later.

    Raises
    ------
    LabelError
        If there is nothing to learn from.
    ProjectError
        If networks are there that learnt from other pairs.
    SettingsError
        If a network, loss or optimiser is unknown.
    """
    if fresh:
        project.forget_models()
    everyone = members(project)
    wanted = [m for m in everyone if not (project.models / m.kind / m.name).exists()]
    if wanted:
        _train_members(project, wanted, max_minutes, watch)
    for member in everyone:  # some may be left where a run ended just after a network was saved
        forget_checkpoints(project.logs / member.kind / member.name)
    rank_zero_only(summarise)(project)


def _train_members(
    project: Project,
    wanted: Sequence[Member],
    max_minutes: float | None,
    watch: Callable[[Member, int, float], None] | None,
) -> None:
    """Train some networks, one after another, within a budget."""
    budget = max_minutes or project.settings.training.max_minutes
    started = time.monotonic()
    sources = gather_sources(project)
    # A wrong name in the last network's settings is said before the first one learns for hours.
    rehearse(project, sources)
    rank_zero_only(write_split)(project, sources.split)
    for member, minutes in _shared_out(wanted, budget, started):
        told = None if watch is None else partial(watch, member)
        _train_member(project, member, RECIPES[member.kind](project, sources), minutes, told)


def _shared_out(
    wanted: Sequence[Member], budget: float | None, started: float
) -> Iterator[tuple[Member, float | None]]:
    """Each member with its part of what is left of the budget, in minutes, when its turn comes."""
    for k, member in enumerate(wanted):
        if budget is None:
            yield member, None
            continue
        left = budget - (time.monotonic() - started) / 60
        shares = sum(m.settings.share / m.settings.members for m in wanted[k:])
        yield member, max(left * member.settings.share / member.settings.members / shares, 0.05)


def _train_member(
    project: Project, member: Member, recipe: Recipe, minutes: float | None, watch: Watch | None
) -> None:
    """Train one network and save its bundle."""
    settings = member.settings
    seed = project.settings.seed + 1000 * member.number
    L.seed_everything(seed, verbose=False)
    data = recipe.data(seed)
    if not len(data.train):
        raise LabelError(
            f"{project.folder}: nothing to train the {member.kind} network on: label ejecta in tiles within"
            " their crater's reach"
        )
    start = _start(project, member, recipe)
    task = _make_task(start, settings, recipe, data, seed)
    # Without validation data the training data say which epoch was the best.
    checked = data.validation if len(data.validation) else data.train
    folder = project.logs / member.kind / member.name
    start_anew_if_changed(folder, _origin(member, recipe, data))
    how = settings.batch_size, seed, loader_workers(project.settings.training)
    result = fit(
        task,
        make_loader(data.train, *how, shuffle=True),
        make_loader(checked, *how, shuffle=False),
        folder,
        project.settings.training,
        minutes,
        f"{member.kind} {member.number + 1} of {settings.members}",
        watch,
    )
    if settings.blend < 1 and start is not None:
        blend_weights(task.network, start.model.state_dict(), settings.blend)
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
    bundle = Bundle(
        kind=member.kind,
        network=recipe.arguments,
        views=recipe.views,
        normalisation=data.normalisation,
        metadata_normalisation=data.metadata_normalisation,
        training=summary,
        versions=library_versions(),
        model=task.network,
        calibration=None if start is None else start.calibration,
    )
    _keep(bundle, project.models / member.kind / member.name, folder)


@rank_zero_only
def _keep(bundle: Bundle, folder: Path, logs: Path) -> None:
    """Save a bundle; only the first of several processes that trained together does."""
    save_bundle(bundle, folder)
    forget_checkpoints(logs)


def _origin(member: Member, recipe: Recipe, data: Data) -> dict[str, Any]:
    """What a training depends on; how long it may last may change while it is interrupted."""
    lasting = {"members", "share", "max_epochs", "patience"}
    return {
        "settings": member.settings.model_dump(mode="json", exclude=lasting),
        "network": recipe.arguments,
        "views": recipe.views,
        "samples": [len(data.train), len(data.validation)],
        "normalisation": [data.normalisation.offset, data.normalisation.divisor],
    }


def _start(project: Project, member: Member, recipe: Recipe) -> Bundle | None:
    """The trained network that this one goes on from, if it does."""
    folder = project.start_networks(member.kind)
    if folder is None:
        return None
    return load_start(folder, recipe.arguments, recipe.views["scaling"], member.number)


def _make_task(
    start: Bundle | None, settings: Fitting, recipe: Recipe, data: Data, seed: int
) -> Task:
    """A network, new or trained already, and what it will minimise."""
    network = recipe.network(pretrained=settings.pretrained and start is None)
    if start is not None:
        network.load_state_dict(start.model.state_dict())
    loss = build_loss(settings.loss.name, **settings.loss.arguments)
    return Task(network, loss, settings, data.normalisation, data.metadata_normalisation, seed)
