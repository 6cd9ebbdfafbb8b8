"""Lightning module of a network in training: loss, validation metrics, optimiser and learning rate."""

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
    """A network in training. Batches have the keys `inputs`, `target` and, if used, `metadata`, `weight`, `mask`.

    Parameters
    ----------
    network : nn.Module
    loss : Loss
    settings : TrainingConfig
    normalisation, metadata_normalisation : ChannelScaling
        Of the channels, and of the metadata if the network takes any.
    seed : int
        The random numbers of an epoch (dropout) depend only on it and on the epoch's number.
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
        # The channels-last memory format is a third faster on a CPU, and the format that a GPU's tensor cores use.
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
        """Seed torch's random numbers, so that they do not depend on earlier epochs."""
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
        """Log the F1 over all validation samples; 0 if there are no true positives."""
        tp, fp, fn = torch.stack(self.confusion_counts).sum(0)
        self.confusion_counts.clear()
        f1 = 2 * tp / (2 * tp + fp + fn).clamp(min=1e-9)
        self.log("val_f1", f1, prog_bar=True, sync_dist=True)

    def configure_optimizers(self) -> Any:
        """Build the optimiser and schedule of the settings."""
        optimiser = build_optimiser(self.settings, self.network)
        if self.settings.scheduler.name == "anneal":
            annealing = LambdaLR(optimiser, lambda _: self._annealing_factor())
            return [optimiser], [{"scheduler": annealing, "interval": "step"}]
        schedule = build_schedule(self.settings, optimiser)
        if schedule is None:
            return optimiser
        return [optimiser], [{"scheduler": schedule, "monitor": f"val_{self.settings.monitor}"}]

    def optimizer_step(
        self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None
    ) -> None:
        """Take a step; during warm-up with only a fraction of the schedule's learning rate."""
        scheduled = [group["lr"] for group in optimizer.param_groups]
        fraction = min(1.0, (self.trainer.global_step + 1) / max(self.settings.warm_up_steps, 1))
        for group, rate in zip(optimizer.param_groups, scheduled, strict=True):
            group["lr"] = fraction * rate
        self.log("learning_rate", fraction * scheduled[0])
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

    def _annealing_factor(self) -> float:
        """Factor of the learning rate: cosine from 1 to 0 over the epochs or the time budget, whichever ends first."""
        total = max(float(self.trainer.estimated_stepping_batches), 1.0)
        progress = self.trainer.global_step / total
        remaining_s = self.timer.time_remaining()
        if remaining_s is not None:
            elapsed_s = self.timer.time_elapsed()
            progress = max(progress, elapsed_s / max(elapsed_s + remaining_s, 1e-3))
        return 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
