import json
import re
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from ejectamap.errors import BundleError, OutputError
from ejectamap.networks import (
    Bundle,
    Normalisation,
    build_connection,
    build_context,
    build_segmentation,
    library_versions,
    load_bundle,
    save_bundle,
)
from ejectamap.networks.calibration import RangeCalibration

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


def make(kind):
    """A network that has seen something, so that its running means are not 0 and 1."""
    model = BUILD[kind](**ARGUMENTS[kind], pretrained=False)
    model(*inputs(kind))
    metadata = Normalisation((0.0, 1.0, 2.0), (1.0, 2.0, 3.0))
    return Bundle(
        kind=kind,
        network=ARGUMENTS[kind],
        views={"chip_px": 64},
        normalisation=Normalisation((0.0, 0.0, 0.0, 5.1), (255.0, 255.0, 255.0, 0.1)),
        metadata_normalisation=metadata if kind == "segmentation" else None,
        training={"epochs": 3, "f1": 0.7, "seed": 1},
        versions=library_versions(),
        model=model.eval(),
        calibration=RangeCalibration(0.1, 0.9, 0.2, -0.1) if kind == "context" else None,
    )


def inputs(kind):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(shape, generator=generator) for shape in INPUTS[kind]]


@pytest.fixture
def saved(tmp_path):
    save_bundle(make("segmentation"), tmp_path / "b")
    return tmp_path / "b"


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_what_is_loaded_is_what_was_saved(kind, tmp_path):
    bundle = make(kind)
    save_bundle(bundle, tmp_path / "models" / kind / "0")
    loaded = load_bundle(tmp_path / "models" / kind / "0")
    assert replace(loaded, model=bundle.model) == bundle
    assert not loaded.model.training
    assert torch.equal(loaded.model(*inputs(kind)), bundle.model(*inputs(kind)))
    assert all(p.dtype == torch.float32 for p in loaded.model.parameters())


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_half_precision_halves_the_file_and_keeps_the_counters(kind, tmp_path):
    bundle = make(kind)
    save_bundle(bundle, tmp_path / "whole")
    save_bundle(bundle, tmp_path / "half", half=True)
    sizes = [(tmp_path / name / "weights.safetensors").stat().st_size for name in ("whole", "half")]
    assert sizes[1] < 0.6 * sizes[0]
    assert sizes[1] < 15e6
    loaded = load_bundle(tmp_path / "half")
    buffers = dict(bundle.model.named_buffers())
    assert any(name.endswith("num_batches_tracked") for name in buffers)
    for name, buffer in loaded.model.named_buffers():
        assert buffer.dtype == buffers[name].dtype
        assert torch.equal(buffer, buffers[name])
    assert all(p.dtype == torch.float32 for p in loaded.model.parameters())
    whole = bundle.model(*inputs(kind))
    torch.testing.assert_close(loaded.model(*inputs(kind)), whole, rtol=0.05, atol=0.05)


def test_a_channels_last_network_is_saved_too(tmp_path):
    bundle = make("context")
    expected = bundle.model(*inputs("context"))
    bundle.model.to(memory_format=torch.channels_last)
    save_bundle(bundle, tmp_path / "b")
    loaded = load_bundle(tmp_path / "b").model
    torch.testing.assert_close(loaded(*inputs("context")), expected)


def test_saving_again_replaces_and_leaves_nothing_behind(saved):
    (saved / "stray").write_text("old")
    save_bundle(replace(make("segmentation"), training={"epochs": 9}), saved)
    assert load_bundle(saved).training == {"epochs": 9}
    assert sorted(p.name for p in saved.iterdir()) == ["bundle.json", "weights.safetensors"]
    assert list(saved.parent.iterdir()) == [saved]


def test_what_cannot_be_saved_leaves_the_old_one(saved):
    with pytest.raises(TypeError):
        save_bundle(replace(make("segmentation"), views={"odd": object()}), saved)
    assert load_bundle(saved).views == {"chip_px": 64}
    assert list(saved.parent.iterdir()) == [saved]


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write the bundle"):
        save_bundle(make("connection"), tmp_path / "file" / "b")


def test_normalisation_works_per_channel():
    normalisation = Normalisation((1.0, 2.0), (2.0, 4.0))
    expected = torch.tensor([[4.5, 2.0]])
    torch.testing.assert_close(normalisation.apply(torch.tensor([[10.0, 10.0]])), expected)
    picture = torch.full((3, 2, 4, 5), 10.0)
    torch.testing.assert_close(
        normalisation.apply(picture), expected.reshape(1, 2, 1, 1).expand(3, 2, 4, 5)
    )


@pytest.mark.parametrize("name", ["bundle.json", "weights.safetensors"])
def test_a_missing_file(saved, name):
    (saved / name).unlink()
    check(saved, f"cannot read .*{name}")


def test_a_missing_folder(tmp_path):
    check(tmp_path / "nowhere", "cannot read .*bundle.json")


@pytest.mark.parametrize("size", [0, 5, 1000, -1])
def test_damaged_weights(saved, size):
    path = saved / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    check(saved, "weights.safetensors is damaged")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"not json"])
def test_damaged_settings(saved, content):
    (saved / "bundle.json").write_bytes(content)
    check(saved, "bundle.json is damaged")


def test_settings_that_are_no_object(saved):
    (saved / "bundle.json").write_text("[1, 2]")
    check(saved, "not a JSON object")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "conection"}, "kind 'conection' is none of connection, segmentation, context"),
        ({"kind": []}, "is none of"),
        ({"normalisation": None}, "not as expected"),
        ({"normalisation": {"offset": [0] * 4, "divisor": [1] * 3}}, "4 offsets and 3 divisors"),
        ({"normalisation": {"offset": [0] * 4, "divisor": [1, 1, 0, 1]}}, "a divisor is 0"),
        ({"normalisation": {"offset": [0], "divisor": [1]}}, "in_channels is 4, but 1"),
        ({"normalisation": {"offset": [0]}}, "has no 'divisor'"),
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
def test_settings_that_make_no_sense(saved, changes, message):
    path = saved / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    check(saved, message)


@pytest.mark.parametrize("key", ["kind", "network", "views", "normalisation", "versions"])
def test_settings_that_lack_something(saved, key):
    path = saved / "bundle.json"
    settings = json.loads(path.read_text())
    del settings[key]
    path.write_text(json.dumps(settings))
    check(saved, f"has no '{key}'")


def test_weights_that_lack_something_or_have_too_much(saved):
    path = saved / "weights.safetensors"
    weights = load_file(path)
    one = weights.pop(next(iter(sorted(weights))))
    save_file(weights, path)
    check(saved, "the weights lack injections.1.0.bias")
    save_file(weights | {"injections.1.0.bias": one, "zoo": one.clone()}, path)
    check(saved, "the weights have an unknown zoo")


def check(folder, message):
    with pytest.raises(BundleError, match=message) as caught:
        load_bundle(folder)
    assert "\n" not in str(caught.value)
    assert re.search(re.escape(str(folder)), str(caught.value))
