"""A network in training: loss, validation figures, optimiser and learning rate."""

import math
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.callbacks import Timer
from torch.optim.lr_scheduler import LambdaLR

from ejectamap.networks.bundle import scale_channels
from ejectamap.networks.losses import Loss
from ejectamap.project.settings import TrainingConfig
from ejectamap.training.optimisers import build_optimiser, build_schedule
from ejectamap.views.scaling import ChannelScaling

Batch = dict[str, torch.Tensor]


class Task(L.LightningModule):
    """A network in training; batches are dictionaries of `inputs`, `target`, maybe `metadata`, `weight`, `mask`.

    Parameters
    ----------
    network : nn.Module
    loss : Loss
    settings : TrainingConfig
    normalisation, metadata_normalisation : ChannelScaling
        Of the channels, and of the metadata if the network takes any.
    seed : int
        Random numbers of an epoch (dropout) follow from it and the epoch's number.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        loss: Loss,
        settings: TrainingConfig,
        normalisation: ChannelScaling,
        metadata_normalisation: ChannelScaling | None,
        seed: int,
    ) -> None:
        super().__init__()
        # Channels last in memory: a third faster on a processor, and the layout that a GPU's tensor cores need.
        self.network = network.to(memory_format=torch.channels_last)
        self.loss = loss
        self.settings = settings
        self.normalisation = normalisation
        self.metadata_normalisation = metadata_normalisation
        self.seed = seed
        self.timer = Timer()
        self.confusion_counts: list[torch.Tensor] = []

    def forward(self, batch: Batch) -> torch.Tensor:
        """Logits of a batch."""
        extra: tuple[torch.Tensor, ...] = ()
        if self.metadata_normalisation is not None:
            extra = (scale_channels(self.metadata_normalisation, batch["metadata"]),)
        inputs = scale_channels(self.normalisation, batch["inputs"])
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        logits: torch.Tensor = self.network(inputs, *extra)
        return logits

    def on_train_epoch_start(self) -> None:
        """Make the epoch's random numbers independent of earlier epochs."""
        entropy = np.random.SeedSequence((self.seed, self.current_epoch))
        torch.manual_seed(int(entropy.generate_state(1)[0]))

    def training_step(self, batch: Batch) -> torch.Tensor:
        """Loss of a batch."""
        loss = self._loss(batch, self(batch))
        self._log("train_loss", loss, batch)
        return loss

    def validation_step(self, batch: Batch) -> None:
        """Count true positives, false positives and false negatives."""
        logits = self(batch)
        self._log("val_loss", self._loss(batch, logits), batch)
        weight = batch.get("mask", torch.ones_like(batch["target"]))
        predicted, true = logits > 0, batch["target"] > 0.5
        counts = [predicted & true, predicted & ~true, ~predicted & true]
        self.confusion_counts.append(torch.stack([(c * weight).sum() for c in counts]))

    def on_validation_epoch_end(self) -> None:
        """Log the F1 over all validation samples; 0 where nothing is true or predicted."""
        tp, fp, fn = torch.stack(self.confusion_counts).sum(0)
        self.confusion_counts.clear()
        f1 = 2 * tp / (2 * tp + fp + fn).clamp(min=1e-9)
        self.log("val_f1", f1, prog_bar=True, sync_dist=True)

    def configure_optimizers(self) -> Any:
        """The optimiser and schedule of the settings."""
        optimiser = build_optimiser(self.settings, self.network)
        if self.settings.scheduler.name == "anneal":
            annealed = LambdaLR(optimiser, lambda _: self._annealing())
            return [optimiser], [{"scheduler": annealed, "interval": "step"}]
        schedule = build_schedule(self.settings, optimiser)
        if schedule is None:
            return optimiser
        return [optimiser], [{"scheduler": schedule, "monitor": f"val_{self.settings.monitor}"}]

    def optimizer_step(
        self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None
    ) -> None:
        """Take a step, with less than the schedule's learning rate while warming up."""
        scheduled = [group["lr"] for group in optimizer.param_groups]
        warmth = min(1.0, (self.trainer.global_step + 1) / max(self.settings.warm_up_steps, 1))
        for group, rate in zip(optimizer.param_groups, scheduled, strict=True):
            group["lr"] = warmth * rate
        self.log("learning_rate", warmth * scheduled[0])
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        for group, rate in zip(optimizer.param_groups, scheduled, strict=True):
            group["lr"] = rate

    def _loss(self, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        return self.loss(
            logits, batch["target"], weight=batch.get("weight"), mask=batch.get("mask")
        )

    def _log(self, name: str, value: torch.Tensor, batch: Batch) -> None:
        """Log a mean over the epoch, and over all processes that train together."""
        count = len(batch["target"])
        self.log(name, value, on_step=False, on_epoch=True, batch_size=count, sync_dist=True)

    def _annealing(self) -> float:
        """Cosine from 1 to 0 over the time budget or the epochs, whichever is further on."""
        total = max(float(self.trainer.estimated_stepping_batches), 1.0)
        done = self.trainer.global_step / total
        left = self.timer.time_remaining()
        if left is not None:
            elapsed = self.timer.time_elapsed()
            done = max(done, elapsed / max(elapsed + left, 1e-3))
        return 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
