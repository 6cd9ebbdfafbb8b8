"""Checkpoints: the complete state of a training at the start of an epoch, from which it can be resumed."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins import TorchCheckpointIO

from ejectamap.files import move_into_place, partial_path, read_text, remove_partial_files

logger = logging.getLogger(__name__)


def checkpoint_folder(folder: Path) -> Path:
    """Folder of a training's checkpoints, below the folder of its logs."""
    return folder / "checkpoints"


def delete_checkpoints(folder: Path) -> None:
    """Delete the checkpoints of a finished training."""
    shutil.rmtree(checkpoint_folder(folder), ignore_errors=True)


def discard_if_changed(folder: Path, dependencies: dict[str, Any]) -> None:
    """Delete the logs and checkpoints of an interrupted training whose settings or data have changed since.

    Parameters
    ----------
    folder : Path
        Folder of the training's logs.
    dependencies : dict
        Everything that the training depends on; serialisable as JSON.
    """
    path = checkpoint_folder(folder) / "dependencies.json"
    text = json.dumps(dependencies, indent=2)
    if path.exists() and read_text(path) == text:
        return
    if checkpoint_folder(folder).exists():
        logger.warning("%s: settings or data have changed: training starts anew", folder)
    shutil.rmtree(folder, ignore_errors=True)
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints atomically; Lightning's own may be truncated if /tmp is on another file system."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write to a temporary name in the same folder, and rename once it is on the disk."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_partial_files(path.parent)
        temporary = partial_path(path)
        try:
            torch.save(checkpoint, temporary)
            move_into_place(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


class EpochCheckpoint(L.Callback):
    """Saves a checkpoint at the start of each epoch."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_start(self, trainer: L.Trainer, _: L.LightningModule) -> None:
        """Save before the epoch's first batch."""
        loop = trainer.fit_loop.epoch_loop
        # Lightning resets these counters only after this hook. Until then they count the batches of the last epoch, and
        # a training resumed from them would skip this epoch's batches.
        loop.batch_progress.reset_on_run()
        loop.scheduler_progress.reset_on_run()
        loop.automatic_optimization.optim_progress.reset_on_run()
        loop.val_loop.batch_progress.total.reset()
        trainer.save_checkpoint(self.path)
