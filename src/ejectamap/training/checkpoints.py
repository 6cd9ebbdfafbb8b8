"""What an interrupted training goes on from: everything that matters, as it was at the beginning of an epoch."""

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
    """Where a training that logs into a folder keeps its checkpoints."""
    return folder / "checkpoints"


def forget_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of a training that is over."""
    shutil.rmtree(checkpoint_folder(folder), ignore_errors=True)


def start_anew_if_changed(folder: Path, origin: dict[str, Any]) -> None:
    """Forget an interrupted training that came from something else, such as other settings.

    Parameters
    ----------
    folder : Path
        Of the training's logs.
    origin : dict
        Whatever the training depends on; JSON-able.
    """
    note, text = checkpoint_folder(folder) / "origin.json", json.dumps(origin, indent=2)
    if note.exists() and note.read_text(encoding="utf-8") == text:
        return
    if checkpoint_folder(folder).exists():
        logger.warning("%s: began with other settings or data: training starts anew", folder)
    shutil.rmtree(folder, ignore_errors=True)
    note.parent.mkdir(parents=True)
    note.write_text(text, encoding="utf-8")


class SafeCheckpoints(TorchCheckpointIO):
    """Checkpoints that are complete or not there: Lightning's own may be cut short where /tmp is another disk."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write beside the place where it belongs, and rename."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}")
        torch.save(checkpoint, fresh)
        fresh.replace(path)


class Resumable(L.Callback):
    """Keep everything that a training needs to go on, as it is at the beginning of each epoch."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_start(self, trainer: L.Trainer, _: L.LightningModule) -> None:
        """Save, before the loops have begun to count the epoch's batches."""
        batches = trainer.fit_loop.epoch_loop
        # The loop does this itself a moment later; a checkpoint must not say that all batches are done already.
        batches.batch_progress.reset_on_run()
        batches.scheduler_progress.reset_on_run()
        batches.automatic_optimization.optim_progress.reset_on_run()
        batches.val_loop.batch_progress.total.reset()
        trainer.save_checkpoint(self.path)
