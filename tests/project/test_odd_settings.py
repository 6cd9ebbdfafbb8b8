"""Settings and search files as nobody should write them: each is refused in one short line."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ejectamap.errors import SettingsError
from ejectamap.project.migrations import migrate
from ejectamap.project.settings import Settings
from ejectamap.project.yaml import make_settings, parse_changes, read_settings
from ejectamap.project.yaml_text import parse_yaml, read_yaml
from ejectamap.tuning.search import read_search

INPUTS = {"mosaic": "m.tif", "craters": "c.csv"}
SETTINGS = "version: 2\ninputs: {mosaic: m.tif, craters: c.csv}\n"
SEARCH = "maximise: test.pixel.f1\nsearch: {map.threshold: {range: [0.1, 0.9]}}\n"

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)
UNREADABLE = {
    "Latin-1": ("# fraîche\n".encode("latin-1"), "is not in UTF-8"),
    "UTF-16": ("method: polar\n".encode("utf-16"), "is not in UTF-8"),
    "aliases of aliases": (BOMB.encode(), "aliases stand for more than"),
    "an alias of itself": (b"a: &a [*a]\n", "nested deeper than 50"),
    "3000 brackets": (b"a: " + b"[" * 3000 + b"]" * 3000, "nested deeper than 50"),
    "100 000 brackets": (b"a: " + b"{a: " * 100_000, "nested deeper than 50"),
    "3000 dashes": (b"a:\n  " + b"- " * 3000 + b"x\n", "nested deeper than 50"),
    "a tag": (b"a: !!python/object/apply:os.system [ls]\n", "is not YAML"),
    "a key twice": (b"seed: 1\nseed: 2\n", "line 2"),
    "a tab": (b"views:\n\tchip_px: 64\n", "line 2"),
    "a date that is none": (b"a: 2024-99-99\n", "is not YAML"),
    "an endless number": (b"seed: " + b"9" * 5000, "is not YAML"),
    "two documents": (b"a: 1\n---\nb: 2\n", "is not YAML"),
    "zeros": (bytes(100), "is not YAML"),
    "3 MB": (b"# " + b"x" * 3_000_000, "larger than 2 MB"),
    "a list": (b"- a\n", "not a mapping"),
}


def refusal(path: Path, read: Any) -> str:
    """The message with which a file is refused: one line, not long, that begins with its name."""
    with pytest.raises(SettingsError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert len(message) < len(str(path)) + 400
    return message


@pytest.mark.parametrize("name", UNREADABLE)
@pytest.mark.parametrize(("read", "text"), [(read_settings, SETTINGS), (read_search, SEARCH)])
def test_unreadable_files(tmp_path: Path, name: str, read: Any, text: str) -> None:
    content, words = UNREADABLE[name]
    path = tmp_path / "file.yaml"
    path.write_bytes(content)
    assert words in refusal(path, read)


def test_a_pipe_and_a_folder(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is no file" in refusal(tmp_path / "pipe", read_search)
    assert "is no file" in refusal(tmp_path, read_search)
    assert "is no file" in refusal(tmp_path / "none.yaml", read_search)


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "project.yaml"
    path.write_text(SETTINGS, encoding="utf-8-sig")
    assert read_settings(path).method == "polar"


@pytest.mark.parametrize("change", ["a=" + "[" * 3000, "a" + ".b" * 5000 + "=1", "a=" + "9" * 5000])
def test_changes_are_bounded_too(change: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_changes([change])
    assert len(str(caught.value)) < 400


def nested(name: str, value: object) -> dict[str, Any]:
    """Nested dictionaries with one value, by its dotted name."""
    for key in reversed(name.split(".")):
        value = {key: value}
    assert isinstance(value, dict)
    return value


IMPOSSIBLE = [
    ("views.annulus_radii", [float("nan"), 3.0]),
    ("views.annulus_radii", [-2.0, 3.0]),
    ("views.annulus_radii", [3.0, 2.0]),
    ("views.annulus_radii", [2.0, float("inf")]),
    ("views.chip_px", 10**9),
    ("views.corridor_px", [10**9, 32]),
    ("views.polar_px", [256, 10**9]),
    ("views.overlap", 0.9999999),
    ("views.tile_km", float("inf")),
    ("views.tile_km", float("nan")),
    ("connection.members", 10**6),
    ("segmentation.members", 10**6),
    ("context.batch_size", 10**9),
    ("segmentation.decoder_channels", [12000] * 5),
    ("context.max_epochs", 10**12),
    ("context.augment.brightness", float("inf")),
    ("context.augment.stretch", float("nan")),
    ("connection.distance_weight", float("inf")),
    ("context.budget_weight", float("inf")),
    ("context.optimiser.arguments.lr", float("nan")),
    ("training.split", "banana"),
    ("training.max_minutes", float("inf")),
    ("map.threshold", float("nan")),
    ("seed", 2**32),
    ("seed", 10**30),
    ("inputs.reach", {3: float("nan")}),
    ("inputs.columns", {"longitude": "L"}),
    ("inputs.columns", {"lon": 3}),
]


@pytest.mark.parametrize(("name", "value"), IMPOSSIBLE)
def test_impossible_values_are_refused_by_name(name: str, value: object) -> None:
    values = nested(name, value)
    values["inputs"] = INPUTS | values.get("inputs", {})
    if name.endswith("lr"):
        values["context"]["optimiser"]["name"] = "AdamW"
    with pytest.raises(SettingsError) as caught:
        make_settings(values, "project.yaml")
    message = str(caught.value)
    assert message.startswith(f"project.yaml: setting {'.'.join(name.split('.')[:2])}")
    assert "\n" not in message
    assert len(message) < 300


def test_a_long_value_is_not_repeated_in_full() -> None:
    with pytest.raises(SettingsError) as caught:
        make_settings({"inputs": INPUTS, "views": ["x" * 10_000] * 1000}, "here")
    assert len(str(caught.value)) < 300


def test_the_largest_seed_is_one() -> None:
    assert make_settings({"inputs": INPUTS, "seed": 2**32 - 1}, "here").seed == 2**32 - 1


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
VALUES = st.recursive(SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(SCALARS, v))


@settings(max_examples=60)
@given(st.sampled_from(sorted(Settings.model_fields)), VALUES, st.booleans())
def test_any_value_is_used_or_refused_in_one_line(section: str, value: object, old: bool) -> None:
    values: dict[str, Any] = {"inputs": INPUTS} | {section: value}
    try:
        make_settings(migrate(values, "here") if old else values, "here")
    except SettingsError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 1000


@given(st.text(alphabet=" -[]{}:&*a1!\n'\"#|>", max_size=60))
def test_any_text_is_yaml_or_refused_in_one_line(text: str) -> None:
    try:
        parse_yaml(text, "here")
    except SettingsError as error:
        assert "\n" not in str(error)


def test_aliases_within_bounds_are_read(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text("a: &a [1, 2]\nb: [*a, *a]\n")
    assert read_yaml(path) == {"a": [1, 2], "b": [[1, 2], [1, 2]]}
