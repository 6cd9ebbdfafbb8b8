"""Checkpoints: the complete state of a training at the beginning of an epoch, from which it can be resumed."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins import TorchCheckpointIO

logger = logging.getLogger(__name__)


def checkpoint_folder(folder: Path) -> Path:
    """Folder of the checkpoints of a training that logs into a folder."""
    return folder / "checkpoints"


def delete_checkpoints(folder: Path) -> None:
    """Delete the checkpoints of a finished training."""
    shutil.rmtree(checkpoint_folder(folder), ignore_errors=True)


def discard_if_changed(folder: Path, dependencies: dict[str, Any]) -> None:
    """Delete an interrupted training whose dependencies, such as settings or data, were others.

    Parameters
    ----------
    folder : Path
        Of the training's logs.
    dependencies : dict
        Everything that the training depends on; JSON-able.
    """
    path = checkpoint_folder(folder) / "dependencies.json"
    text = json.dumps(dependencies, indent=2)
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    if checkpoint_folder(folder).exists():
        logger.warning("%s: began with other settings or data: training starts anew", folder)
    shutil.rmtree(folder, ignore_errors=True)
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")


class SafeCheckpoints(TorchCheckpointIO):
    """Checkpoints that are complete or absent; Lightning's own may be truncated where /tmp is on another disk."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write under a temporary name in the same folder, and rename."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}")
        torch.save(checkpoint, fresh)
        fresh.replace(path)


class Resumable(L.Callback):
    """Save the complete state of a training at the beginning of each epoch."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_start(self, trainer: L.Trainer, _: L.LightningModule) -> None:
        """Save before the loops count the epoch's batches."""
        batches = trainer.fit_loop.epoch_loop
        # The loop resets these itself a moment later; without it the checkpoint would mark all batches as done.
        batches.batch_progress.reset_on_run()
        batches.scheduler_progress.reset_on_run()
        batches.automatic_optimization.optim_progress.reset_on_run()
        batches.val_loop.batch_progress.total.reset()
        trainer.save_checkpoint(self.path)
