"""Table of an ensemble's members, and picture of their learning curves."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ejectamap.project.bundle_views import CorridorViews
from ejectamap.project.bundles import BundleDescription
from ejectamap.training.summary import FIGURES, draw_curves, members_table
from ejectamap.views.scaling import ChannelScaling


def make_member(models: Path, number: int, f1: float) -> None:
    training = {
        "seed": 1000 * number,
        "samples": 90,
        "validation_samples": 10,
        "epochs": 20 + number,
        "best_epoch": 5,
        "validation_f1": f1,
        "validation_loss": 0.5,
        "minutes": 1.25,
    }
    description = BundleDescription(
        kind="connection",
        network={"architecture": "resnet10t", "in_channels": 2},
        views=CorridorViews(bands=1, scaling="255", corridor_px=(64, 16)),
        normalisation=ChannelScaling.identity(2),
        metadata_normalisation=None,
        training=training,
        versions={},
    )
    folder = models / f"member-{number:02d}"
    folder.mkdir(parents=True)
    (folder / "bundle.json").write_text(description.to_json())


def test_members_mean_and_spread(tmp_path: Path) -> None:
    scores = [0.5, 0.6, 0.9]
    for number, f1 in enumerate(scores):
        make_member(tmp_path, number, f1)
    (tmp_path / ".member-03.half").mkdir()
    table = members_table(tmp_path)
    assert list(table.columns) == ["member", "seed", *FIGURES]
    assert list(table.member) == ["member-00", "member-01", "member-02", "mean", "spread"]
    assert list(table.seed[:3]) == [0, 1000, 2000]
    by_name = table.set_index("member")
    assert by_name.validation_f1["mean"] == pytest.approx(np.mean(scores))
    assert by_name.validation_f1["spread"] == pytest.approx(np.std(scores, ddof=1))
    assert by_name.epochs["mean"] == 21
    assert by_name.validation_loss["spread"] == 0


def test_a_single_member_has_no_spread(tmp_path: Path) -> None:
    make_member(tmp_path, 0, 0.7)
    table = members_table(tmp_path).set_index("member")
    assert table.validation_f1["mean"] == 0.7
    assert np.isnan(table.validation_f1["spread"])


def test_curves_are_drawn(tmp_path: Path) -> None:
    for number in range(3):
        folder = tmp_path / f"member-{number:02d}"
        folder.mkdir()
        epochs = np.arange(1, 11)
        loss = np.exp(-epochs / 5) + 0.1 * number
        rows = {"epoch": epochs, "train_loss": loss, "val_loss": loss + 0.1, "val_f1": 1 - loss}
        pd.DataFrame(rows).to_csv(folder / "metrics.csv", index=False)
    draw_curves(tmp_path, tmp_path / "curves.png")
    pixels = np.asarray(Image.open(tmp_path / "curves.png").convert("RGB"))
    assert pixels.shape[1] > 2 * pixels.shape[0]
    assert 0.01 < (pixels < 128).any(axis=2).mean() < 0.3
