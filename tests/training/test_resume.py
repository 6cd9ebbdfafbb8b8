"""A training that is killed several times ends with the weights of one that was not interrupted."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from ejectamap.project.folder import Project
from ejectamap.training.run import train

EPOCHS = 4
CHANGES = [
    "method=two-stage",
    "connection.members=2",
    f"connection.max_epochs={EPOCHS}",
    "connection.scheduler={name: CosineAnnealingWarmRestarts, arguments: {T_0: 2}}",
    "connection.warm_up_steps=5",
    f"segmentation.max_epochs={EPOCHS}",
    "segmentation.scheduler={name: ReduceLROnPlateau, arguments: {mode: max, patience: 0}}",
    "segmentation.augment={blur_px: 1.0}",
]


def train_folder(folder: Path) -> None:
    train(Project.open(folder))


def train_and_be_killed(folder: Path, at_write: int) -> None:
    """Train until the n-th time that a file of the project is opened for writing, renamed or removed."""
    changes = 0

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal changes
        if event not in ("open", "os.rename", "os.remove"):
            return
        path, mode = arguments[0], arguments[1]
        reads = event == "open" and not set(str(mode)) & set("wax+")
        if not reads and str(path).startswith(str(folder)):
            changes += 1
            if changes == at_write:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    train_folder(folder)


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
    done = [0]
    for at_write in (14, 25, 31):
        process = context.Process(target=train_and_be_killed, args=(killed.folder, at_write))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        done.append(epochs(killed))
    assert sorted(done) == done  # what was learnt is not lost
    assert 0 < done[-1] < 3 * EPOCHS  # killed on the way
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
        assert len(rows[0]) == EPOCHS + 1
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
