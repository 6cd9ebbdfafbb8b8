"""One network's training, by Lightning: on any device, for as long as it gets better, and on from any interruption."""

import logging
import signal
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import lightning as L
import psutil
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, Timer
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.strategies import StrategyRegistry
from torch.utils.data import DataLoader

from ejectamap.errors import SettingsError, unknown_name
from ejectamap.project.settings import Training
from ejectamap.training.checkpoints import Resumable, SafeCheckpoints, checkpoint_folder
from ejectamap.training.history import History, Progress
from ejectamap.training.task import Task

EpochCallback = Callable[[int, float], None]
"""Called after each epoch with its number, from 0, and its F1 on the validation data; may raise to end the training."""


class AfterEpoch(L.Callback):
    """Calls an `EpochCallback` after each epoch."""

    def __init__(self, callback: EpochCallback) -> None:
        self.callback = callback

    def on_train_epoch_end(self, trainer: L.Trainer, _: L.LightningModule) -> None:
        """Pass the epoch's figure on."""
        self.callback(trainer.current_epoch, float(trainer.callback_metrics["val_f1"]))


@dataclass(frozen=True)
class Fit:
    """What came out of a training.

    Attributes
    ----------
    epochs : int
    best_epoch : int
        The epoch, from 1, that was best on the validation data by the monitored figure.
    f1, loss : float
        On the validation data after that epoch; F1 at a probability of 0.5.
    minutes : float
        Time that the training took, in all runs together.
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
    machine: Training,
    max_minutes: float | None,
    title: str = "training",
    after_epoch: EpochCallback | None = None,
) -> Fit:
    """Train until the epochs, the patience or the time run out, and leave the best weights in `task.network`.

    Parameters
    ----------
    task : Task
    train, validation : DataLoader
        Of `training.loaders`, whose order is a matter of the epoch alone.
    folder : Path
        Gets metrics.csv and TensorBoard's events, and `checkpoints` until `forget_checkpoints`; an interrupted
        training found there goes on where it stopped, and ends with the weights that it would have had.
    machine : Training
        Accelerator, devices, nodes and strategy.
    max_minutes : float or None
        Time budget.
    title : str
        What the progress bar says.
    after_epoch : callable, optional
        See `EpochCallback`.

    Raises
    ------
    SettingsError
        If there is no such accelerator, device or strategy.
    """
    last, monitored = checkpoint_folder(folder) / "last.ckpt", f"val_{task.settings.monitor}"
    better = "max" if task.settings.monitor == "f1" else "min"
    limit = None if max_minutes is None else timedelta(minutes=max_minutes)
    task.timer = Timer(limit, interval="step", verbose=False)
    best = ModelCheckpoint(
        last.parent,
        "best",
        monitor=monitored,
        mode=better,
        save_weights_only=True,
        enable_version_counter=False,
    )
    history = History(folder / "metrics.csv", task.timer)
    patience = EarlyStopping(monitored, mode=better, patience=task.settings.patience)
    progress = Progress(title, task.timer)
    _quiet()
    callbacks = [task.timer, history, patience, progress, Resumable(last), best]
    if after_epoch is not None:
        callbacks.append(AfterEpoch(after_epoch))
    trainer = _build_trainer(task, folder, machine, callbacks)
    try:
        ready = last if last.exists() else None
        trainer.fit(task, train, validation, ckpt_path=ready, weights_only=True)
    except SystemExit:
        # Lightning's answer to an interruption: it would end the process, and has made it deaf to further ones.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        raise KeyboardInterrupt from None
    if task.settings.keep == "best" and best.best_model_path:
        task.load_state_dict(torch.load(best.best_model_path, weights_only=True)["state_dict"])
    row = history.best(monitored, better)
    minutes = task.timer.time_elapsed() / 60
    return Fit(
        trainer.current_epoch, int(row["epoch"]), row["val_f1"], row["val_loss"], round(minutes, 2)
    )


def _build_trainer(
    task: Task, folder: Path, machine: Training, callbacks: list[L.Callback]
) -> L.Trainer:
    """Lightning's trainer for a machine."""
    # Forked and spawned copies of this process would keep what they learnt to themselves.
    copies = ("_fork", "_spawn", "_notebook")
    strategies = [s for s in StrategyRegistry.available_strategies() if not s.endswith(copies)]
    if machine.strategy != "auto" and machine.strategy not in strategies:
        raise unknown_name("training.strategy", machine.strategy, ["auto", *strategies])
    try:
        return L.Trainer(
            default_root_dir=folder,
            accelerator=machine.accelerator,
            devices=machine.devices,
            num_nodes=machine.nodes,
            strategy=machine.strategy,
            precision=mixed_precision() if task.settings.precision == "auto" else "32-true",
            max_epochs=task.settings.max_epochs,
            callbacks=callbacks,
            plugins=[SafeCheckpoints()],
            logger=TensorBoardLogger(folder, name="", version="", default_hp_metric=False),
            enable_model_summary=False,
            num_sanity_val_steps=0,
            # The loaders deal the batches out to the processes themselves.
            use_distributed_sampler=False,
            log_every_n_steps=1,
        )
    except (ValueError, ModuleNotFoundError, MisconfigurationException) as error:
        raise SettingsError(
            f"training.accelerator {machine.accelerator}, devices {machine.devices}, nodes {machine.nodes}, "
            f"strategy {machine.strategy}: not on this machine ({error})"
        ) from None


def loader_workers(machine: Training) -> int:
    """How many processes make the pictures that a network learns from.

    On a processor none: its cores have enough to do with the network. A GPU learns much more quickly than one core can
    look at the mosaic.
    """
    if machine.loader_workers != "auto":
        return machine.loader_workers
    on_gpu = machine.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return len(psutil.Process().cpu_affinity()) // machine.devices if on_gpu else 0


def mixed_precision() -> Literal["bf16-mixed", "16-mixed", "32-true"]:
    """The quickest precision in which this machine trains well, as Lightning names it."""
    if torch.cuda.is_available():
        # float16 has a short range, which Lightning makes up for by scaling the gradients.
        bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return "bf16-mixed" if bfloat16 else "16-mixed"
    made_for_it = torch.cpu.get_capabilities().get("avx512_bf16", False)
    return "bf16-mixed" if made_for_it else "32-true"


def _quiet() -> None:
    """Keep Lightning's advertisements and hints about worker counts off the terminal."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated.*")
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
    warnings.filterwarnings("ignore", message=".*directory.*exists and is not empty.*")
