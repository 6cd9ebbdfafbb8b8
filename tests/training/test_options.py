"""Changing one option changes exactly that: one setting, and a step of training where the option has a say in it."""

from collections.abc import Callable, Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pydantic import BaseModel

from ejectamap.networks.losses import build_loss
from ejectamap.project.settings import Settings
from ejectamap.project.yaml import make_settings, merge, parse_changes
from ejectamap.training.loaders import make_loader
from ejectamap.training.pairs import make_pairs
from ejectamap.training.recipes import RECIPES
from ejectamap.training.sources import Source, Sources
from ejectamap.training.task import Task
from ejectamap.world.world import World

TINY = [
    "views.chip_px=32",
    "views.corridor_px=[64, 16]",
    "views.polar_px=[32, 64]",
    "connection.architecture=test_resnet",
    "segmentation.batch_size=8",
    "segmentation.decoder=Unet",
    "segmentation.encoder=tu-test_resnet",
    "context.encoder=tu-test_resnet",
    *(f"{kind}.decoder_channels=[16, 16, 8, 8, 8]" for kind in ("segmentation", "context")),
    *(f"{kind}.pretrained=false" for kind in ("connection", "segmentation", "context")),
]
# What every network's first step shows at once, and what it cannot show.
STEP = [
    "loss={name: bce}",
    "loss={name: focal, arguments: {alpha: 0.3}}",
    "optimiser={name: SGD, arguments: {lr: 0.01}}",
    "optimiser={name: Adam, arguments: {lr: 0.001, weight_decay: 0.5}}",
    "optimiser.name=RAdam",
    "warm_up_steps=7",
    "batch_size=2",
    "scaling=mosaic",
    "scaling=training",
    "augment.flips=true",
    "augment.contrast=0.3",
    "augment.brightness=0.3",
    "augment.blur_px=1.5",
]
LATER = [
    "scheduler={name: CosineAnnealingWarmRestarts, arguments: {T_0: 10}}",
    "scheduler={name: CosineAnnealingLR, arguments: {T_max: 10}}",
    "scheduler={name: constant}",
    "scheduler={name: anneal}",
    "accumulate=4",
    "max_epochs=3",
    "monitor=loss",
    "patience=5",
    "members=7",
    "keep=last",
    "blend=0.5",
    "precision=auto",
    "share=2.0",
]
OWN = {
    "connection": [
        "connection.architecture=test_vit2",
        "connection.architecture=resnet10t",
        "connection.loss={name: dice}",
        "connection.loss={name: jaccard}",
        "connection.balance_weights=true",
        "connection.distance_weight=2.0",
        "views.corridor_px=[48, 16]",
        "training.validation_fraction=0.6",
    ],
    "segmentation": [
        "segmentation.decoder=UnetPlusPlus",
        "segmentation.encoder=resnet18",
        "segmentation.decoder_channels=[24, 16, 8, 8, 8]",
        "segmentation.loss={name: jaccard}",
        "segmentation.share_weights=false",
        "segmentation.augment.quarter_turns=true",
        "views.chip_px=48",
        "views.annulus_radii=[2, 5]",
        "views.distance=radii",
        "views.distance=rank",
        "views.log_distance=false",
        "views.rivals=true",
        "views.radial_up=true",
    ],
    "context": [
        "context.decoder=UnetPlusPlus",
        "context.encoder=resnet18",
        "context.decoder_channels=[24, 16, 8, 8, 8]",
        "context.augment.turns=true",
        "context.augment.stretch=1.5",
        "context.augment.fewer_bands=0.9",
        "views.polar_px=[64, 64]",
        "views.polar_power=0.8",
    ],
}
# These act before a network is built or after it is trained; they are tested there.
ELSEWHERE = {
    "connection.vote_threshold",
    *(f"{kind}.pretrained" for kind in OWN),
    *(f"views.{key}" for key in ("tile_km", "overlap")),
    *(
        f"training.{key}"
        for key in ("split", "test_fraction", "max_minutes", "start_from", "plant", "families")
    ),
    *(
        f"training.{key}"
        for key in (
            "also_train_on",
            "accelerator",
            "devices",
            "nodes",
            "strategy",
            "loader_workers",
        )
    ),
}
SEEN = [(kind, f"{kind}.{change}", True) for kind in OWN for change in STEP]
UNSEEN = [(kind, f"{kind}.{change}", False) for kind in OWN for change in LATER]
VARIANTS = [*SEEN, *UNSEEN, *((kind, change, True) for kind in OWN for change in OWN[kind])]


def settings_with(*changes: str) -> Settings:
    inputs = {"inputs": {"mosaic": "m.tif", "craters": "c.csv"}}
    # One after another: a change of a name keeps the arguments that were there.
    values = merge(inputs, parse_changes(TINY))
    return make_settings(merge(values, parse_changes(changes)), "test")


def leaves(values: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting by its dotted key; something named, with its arguments, is one setting."""
    for key, value in values:
        if isinstance(value, BaseModel) and "name" not in type(value).model_fields:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


@pytest.fixture(scope="module")
def step(make_world: Callable[..., World]) -> Callable[..., dict[str, torch.Tensor]]:
    """Take the first step of a training with some changes; give the loss and the network's weights."""
    world = make_world()
    pairs = make_pairs(world, 4)
    # Few pairs, of every kind.
    some = [p for p in pairs if p.connected][::6][:8] + [p for p in pairs if not p.connected][::9][
        :8
    ]
    source = Source(world, some)
    sources = Sources((source, source), {}, tile_m=4 * world.mosaic.grid.pixel_m)

    @cache
    def take(kind: str, *changes: str) -> dict[str, torch.Tensor]:
        settings = settings_with(*changes)
        project: Any = SimpleNamespace(settings=settings, mosaic=world.mosaic)
        fitting = settings.fittings[kind] if kind != "context" else settings.context
        torch.manual_seed(0)
        recipe = RECIPES[kind](project, sources)
        data = recipe.data(seed=0)
        network = recipe.network(pretrained=False)
        loss = build_loss(fitting.loss.name, **fitting.loss.arguments)
        task = Task(network, loss, fitting, data.normalisation, data.metadata_normalisation, 0)
        task._trainer = SimpleNamespace(  # type: ignore[assignment]
            global_step=0, current_epoch=0, estimated_stepping_batches=10
        )
        logged: dict[str, torch.Tensor] = {}
        task.log = lambda name, value, **_: logged.update({name: torch.as_tensor(value)})  # type: ignore[method-assign]
        task.on_train_epoch_start()
        configured = task.configure_optimizers()
        optimiser = configured[0][0] if isinstance(configured, tuple) else configured
        batch = next(iter(make_loader(data.train, fitting.batch_size, 0, 0, shuffle=True)))

        def closure() -> torch.Tensor:
            optimiser.zero_grad()
            loss = task.training_step(batch)
            loss.backward()
            return loss

        task.optimizer_step(0, 0, optimiser, closure)
        return {"loss": logged["train_loss"].detach(), **network.state_dict()}

    return take


@pytest.mark.parametrize(("kind", "change", "seen"), VARIANTS)
def test_one_option_changes_exactly_that(
    step: Callable[..., dict[str, torch.Tensor]], kind: str, change: str, seen: bool
) -> None:
    before, after = (dict(leaves(settings_with(*changes))) for changes in ((), (change,)))
    key = change.partition("=")[0].removesuffix(".name")
    assert {name for name in before if before[name] != after[name]} == {key}
    base, changed = step(kind), step(kind, change)
    assert all(values.isfinite().all() for values in changed.values())
    same = base.keys() == changed.keys() and all(
        torch.equal(base[name], changed[name]) for name in base
    )
    assert same != seen


def test_every_option_is_tried() -> None:
    sections = ("connection", "segmentation", "context", "views", "training")
    tried = {change.partition("=")[0].removesuffix(".name") for _, change, _ in VARIANTS}
    keys = {key for key, _ in leaves(settings_with()) if key.split(".")[0] in sections}
    assert tried | ELSEWHERE == keys
    assert tried.isdisjoint(ELSEWHERE)
