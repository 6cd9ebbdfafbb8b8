"""Training of a project's networks into bundles."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from ejectamap.errors import BundleError, LabelError, SettingsError
from ejectamap.networks.bundle import load_bundle, save_bundle
from ejectamap.networks.calibration import RangeCalibration
from ejectamap.project.folder import Project
from ejectamap.project.methods import METHODS
from ejectamap.training import run
from ejectamap.training.run import train
from ejectamap.world.grid import Window

MakeProject = Callable[..., Project]
NETWORKS = {method: sorted(description.networks) for method, description in METHODS.items()}


def weights(project: Project, kind: str, member: str = "member-00") -> dict[str, torch.Tensor]:
    return dict(load_file(project.models / kind / member / "weights.safetensors"))


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("method", NETWORKS)
def test_a_method_s_networks_are_trained_into_bundles(
    make_project: MakeProject, method: str
) -> None:
    project = make_project(f"method={method}")
    train(project)
    assert sorted(path.name for path in project.models.iterdir()) == NETWORKS[method]
    for kind in NETWORKS[method]:
        assert [path.name for path in (project.models / kind).iterdir()] == ["member-00"]
        description = load_bundle(project.models / kind / "member-00").description
        assert description.kind == kind
        # The number of ejecta axes does not depend on the mosaic.
        assert description.views.bands == (None if kind == "context" else 3)
        assert description.training["epochs"] == 1
        assert description.training["samples"] > description.training["validation_samples"] > 0
    split = pd.read_csv(project.split_path)
    assert list(split) == ["crater_id", "tile_id", "split"]
    assert set(split["split"]) == {"train", "test"}


def test_an_unknown_name_is_reported_before_training(make_project: MakeProject) -> None:
    project = make_project("method=two-stage", "segmentation.loss={name: dise}")
    with pytest.raises(SettingsError, match=r"segmentation: unknown loss 'dise': nearest are dice"):
        train(project)
    assert not project.logs.exists()
    assert not project.split_path.exists()


def test_weights_depend_only_on_the_seed(make_project: MakeProject) -> None:
    projects = [
        make_project("method=polar", f"seed={seed}", name=f"p{k}")
        for k, seed in enumerate((4, 4, 5))
    ]
    for project in projects:
        train(project)
    one, two, other = (weights(project, "context") for project in projects)
    assert same(one, two)
    assert not same(one, other)


def test_trained_networks_are_kept_and_members_differ(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (make_project("method=two-stage", "connection.members=2", name=n) for n in "ab")
    train(one)
    train(two)
    for kind, member in [("connection", "member-01"), ("segmentation", "member-00")]:
        assert same(weights(one, kind, member), weights(two, kind, member))
    assert not same(weights(one, "connection"), weights(one, "connection", "member-01"))
    monkeypatch.setattr(run, "fit", None)  # would fail if anything were trained
    train(one)


def test_an_interrupted_training_continues_with_the_missing_networks(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project("method=two-stage")
    fit = run.fit

    def fit_the_first(*arguments: object) -> object:
        if (project.models / "connection" / "member-00").exists():
            raise KeyboardInterrupt
        return fit(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(run, "fit", fit_the_first)
    with pytest.raises(KeyboardInterrupt):
        train(project)
    first = weights(project, "connection")
    path = project.models / "connection" / "member-00" / "bundle.json"
    written = path.stat().st_mtime_ns
    monkeypatch.setattr(run, "fit", fit)
    train(project)
    assert path.stat().st_mtime_ns == written
    assert same(weights(project, "connection"), first)
    assert (project.models / "segmentation" / "member-00").is_dir()


def test_fresh_deletes_trained_networks(make_project: MakeProject) -> None:
    project = make_project("method=polar")
    (project.models / "connection" / "member-00").mkdir(parents=True)
    train(project, fresh=True)
    assert [path.name for path in project.models.iterdir()] == ["context"]


@pytest.mark.parametrize("method", NETWORKS)
def test_without_validation_data_all_pairs_are_trained_on(
    make_project: MakeProject, method: str
) -> None:
    project = make_project(f"method={method}", "training.validation_fraction=0")
    train(project)
    for kind in NETWORKS[method]:
        training = load_bundle(project.models / kind / "member-00").description.training
        assert training["validation_samples"] == 0
        assert training["samples"] > 0


def test_segmentation_needs_connected_pairs(
    make_project: MakeProject, planet_files: Path, tmp_path: Path
) -> None:
    """Tiles without any ejecta give pairs, but none of them is connected."""
    project = make_project("method=two-stage", "views.tile_km=null")
    assert project.labels is not None
    rows = []
    for row in range(0, 120, 8):
        for col in range(0, 256, 8):
            tile = Window(row, col, 8, 8)
            if not project.labels.any_ejecta(tile).any():
                rows.append(f"{len(rows)},{row},{col},8,8")
    (tmp_path / "tiles.csv").write_text("tile_id,row,col,height,width\n" + "\n".join(rows) + "\n")
    bare = Project.create(
        tmp_path / "bare",
        planet_files / "mosaic.tif",
        planet_files / "craters.csv",
        planet_files / "labels",
        tmp_path / "tiles.csv",
        changes=[
            "method=two-stage",
            "training.start_from=none",
            "connection.pretrained=false",
            "connection.architecture=test_resnet",
            "connection.members=1",
            "connection.max_epochs=1",
        ],
    )
    with pytest.raises(LabelError, match="segmentation network"):
        train(bare)


def test_the_time_budget_is_divided_by_weights(make_project: MakeProject) -> None:
    project = make_project(
        "method=two-stage",
        "connection.members=2",
        "connection.budget_weight=1",
        "segmentation.budget_weight=3",
    )
    members = run.members(project)
    parts = list(run.divide_budget(members, 8.0, lambda: 0.0))
    assert [(m.kind, m.number) for m, _ in parts] == [
        ("connection", 0),
        ("connection", 1),
        ("segmentation", 0),
    ]
    minutes = [m for _, m in parts if m is not None]
    # No time passes, so each part is computed from the whole budget.
    assert minutes == pytest.approx([8 * 0.5 / 4, 8 * 0.5 / 3.5, 8])
    passed = iter([0.0, 2.0, 7.0])
    minutes = [m for _, m in run.divide_budget(members, 8.0, lambda: next(passed))]
    assert minutes == pytest.approx([8 * 0.5 / 4, 6 * 0.5 / 3.5, 1])
    late = [m for _, m in run.divide_budget(members, 8.0, lambda: 9.0)]
    assert late == [0.05] * 3  # every network is trained a little
    assert [m for _, m in run.divide_budget(members, None, lambda: 0.0)] == [None] * 3


def test_the_time_budget_ends_a_training(make_project: MakeProject) -> None:
    project = make_project("method=polar", "context.max_epochs=100000", "context.patience=100000")
    train(project, max_minutes=0.05)
    training = load_bundle(project.models / "context" / "member-00").description.training
    assert training["minutes"] >= 0.05
    assert training["epochs"] < 100000


def test_blended_weights_are_interpolated_between_start_and_trained(
    make_project: MakeProject,
) -> None:
    first = make_project("method=polar", name="first")
    train(first)
    start_from = "training.start_from=../first/models"
    results = []
    for blend in (0.25, 1.0):
        name = f"second-{blend}"
        second = make_project("method=polar", start_from, f"context.blend={blend}", name=name)
        train(second)
        results.append(weights(second, "context"))
    start, (blended, trained) = weights(first, "context"), results
    assert any(not torch.equal(start[name], trained[name]) for name in start)
    floats = [name for name in start if start[name].is_floating_point()]
    for name in floats:
        expected = torch.lerp(start[name], trained[name], 0.25)
        assert torch.allclose(blended[name], expected, atol=1e-6), name


def test_the_calibration_of_the_start_is_kept_without_held_out_craters(
    make_project: MakeProject,
) -> None:
    first = make_project("method=polar", name="first")
    train(first)
    folder = first.models / "context" / "member-00"
    bundle = load_bundle(folder)
    calibration = RangeCalibration(0.1, 0.9, 0.2, -0.1)
    changes = {"calibration": asdict(calibration)}
    description = bundle.description.model_copy(update=changes)
    save_bundle(replace(bundle, description=description), folder)
    no_held_out = "training.start_from=../first/models", "training.validation_fraction=0"
    second = make_project("method=polar", *no_held_out, name="second")
    train(second)
    bundle = load_bundle(second.models / "context" / "member-00")
    assert bundle.calibration == calibration
    assert bundle.description.training["calibration"] == {
        "outcome": "kept: 0 held-out craters with enough labelled ejecta, 3 are needed"
        " (training.validation_fraction)",
        "craters": 0,
    }


def test_training_starts_from_trained_networks(make_project: MakeProject) -> None:
    no_steps = "context.optimiser={name: SGD, arguments: {lr: 0.0}}"
    first = make_project("method=polar", name="first")
    train(first)
    second = make_project(
        "method=polar", "training.start_from=../first/models", no_steps, name="second"
    )
    train(second)
    parameters = {
        k for k in weights(first, "context") if "running" not in k and "num_batches" not in k
    }
    one, two = weights(first, "context"), weights(second, "context")
    assert all(torch.equal(one[name], two[name]) for name in parameters)
    wider = make_project(
        "method=polar",
        "training.start_from=../first/models",
        "context.decoder_channels=[64, 16, 16, 8, 8]",
        name="wider",
    )
    with pytest.raises(BundleError, match=r"decoder_channels differ.*training\.start_from"):
        train(wider)


def test_a_bundle_describes_views_normalisation_and_training(make_project: MakeProject) -> None:
    project = make_project("method=two-stage")
    train(project)
    written = json.loads(
        (project.models / "segmentation" / "member-00" / "bundle.json").read_text()
    )
    assert written["views"] == {
        "version": 1,
        "bands": 3,
        "scaling": "mosaic",
        "chip_px": 32,
        "tile_m": pytest.approx(10 * project.mosaic.grid.pixel_m),
        "annulus_radii": [2.0, 3.0],
    }
    assert len(written["normalisation"]["offset"]) == 4
    assert len(written["metadata_normalisation"]["offset"]) == 4
    assert written["training"]["seed"] == 0


def test_a_function_is_called_after_each_epoch(make_project: MakeProject) -> None:
    project = make_project("method=polar", "context.members=2", "context.max_epochs=2")
    calls = []
    train(project, after_epoch=lambda member, epoch, f1: calls.append((member.name, epoch, f1)))
    assert [call[:2] for call in calls] == [
        (name, epoch) for name in ("member-00", "member-01") for epoch in (0, 1)
    ]
    assert all(0 <= f1 <= 1 for _, _, f1 in calls)


def test_two_processes_train_one_network(make_project: MakeProject) -> None:
    """Two processes on this machine, with Lightning's strategy ddp."""
    devices = ["training.accelerator=cpu", "training.devices=2", "training.strategy=ddp"]
    project = make_project("method=polar", *devices)
    command = [Path(sys.executable).with_name("ejectamap"), "train", project.folder]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "MEMBER: 2/2" in result.stderr + result.stdout
    bundle = load_bundle(project.models / "context" / "member-00")
    assert bundle.description.training["epochs"] == 1
