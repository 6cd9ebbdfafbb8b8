"""A search on a tiny planet: judged on another, killed and resumed, by several processes."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import pandas as pd
import psutil
import pytest
from optuna.trial import TrialState
from rich.console import Console

from ejectamap.errors import ProjectError, SettingsError
from ejectamap.project import Project
from ejectamap.simulate import simulate_planet, write_planet
from ejectamap.tuning import Order, tune
from ejectamap.tuning import run as run_module
from ejectamap.tuning.study import (
    MANY_EPOCHS,
    MedianPruner,
    NumberedSampler,
    is_counted,
    open_study,
    requeue_interrupted,
    sign_of_life,
)

MakeProject = Callable[..., Project]
SEARCH = """
maximise: test.pixel.f1
search:
  context.optimiser.arguments.lr: {log: [1.0e-4, 1.0e-2]}
  context.loss: [{name: dice-bce}, {name: bce}]
  map.threshold: {float: [0.1, 0.9]}
"""


@pytest.fixture
def silent() -> Console:
    return Console(file=io.StringIO(), width=200)


def new_study(folder: Path, places: int = 1) -> optuna.Study:
    return open_study(folder, None, "s", {"places": places}, ["maximize"], 0)


def test_trials_on_another_planet_make_a_winner(
    make_project: MakeProject, tmp_path: Path, silent: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_planet(simulate_planet(4, 256, 3), tmp_path / "other")
    project = make_project("method=polar", "training.test_fraction=0")
    make_project(name="judge", files=tmp_path / "other")
    path = tmp_path / "search.yaml"
    path.write_text(SEARCH.replace("maximise", "judge_on: [../judge]\nmaximise"))
    order = Order(project.folder, path, trials=1)
    tune(order, 1, silent)
    folder = project.folder / "tuning"
    assert not (folder / "trial-000" / "models").exists()
    (judged,) = (folder / "trial-000" / "judged").iterdir()
    assert not (judged / "map").exists()
    evaluation = json.loads((judged / "evaluation.json").read_text())
    # The first trial has the project's own settings.
    first = Project.open(folder / "trial-000")
    assert first.settings.context == project.settings.context
    assert first.input_path(first.settings.inputs.mosaic) == project.input_path(
        project.settings.inputs.mosaic
    )
    # Again goes on, and what is counted is never done again.
    tune(Order(project.folder, path, trials=2), 1, silent)
    table = pd.read_csv(folder / "trials.csv")
    assert table["state"].tolist() == ["complete"] * 2
    assert table["test.pixel.f1"][0] == evaluation["test"]["pixel"]["f1"]
    winner = table.loc[table["test.pixel.f1"].idxmax()]
    best = Project.open(folder / "best")
    lr = best.settings.context.optimiser.arguments["lr"]
    assert lr == pytest.approx(winner["context.optimiser.arguments.lr"])
    assert best.settings.context.loss.name == winner["context.loss"]
    assert best.labels is not None
    assert (folder / "history.png").stat().st_size > 10_000
    monkeypatch.setattr(run_module, "_run_trial", None)
    tune(Order(project.folder, path, trials=2), 1, silent)
    with pytest.raises(ProjectError, match="begun with another settings"):
        tune(Order(project.folder, path, 3, minutes=1), 1, silent)


def test_own_labels_are_held_out_of_every_trial(
    make_project: MakeProject, tmp_path: Path, silent: Console
) -> None:
    project = make_project("method=polar")
    path = tmp_path / "search.yaml"
    path.write_text("maximise: test.tile.recall\nminimise: test.pixel.fp\n" + SEARCH[24:])
    tune(Order(project.folder, path, trials=2, keep=True), 1, silent)
    folder = project.folder / "tuning"
    split = pd.read_csv(folder / "split.csv")
    used = pd.read_csv(folder / "trial-001" / "split.csv")
    names = {0: "train", 1: "test", -1: "unused"}
    assert used["split"].tolist() == [names[part] for part in split["test"]]
    # The project's own test pairs are in no trial's reach.
    assert 0.1 < (split["test"] == -1).mean() < 0.3
    assert 0.1 < (split["test"] == 1).mean() < 0.3
    assert (folder / "trial-001" / "map" / "origin.tif").exists()
    assert (folder / "front.png").exists()
    assert "Front of 2 trials" in silent.file.getvalue()  # type: ignore[attr-defined]


def test_a_trial_that_fails_is_told_and_counted(
    make_project: MakeProject, tmp_path: Path, silent: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise SettingsError("no such thing")

    monkeypatch.setattr("ejectamap.tuning.trial.train", fail)
    project = make_project("method=polar")
    path = tmp_path / "search.yaml"
    path.write_text(SEARCH)
    with pytest.raises(ProjectError, match="no trial has finished: no such thing"):
        tune(Order(project.folder, path, trials=2), 1, silent)
    table = pd.read_csv(project.folder / "tuning" / "trials.csv")
    assert table["state"].tolist() == ["fail", "fail"]


def test_a_killed_process_leaves_its_trial_to_the_next(tmp_path: Path) -> None:
    study = new_study(tmp_path)
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
    trial.set_user_attr("folder", "trial-000")
    trial.report(0.25, 3)
    with sign_of_life(trial):
        machine, me, _ = study.trials[0].user_attrs["process"]
        assert me == os.getpid()
    worker = psutil.Process(process.pid)
    trial.set_user_attr("process", [machine, worker.pid, worker.create_time()])
    requeue_interrupted(study)
    assert [trial.state for trial in study.trials] == [TrialState.RUNNING]
    process.send_signal(signal.SIGKILL)
    process.wait()
    requeue_interrupted(study)
    requeue_interrupted(study)
    killed, waiting = study.trials
    assert killed.state == TrialState.FAIL
    assert waiting.state == TrialState.WAITING
    assert not is_counted(killed)
    assert not is_counted(waiting)
    again = study.ask()
    assert again.params == killed.params != {}
    assert again.user_attrs["folder"] == "trial-000"
    assert study.trials[1].intermediate_values == {3: 0.25}


def test_a_trial_on_another_machine_is_given_up_after_a_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = new_study(tmp_path)
    trial = study.ask()
    with sign_of_life(trial):
        trial.set_user_attr("process", ["elsewhere", 1, 0.0])
        requeue_interrupted(study)
        assert study.trials[0].state == TrialState.RUNNING
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 600)
        requeue_interrupted(study)
    assert study.trials[0].state == TrialState.FAIL


def test_numbers_decide_what_is_drawn(tmp_path: Path) -> None:
    space = {"x": optuna.distributions.FloatDistribution(0, 1)}
    drawn = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        study = new_study(tmp_path / name)
        drawn.append([study.ask(space).params["x"] for _ in range(3)])
        study.sampler = NumberedSampler(0)  # as another process would begin
        drawn[-1].append(study.ask(space).params["x"])
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 4


def test_a_trial_behind_the_median_is_given_up() -> None:
    study = optuna.create_study(direction="minimize", pruner=MedianPruner())
    step = MANY_EPOCHS + 4
    for f1 in (0.2, 0.4, 0.6, 0.8):
        trial = study.ask()
        trial.report(0.99, 4)  # of another network
        trial.report(f1, step)
        study.tell(trial, 1.0)
    for f1, given_up in ((0.45, True), (0.55, False)):
        trial = study.ask()
        trial.report(0.99, 4)
        trial.report(f1, step)
        assert trial.should_prune() == given_up
