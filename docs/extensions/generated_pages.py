"""Parts of the reference that are made from the code: commands, settings, public names."""

import html
import json
import re
import subprocess
import sys
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from sphinx.application import Sphinx

import ejectamap
from ejectamap.project.settings import ComponentSpec, Settings

_BOUNDS = {Ge: ("ge", "at least"), Gt: ("gt", "above"), Le: ("le", "at most"), Lt: ("lt", "below")}


def commands() -> str:
    """Every command with its arguments and options, written by Typer."""
    made = subprocess.run(
        [sys.executable, "-m", "typer", "ejectamap.cli", "utils", "docs", "--name", "ejectamap"],
        capture_output=True,
        text=True,
        check=True,
    )
    text = html.unescape(made.stdout).split("## ", 1)[1]
    text = re.sub(r"^Example: (.*)$", r"```console\n$ \1\n```", f"## {text}", flags=re.MULTILINE)
    return re.sub(r"\[((?:default|required|x|\d)[^\]]*)\]", r"(\1)", text)


def settings() -> str:
    """Every setting with its explanation, type and range, and default, from the models of `project.settings`."""
    return "\n".join(_section("", Settings))


def _section(name: str, model: type[BaseModel]) -> Iterator[str]:
    """Heading and table of a model, then those of the models in it."""
    inner = {
        key: field.annotation
        for key, field in model.model_fields.items()
        if isinstance(field.annotation, type)
        and issubclass(field.annotation, BaseModel)
        and not _is_component(field.annotation)
    }
    yield f"## {f'`{name}`' if name else 'Top level'}\n\n{model.__doc__}\n"
    yield "| key | what it sets | values | default |\n|---|---|---|---|"
    for key, field in model.model_fields.items():
        if key in inner:
            continue
        values = ", ".join([_name_type(field.annotation), *_bounds(field.metadata)])
        cells = (f"`{key}`", _escape(field.description or ""), values, _default(field))
        yield f"| {' | '.join(cells)} |"
    yield ""
    for key, part in inner.items():
        yield from _section(f"{name}.{key}" if name else key, part)


def _is_component(model: Any) -> bool:
    return isinstance(model, type) and issubclass(model, ComponentSpec)


def _default(field: Any) -> str:
    value = field.default if field.default_factory is None else field.default_factory()
    if value is PydanticUndefined:
        return "must be given"
    if isinstance(value, BaseModel):
        value = value.model_dump(exclude_defaults=True)
    text = json.dumps(value).replace('"', "")  # as in the YAML file
    return f"`{text}`"


_SIMPLE = {int: "whole number", float: "number", bool: "true or false", str: "text"}


def _name_type(kind: Any) -> str:
    """What a value can be, in words."""
    origin, parts = get_origin(kind), get_args(kind)
    if hasattr(kind, "__metadata__"):
        text = ", ".join([_name_type(parts[0]), *_bounds(_constraints(parts[1:]))])
    elif origin is Literal:
        text = ", ".join(f"`{value}`" for value in parts)
    elif origin in (Union, types.UnionType):
        text = " or ".join("null" if each is type(None) else _name_type(each) for each in parts)
    elif origin is tuple:
        number = "list of" if Ellipsis in parts else f"list of {len(parts)}:"
        text = f"{number} {_name_type(parts[0])}"
    elif origin is dict:
        text = "mapping"
    else:
        text = "name and arguments" if _is_component(kind) else _SIMPLE[kind]
    return text


def _constraints(metadata: Sequence[Any]) -> list[Any]:
    """Bounds among what annotates a type, those in pydantic's `Field` included."""
    return [each for item in metadata for each in getattr(item, "metadata", [item])]


def _bounds(metadata: list[Any]) -> Iterator[str]:
    for each in metadata:
        for kind, (attribute, words) in _BOUNDS.items():
            if isinstance(each, kind):
                yield f"{words} {getattr(each, attribute):,}"


def _escape(text: str) -> str:
    """Text for a cell of a table; braces and file names in it are no markup."""
    return re.sub(r"([*_{}\[\]|<>#])", r"\\\1", text)


def public_names() -> str:
    """All names of the package, as tables that link to a page for each."""
    groups: dict[str, list[str]] = {"Functions": [], "Classes": []}
    for name in ejectamap.__all__:
        value = getattr(ejectamap, name)
        if name.startswith("__") or isinstance(value, types.ModuleType):
            continue
        groups["Classes" if isinstance(value, type) else "Functions"].append(name)
    text = ""
    for title, names in groups.items():
        if names:
            listed = "\n".join(names)
            text += (
                f"## {title}\n\n```{{eval-rst}}\n.. currentmodule:: ejectamap\n\n.. autosummary::\n"
                f"   :toctree: generated\n\n{_indent(listed)}\n```\n\n"
            )
    return text


def _indent(text: str) -> str:
    return "\n".join(f"   {line}" for line in text.splitlines())


def _write(app: Sphinx) -> None:
    folder = Path(app.srcdir) / "reference"
    parts = {"commands": commands, "settings": settings, "public_names": public_names}
    for name, make in parts.items():
        path, text = folder / f"{name}.part.md", make()
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the parts before pages are read."""
    app.connect("builder-inited", _write, priority=100)  # before autosummary reads the pages
    return {"parallel_read_safe": True}
