"""Settings: presets, changes, their file, migration of earlier files, and messages about wrong ones."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from ejectamap.errors import SettingsError
from ejectamap.project.methods import METHODS
from ejectamap.project.settings import Settings
from ejectamap.project.yaml import (
    make_settings,
    merge,
    parse_changes,
    preset_names,
    read_preset,
    read_settings,
    write_settings,
)
from version_0_1 import as_version_0_1

INPUTS = {"mosaic": "m.tif", "craters": "c.csv"}


def preset(name: str, *changes: str) -> Settings:
    values = merge(read_preset(name), {"inputs": INPUTS})
    return make_settings(merge(values, parse_changes(changes)), f"preset {name}")


def complaint(values: dict[str, Any]) -> str:
    with pytest.raises(SettingsError) as caught:
        make_settings(merge({"inputs": INPUTS}, values), "here")
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- presets


@pytest.mark.parametrize("name", preset_names())
def test_presets_can_be_used(name: str) -> None:
    assert preset(name).method in METHODS


def test_poster_is_the_poster_s_recipe() -> None:
    settings = preset("poster")
    assert settings.method == "two-stage"
    views = settings.views
    assert views.chip_px == 224
    assert views.tile_km is not None
    assert views.tile_km * 1000 / 224 == pytest.approx(665.24, abs=0.01)
    assert views.corridor_px == (448, 112)
    assert views.annulus_radii == (2, 3)
    connection = settings.connection
    assert connection.architecture == "res2net50_26w_4s"
    assert connection.pretrained
    assert (connection.loss.name, connection.loss.arguments) == ("focal", {"alpha": 0.1})
    assert connection.batch_size == 64
    assert connection.members == 10
    assert connection.vote_threshold == 0.5
    segmentation = settings.segmentation
    assert (segmentation.decoder, segmentation.encoder) == ("UnetPlusPlus", "resnet34")
    assert segmentation.decoder_channels is None
    assert segmentation.pretrained
    assert (segmentation.loss.name, segmentation.loss.arguments) == ("dice", {})
    assert segmentation.batch_size == 4
    assert segmentation.members == 1
    assert segmentation.ejecta_ratio_weights
    for network in (connection, segmentation):
        assert (network.optimiser.name, network.optimiser.arguments) == ("AdamW", {"lr": 1e-4})
        assert network.scheduler.name == "StepLR"
        assert network.scheduler.arguments == {"step_size": 10, "gamma": 0.9}
        assert network.patience == 20
        assert network.max_epochs == 200
        assert not any(network.augment.model_dump().values())
        assert network.scaling == "255"
        assert network.monitor == "f1"
        assert network.warm_up_steps == 0
        assert (network.keep, network.blend) == ("best", 1)
        assert network.precision == "full"
    assert settings.training.test_fraction == 0.2
    # 8 % of everything: a tenth of what is not in the test set.
    assert settings.training.validation_fraction == 0.1
    assert settings.training.max_minutes is None
    assert settings.training.start_from == "none"
    assert settings.map.threshold == 0.5


def test_release_is_the_final_release_s_recipe() -> None:
    """Line by line where it differs from the poster; everything else is the poster's."""
    values = preset("poster").model_dump()
    values["views"]["annulus_radii"] = (2, 5)
    values["connection"]["architecture"] = "densenet169.tv_in1k"
    values["connection"]["optimiser"] = {"name": "Adam", "arguments": {"lr": 1e-4}}
    values["connection"]["scheduler"] = {
        "name": "CosineAnnealingWarmRestarts",
        "arguments": {"T_0": 10},
    }
    values["segmentation"]["optimiser"]["arguments"] = {"lr": 1e-3, "weight_decay": 0.5}
    values["segmentation"]["scheduler"]["arguments"] = {"step_size": 5, "gamma": 0.5}
    values["segmentation"]["scaling"] = "training"
    values["segmentation"]["members"] = 20
    assert preset("release").model_dump() == values


def test_the_defaults_are_those_of_new() -> None:
    """`ejectamap new` starts from the preset laptop: a setting that a file leaves out has the same value."""
    assert make_settings({"inputs": INPUTS}, "defaults") == preset("laptop")


def test_unknown_preset_lists_those_there_are() -> None:
    with pytest.raises(SettingsError, match=r"'big'.*laptop.*poster"):
        read_preset("big")


# --- the file


@pytest.mark.parametrize("name", preset_names())
def test_settings_come_back_from_their_file(tmp_path: Path, name: str) -> None:
    changes = [
        "training.also_train_on=[../a, ../b]",
        "seed=7",
        "views.tile_km=12.5",
        "inputs.reach={12: 0.5, 3: 0.75}",
        "connection.augment.blur_px=1.5",
    ]
    settings = preset(name, *changes)
    write_settings(settings, tmp_path / "project.yaml")
    assert read_settings(tmp_path / "project.yaml") == settings


def test_every_setting_stands_in_the_file_with_its_meaning(tmp_path: Path) -> None:
    write_settings(preset("poster"), tmp_path / "project.yaml")
    lines = (tmp_path / "project.yaml").read_text().splitlines()
    for key, words in {
        "chip_px": "224",
        "corridor_px": "[448, 112]",
        "loss": "{name: focal, arguments: {alpha: 0.1}}",
        "vote_threshold": "fraction of the votes",
        "quarter_turns": "turned by 0, 90, 180 or 270",
        "reach": "{}",
        "threshold": "probability above which",
    }.items():
        assert any(line.strip().startswith(f"{key}:") and words in line for line in lines), key


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is empty or not a mapping"),
        ("- a\n- b\n", "is empty or not a mapping"),
        ("method: [two", "is not YAML"),
        ("inputs: {mosaic: m.tif}\n", "setting inputs.craters.*required"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "project.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=complaint) as caught:
        read_settings(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


# --- wrong keys and values


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"views": {"chip_pix": 5}}, ["unknown setting views.chip_pix", "did you mean", "chip_px"]),
        ({"segmentation": {"encodr": "x"}}, ["unknown setting segmentation.encodr", "encoder"]),
        ({"chip_px": 64}, ["unknown setting chip_px", "chip_px"]),
        ({"zzzz": 1}, ["unknown setting zzzz", "project.yaml for all keys"]),
        ({"connection": {"loss": {"name": "dice", "argument": {}}}}, ["connection.loss.argument"]),
        ({"connection": {"augment": {"flip": True}}}, ["connection.augment.flip", "flips"]),
        ({"connection": {"augment": {"quarter_turns": True}}}, ["unknown setting"]),
        ({"inputs": {"reach": {12: 1.5}}}, ["inputs.reach.12 = 1.5", "less than or equal to 1"]),
        ({"segmentation": {"monitor": "iou"}}, ["segmentation.monitor", "'f1' or 'loss'"]),
        ({"method": "three-stage"}, ["method", "three-stage", "two-stage or polar"]),
        ({"views": {"chip_px": 4}}, ["views.chip_px = 4", "greater than or equal to 8"]),
        ({"views": {"overlap": 1}}, ["views.overlap = 1", "less than or equal to 0.95"]),
        ({"views": {"corridor_px": [448]}}, ["views.corridor_px"]),
        ({"context": {"scaling": "none"}}, ["context.scaling = 'none'", "'mosaic' or 'training'"]),
        ({"training": {"max_minutes": 0}}, ["training.max_minutes = 0", "greater than 0"]),
        ({"connection": 5}, ["connection = 5"]),
        ({"seed": -1}, ["seed = -1"]),
    ],
)
def test_a_wrong_setting_is_named_with_the_right_ones(
    values: dict[str, Any], words: list[str]
) -> None:
    message = complaint(values)
    assert message.startswith("here: ")
    for word in words:
        assert word in message


# --- KEY=VALUE


def test_changes_are_yaml_by_dotted_key() -> None:
    assert parse_changes(["a.b=1", "a.c=[1, 2]", "a.d=null", "e=x=y", "a.f={name: bce}"]) == {
        "a": {"b": 1, "c": [1, 2], "d": None, "f": {"name": "bce"}},
        "e": "x=y",
    }
    assert parse_changes(["a.lr=1e-4"]) == {"a": {"lr": 1e-4}}
    assert parse_changes(["a=1", "a=2"]) == {"a": 2}


def test_a_named_thing_is_replaced_whole() -> None:
    settings = preset("poster", "connection.loss={name: bce}", "segmentation.optimiser.name=SGD")
    assert settings.connection.loss.arguments == {}
    assert settings.segmentation.optimiser.name == "SGD"


@pytest.mark.parametrize(
    ("change", "words"), [("views.chip_px", "KEY=VALUE"), ("a=[1", "not YAML"), ("a={", "not YAML")]
)
def test_bad_changes(change: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        parse_changes([change])
    assert change in str(caught.value)


# --- earlier versions


def old_file(folder: Path, **changes: Any) -> Path:
    """A `project.yaml` as ejectamap 0.1 wrote it, with changes."""
    values = as_version_0_1(preset("poster").model_dump(mode="json"))
    path = folder / "project.yaml"
    with path.open("w") as file:
        YAML(typ="safe").dump(merge(values, changes), file)
    return path


def test_a_file_of_the_version_before_is_read(tmp_path: Path) -> None:
    assert read_settings(old_file(tmp_path)) == preset("poster")


def test_renamed_keys_of_the_version_before_keep_their_values(tmp_path: Path) -> None:
    changes = {"connection": {"share": 2.0}, "segmentation": {"share_weights": False}}
    settings = read_settings(old_file(tmp_path, **changes))
    assert settings.connection.budget_weight == 2.0
    assert not settings.segmentation.ejecta_ratio_weights


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"views": {"rivals": True}}, "setting views.rivals = True: this option was removed"),
        ({"views": {"distance": "rank"}}, "setting views.distance = 'rank'"),
        ({"training": {"plant": 5}}, "setting training.plant = 5"),
        ({"method": "polar-connect"}, "there is no such method"),
    ],
)
def test_a_removed_option_that_was_on_is_refused(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    path = old_file(tmp_path, **changes)
    with pytest.raises(SettingsError) as caught:
        read_settings(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"connection": {"share": 1.0}}, "connection.share is now connection.budget_weight"),
        (
            {"segmentation": {"share_weights": True}},
            "segmentation.share_weights is now segmentation.ejecta_ratio_weights",
        ),
        ({"views": {"radial_up": False}}, "views.radial_up was removed"),
        ({"context": {"accumulate": 1}}, "context.accumulate was removed"),
    ],
)
def test_old_keys_are_refused_with_what_became_of_them(values: dict[str, Any], words: str) -> None:
    assert words in complaint(values)
