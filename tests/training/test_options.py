"""Changing one option changes exactly one setting, and the first step of a training if the option affects it."""

from collections.abc import Callable, Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pydantic import BaseModel

from ejectamap.networks.losses import build_loss
from ejectamap.project.pairs import make_pairs
from ejectamap.project.settings import Settings
from ejectamap.project.yaml import make_settings, merge, parse_changes
from ejectamap.training.loaders import make_loader
from ejectamap.training.setups import training_setup
from ejectamap.training.sources import Source, Sources
from ejectamap.training.task import Task
from ejectamap.world.world import World

SECTIONS = ("connection", "segmentation", "context")
# Small networks, a simple recipe, no augmentation.
BASE = [
    "views.chip_px=32",
    "views.corridor_px=[64, 16]",
    "views.polar_px=[32, 64]",
    "connection.architecture=test_resnet",
    "connection.loss={name: focal, arguments: {alpha: 0.1}}",
    "connection.balance_weights=false",
    "segmentation.batch_size=8",
    "segmentation.decoder=Unet",
    "segmentation.encoder=tu-test_resnet",
    "segmentation.augment.quarter_turns=false",
    "context.encoder=tu-test_resnet",
    "context.augment.turns=false",
    "context.augment.stretch=1",
    *(f"{kind}.scaling='255'" for kind in ("connection", "segmentation")),
    *(f"{kind}.decoder_channels=[16, 16, 8, 8, 8]" for kind in ("segmentation", "context")),
    *(
        f"{kind}.{change}"
        for kind in SECTIONS
        for change in (
            "pretrained=false",
            "optimiser={name: AdamW, arguments: {lr: 0.0001}}",
            "scheduler={name: StepLR, arguments: {step_size: 10, gamma: 0.9}}",
            "warm_up_steps=0",
            "max_epochs=200",
            "patience=20",
            "keep=best",
            "blend=1",
            "precision=full",
            "budget_weight=1",
            "augment.flips=false",
            "augment.contrast=0",
            "augment.brightness=0",
        )
    ),
]
# Options that affect the first step of every network.
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
# Options that do not affect the first step.
LATER = [
    "scheduler={name: CosineAnnealingWarmRestarts, arguments: {T_0: 10}}",
    "scheduler={name: CosineAnnealingLR, arguments: {T_max: 10}}",
    "scheduler={name: constant}",
    "scheduler={name: anneal}",
    "max_epochs=3",
    "monitor=loss",
    "patience=5",
    "members=7",
    "keep=last",
    "blend=0.5",
    "precision=auto",
    "budget_weight=2.0",
]
# Options of one kind of network that affect its first step.
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
        "segmentation.ejecta_ratio_weights=false",
        "segmentation.augment.quarter_turns=true",
        "views.chip_px=48",
        "views.annulus_radii=[2, 5]",
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
# Options that act before a network is built or after it is trained; other tests cover them.
ELSEWHERE = {
    "connection.vote_threshold",
    *(f"{kind}.pretrained" for kind in OWN),
    *(f"views.{key}" for key in ("tile_km", "overlap")),
    *(
        f"training.{key}"
        for key in ("split", "test_fraction", "max_minutes", "start_from", "families")
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
VARIANTS = [
    *((kind, f"{kind}.{change}", True) for kind in OWN for change in STEP),
    *((kind, f"{kind}.{change}", False) for kind in OWN for change in LATER),
    *((kind, change, True) for kind in OWN for change in OWN[kind]),
]


def settings_with(*changes: str) -> Settings:
    inputs = {"inputs": {"mosaic": "m.tif", "craters": "c.csv"}}
    # In two steps, so that a change of a name keeps the arguments.
    values = merge(inputs, parse_changes(BASE))
    return make_settings(merge(values, parse_changes(changes)), "test")


def leaves(values: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting by its dotted key; a component with its arguments is one setting."""
    for key, value in values:
        if isinstance(value, BaseModel) and "name" not in type(value).model_fields:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


@pytest.fixture(scope="module")
def step(make_world: Callable[..., World]) -> Callable[..., dict[str, torch.Tensor]]:
    """A function that takes the first step of a training with some changes, and returns loss and weights."""
    world = make_world()
    pairs = make_pairs(world, 4)
    connected = [pair for pair in pairs if pair.connected]
    unconnected = [pair for pair in pairs if not pair.connected]
    source = Source(world, connected[::6][:8] + unconnected[::9][:8])
    sources = Sources((source, source), {}, tile_m=4 * world.mosaic.grid.pixel_m)

    @cache
    def take(kind: str, *changes: str) -> dict[str, torch.Tensor]:
        settings = settings_with(*changes)
        project: Any = SimpleNamespace(settings=settings, mosaic=world.mosaic)
        config = getattr(settings, kind)
        torch.manual_seed(0)
        setup = training_setup(kind, project, sources)
        data = setup.data(seed=0)
        network = setup.network(pretrained=False)
        loss = build_loss(config.loss.name, **config.loss.arguments)
        task = Task(network, loss, config, data.normalisation, data.metadata_normalisation, 0)
        task._trainer = SimpleNamespace(  # type: ignore[assignment]
            global_step=0, current_epoch=0, estimated_stepping_batches=10
        )
        logged: dict[str, torch.Tensor] = {}
        task.log = lambda name, value, **_: logged.update({name: torch.as_tensor(value)})  # type: ignore[method-assign]
        task.on_train_epoch_start()
        configured = task.configure_optimizers()
        optimiser = configured[0][0] if isinstance(configured, tuple) else configured
        batch = next(iter(make_loader(data.train, config.batch_size, 0, 0, shuffle=True)))

        def closure() -> torch.Tensor:
            optimiser.zero_grad()
            loss = task.training_step(batch)
            loss.backward()
            return loss

        task.optimizer_step(0, 0, optimiser, closure)
        return {"loss": logged["train_loss"].detach(), **network.state_dict()}

    return take


@pytest.mark.parametrize(("kind", "change", "affects_step"), VARIANTS)
def test_one_option_changes_one_setting_and_perhaps_the_first_step(
    step: Callable[..., dict[str, torch.Tensor]], kind: str, change: str, affects_step: bool
) -> None:
    before, after = (dict(leaves(settings_with(*changes))) for changes in ((), (change,)))
    key = change.partition("=")[0].removesuffix(".name")
    assert {name for name in before if before[name] != after[name]} == {key}
    base, changed = step(kind), step(kind, change)
    assert all(values.isfinite().all() for values in changed.values())
    same = base.keys() == changed.keys() and all(
        torch.equal(base[name], changed[name]) for name in base
    )
    assert same != affects_step


def test_every_option_is_tested() -> None:
    sections = (*SECTIONS, "views", "training")
    tested = {change.partition("=")[0].removesuffix(".name") for _, change, _ in VARIANTS}
    keys = {key for key, _ in leaves(settings_with()) if key.split(".")[0] in sections}
    assert tested | ELSEWHERE == keys
    assert tested.isdisjoint(ELSEWHERE)
