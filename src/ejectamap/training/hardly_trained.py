"""Which networks of a project were trained so little that their map says nothing about their method or settings."""

from collections.abc import Mapping
from typing import Any

from ejectamap.project.bundles import bundle_folders, read_description
from ejectamap.project.folder import Project
from ejectamap.project.settings import TrainingConfig

_LEAST_EPOCHS = 3


def hardly_trained(project: Project) -> list[str]:
    """Reasons why networks that were trained here count as hardly trained, one for each such network.

    One that had fewer than three epochs counts as that, and one that still improved in its last epoch when its time
    budget ended, unless its learning rate was to end with the budget (`anneal`).

    Raises
    ------
    BundleError
        If a bundle is damaged.
    """
    reasons = []
    for kind, config in project.settings.network_configs.items():
        for bundle in bundle_folders(project.models / kind):
            reason = _reason(read_description(bundle).training, config)
            if reason is not None:
                reasons.append(f"{kind} {bundle.name}: {reason}")
    return reasons


def _reason(training: Mapping[str, Any], config: TrainingConfig) -> str | None:
    """Why a network counts as hardly trained, from the figures of its training; None if it does not."""
    epochs, best = training.get("epochs"), training.get("best_epoch")
    if epochs is None or best is None:  # not trained by this program
        return None
    if epochs < _LEAST_EPOCHS:
        return f"{epochs} epoch{'' if epochs == 1 else 's'}"
    if best == epochs < config.max_epochs and config.scheduler.name != "anneal":
        return f"still improved in epoch {epochs}, when its time ended"
    return None
