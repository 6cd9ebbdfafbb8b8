"""One network's training: any network, loss, optimiser and schedule of the settings, by Lightning."""

import logging
import math
import signal
import warnings
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, RichProgressBar, Timer
from lightning.pytorch.loggers import CSVLogger
from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader

from ejectamap.errors import SettingsError
from ejectamap.networks.bundle import Normalisation
from ejectamap.networks.losses import Loss
from ejectamap.networks.names import unknown_name
from ejectamap.project.fitting import Fitting
from ejectamap.project.section import Named

Batch = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Fit:
    """What came out of a training.

    Attributes
    ----------
    epochs : int
    best_f1 : float
        Best F1 on the validation data, at a probability of 0.5.
    """

    epochs: int
    best_f1: float


class Task(L.LightningModule):
    """A network in training; batches are dictionaries of `inputs`, `target`, maybe `metadata`, `weight`, `mask`."""

    def __init__(
        self,
        network: torch.nn.Module,
        loss: Loss,
        settings: Fitting,
        normalisation: Normalisation,
        metadata_normalisation: Normalisation | None,
    ) -> None:
        super().__init__()
        self.network = network
        self.loss = loss
        self.settings = settings
        self.normalisation = normalisation
        self.metadata_normalisation = metadata_normalisation
        self.timer: Timer | None = None
        self.hits: list[torch.Tensor] = []

    def forward(self, batch: Batch) -> torch.Tensor:
        """Logits of a batch."""
        extra: tuple[torch.Tensor, ...] = ()
        if self.metadata_normalisation is not None:
            extra = (self.metadata_normalisation.apply(batch["metadata"]),)
        logits: torch.Tensor = self.network(self.normalisation.apply(batch["inputs"]), *extra)
        return logits

    def training_step(self, batch: Batch) -> torch.Tensor:
        """Loss of a batch."""
        loss = self._loss(batch, self(batch))
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(batch["target"]))
        return loss

    def validation_step(self, batch: Batch) -> None:
        """Count hits, false alarms and misses."""
        logits = self(batch)
        self.log("val_loss", self._loss(batch, logits), batch_size=len(batch["target"]))
        where = batch.get("mask", torch.ones_like(batch["target"]))
        found, true = logits > 0, batch["target"] > 0.5
        counts = [found & true, found & ~true, ~found & true]
        self.hits.append(torch.stack([(c * where).sum() for c in counts]))

    def on_validation_epoch_end(self) -> None:
        """Log the F1 over all validation samples; 0 where there is nothing to find."""
        hit, false_alarm, miss = torch.stack(self.hits).sum(0)
        self.hits.clear()
        self.log("val_f1", 2 * hit / (2 * hit + false_alarm + miss).clamp(min=1e-9), prog_bar=True)

    def configure_optimizers(self) -> Any:
        """The optimiser and schedule of the settings."""
        optimiser = build_optimiser(self.settings, self.network)
        if self.settings.scheduler.name == "anneal":
            annealed = lr_scheduler.LambdaLR(optimiser, lambda _: self._annealing())
            return [optimiser], [{"scheduler": annealed, "interval": "step"}]
        schedule = build_schedule(self.settings, optimiser)
        if schedule is None:
            return optimiser
        return [optimiser], [{"scheduler": schedule, "monitor": "val_f1"}]

    def _loss(self, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        return self.loss(
            logits, batch["target"], weight=batch.get("weight"), mask=batch.get("mask")
        )

    def _annealing(self) -> float:
        """Cosine from 1 to 0 over the time budget or the epochs, whichever is further on, after a short warm-up."""
        total = max(float(self.trainer.estimated_stepping_batches), 1.0)
        done = self.trainer.global_step / total
        if self.timer is not None:
            elapsed, left = self.timer.time_elapsed(), self.timer.time_remaining() or 0.0
            done = max(done, elapsed / max(elapsed + left, 1e-3))
        warm_up = min(1.0, (self.trainer.global_step + 1) / 50)
        return warm_up * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


def fit(
    task: Task,
    train: DataLoader[Any],
    validation: DataLoader[Any],
    folder: Path,
    max_minutes: float | None,
) -> Fit:
    """Train until the epochs, the patience or the time run out, and leave the best weights in `task.network`.

    Parameters
    ----------
    task : Task
    train, validation : DataLoader
    folder : Path
        Where checkpoints and the log go; an interrupted training found there goes on where it stopped.
    max_minutes : float or None
        Time budget.
    """
    best = ModelCheckpoint(folder, "best", monitor="val_f1", mode="max", save_last=True)
    callbacks: list[L.Callback] = [
        best,
        EarlyStopping("val_f1", mode="max", patience=task.settings.patience),
        RichProgressBar(),
    ]
    if max_minutes is not None:
        task.timer = Timer(timedelta(minutes=max_minutes), interval="step")
        callbacks.append(task.timer)
    _quiet()
    trainer = L.Trainer(
        default_root_dir=folder,
        max_epochs=task.settings.max_epochs,
        callbacks=callbacks,
        logger=CSVLogger(folder, name="", version="", flush_logs_every_n_steps=1),
        enable_model_summary=False,
        precision="bf16-mixed"
        if task.settings.precision == "auto" and has_bfloat16()
        else "32-true",
        log_every_n_steps=1,
    )
    last = folder / "last.ckpt"
    try:
        trainer.fit(task, train, validation, ckpt_path=last if last.exists() else None)
    except SystemExit:
        # Lightning's answer to an interruption: it would end the process, and has made it deaf to further ones.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        raise KeyboardInterrupt from None
    if task.settings.keep == "best" and best.best_model_path:
        task.load_state_dict(torch.load(best.best_model_path, weights_only=True)["state_dict"])
    return Fit(trainer.current_epoch, float(best.best_model_score or 0.0))


def has_bfloat16() -> bool:
    """Whether the machine computes faster in bfloat16 than in float32."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))


def build_optimiser(settings: Fitting, network: torch.nn.Module) -> torch.optim.Optimizer:
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


def build_schedule(settings: Fitting, optimiser: torch.optim.Optimizer) -> LRScheduler | None:
    """Build the settings' schedule by epoch; None for "constant", and for "anneal", which only a trainer can do.

    Raises
    ------
    SettingsError
        See `build_optimiser`.
    """
    if settings.scheduler.name in ("anneal", "constant"):
        return None
    schedule: LRScheduler = _by_name(lr_scheduler, LRScheduler, settings.scheduler, optimiser)
    return schedule


def _by_name(module: Any, base: type, named: Named, *positional: Any) -> Any:
    """Build something of a torch module by its name, with the settings' arguments."""
    found = {n: m for n, m in vars(module).items() if isinstance(m, type) and issubclass(m, base)}
    known = {n: m for n, m in found.items() if m is not base and not n.startswith("_")}
    if named.name not in known:
        raise unknown_name(base.__name__, named.name, known)
    try:
        return known[named.name](*positional, **named.arguments)
    except (TypeError, ValueError) as error:
        raise SettingsError(
            f"{module.__name__}.{named.name}: {error}: correct its arguments"
        ) from None


def _quiet() -> None:
    """Keep Lightning's advertisements and hints about worker counts off the terminal."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated.*")
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
    warnings.filterwarnings("ignore", message=".*directory.*exists and is not empty.*")
