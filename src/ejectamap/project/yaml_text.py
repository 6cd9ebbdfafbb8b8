"""YAML that a person wrote, read within bounds: whatever it holds, the answer is its content or one line."""

import reprlib
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from ejectamap.errors import SettingsError

_MOST_BYTES = 2_000_000
_MOST_VALUES = 100_000  # with each alias counted as what it stands for
_DEEPEST = 50
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file whose content is a mapping.

    Raises
    ------
    SettingsError
        If it cannot be read, is not YAML or no mapping.
    """
    if not path.is_file():
        raise SettingsError(f"{path}: is no file: check the path")
    if path.stat().st_size > _MOST_BYTES:
        raise SettingsError(f"{path}: is larger than {_MOST_BYTES // 1_000_000} MB: give settings")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: is not in UTF-8: save it again with this encoding") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}): check the path") from None
    values = parse_yaml(text, str(path))
    if not isinstance(values, dict):
        raise SettingsError(f"{path}: is empty or not a mapping: write lines of KEY: VALUE")
    return values


def parse_yaml(text: str, source: str) -> Any:
    """Values of a YAML text.

    Parameters
    ----------
    text : str
    source : str
        What it is, at the beginning of error messages.

    Raises
    ------
    SettingsError
        If it is not YAML, nested too deeply, or larger than settings can be once aliases are put in.
    """
    too_deep = SettingsError(
        f"{source}: is nested deeper than {_DEEPEST} levels: write it without so many brackets"
    )
    if _depth_of_brackets(text) > _DEEPEST:
        raise too_deep
    try:
        values = YAML(typ="safe").load(text)
        size = _expanded_size(values, {}, 0)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        problem = " ".join(str(error.problem or error.context).split())[:200]
        raise SettingsError(f"{source}: is not YAML ({where}{problem}): correct it") from None
    except (YAMLError, ValueError) as error:
        problem = " ".join(str(error).split())[:200]
        raise SettingsError(f"{source}: is not YAML ({problem}): correct it") from None
    except RecursionError:
        raise too_deep from None
    if size > _MOST_VALUES:
        raise SettingsError(
            f"{source}: its aliases stand for more than {_MOST_VALUES} values: write the values themselves"
        )
    return values


def shorten(value: object) -> str:
    """Write a value in a message: as Python writes it, but at most a hundred letters of it."""
    text = _SHORT.repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."


def printable(key: object) -> str:
    """Write a key in a message: at most sixty letters of it, on one line."""
    text = str(key)[:60]
    return text if text.isprintable() else repr(text)


def _depth_of_brackets(text: str) -> int:
    """Deepest nesting of brackets and of dashes in a line; brackets in quotes count too."""
    depth = deepest = 0
    for letter in text:
        depth += (letter in "[{") - (letter in "]}")
        deepest = max(deepest, depth)
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return max(deepest, *(line.count("- ") for line in lines), 0)


def _expanded_size(value: object, sizes: dict[int, int], depth: int) -> int:
    """Number of values that a value holds, each alias counted as what it stands for; a value in itself is too deep."""
    if not isinstance(value, dict | list):
        return 1
    if depth > _DEEPEST:
        raise RecursionError
    if id(value) not in sizes:
        parts = value.values() if isinstance(value, dict) else value
        sizes[id(value)] = 1 + sum(_expanded_size(part, sizes, depth + 1) for part in parts)
    return sizes[id(value)]
