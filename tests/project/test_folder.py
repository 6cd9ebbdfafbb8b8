"""The project folder: how it is made, opened, moved, and what is said of a wrong one."""

import errno
import shutil
from pathlib import Path

import pytest

from ejectamap.errors import CraterError, OutputError, ProjectError, SettingsError
from ejectamap.project.folder import Project


@pytest.fixture
def files(tmp_path: Path, planet_files: Path) -> Path:
    """The planet's files, beside the place of the project."""
    shutil.copytree(planet_files, tmp_path / "data")
    return tmp_path / "data"


def create(folder: Path, files: Path, *changes: str, **more: object) -> Project:
    inputs = {"mosaic": files / "mosaic.tif", "craters": files / "craters.csv"}
    return Project.create(folder, **(inputs | more), changes=changes)  # type: ignore[arg-type]


def test_new_and_open_agree(tmp_path: Path, files: Path) -> None:
    made = create(tmp_path / "p", files, "views.chip_px=64", labels=files / "labels", seed=5)
    opened = Project.open(tmp_path / "p")
    assert opened == made
    assert opened.settings.seed == 5
    assert opened.settings.views.chip_px == 64
    assert len(opened.craters) == 6
    assert opened.labels is not None
    assert set(opened.labels.masks) == {crater.crater_id for crater in opened.craters}
    assert opened.world.labelled_craters() == opened.craters


def test_without_labels_there_is_only_a_map_to_make(tmp_path: Path, files: Path) -> None:
    project = create(tmp_path / "p", files)
    assert project.labels is None
    assert project.world.labelled_craters() == ()
    assert project.world.tiles is None


def test_inputs_are_relative_and_may_move_with_the_project(
    tmp_path: Path, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    create(Path("deep/p"), Path("data"), labels=Path("data/labels"))
    text = (tmp_path / "deep/p/project.yaml").read_text()
    assert "mosaic: ../../data/mosaic.tif" in text
    assert str(tmp_path) not in text
    shutil.move(tmp_path / "deep", tmp_path / "moved")
    monkeypatch.chdir("/")
    assert Project.open(tmp_path / "moved/p").mosaic.grid.width == 256


def test_an_old_project_is_never_overwritten(tmp_path: Path, files: Path) -> None:
    create(tmp_path / "p", files, seed=1)
    with pytest.raises(ProjectError, match="already holds a project"):
        create(tmp_path / "p", files, seed=2)
    assert Project.open(tmp_path / "p").settings.seed == 1


@pytest.mark.parametrize("field", ["mosaic", "craters", "labels", "tiles"])
def test_a_missing_input_leaves_no_folder(tmp_path: Path, files: Path, field: str) -> None:
    with pytest.raises(ProjectError, match=f"{field} .*none.tif: does not exist"):
        create(tmp_path / "p", files, **{field: files / "none.tif"})
    assert not (tmp_path / "p").exists()


def test_a_wrong_change_leaves_no_folder(tmp_path: Path, files: Path) -> None:
    with pytest.raises(SettingsError, match=r"unknown setting views\.chp_px"):
        create(tmp_path / "p", files, "views.chp_px=64")
    assert not (tmp_path / "p").exists()


def test_a_full_disk_leaves_no_project(
    tmp_path: Path, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "project.yaml").touch()  # as a full disk left it before
    with monkeypatch.context() as patch:
        patch.setattr("ejectamap.files.move_into_place", fail)
        for name in ("p", "old"):
            with pytest.raises(OutputError, match=r"project\.yaml: cannot be written \(No space"):
                create(tmp_path / name, files)
    assert not (tmp_path / "p").exists()
    assert [path.name for path in (tmp_path / "old").iterdir()] == ["project.yaml"]
    assert create(tmp_path / "old", files, seed=3).settings.seed == 3


def test_open_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="ejectamap new"):
        Project.open(tmp_path)


def test_choosing_craters(tmp_path: Path, files: Path) -> None:
    project = create(tmp_path / "p", files)
    assert project.chosen_craters(None) == project.craters
    assert [c.crater_id for c in project.chosen_craters([4, 1, 4])] == [1, 4]
    with pytest.raises(CraterError, match=r"crater 99: is not in .*craters\.csv"):
        project.chosen_craters([1, 99])


def test_settings_have_the_last_word_on_reach(tmp_path: Path, files: Path) -> None:
    plain = {c.crater_id: c.reach for c in create(tmp_path / "p", files).craters}
    project = create(tmp_path / "q", files, "inputs.reach={3: 0.75}")
    assert {c.crater_id: c.reach for c in project.craters} == plain | {3: 0.75}
    wrong = create(tmp_path / "r", files, "inputs.reach={3: 0.75, 99: 0.5}")
    with pytest.raises(CraterError, match=r"inputs\.reach names crater 99.*craters\.csv"):
        _ = wrong.craters


def test_deleting_models_keeps_everything_else(tmp_path: Path, files: Path) -> None:
    project = create(tmp_path / "p", files)
    (project.models / "connection" / "member-00").mkdir(parents=True)
    (project.logs / "connection" / "member-00").mkdir(parents=True)
    project.split_path.write_text("x")
    project.delete_models()
    project.delete_models()
    assert [path.name for path in project.folder.iterdir()] == ["project.yaml"]


def test_networks_are_the_project_s_own_before_those_it_starts_from(
    tmp_path: Path, files: Path
) -> None:
    other = tmp_path / "other"
    (other / "context" / "member-00").mkdir(parents=True)
    project = create(tmp_path / "p", files, "training.start_from=../other")
    assert project.networks_folder("context") == other / "context"
    (project.models / "context" / ".member-00.training").mkdir(parents=True)
    assert project.networks_folder("context") == other / "context"
    (project.models / "context" / "member-00").mkdir()
    assert project.networks_folder("context") == project.models / "context"
    with pytest.raises(ProjectError, match=r"other/connection.*training\.start_from"):
        project.start_networks("connection")
    alone = create(tmp_path / "q", files, "training.start_from=none")
    assert alone.start_networks("context") is None
    assert alone.networks_folder("context") == alone.models / "context"
