"""Bundles: what is saved is loaded, damaged ones are refused in one line, those of ejectamap 0.1 are read."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import ejectamap
from ejectamap.errors import BundleError, OutputError
from ejectamap.networks.bundle import Bundle, load_bundle, save_bundle, scale_channels
from ejectamap.networks.calibration import RangeCalibration
from ejectamap.networks.connection import build_connection
from ejectamap.networks.context import build_context
from ejectamap.networks.segmentation import build_segmentation
from ejectamap.project.bundle_views import ChipViews, CorridorViews, PolarViews
from ejectamap.project.bundles import BundleDescription, library_versions
from ejectamap.views.scaling import ChannelScaling

SMALL = [32, 24, 16, 16, 8]
ENCODER = "tu-mobilenetv3_small_050"
ARGUMENTS = {
    "connection": {"architecture": "mobilenetv3_small_050", "in_channels": 4},
    "segmentation": {
        "decoder": "Unet",
        "encoder": ENCODER,
        "in_channels": 4,
        "metadata_size": 3,
        "decoder_channels": SMALL,
    },
    "context": {
        "decoder": "Unet",
        "encoder": ENCODER,
        "in_channels": 4,
        "decoder_channels": SMALL,
    },
}
BUILD = {
    "connection": build_connection,
    "segmentation": build_segmentation,
    "context": build_context,
}
INPUTS = {
    "connection": ((2, 4, 32, 128),),
    "segmentation": ((2, 4, 64, 64), (2, 3)),
    "context": ((2, 4, 64, 96),),
}
VIEWS = {
    "connection": CorridorViews(bands=3, scaling="255", corridor_px=(128, 32)),
    "segmentation": ChipViews(
        bands=3, scaling="255", chip_px=64, tile_m=1e5, annulus_radii=(2.0, 3.0)
    ),
    "context": PolarViews(scaling="ejecta", polar_px=(64, 96), polar_power=0.5),
}
CALIBRATION = {"level": 0.1, "slope": 0.9, "range_level": 0.2, "range_slope": -0.1}
BUILTIN = Path(ejectamap.__file__).parent / "weights" / "context" / "member-00"


def make(kind):
    """A bundle whose network has been in training mode once, so that its running means are not 0 and 1."""
    model = BUILD[kind](**ARGUMENTS[kind], pretrained=False)
    model(*inputs(kind))
    metadata = ChannelScaling((0.0, 1.0, 2.0), (1.0, 2.0, 3.0))
    description = BundleDescription(
        kind=kind,
        network=ARGUMENTS[kind],
        views=VIEWS[kind],
        normalisation=ChannelScaling((0.0, 0.0, 0.0, 5.1), (255.0, 255.0, 255.0, 0.1)),
        metadata_normalisation=metadata if kind == "segmentation" else None,
        calibration=CALIBRATION if kind == "context" else None,
        training={"epochs": 3, "f1": 0.7, "seed": 1},
        versions=library_versions(),
    )
    return Bundle(description, model.eval())


def with_changes(bundle, **changes):
    return replace(bundle, description=bundle.description.model_copy(update=changes))


def inputs(kind):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(shape, generator=generator) for shape in INPUTS[kind]]


@pytest.fixture
def saved(tmp_path):
    save_bundle(make("segmentation"), tmp_path / "b")
    return tmp_path / "b"


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_a_loaded_bundle_equals_the_saved_one(kind, tmp_path):
    bundle = make(kind)
    save_bundle(bundle, tmp_path / "models" / kind / "0")
    loaded = load_bundle(tmp_path / "models" / kind / "0")
    assert loaded.description == bundle.description
    assert type(loaded.description.views) is type(VIEWS[kind])
    assert loaded.calibration == (RangeCalibration(**CALIBRATION) if kind == "context" else None)
    assert not loaded.model.training
    assert torch.equal(loaded.model(*inputs(kind)), bundle.model(*inputs(kind)))
    assert all(p.dtype == torch.float32 for p in loaded.model.parameters())


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_half_precision_halves_the_file_and_keeps_the_buffers(kind, tmp_path):
    bundle = make(kind)
    save_bundle(bundle, tmp_path / "full")
    save_bundle(bundle, tmp_path / "half", half=True)
    sizes = [(tmp_path / name / "weights.safetensors").stat().st_size for name in ("full", "half")]
    assert sizes[1] < 0.6 * sizes[0]
    assert sizes[1] < 15e6
    loaded = load_bundle(tmp_path / "half")
    buffers = dict(bundle.model.named_buffers())
    assert any(name.endswith("num_batches_tracked") for name in buffers)
    for name, buffer in loaded.model.named_buffers():
        assert buffer.dtype == buffers[name].dtype
        assert torch.equal(buffer, buffers[name])
    assert all(p.dtype == torch.float32 for p in loaded.model.parameters())
    expected = bundle.model(*inputs(kind))
    torch.testing.assert_close(loaded.model(*inputs(kind)), expected, rtol=0.05, atol=0.05)


def test_a_channels_last_network_can_be_saved(tmp_path):
    bundle = make("context")
    expected = bundle.model(*inputs("context"))
    bundle.model.to(memory_format=torch.channels_last)
    save_bundle(bundle, tmp_path / "b")
    loaded = load_bundle(tmp_path / "b").model
    torch.testing.assert_close(loaded(*inputs("context")), expected)


def test_the_files_of_a_bundle_have_the_permissions_of_any_other(saved):
    other = saved.parent / "other"
    other.touch()
    assert {path.stat().st_mode for path in saved.iterdir()} == {other.stat().st_mode}


def test_saving_again_replaces_the_folder_and_leaves_no_temporary_files(saved):
    (saved / "stray").write_text("old")
    save_bundle(with_changes(make("segmentation"), training={"epochs": 9}), saved)
    assert load_bundle(saved).description.training == {"epochs": 9}
    assert sorted(p.name for p in saved.iterdir()) == ["bundle.json", "weights.safetensors"]
    assert list(saved.parent.iterdir()) == [saved]


def test_a_bundle_that_cannot_be_saved_leaves_the_old_one(saved):
    before = load_bundle(saved).description
    with pytest.raises((TypeError, ValueError)):
        save_bundle(with_changes(make("segmentation"), training={"odd": object()}), saved)
    assert load_bundle(saved).description == before
    assert list(saved.parent.iterdir()) == [saved]


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write the bundle"):
        save_bundle(make("connection"), tmp_path / "file" / "b")


def test_scaling_is_per_channel():
    scaling = ChannelScaling((1.0, 2.0), (2.0, 4.0))
    expected = torch.tensor([[4.5, 2.0]])
    torch.testing.assert_close(scale_channels(scaling, torch.tensor([[10.0, 10.0]])), expected)
    picture = torch.full((3, 2, 4, 5), 10.0)
    torch.testing.assert_close(
        scale_channels(scaling, picture), expected.reshape(1, 2, 1, 1).expand(3, 2, 4, 5)
    )


# --- bundles of ejectamap 0.1


def test_the_bundle_that_comes_with_the_program_is_read():
    bundle = load_bundle(BUILTIN)
    content = json.loads((BUILTIN / "bundle.json").read_text())
    assert bundle.description.kind == "context"
    assert bundle.description.views == PolarViews(
        scaling="ejecta", polar_px=(256, 640), polar_power=0.5
    )
    assert bundle.calibration == RangeCalibration(**content["calibration"])
    assert bundle.description.normalisation == ChannelScaling(
        tuple(content["normalisation"]["offset"]), tuple(content["normalisation"]["divisor"])
    )


def write_views(bundle, changes):
    """Rewrite a bundle's views as ejectamap 0.1 did: without a version."""
    path = bundle / "bundle.json"
    content = json.loads(path.read_text())
    del content["views"]["version"]
    content["views"] |= changes
    path.write_text(json.dumps(content))


def test_views_of_ejectamap_0_1_are_read(saved):
    write_views(saved, {"distance": "metres", "log_distance": True})
    assert load_bundle(saved).description.views == VIEWS["segmentation"]


@pytest.mark.parametrize(
    "option", [{"rivals": True}, {"radial_up": True}, {"distance": "rank"}, {"log_distance": False}]
)
def test_views_with_a_removed_option_are_refused_in_one_line(saved, option):
    (key,) = option
    write_views(saved, option)
    assert_refused(saved, rf"bundle\.json .*{key} = .*: this option was removed")


def test_unknown_views_are_refused_in_one_line(saved):
    write_views(saved, {"colour": 3})
    assert_refused(saved, r"bundle\.json .*colour")


def test_a_description_is_read_without_torch():
    program = (
        "import sys; from pathlib import Path;"
        "from ejectamap.project.bundles import read_description;"
        f"print(read_description(Path({str(BUILTIN)!r})).kind);"
        "print([name for name in ('torch', 'timm', 'lightning') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.split("\n")[:2] == ["context", "[]"]


# --- damaged bundles


@pytest.mark.parametrize("name", ["bundle.json", "weights.safetensors"])
def test_a_missing_file(saved, name):
    (saved / name).unlink()
    assert_refused(saved, f"cannot read .*{name}")


def test_a_missing_folder(tmp_path):
    assert_refused(tmp_path / "nowhere", "cannot read .*bundle.json")


@pytest.mark.parametrize("size", [0, 5, 1000, -1])
def test_damaged_weights(saved, size):
    path = saved / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    assert_refused(saved, "weights.safetensors is damaged")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"not json"])
def test_damaged_descriptions(saved, content):
    (saved / "bundle.json").write_bytes(content)
    assert_refused(saved, "bundle.json is damaged")


def test_a_description_that_is_no_object(saved):
    (saved / "bundle.json").write_text("[1, 2]")
    assert_refused(saved, "bundle.json is not as expected")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "conection"}, "kind 'conection' is none of connection, segmentation, context"),
        ({"kind": []}, "not as expected"),
        ({"normalisation": None}, "not as expected"),
        ({"normalisation": {"offset": [0] * 4, "divisor": [1] * 3}}, "4 offsets and 3 divisors"),
        ({"normalisation": {"offset": [0] * 4, "divisor": [1, 1, 0, 1]}}, "a divisor is 0"),
        ({"normalisation": {"offset": [0], "divisor": [1]}}, "in_channels is 4, but 1"),
        ({"normalisation": {"offset": [0]}}, r"has no normalisation\.divisor"),
        ({"metadata_normalisation": None}, "metadata_size is 3, but 0"),
        ({"network": "unet"}, "not as expected"),
        ({"network": ARGUMENTS["segmentation"] | {"encoder": "resnet19"}}, "nearest are resnet18"),
        ({"network": ARGUMENTS["segmentation"] | {"encoder": 3}}, "not the arguments"),
        ({"network": ARGUMENTS["segmentation"] | {"colour": 3}}, "not the arguments"),
        ({"network": ARGUMENTS["segmentation"] | {"decoder": "FPN"}}, "bundle.json: decoder FPN"),
        ({"network": ARGUMENTS["segmentation"] | {"decoder": "UnetPlusPlus"}}, "does not fit"),
        (
            {"network": ARGUMENTS["segmentation"] | {"decoder_channels": [32, 24, 16, 16, 4]}},
            r"does not fit: .* is \(8, .*\), not \(4, .*\)",
        ),
    ],
)
def test_invalid_descriptions(saved, changes, message):
    path = saved / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    assert_refused(saved, message)


@pytest.mark.parametrize("key", ["kind", "network", "views", "normalisation", "versions"])
def test_incomplete_descriptions(saved, key):
    path = saved / "bundle.json"
    content = json.loads(path.read_text())
    del content[key]
    path.write_text(json.dumps(content))
    assert_refused(saved, f"it has no {key}")


def test_missing_and_unknown_weights(saved):
    path = saved / "weights.safetensors"
    weights = load_file(path)
    removed = weights.pop(next(iter(sorted(weights))))
    save_file(weights, path)
    assert_refused(saved, "the weights lack injections.1.0.bias")
    save_file(weights | {"injections.1.0.bias": removed, "zoo": removed.clone()}, path)
    assert_refused(saved, "the weights have an unknown zoo")


def assert_refused(folder, message):
    """Loading fails with a message of one line that names the folder."""
    with pytest.raises(BundleError, match=message) as caught:
        load_bundle(folder)
    assert "\n" not in str(caught.value)
    assert re.search(re.escape(str(folder)), str(caught.value))
