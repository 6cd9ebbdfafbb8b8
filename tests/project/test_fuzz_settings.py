"""Settings with any values, and damaged texts of settings: read right, or refused in one line."""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from ejectamap.project.settings import Settings
from ejectamap.project.yaml import make_settings, parse_changes, read_settings, write_settings
from ejectamap.tuning.search import read_search
from fuzzing import examples, read_or_refuse

INPUTS = {"mosaic": "m.tif", "craters": "c.csv"}
DEFAULTS = make_settings({"version": 2, "inputs": INPUTS}, "defaults")


def keys(section: dict[str, Any], before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in section.items():
        yield (*before, name)
        if isinstance(value, dict):
            yield from keys(value, (*before, name))


KEYS = st.sampled_from(sorted(keys(DEFAULTS.model_dump())))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 300),
    st.integers(),
    st.floats(),
    st.floats(0, 1),
    st.sampled_from(["polar", "two-stage", "auto", "none", "1e3", "0x10", "~", "NO", "=", "12:30"]),
    st.text(max_size=12),
    st.dates(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


def changed(path: tuple[str, ...], value: object) -> dict[str, Any]:
    """Settings with one value, at any depth, replaced."""
    values: dict[str, Any] = {"version": 2, "inputs": dict(INPUTS)}
    section = values
    for name in path[:-1]:
        section = section.setdefault(name, {})
    section[path[-1]] = value
    return values


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("settings") / "project.yaml"


@given(path=KEYS, value=VALUES)
@examples
def test_any_value_of_any_setting_comes_back_or_is_refused(
    file: Path, path: tuple[str, ...], value: object
) -> None:
    text = StringIO()
    YAML(typ="safe").dump(changed(path, value), text)
    file.write_text(text.getvalue(), encoding="utf-8")
    settings = read_or_refuse(lambda: read_settings(file))
    if settings is not None:
        write_settings(settings, file)
        assert same(read_settings(file), settings)


def same(one: Settings, other: Settings) -> bool:
    return one.model_dump_json() == other.model_dump_json()


@given(
    path=KEYS,
    text=st.text(max_size=15)
    | st.sampled_from(["[", "{a: 1}", "&a [*a]", "!!set {a}", "|", "- 1"]),
)
@examples
def test_any_change_of_any_setting_is_taken_or_refused(path: tuple[str, ...], text: str) -> None:
    def read() -> Settings:
        return make_settings(
            {"inputs": INPUTS} | parse_changes([f"{'.'.join(path)}={text}"]), "set"
        )

    read_or_refuse(read)


@given(
    changes=st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 12), st.text(max_size=4)), min_size=1, max_size=3
    )
)
@examples
def test_a_damaged_text_is_read_or_refused(
    file: Path, changes: list[tuple[float, int, str]]
) -> None:
    write_settings(DEFAULTS, file)
    text = file.read_text(encoding="utf-8")
    for place, removed, other in changes:
        start = int(place * len(text))
        text = text[:start] + other + text[start + removed :]
    file.write_bytes(text.encode(errors="replace"))
    read_or_refuse(lambda: read_settings(file))


@given(content=st.binary(max_size=40) | st.text(max_size=40).map(lambda t: t.encode()))
@examples
def test_any_bytes_are_settings_or_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    read_or_refuse(lambda: read_settings(file))


@given(
    maximise=VALUES,
    path=KEYS,
    space=st.dictionaries(st.sampled_from(["range", "choices", "log", "step"]), VALUES, max_size=3),
)
@examples
def test_any_search_is_read_or_refused(
    file: Path, maximise: object, path: tuple[str, ...], space: dict[str, object]
) -> None:
    text = StringIO()
    content = {"maximise": maximise, "search": {".".join(path): space}}
    YAML(typ="safe").dump(content, text)
    file.write_text(text.getvalue(), encoding="utf-8")
    read_or_refuse(lambda: read_search(file))
