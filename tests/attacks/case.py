"""One attack: a command in a copy of a finished project, and what its answer must be; how each verb is called."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import typer

from ejectamap.cli.app import app

Prepare = Callable[[Path], None]


def nothing(_: Path) -> None:
    """Change nothing."""


@dataclass(frozen=True)
class Case:
    """One command in a copy of the template.

    Attributes
    ----------
    name : str
    arguments : tuple of str
        Of `ejectamap`, which runs in the copy.
    prepare : callable
        Given the copy's folder, it makes the attack.
    names : str or None
        What a refusal must name.
    code : int or None
        The only right exit code; None: 0 or 2.
    same : bool
        Whether all that the command writes must be as it is without the attack, if it ends with 0.
    writes : tuple of str
        Files and folders that may change.
    """

    name: str
    arguments: tuple[str, ...]
    prepare: Prepare = nothing
    names: str | None = None
    code: int | None = None
    same: bool = False
    writes: tuple[str, ...] = ("project",)


FRESH = ("--mosaic", "inputs/mosaic.tif", "--craters", "inputs/craters.csv")
SHORT = ("--max-minutes", "0.01")
# How each verb is called in the template. Those of the first group end within a second where nothing is wrong.
QUICK: dict[str, tuple[str, ...]] = {
    "map": ("map", "project"),
    "evaluate": ("evaluate", "project"),
    "report": ("report", "project"),
    "analyze": ("analyze", "project"),
    "families": ("families", "project"),
    "suggest": ("suggest", "project", "--tiles", "3"),
    "runs": ("runs", "project"),
    "difference": ("difference", "project", "first"),
    "export stac": ("export", "stac", "project"),
    "export pds4": ("export", "pds4", "project"),
    "export qgis": ("export", "qgis", "project"),
    "import labels": ("import", "labels", "project", "inputs/corrected"),
    "view": ("view", "project", "--no-browser"),
    "rank": (
        "rank",
        "project",
        "--maps",
        "a=project",
        "--maps",
        "b=project/runs/first/map",
        "--no-browser",
    ),
}
SLOW: dict[str, tuple[str, ...]] = {
    "check": ("check", "project"),
    "train": ("train", "project", *SHORT),
    "compare": ("compare", "project", "--methods", "polar", *SHORT),
    "cross-validate": ("cross-validate", "project", "--folds", "2", *SHORT),
    "tune": (
        "tune",
        "project",
        "inputs/search.yaml",
        "--trials",
        "1",
        "--minutes-per-trial",
        "0.01",
    ),
    "new": ("new", "fresh", *FRESH),
    "demo": ("demo", "project"),
    "simulate": ("simulate", "project"),
    "import ejmap": ("import", "ejmap", "inputs", "fresh"),
}
WRITES = ("project", "fresh")


def verbs() -> set[str]:
    """All verbs of the program, from the command line's own list."""
    command = typer.main.get_command(app)
    found = set()
    for name, verb in command.commands.items():  # type: ignore[attr-defined]
        inner = getattr(verb, "commands", None)
        found |= {name} if inner is None else {f"{name} {part}" for part in inner}
    return found
