"""Networks that are missing, damaged or not current are trained again; what is current stays."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from safetensors.numpy import load_file

from ejectamap.errors import BundleError, LabelError, ProjectError
from ejectamap.project.bundles import read_description
from ejectamap.project.folder import Project
from ejectamap.project.network_state import outdated_networks
from ejectamap.project.splits import read_split
from ejectamap.project.yaml import make_settings, merge, parse_changes
from ejectamap.terminal import results_console
from ejectamap.training import run
from ejectamap.training.run import train as train_networks
from ejectamap.training.untrained import save_untrained_networks

MakeProject = Callable[..., Project]


def train(project: Project, **options: bool) -> None:
    """Train, and print as the command does."""
    train_networks(project, console=results_console(), **options)


def weights(project: Project) -> dict[str, np.ndarray]:
    return dict(load_file(project.models / "context" / "member-00" / "weights.safetensors"))


def same(one: dict[str, np.ndarray], two: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(one[name], two[name]) for name in one)


def change(project: Project, *changes: str) -> Project:
    """The project with other settings, its inputs read again."""
    values = merge(project.settings.model_dump(mode="json"), parse_changes(changes))
    return Project(project.folder, make_settings(values, "test"))


def redraw(project: Project, crater_id: int) -> None:
    """Erase the north of a crater's label."""
    path = project.input_path(project.settings.inputs.labels or "") / f"mask_crater_{crater_id}.tif"
    with rasterio.open(path, "r+") as mask:
        values = mask.read(1)
        rows = np.flatnonzero(values.any(axis=1))
        values[: rows[len(rows) // 2]] = 0
        mask.write(values, 1)


@pytest.fixture
def files(tmp_path: Path, planet_files: Path) -> Path:
    """A copy of the planet's files whose labels may be changed."""
    return shutil.copytree(planet_files, tmp_path / "planet")


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory, create_project: MakeProject, planet_files: Path
) -> Path:
    """Folder of a project with a trained network, beside its planet's files; to be copied."""
    folder = tmp_path_factory.mktemp("trained")
    files = shutil.copytree(planet_files, folder / "planet")
    project = create_project(folder / "project", "method=polar", files=files)
    train(project)
    return project.folder


@pytest.fixture
def project(trained: Path, files: Path) -> Project:
    """A project with a trained network, on the files of this test."""
    return Project.open(shutil.copytree(trained, files.with_name("project")))


def test_what_is_current_is_not_trained_again(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "fit", None)
    without_effect = "training.max_minutes=7", "map.threshold=0.2", "connection.loss={name: focal}"
    train(change(project, *without_effect))
    text = " ".join(capsys.readouterr().out.split())
    assert "all networks are trained" in text
    assert "F1 and loss are of the validation data of 1 crater, not the result" in text
    assert "They are of the best epoch" in text
    assert outdated_networks(project) == []


def test_changed_labels_are_learnt_from_the_present_weights(
    project: Project, make_project: MakeProject, capsys: pytest.CaptureFixture[str]
) -> None:
    before = weights(project)
    split = read_split(project)
    redraw(project, 2)
    project = change(project)
    (line,) = outdated_networks(project)
    assert "context networks are older" in line
    assert "labels changed (S-02)" in line
    train(project)
    assert "labels changed (S-02): training goes on from the present weights" in " ".join(
        capsys.readouterr().out.split()
    )
    assert read_split(project) == split
    assert outdated_networks(project) == []
    lineage = read_description(project.models / "context" / "member-00").lineage
    assert lineage is not None
    assert len(lineage.trained_on) == len(lineage.inherited) == 1
    # One epoch from the network before it, not from random weights.
    anew = make_project("method=polar", name="anew", files=project.input_path("../planet"))
    train(anew)
    moved, distance = (
        sum(float(np.abs(a[k] - b[k]).sum()) for k in a if a[k].dtype == np.float32)
        for a, b in ((before, weights(project)), (before, weights(anew)))
    )
    assert moved > 0
    assert not same(weights(project), weights(anew))
    assert not np.isclose(moved, distance)


def test_changed_settings_are_learnt_anew(
    project: Project,
    make_project: MakeProject,
    files: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    changes = "context.loss={name: bce}", "context.augment.stretch=1.1"
    (line,) = outdated_networks(change(project, *changes))
    assert "settings changed (context.loss, context.augment.stretch)" in line
    train(change(project, *changes))
    assert "trained anew" in " ".join(capsys.readouterr().out.split())
    anew = make_project("method=polar", *changes, name="anew", files=files)
    train(anew)
    assert same(weights(project), weights(anew))


def test_an_added_crater_keeps_the_test_pairs(
    make_project: MakeProject, files: Path, tmp_path: Path
) -> None:
    hidden = (files / "labels" / "mask_crater_4.tif").rename(tmp_path / "hidden.tif")
    project = make_project("method=polar", files=files)
    train(project)
    before = read_split(project)
    hidden.rename(files / "labels" / "mask_crater_4.tif")
    project = change(project)
    (line,) = outdated_networks(project)
    assert "labels changed (S-04)" in line
    train(project)
    after = read_split(project)
    assert before is not None
    assert after is not None
    assert before.items() < after.items()
    assert {crater_id for crater_id, _ in after.keys() - before.keys()} == {4}


@pytest.mark.parametrize("damage", ["truncated", "empty", "file", "kind is a file"])
def test_a_damaged_network_is_trained_again(
    project: Project, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = weights(project)
    folder = project.models / "context" / "member-00"
    if damage == "truncated":
        path = folder / "weights.safetensors"
        path.write_bytes(path.read_bytes()[:5000])
    elif damage == "empty":
        (folder / "bundle.json").write_text("")
    else:
        path = folder if damage == "file" else folder.parent
        shutil.rmtree(path)
        path.write_text("x")
    train(project)
    if damage != "kind is a file":
        assert "damaged: trained anew" in " ".join(capsys.readouterr().out.split())
    assert same(weights(project), whole)
    assert [path.name for path in folder.parent.iterdir()] == ["member-00"]
    assert sorted(path.name for path in project.models.iterdir()) == ["context"]


def test_a_damaged_network_without_labels_is_an_error(make_project: MakeProject) -> None:
    project = make_project("method=polar", labels=False)
    (project.models / "context" / "member-00").mkdir(parents=True)
    with pytest.raises(BundleError, match=r"bundle\.json"):
        train(project)


def test_what_killed_trainings_left_is_put_right(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while a bundle was written, by version 0.2 and today, and between the two renamings."""
    folder = project.models / "context" / "member-00"
    whole = weights(project)
    for name in (".member-01.a1b2_3d4", ".member-00.999999999@nowhere.partial"):
        shutil.copytree(folder, folder.with_name(name) / "new")
    monkeypatch.setattr(run, "fit", None)
    monkeypatch.setattr("ejectamap.files.platform.node", lambda: "nowhere")
    train(project)
    assert [path.name for path in folder.parent.iterdir()] == ["member-00"]
    for left in (
        folder.with_name(".member-00.old"),
        folder.with_name(".member-00.a1b2_3d4") / "old",
    ):
        left.parent.mkdir(exist_ok=True)
        folder.rename(left)
        train(project)
        assert [path.name for path in folder.parent.iterdir()] == ["member-00"]
        assert same(weights(project), whole)


def test_training_anew_keeps_the_old_network_until_the_new_one_is_complete(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    whole = weights(project)
    fit = run.fit
    monkeypatch.setattr(run, "fit", fail)
    with pytest.raises(KeyboardInterrupt):
        train(project, fresh=True)
    hidden = project.models / "context" / ".member-00.replaced" / "weights.safetensors"
    assert same(dict(load_file(hidden)), whole)
    monkeypatch.setattr(run, "fit", fit)
    train(project)
    assert same(weights(project), whole)
    assert [path.name for path in hidden.parent.parent.iterdir()] == ["member-00"]


def test_a_network_without_a_record_counts_as_current(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    forget(project)
    with monkeypatch.context() as patch:
        patch.setattr(run, "fit", None)
        train(project)
    assert "no record of the labels" in capsys.readouterr().out
    assert outdated_networks(project) == []
    train(change(project, "context.decoder_channels=[32, 16, 16, 8, 16]"))
    assert "settings changed (decoder_channels)" in capsys.readouterr().out


def test_a_network_without_a_record_is_trained_anew_if_the_split_tells_of_other_labels(
    project: Project, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forget(project)
    project.split_record_path.unlink()
    save_untrained_networks(change(project, "method=agnostic"))
    (files / "labels" / "mask_crater_4.tif").unlink()
    with pytest.raises(ProjectError, match=r"split of pairs differs.*agnostic.*--fresh"):
        train(change(project))
    shutil.rmtree(project.models / "agnostic")
    train(change(project))
    assert "labels changed: trained anew" in capsys.readouterr().out
    assert read_description(project.models / "context" / "member-00").lineage is not None


def test_networks_of_another_planet_are_kept(
    make_project: MakeProject, project: Project, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Networks that were copied into a project with labels of its own, to map it with them."""
    table = files / "craters.csv"
    other = shutil.copytree(files, files.with_name("other"))
    lines = table.read_text().splitlines()
    column = lines[0].split(",").index("lon")
    for k, line in enumerate(lines[1:], start=1):
        cells = line.split(",")
        cells[column] = str((float(cells[column]) + 185) % 360 - 180)
        lines[k] = ",".join(cells)
    (other / "craters.csv").write_text("\n".join(lines) + "\n")
    with rasterio.open(other / "mosaic.tif", "r+") as mosaic:
        mosaic.write(255 - mosaic.read())
    second = make_project("method=polar", name="second", files=other)
    shutil.copytree(project.models, second.models)
    train(second)
    assert "trained on none of this project's craters; kept" in capsys.readouterr().out
    assert same(weights(second), weights(project))


def test_networks_beyond_the_number_of_members_are_named(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project.models / "context"
    shutil.copytree(folder / "member-00", folder / "member-01")
    train(project)
    assert "2 networks, context.members is 1" in " ".join(capsys.readouterr().out.split())


def test_half_a_split_is_noticed(project: Project) -> None:
    path, whole = project.split_path, read_split(project)
    rows = path.read_text().splitlines(keepends=True)
    for content in ("".join(rows[: len(rows) // 2]), "".join(rows)[:-3], "", "".join(rows[1:])):
        path.write_text(content)
        with pytest.raises(
            ProjectError, match=r"split\.csv: is damaged.*delete it and run"
        ) as error:
            read_split(project)
        with pytest.raises(ProjectError, match=r"split\.csv: is damaged"):
            train(change(project))
        assert "\n" not in str(error.value)
    path.unlink()
    train(change(project))
    assert read_split(project) == whole


def test_a_training_without_data_is_refused(make_project: MakeProject) -> None:
    project = make_project("method=polar", "training.test_fraction=1")
    with pytest.raises(LabelError, match="no training data"):
        train(project)


def forget(project: Project) -> None:
    """Take the lineage out of the context network's bundle, as version 0.2 wrote it."""
    path = project.models / "context" / "member-00" / "bundle.json"
    content = json.loads(path.read_text())
    del content["lineage"]
    path.write_text(json.dumps(content))
