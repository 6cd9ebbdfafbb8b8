"""What a training writes down as it goes: a row an epoch, and the line that shows how far it is."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning as L
import pandas as pd
from lightning.pytorch.callbacks import RichProgressBar, Timer

COLUMNS = ("train_loss", "val_loss", "val_f1", "learning_rate")


class History(L.Callback):
    """A table with a row an epoch, which survives interruptions: epoch (from 1), losses, F1, learning rate, minutes.

    Parameters
    ----------
    path : Path
        Of the CSV file.
    timer : Timer
        Knows how long the training has taken.
    """

    def __init__(self, path: Path, timer: Timer) -> None:
        self.path = path
        self.timer = timer
        self.rows: list[dict[str, float]] = []

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the rows of a checkpoint."""
        self.rows = list(state_dict["rows"])

    def on_train_epoch_end(self, trainer: L.Trainer, _: L.LightningModule) -> None:
        """Add a row and write the file."""
        metrics = trainer.callback_metrics
        self.rows.append(
            {
                "epoch": trainer.current_epoch + 1,
                **{name: float(metrics.get(name, float("nan"))) for name in COLUMNS},
                "minutes": round(self.timer.time_elapsed() / 60, 3),
            }
        )
        if trainer.is_global_zero:
            fresh = self.path.with_name(f".{self.path.name}")
            pd.DataFrame(self.rows).to_csv(fresh, index=False)
            fresh.replace(self.path)

    def best(self, watched: str, better: str) -> dict[str, float]:
        """The row of the first epoch in which a column was largest (`better` is "max") or smallest ("min")."""
        return (max if better == "max" else min)(self.rows, key=lambda row: row[watched])


class Progress(RichProgressBar):
    """Lightning's progress bar, which also says what is trained and how long it can still take."""

    def __init__(self, title: str, timer: Timer) -> None:
        super().__init__()
        self.title = title
        self.timer = timer

    def _get_train_description(self, current_epoch: int) -> str:
        return f"{self.title}, epoch {current_epoch + 1}"

    def get_metrics(self, trainer: L.Trainer, pl_module: L.LightningModule) -> dict[str, Any]:
        """What stands behind the bar."""
        metrics = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        left_s = self.seconds_left(trainer)
        if left_s is not None:
            metrics["at most"] = f"{timedelta(seconds=round(left_s))} left"
        return metrics

    def seconds_left(self, trainer: L.Trainer) -> float | None:
        """The longest that the training can still take, by its speed so far and its budget; patience may end it."""
        limits = []
        done = trainer.global_step / max(float(trainer.estimated_stepping_batches), 1.0)
        if done > 0:
            limits.append(self.timer.time_elapsed() * (1 - done) / done)
        budget_s = self.timer.time_remaining()
        if budget_s is not None:
            limits.append(max(budget_s, 0.0))
        return min(limits) if limits else None
