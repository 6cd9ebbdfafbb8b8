"""A training that is killed at any moment ends with the weights of one that was left alone."""

import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from ejectamap.project import Project
from ejectamap.training import train

CHANGES = [
    "method=two-stage",
    "connection.members=2",
    "connection.max_epochs=5",
    "connection.scheduler={name: CosineAnnealingWarmRestarts, arguments: {T_0: 2}}",
    "connection.warm_up_steps=5",
    "segmentation.max_epochs=5",
    "segmentation.scheduler={name: ReduceLROnPlateau, arguments: {mode: max, patience: 0}}",
    "segmentation.accumulate=2",
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
    """How many epochs of all networks have been written down."""
    tables = project.logs.glob("*/*/metrics.csv")
    return sum(len(path.read_text().splitlines()) - 1 for path in tables)


def test_a_killed_training_ends_as_if_left_alone(make_project: Callable[..., Project]) -> None:
    alone, killed = (make_project(*CHANGES, name=name) for name in ("alone", "killed"))
    # A server that has imported everything once, so that each run starts at once.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ejectamap.training.run"])
    first = context.Process(target=train_folder, args=(alone.folder,))
    first.start()
    # Each time after at least one more epoch, somewhere in the next.
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
    expected, found = weights(alone), weights(killed)
    assert len({name.rsplit("/", 1)[0] for name in expected}) == 3
    assert expected.keys() == found.keys()
    assert all(np.array_equal(expected[name], found[name]) for name in expected)
    for kind in ("connection", "segmentation"):
        tables = [
            (p.logs / kind / "member-00" / "metrics.csv").read_text() for p in (alone, killed)
        ]
        rows = [[line.rsplit(",", 1)[0] for line in table.splitlines()] for table in tables]
        assert rows[0] == rows[1]  # all but the minutes
        assert len(rows[0]) == 6
        assert (killed.logs / kind / "curves.png").exists()
        members = [(p.logs / kind / "members.csv").read_text() for p in (alone, killed)]
        assert [len(table.splitlines()) for table in members] == [5 - (kind == "segmentation")] * 2
    assert not list(killed.logs.glob("*/*/checkpoints"))


def test_other_settings_start_anew(
    make_project: Callable[..., Project], caplog: pytest.LogCaptureFixture
) -> None:
    project = make_project("method=polar")
    folder = project.logs / "context" / "member-00" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "origin.json").write_text("{}")
    (folder / "last.ckpt").write_text("of another network")
    train(project)
    assert "training starts anew" in caplog.text
    assert (project.models / "context" / "member-00").is_dir()
