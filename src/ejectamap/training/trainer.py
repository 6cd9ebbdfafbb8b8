"""Training of one network by Lightning: on any device, within a time budget, resumable after an interruption."""

import logging
import signal
import warnings
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import lightning as L
import psutil
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.accelerators import AcceleratorRegistry
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, Timer
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.strategies import StrategyRegistry
from torch.utils.data import DataLoader

from ejectamap.errors import SettingsError, unknown_name
from ejectamap.progress import shows_progress
from ejectamap.project.settings import Training
from ejectamap.training.callbacks import (
    AfterEpoch,
    EpochCallback,
    MetricsHistory,
    TrainingProgressBar,
)
from ejectamap.training.checkpoints import AtomicCheckpointIO, EpochCheckpoint, checkpoint_folder
from ejectamap.training.task import Task


@dataclass(frozen=True)
class FitResult:
    """Result of a training.

    Attributes
    ----------
    epochs : int
        Number of epochs.
    best_epoch : int
        The epoch, from 1, with the best value of the monitored metric on the validation data.
    f1, loss : float
        On the validation data after that epoch; F1 at a probability threshold of 0.5.
    minutes : float
        Duration, including that of interrupted runs before.
    """

    epochs: int
    best_epoch: int
    f1: float
    loss: float
    minutes: float


def fit(
    task: Task,
    train: DataLoader[Any],
    validation: DataLoader[Any],
    folder: Path,
    training: Training,
    max_minutes: float | None,
    title: str = "training",
    after_epoch: EpochCallback | None = None,
) -> FitResult:
    """Train `task.network` until `max_epochs`, `patience` or the time budget ends the training.

    Afterwards the network has the weights of the best or the last epoch, as `keep` in its settings says.

    Parameters
    ----------
    task : Task
    train, validation : DataLoader
        Of `training.loaders`, whose order depends only on the seed and the epoch.
    folder : Path
        Folder of the logs: metrics.csv, TensorBoard's events and, until `delete_checkpoints`, the checkpoints. If it
        has a checkpoint, the training is resumed, with the same result as without the interruption.
    training : Training
        Its accelerator, devices, nodes and strategy are used.
    max_minutes : float or None
        Time budget.
    title : str
        Text of the progress bar.
    after_epoch : callable, optional
        See `EpochCallback`.

    Raises
    ------
    SettingsError
        If this machine does not have the accelerator, the devices or the strategy.
    """
    last, monitored = checkpoint_folder(folder) / "last.ckpt", f"val_{task.settings.monitor}"
    mode = "max" if task.settings.monitor == "f1" else "min"
    limit = None if max_minutes is None else timedelta(minutes=max_minutes)
    task.timer = Timer(limit, interval="step", verbose=False)
    best = ModelCheckpoint(
        last.parent,
        "best",
        monitor=monitored,
        mode=mode,
        save_weights_only=True,
        enable_version_counter=False,
    )
    history = MetricsHistory(folder / "metrics.csv", task.timer)
    patience = EarlyStopping(monitored, mode=mode, patience=task.settings.patience)
    _silence_lightning()
    callbacks = [task.timer, history, patience, EpochCheckpoint(last), best]
    if shows_progress():
        callbacks.append(TrainingProgressBar(title, task.timer))
    if after_epoch is not None:
        callbacks.append(AfterEpoch(after_epoch))
    trainer = _build_trainer(task, folder, training, callbacks)
    try:
        checkpoint = last if last.exists() else None
        trainer.fit(task, train, validation, ckpt_path=checkpoint, weights_only=True)
    except SystemExit:
        # On an interruption Lightning disables the handler of further ones and ends the process. Instead, restore the
        # handler and let the caller decide.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        raise KeyboardInterrupt from None
    if task.settings.keep == "best" and best.best_model_path:
        task.load_state_dict(torch.load(best.best_model_path, weights_only=True)["state_dict"])
    row = history.best(monitored, mode)
    minutes = task.timer.time_elapsed() / 60
    return FitResult(
        trainer.current_epoch, int(row["epoch"]), row["val_f1"], row["val_loss"], round(minutes, 2)
    )


def _build_trainer(
    task: Task, folder: Path, training: Training, callbacks: list[L.Callback]
) -> L.Trainer:
    """Build Lightning's trainer for the accelerator, devices and strategy of the settings."""
    validate_device_names(training)
    return _trainer_of_devices(
        training,
        default_root_dir=folder,
        precision=mixed_precision() if task.settings.precision == "auto" else "32-true",
        max_epochs=task.settings.max_epochs,
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO()],
        logger=TensorBoardLogger(folder, name="", version="", default_hp_metric=False),
        enable_model_summary=False,
        enable_progress_bar=shows_progress(),
        num_sanity_val_steps=0,
        # `SizeBatchSampler` distributes the batches over the processes.
        use_distributed_sampler=False,
        log_every_n_steps=1,
    )


def validate_device_names(training: Training) -> None:
    """Raise SettingsError if Lightning knows no such accelerator or strategy, on any machine."""
    # Strategies that fork or spawn this process leave the trained weights in the child processes.
    suffixes = ("_fork", "_spawn", "_notebook")
    strategies = [s for s in StrategyRegistry.available_strategies() if not s.endswith(suffixes)]
    accelerators = sorted({"gpu", *AcceleratorRegistry.available_accelerators()})
    for key, known in (("accelerator", accelerators), ("strategy", strategies)):
        name = getattr(training, key)
        if name not in ("auto", *known):
            raise unknown_name(f"training.{key}", name, ["auto", *known])


def validate_devices(training: Training) -> None:
    """Raise SettingsError if this machine does not have the accelerator, the devices or the strategy."""
    _silence_lightning()
    _trainer_of_devices(training, logger=False, enable_checkpointing=False)


def _trainer_of_devices(training: Training, **options: Any) -> L.Trainer:
    try:
        return L.Trainer(
            accelerator=training.accelerator,
            devices=training.devices,
            num_nodes=training.nodes,
            strategy=training.strategy,
            **options,
        )
    except (ValueError, ModuleNotFoundError, MisconfigurationException) as error:
        raise SettingsError(
            f"training.accelerator {training.accelerator}, devices {training.devices}, nodes {training.nodes}, "
            f"strategy {training.strategy}: not on this machine ({error})"
        ) from None


def loader_workers(training: Training) -> int:
    """Number of processes of each data loader.

    With "auto" it is 0 on a CPU, all of whose cores the network uses. On a GPU it is one for each core, because one
    core samples the mosaic much more slowly than a GPU trains.
    """
    if training.loader_workers != "auto":
        return training.loader_workers
    on_gpu = training.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return len(psutil.Process().cpu_affinity()) // training.devices if on_gpu else 0


def mixed_precision() -> Literal["bf16-mixed", "16-mixed", "32-true"]:
    """The fastest precision that this machine has hardware for, as Lightning names it."""
    if torch.cuda.is_available():
        # float16 has a small range of values; Lightning scales the gradients to avoid underflow.
        bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return "bf16-mixed" if bfloat16 else "16-mixed"
    bfloat16 = torch.cpu.get_capabilities().get("avx512_bf16", False)
    return "bf16-mixed" if bfloat16 else "32-true"


def _silence_lightning() -> None:
    """Suppress Lightning's advertisements and its warnings about numbers of workers."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated.*")
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
    warnings.filterwarnings("ignore", message=".*directory.*exists and is not empty.*")
