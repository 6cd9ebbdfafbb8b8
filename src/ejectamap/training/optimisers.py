"""Optimisers and learning rate schedules by the names that torch gives them."""

from typing import Any

import torch
from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from ejectamap.errors import SettingsError, unknown_name
from ejectamap.project.settings import ComponentSpec, TrainingConfig

OWN_SCHEDULES = ("anneal", "constant")


def build_optimiser(settings: TrainingConfig, network: torch.nn.Module) -> torch.optim.Optimizer:
    """Build the optimiser of the settings, for a network's parameters.

    Raises
    ------
    SettingsError
        If torch has none of this name, or it does not take these arguments.
    """
    optimiser: torch.optim.Optimizer = _by_name(
        torch.optim, torch.optim.Optimizer, settings.optimiser, network.parameters()
    )
    return optimiser


def build_schedule(
    settings: TrainingConfig, optimiser: torch.optim.Optimizer
) -> LRScheduler | None:
    """Build the settings' schedule by epoch; None for "constant", and for "anneal", which only a trainer can do.

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
    module: Any, base: type, named: ComponentSpec, *positional: Any, also: tuple[str, ...] = ()
) -> Any:
    """Build something of a torch module by its name, with the settings' arguments."""
    found = {n: m for n, m in vars(module).items() if isinstance(m, type) and issubclass(m, base)}
    known = {n: m for n, m in found.items() if m is not base and not n.startswith("_")}
    if named.name not in known:
        raise unknown_name(base.__name__, named.name, [*known, *also])
    try:
        return known[named.name](*positional, **named.arguments)
    except (TypeError, ValueError) as error:
        raise SettingsError(
            f"{module.__name__}.{named.name}: {error}: correct its arguments"
        ) from None
