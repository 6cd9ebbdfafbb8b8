"""A search on a small planet: evaluated on another one, interrupted and continued, in several processes."""

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
from ejectamap.project.folder import Project
from ejectamap.simulation.files import write_planet
from ejectamap.simulation.planet import simulate_planet
from ejectamap.tuning import run as run_module
from ejectamap.tuning.run import TuningOptions, tune
from ejectamap.tuning.study import (
    STEPS_PER_NETWORK,
    MedianPruner,
    TrialSeededSampler,
    heartbeat,
    is_counted,
    open_study,
    requeue_interrupted,
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


def new_study(folder: Path, limit: int = 1) -> optuna.Study:
    return open_study(folder, None, "s", {"limit": limit}, ["maximize"], 0)


def test_trials_are_evaluated_on_another_planet(
    make_project: MakeProject, tmp_path: Path, silent: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_planet(simulate_planet(4, 256, 3), tmp_path / "other")
    project = make_project("method=polar", "training.test_fraction=0")
    make_project(name="judge", files=tmp_path / "other")
    path = tmp_path / "search.yaml"
    path.write_text(SEARCH.replace("maximise", "judge_on: [../judge]\nmaximise"))
    options = TuningOptions(project.folder, path, trials=1)
    tune(options, 1, silent)
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
    # The same search continues, and finished trials are not run again.
    tune(TuningOptions(project.folder, path, trials=2), 1, silent)
    table = pd.read_csv(folder / "trials.csv")
    assert table["state"].tolist() == ["complete"] * 2
    assert table["test.pixel.f1"][0] == evaluation["test"]["pixel"]["f1"]
    assert table["own_settings"].tolist() == [True, False]
    # The networks of the tests are trained for one epoch, and the other planet has three craters.
    assert table["hardly_trained"].tolist() == ["context member-00: 1 epoch"] * 2
    change = table["test.pixel.f1"][1] - table["test.pixel.f1"][0]
    assert table["difference"].tolist() == pytest.approx([float("nan"), change], nan_ok=True)
    assert table["difference_low"][1] <= change <= table["difference_high"][1]
    printed = silent.file.getvalue()  # type: ignore[attr-defined]
    assert "No trial is better than the project's own settings, trial 0" in printed
    assert "hardly trained" in printed
    best_row = table.loc[table["test.pixel.f1"].idxmax()]
    best = Project.open(folder / "best")
    lr = best.settings.context.optimiser.arguments["lr"]
    assert lr == pytest.approx(best_row["context.optimiser.arguments.lr"])
    assert best.settings.context.loss.name == best_row["context.loss"]
    assert best.labels is not None
    assert (folder / "history.png").stat().st_size > 10_000
    monkeypatch.setattr(run_module, "_run_trial", None)
    tune(TuningOptions(project.folder, path, trials=2), 1, silent)
    with pytest.raises(ProjectError, match="started with different settings"):
        tune(TuningOptions(project.folder, path, 3, minutes=1), 1, silent)


def test_part_of_the_own_labels_is_held_out_of_every_trial(
    make_project: MakeProject, tmp_path: Path, silent: Console
) -> None:
    project = make_project("method=polar")
    path = tmp_path / "search.yaml"
    path.write_text("maximise: test.tile.recall\nminimise: test.pixel.fp\n" + SEARCH[24:])
    tune(TuningOptions(project.folder, path, trials=2, keep=True), 1, silent)
    folder = project.folder / "tuning"
    split = pd.read_csv(folder / "split.csv")
    used = pd.read_csv(folder / "trial-001" / "split.csv")
    names = {0: "train", 1: "test", -1: "unused"}
    assert used["split"].tolist() == [names[part] for part in split["test"]]
    # No trial uses the project's own test pairs.
    assert 0.1 < (split["test"] == -1).mean() < 0.3
    assert 0.1 < (split["test"] == 1).mean() < 0.3
    assert (folder / "trial-001" / "map" / "origin.tif").exists()
    assert (folder / "front.png").exists()
    assert "Front of 2 trials" in silent.file.getvalue()  # type: ignore[attr-defined]


def test_a_failed_trial_is_recorded_and_counted(
    make_project: MakeProject, tmp_path: Path, silent: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise SettingsError("no such thing")

    monkeypatch.setattr("ejectamap.tuning.trial.train", fail)
    project = make_project("method=polar")
    path = tmp_path / "search.yaml"
    path.write_text(SEARCH)
    with pytest.raises(ProjectError, match="no trial has finished: no such thing"):
        tune(TuningOptions(project.folder, path, trials=2), 1, silent)
    table = pd.read_csv(project.folder / "tuning" / "trials.csv")
    assert table["state"].tolist() == ["fail", "fail"]


def test_the_trial_of_a_killed_process_is_queued_again(tmp_path: Path) -> None:
    study = new_study(tmp_path)
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    trial = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
    trial.set_user_attr("folder", "trial-000")
    trial.report(0.25, 3)
    with heartbeat(trial):
        machine, process_id, _ = study.trials[0].user_attrs["process"]
        assert process_id == os.getpid()
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


def test_a_trial_on_another_machine_ends_without_heartbeats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = new_study(tmp_path)
    trial = study.ask()
    with heartbeat(trial):
        trial.set_user_attr("process", ["elsewhere", 1, 0.0])
        requeue_interrupted(study)
        assert study.trials[0].state == TrialState.RUNNING
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 600)
        requeue_interrupted(study)
    assert study.trials[0].state == TrialState.FAIL


def test_the_trial_number_determines_the_sample(tmp_path: Path) -> None:
    space = {"x": optuna.distributions.FloatDistribution(0, 1)}
    samples = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        study = new_study(tmp_path / name)
        samples.append([study.ask(space).params["x"] for _ in range(3)])
        study.sampler = TrialSeededSampler(0)  # as another process would start
        samples[-1].append(study.ask(space).params["x"])
    assert samples[0] == samples[1]
    assert len(set(samples[0])) == 4


def test_a_trial_below_the_median_is_pruned() -> None:
    study = optuna.create_study(direction="minimize", pruner=MedianPruner())
    step = STEPS_PER_NETWORK + 4
    for f1 in (0.2, 0.4, 0.6, 0.8):
        trial = study.ask()
        trial.report(0.99, 4)  # of another network
        trial.report(f1, step)
        study.tell(trial, 1.0)
    for f1, pruned in ((0.45, True), (0.55, False)):
        trial = study.ask()
        trial.report(0.99, 4)
        trial.report(f1, step)
        assert trial.should_prune() == pruned
