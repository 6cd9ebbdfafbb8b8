"""A training that is killed several times ends with the weights of one that was not interrupted."""

import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from ejectamap.project.folder import Project
from ejectamap.training.run import train

CHANGES = [
    "method=two-stage",
    "connection.members=2",
    "connection.max_epochs=5",
    "connection.scheduler={name: CosineAnnealingWarmRestarts, arguments: {T_0: 2}}",
    "connection.warm_up_steps=5",
    "segmentation.max_epochs=5",
    "segmentation.scheduler={name: ReduceLROnPlateau, arguments: {mode: max, patience: 0}}",
    "segmentation.augment={blur_px: 1.0}",
]


def train_folder(folder: Path) -> None:
    train(Project.open(folder))


def weights(project: Project) -> dict[str, np.ndarray]:
    return {
        f"{path.parent.relative_to(project.models)}/{name}": values
        for path in sorted(project.models.glob("*/*/weights.safetensors"))
        for name, values in load_file(path).items()
    }


def epochs(project: Project) -> int:
    """Number of epochs of all networks in their tables."""
    tables = project.logs.glob("*/*/metrics.csv")
    return sum(len(path.read_text().splitlines()) - 1 for path in tables)


def test_a_killed_training_ends_like_an_uninterrupted_one(
    make_project: Callable[..., Project],
) -> None:
    whole, killed = (make_project(*CHANGES, name=name) for name in ("whole", "killed"))
    # The server imports everything once, so that each run starts quickly.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ejectamap.training.run"])
    first = context.Process(target=train_folder, args=(whole.folder,))
    first.start()
    # Each run is killed after at least one more epoch, at a random moment.
    for moment_s in np.random.default_rng(5).uniform(0, 0.2, 5):
        before = epochs(killed)
        process = context.Process(target=train_folder, args=(killed.folder,))
        process.start()
        while process.is_alive() and epochs(killed) == before:
            time.sleep(0.02)
        time.sleep(moment_s)
        process.kill()
        process.join()
        assert process.exitcode == -9
    train(killed)
    first.join()
    expected, resumed = weights(whole), weights(killed)
    assert len({name.rsplit("/", 1)[0] for name in expected}) == 3
    assert expected.keys() == resumed.keys()
    assert all(np.array_equal(expected[name], resumed[name]) for name in expected)
    for kind in ("connection", "segmentation"):
        tables = [
            (p.logs / kind / "member-00" / "metrics.csv").read_text() for p in (whole, killed)
        ]
        rows = [[line.rsplit(",", 1)[0] for line in table.splitlines()] for table in tables]
        assert rows[0] == rows[1]  # all but the minutes
        assert len(rows[0]) == 6
        assert (killed.logs / kind / "curves.png").exists()
        members = [(p.logs / kind / "members.csv").read_text() for p in (whole, killed)]
        assert [len(table.splitlines()) for table in members] == [5 - (kind == "segmentation")] * 2
    assert not list(killed.logs.glob("*/*/checkpoints"))


def test_a_training_with_changed_settings_starts_anew(
    make_project: Callable[..., Project], caplog: pytest.LogCaptureFixture
) -> None:
    project = make_project("method=polar")
    folder = project.logs / "context" / "member-00" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "dependencies.json").write_text("{}")
    (folder / "last.ckpt").write_text("of another network")
    train(project)
    assert "training starts anew" in caplog.text
    assert (project.models / "context" / "member-00").is_dir()
