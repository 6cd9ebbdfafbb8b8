"""Somebody who looks on while networks train, and may stop them by raising an exception."""

from collections.abc import Callable

import lightning as L

Watch = Callable[[int, float], None]
"""Is told the epoch, from 0, and its F1 on the validation data."""


class Watched(L.Callback):
    """Tells a watch each epoch's validation F1."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def on_train_epoch_end(self, trainer: L.Trainer, _: L.LightningModule) -> None:
        """Pass the figure on."""
        self.watch(trainer.current_epoch, float(trainer.callback_metrics["val_f1"]))
