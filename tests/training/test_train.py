"""From a project to its bundles."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from ejectamap.errors import BundleError, LabelError, SettingsError
from ejectamap.networks.bundle import load_bundle, save_bundle
from ejectamap.networks.calibration import RangeCalibration
from ejectamap.project import Project
from ejectamap.project.settings import METHOD_NETWORKS
from ejectamap.training import run, train
from ejectamap.world.grid import Window

MakeProject = Callable[..., Project]
NETWORKS = {method: sorted(kinds) for method, kinds in METHOD_NETWORKS.items()}


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
        bundle = load_bundle(project.models / kind / "member-00")
        assert bundle.kind == kind
        # A context network sees as many axes on any mosaic.
        assert bundle.views.get("bands") == (None if kind == "context" else 3)
        assert bundle.training["epochs"] == 1
        assert bundle.training["samples"] > bundle.training["validation_samples"] > 0
    split = pd.read_csv(project.split_path)
    assert list(split) == ["crater_id", "tile_id", "split"]
    assert set(split["split"]) == {"train", "test"}


def test_a_wrong_name_is_said_before_anything_is_trained(make_project: MakeProject) -> None:
    project = make_project("method=two-stage", "segmentation.loss={name: dise}")
    with pytest.raises(SettingsError, match=r"segmentation: unknown loss 'dise': nearest are dice"):
        train(project)
    assert not project.logs.exists()
    assert not project.split_path.exists()


def test_a_seed_is_a_network(make_project: MakeProject) -> None:
    projects = [
        make_project("method=polar", f"seed={seed}", name=f"p{k}")
        for k, seed in enumerate((4, 4, 5))
    ]
    for project in projects:
        train(project)
    one, two, other = (weights(project, "context") for project in projects)
    assert same(one, two)
    assert not same(one, other)


def test_what_is_trained_stays_and_members_differ(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (make_project("method=two-stage", "connection.members=2", name=n) for n in "ab")
    train(one)
    train(two)
    for kind, member in [("connection", "member-01"), ("segmentation", "member-00")]:
        assert same(weights(one, kind, member), weights(two, kind, member))
    assert not same(weights(one, "connection"), weights(one, "connection", "member-01"))
    monkeypatch.setattr(run, "gather_sources", None)  # would fail if anything were trained
    train(one)


def test_an_interrupted_ensemble_goes_on_with_what_is_missing(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project("method=two-stage")
    whole = run.fit

    def fit_the_first(*arguments: object) -> object:
        if (project.models / "connection" / "member-00").exists():
            raise KeyboardInterrupt
        return whole(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(run, "fit", fit_the_first)
    with pytest.raises(KeyboardInterrupt):
        train(project)
    first = weights(project, "connection")
    written = (project.models / "connection" / "member-00" / "bundle.json").stat().st_mtime_ns
    monkeypatch.setattr(run, "fit", whole)
    train(project)
    assert (
        project.models / "connection" / "member-00" / "bundle.json"
    ).stat().st_mtime_ns == written
    assert same(weights(project, "connection"), first)
    assert (project.models / "segmentation" / "member-00").is_dir()


def test_fresh_forgets(make_project: MakeProject) -> None:
    project = make_project("method=polar")
    (project.models / "connection" / "member-00").mkdir(parents=True)
    train(project, fresh=True)
    assert [path.name for path in project.models.iterdir()] == ["context"]


@pytest.mark.parametrize("method", NETWORKS)
def test_without_validation_data_everything_is_learnt_from(
    make_project: MakeProject, method: str
) -> None:
    project = make_project(f"method={method}", "training.validation_fraction=0")
    train(project)
    for kind in NETWORKS[method]:
        training = load_bundle(project.models / kind / "member-00").training
        assert training["validation_samples"] == 0
        assert training["samples"] > 0


def test_pairs_without_ejecta_teach_no_segmentation(
    make_project: MakeProject, planet_files: Path, tmp_path: Path
) -> None:
    """Far from every crater's ejecta there are pairs, but none of them connected."""
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


def test_minutes_are_shared_out(make_project: MakeProject) -> None:
    project = make_project(
        "method=two-stage", "connection.members=2", "connection.share=1", "segmentation.share=3"
    )
    wanted = run.members(project)
    shares = list(run._shared_out(wanted, 8.0, time.monotonic()))
    assert [(m.kind, m.number) for m, _ in shares] == [
        ("connection", 0),
        ("connection", 1),
        ("segmentation", 0),
    ]
    minutes = [m for _, m in shares if m is not None]
    # Nothing was used up, so each later one gets its part of everything again.
    assert minutes == pytest.approx([8 * 0.5 / 4, 8 * 0.5 / 3.5, 8], rel=1e-3)
    assert [m for _, m in run._shared_out(wanted, None, 0.0)] == [None] * 3


def test_the_time_budget_ends_a_training(make_project: MakeProject) -> None:
    project = make_project("method=polar", "context.max_epochs=100000", "context.patience=100000")
    started = time.monotonic()
    train(project, max_minutes=0.05)
    assert 2.5 < time.monotonic() - started < 10
    assert load_bundle(project.models / "context" / "member-00").training["epochs"] > 1


def test_blended_weights_lie_between_the_start_and_the_trained(make_project: MakeProject) -> None:
    teacher = make_project("method=polar", name="teacher")
    train(teacher)
    found = [weights(teacher, "context")]
    for share in (0.25, 1.0):
        start = "training.start_from=../teacher/models"
        pupil = make_project("method=polar", start, f"context.blend={share}", name=f"pupil-{share}")
        train(pupil)
        found.append(weights(pupil, "context"))
    begun, blended, trained = found
    assert any(not torch.equal(begun[name], trained[name]) for name in begun)
    floats = [name for name in begun if begun[name].is_floating_point()]
    for name in floats:
        between = torch.lerp(begun[name], trained[name], 0.25)
        assert torch.allclose(blended[name], between, atol=1e-6), name


def test_what_probabilities_are_worth_is_taken_over(make_project: MakeProject) -> None:
    teacher = make_project("method=polar", name="teacher")
    train(teacher)
    taught = teacher.models / "context" / "member-00"
    worth = RangeCalibration(0.1, 0.9, 0.2, -0.1)
    save_bundle(replace(load_bundle(taught), calibration=worth), taught)
    pupil = make_project("method=polar", "training.start_from=../teacher/models", name="pupil")
    train(pupil)
    assert load_bundle(pupil.models / "context" / "member-00").calibration == worth


def test_training_starts_from_trained_networks(make_project: MakeProject) -> None:
    still = "context.optimiser={name: SGD, arguments: {lr: 0.0}}"
    teacher = make_project("method=polar", name="teacher")
    train(teacher)
    pupil = make_project(
        "method=polar", "training.start_from=../teacher/models", still, name="pupil"
    )
    train(pupil)
    parameters = {
        k for k in weights(teacher, "context") if "running" not in k and "num_batches" not in k
    }
    one, two = weights(teacher, "context"), weights(pupil, "context")
    assert all(torch.equal(one[name], two[name]) for name in parameters)
    wider = make_project(
        "method=polar",
        "training.start_from=../teacher/models",
        "context.decoder_channels=[64, 16, 16, 8, 8]",
        name="wider",
    )
    with pytest.raises(BundleError, match=r"decoder_channels differ.*training\.start_from"):
        train(wider)


def test_the_bundle_remembers_what_it_needs(make_project: MakeProject) -> None:
    project = make_project("method=two-stage")
    train(project)
    written = json.loads(
        (project.models / "segmentation" / "member-00" / "bundle.json").read_text()
    )
    assert written["views"] == {
        "bands": 3,
        "scaling": "mosaic",
        "chip_px": 32,
        "distance": "metres",
        "log_distance": True,
        "tile_m": pytest.approx(10 * project.mosaic.grid.pixel_m),
        "annulus_radii": [2.0, 3.0],
    }
    assert len(written["normalisation"]["offset"]) == 4
    assert len(written["metadata_normalisation"]["offset"]) == 4
    assert written["training"]["seed"] == 0


@pytest.mark.parametrize("method", ["two-stage", "distance-only", "agnostic"])
def test_the_bundle_remembers_how_chips_are_shown(make_project: MakeProject, method: str) -> None:
    """`agnostic` networks know of no crater: the options change nothing for them."""
    options = ("views.rivals=true", "views.radial_up=true")
    project = make_project(f"method={method}", "views.overlap=0.3", *options)
    train(project)
    kind = METHOD_NETWORKS[method][-1]
    views = load_bundle(project.models / kind / "member-00").views
    shown = {name: views[name] for name in ("rivals", "radial_up") if name in views}
    assert shown == ({} if method == "agnostic" else {"rivals": True, "radial_up": True})


def test_turned_chips_that_leave_gaps_are_refused_before_training(
    make_project: MakeProject,
) -> None:
    with pytest.raises(SettingsError, match=r"project\.yaml: segmentation: views\.overlap is 0: "):
        train(make_project("method=two-stage", "views.radial_up=true"))


def test_two_processes_train_one_network(make_project: MakeProject) -> None:
    """By Lightning's own strategy, on two processes of this machine."""
    machine = ["training.accelerator=cpu", "training.devices=2", "training.strategy=ddp"]
    project = make_project("method=polar", *machine)
    program = [Path(sys.executable).with_name("ejectamap"), "train", project.folder]
    ended = subprocess.run(program, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "MEMBER: 2/2" in ended.stderr + ended.stdout
    assert load_bundle(project.models / "context" / "member-00").training["epochs"] == 1
