"""Lightning callbacks of a training: table of metrics, progress bar, and a caller's function after each epoch."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning as L
import pandas as pd
from lightning.pytorch.callbacks import RichProgressBar, Timer

COLUMNS = ("train_loss", "val_loss", "val_f1", "learning_rate")

EpochCallback = Callable[[int, float], None]
"""Called after each epoch with its number, from 0, and its F1 on the validation data; may raise to end the training."""


class MetricsHistory(L.Callback):
    """A CSV file with a row for each epoch: epoch (from 1), losses, F1, learning rate, minutes since the start.

    The rows are stored in checkpoints, so that a resumed training continues the table.

    Parameters
    ----------
    path : Path
        The CSV file.
    timer : Timer
        Measures the duration of the training.
    """

    def __init__(self, path: Path, timer: Timer) -> None:
        self.path = path
        self.timer = timer
        self.rows: list[dict[str, float]] = []

    def state_dict(self) -> dict[str, Any]:
        """State to store in a checkpoint."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
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
            temporary = self.path.with_name(f".{self.path.name}")
            pd.DataFrame(self.rows).to_csv(temporary, index=False)
            temporary.replace(self.path)

    def best(self, column: str, mode: str) -> dict[str, float]:
        """Row of the first epoch in which a column was largest (`mode` "max") or smallest ("min")."""
        return (max if mode == "max" else min)(self.rows, key=lambda row: row[column])


_BAR_COLUMNS = 10


class TrainingProgressBar(RichProgressBar):
    """Lightning's progress bar with a title and the longest remaining time."""

    def __init__(self, title: str, timer: Timer) -> None:
        super().__init__()
        self.title = title
        self.timer = timer

    def configure_columns(self, trainer: L.Trainer) -> list[Any]:
        """Title, a short bar and the number of batches: with the metrics they fit into a line of 80 columns."""
        columns = super().configure_columns(trainer)[:3]
        columns[1].bar_width = _BAR_COLUMNS
        return columns

    def _get_train_description(self, current_epoch: int) -> str:
        return f"{self.title}, epoch {current_epoch + 1}"

    def get_metrics(self, trainer: L.Trainer, pl_module: L.LightningModule) -> dict[str, Any]:
        """Metrics that are shown after the bar."""
        metrics = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        remaining_s = self.remaining_s(trainer)
        if remaining_s is not None:
            metrics["at most"] = f"{timedelta(seconds=round(remaining_s))} left"
        return metrics

    def remaining_s(self, trainer: L.Trainer) -> float | None:
        """Upper limit of the remaining time in seconds, from the speed so far and the time budget; None if unknown.

        The training may end earlier, by `patience`.
        """
        limits_s = []
        progress = trainer.global_step / max(float(trainer.estimated_stepping_batches), 1.0)
        if progress > 0:
            limits_s.append(self.timer.time_elapsed() * (1 - progress) / progress)
        budget_s = self.timer.time_remaining()
        if budget_s is not None:
            limits_s.append(max(budget_s, 0.0))
        return min(limits_s) if limits_s else None


class AfterEpoch(L.Callback):
    """Calls an `EpochCallback` after each epoch."""

    def __init__(self, callback: EpochCallback) -> None:
        self.callback = callback

    def on_train_epoch_end(self, trainer: L.Trainer, _: L.LightningModule) -> None:
        """Call it with the epoch and its F1 on the validation data."""
        self.callback(trainer.current_epoch, float(trainer.callback_metrics["val_f1"]))
