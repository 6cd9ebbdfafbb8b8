"""Settings from and to YAML: presets, `KEY=VALUE` changes, and a `project.yaml` in which every key is explained."""

import difflib
from collections.abc import Iterable, Iterator
from importlib import resources
from io import StringIO
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from ejectamap.errors import SettingsError
from ejectamap.files import replace_file
from ejectamap.project.migrations import explain_old_key, migrate
from ejectamap.project.settings import Settings
from ejectamap.project.yaml_text import parse_yaml, printable, read_yaml, shorten

_COMMENT_COLUMN = 44
_DEEPEST_KEY = 5  # sections in a setting's dotted name


def preset_names() -> list[str]:
    """Names of the presets that come with the program."""
    folder = resources.files("ejectamap") / "presets"
    return sorted(
        f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml")
    )


def read_preset(name: str) -> dict[str, Any]:
    """Read a preset as nested dictionaries.

    Raises
    ------
    SettingsError
        If there is no such preset; the message lists those there are.
    """
    if name not in preset_names():
        raise SettingsError(f"unknown preset {name!r}: use one of {', '.join(preset_names())}")
    text = (resources.files("ejectamap") / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
    return dict(YAML(typ="safe").load(text))


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Nested dictionaries `base` with `changes` laid over them; `name`d things are replaced whole."""
    merged = dict(base)
    for key, value in changes.items():
        below = merged.get(key)
        nested = isinstance(value, dict) and isinstance(below, dict) and "name" not in value
        merged[key] = merge(merged[key], value) if nested else value
    return merged


def parse_changes(changes: Iterable[str]) -> dict[str, Any]:
    """Turn `section.key=value` texts into nested dictionaries; values are YAML.

    Raises
    ------
    SettingsError
        If a text has no `=` or its value is not YAML.
    """
    result: dict[str, Any] = {}
    for change in changes:
        key, equals, text = change.partition("=")
        if key.count(".") > _DEEPEST_KEY:
            raise SettingsError(f"--set {shorten(change)}: there is no such setting")
        if not equals:
            raise SettingsError(
                f"--set {shorten(change)}: write it as KEY=VALUE, for example views.chip_px=128"
            )
        value = parse_yaml(text, f"--set {shorten(change)}")
        for part in reversed(key.strip().split(".")):
            value = {part: value}
        result = merge(result, value)
    return result


def make_settings(values: dict[str, Any], source: str) -> Settings:
    """Check nested dictionaries and make settings of them.

    Raises
    ------
    SettingsError
        Naming the source, the key, what is wrong and, for an unknown key, the nearest right ones.
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(f"{source}: {_explain(error.errors()[0])}") from None


def read_settings(path: Path) -> Settings:
    """Read a `project.yaml`.

    Raises
    ------
    SettingsError
        If it is not YAML or its content is not possible.
    """
    values = read_yaml(path)
    if "version" not in values:
        values = migrate(values, str(path))
    return make_settings(values, str(path))


def write_settings(settings: Settings, path: Path) -> None:
    """Write settings with each key's explanation beside it; the file is complete or as before.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    yaml = YAML()
    yaml.width = 100
    text = StringIO()
    text.write("# Settings of this project. Change a value and run the command again.\n")
    yaml.dump(_commented(settings), text)
    replace_file(path, text.getvalue().encode())


def _commented(section: BaseModel, indent: int = 0) -> CommentedMap:
    result = CommentedMap()
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        if isinstance(value, BaseModel) and "name" not in type(value).model_fields:
            result[key] = _commented(value, indent + 2)
            text = ("" if indent else "\n") + (type(value).__doc__ or "")
            result.yaml_set_comment_before_after_key(key, before=text, indent=indent)
        else:
            result[key] = _plain(value)
            if field.description:
                result.yaml_add_eol_comment(field.description, key, column=_COMMENT_COLUMN)
    return result


def _plain(value: Any) -> Any:
    """A value as YAML shows it best: lists, mappings and named things on one line."""
    if isinstance(value, BaseModel):
        named = CommentedMap({k: v for k, v in value.model_dump().items() if v != {}})
        named.fa.set_flow_style()
        return named
    if isinstance(value, dict):
        mapping = CommentedMap(value)
        mapping.fa.set_flow_style()
        return mapping
    if isinstance(value, tuple):
        sequence = CommentedSeq(value)
        sequence.fa.set_flow_style()
        return sequence
    return value


def _explain(error: ErrorDetails) -> str:
    """One line for the first thing that is wrong."""
    path = [printable(part) for part in error["loc"]]
    key = ".".join(path)
    if error["type"] == "extra_forbidden":
        old = explain_old_key(path)
        if old is not None:
            return old
        known = list(_all_keys(Settings))
        near = difflib.get_close_matches(key, known, n=3) or difflib.get_close_matches(
            path[-1], [k.rsplit(".", 1)[-1] for k in known], n=3
        )
        hint = f"did you mean {' or '.join(near)}?" if near else "see project.yaml for all keys"
        return f"unknown setting {key}: {hint}"
    problem = error["msg"].removeprefix("Value error, ")
    return f"setting {key} = {shorten(error['input'])}: {problem[:1].lower()}{problem[1:300]}"


def _all_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for key, field in model.model_fields.items():
        yield prefix + key
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _all_keys(field.annotation, f"{prefix}{key}.")
