"""Optimisers and learning rate schedules by their names in torch."""

from typing import Any

import torch
from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from ejectamap.errors import SettingsError, unknown_name
from ejectamap.project.settings import ComponentSpec, TrainingConfig

OWN_SCHEDULES = ("anneal", "constant")
"""Schedules that are not torch's; `training.task` implements them."""


def build_optimiser(settings: TrainingConfig, network: torch.nn.Module) -> torch.optim.Optimizer:
    """Build the optimiser of the settings for a network's parameters.

    Raises
    ------
    SettingsError
        If torch has no optimiser of this name, or it does not take these arguments.
    """
    optimiser: torch.optim.Optimizer = _by_name(
        torch.optim, torch.optim.Optimizer, settings.optimiser, network.parameters()
    )
    return optimiser


def build_schedule(
    settings: TrainingConfig, optimiser: torch.optim.Optimizer
) -> LRScheduler | None:
    """Build the schedule of the settings, stepped once per epoch; None for those in `OWN_SCHEDULES`.

    Raises
    ------
    SettingsError
        See `build_optimiser`.
    """
    if settings.scheduler.name in OWN_SCHEDULES:
        if settings.scheduler.arguments:
            raise SettingsError(
                f"scheduler {settings.scheduler.name}: takes no arguments: remove them"
            )
        return None
    schedule: LRScheduler = _by_name(
        lr_scheduler, LRScheduler, settings.scheduler, optimiser, also=OWN_SCHEDULES
    )
    return schedule


def _by_name(
    module: Any, base: type, spec: ComponentSpec, *positional: Any, also: tuple[str, ...] = ()
) -> Any:
    """Build a subclass of `base` in a torch module, with the arguments of the settings.

    `also` are names that are allowed elsewhere, for the error message.
    """
    subclasses = {
        name: member
        for name, member in vars(module).items()
        if isinstance(member, type) and issubclass(member, base) and member is not base
    }
    known = {name: member for name, member in subclasses.items() if not name.startswith("_")}
    if spec.name not in known:
        raise unknown_name(base.__name__, spec.name, [*known, *also])
    try:
        return known[spec.name](*positional, **spec.arguments)
    except (TypeError, ValueError) as error:
        raise SettingsError(
            f"{module.__name__}.{spec.name}: {error}: correct its arguments"
        ) from None
