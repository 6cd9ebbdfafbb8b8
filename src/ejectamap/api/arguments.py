"""Arguments that several functions of the interface share: a project, and ids of its craters."""

from collections.abc import Iterable
from math import inf
from operator import index
from pathlib import Path

from ejectamap.errors import ArgumentError
from ejectamap.project.folder import Project, StrPath

ProjectLike = Project | StrPath
"""A project, or its folder."""


def as_project(project: ProjectLike) -> Project:
    """The project itself, or the one in a folder.

    Raises
    ------
    ProjectError, SettingsError
        As `Project.open`.
    """
    return project if isinstance(project, Project) else Project.open(project)


def is_project_folder(path: StrPath) -> bool:
    """Whether a path is a folder with a project in it."""
    return (Path(path) / "project.yaml").is_file()


def as_ids(craters: int | Iterable[int] | None) -> list[int] | None:
    """Ids of craters as a list; None for all of them.

    Raises
    ------
    ArgumentError
        If they are not whole numbers.
    """
    if craters is None:
        return None
    try:
        return [index(k) for k in craters] if isinstance(craters, Iterable) else [index(craters)]
    except TypeError:
        raise ArgumentError(
            f"craters: {craters!r} is no list of ids: write it as in [12, 17]"
        ) from None


def require_least(**arguments: tuple[float, float]) -> None:
    """Check that arguments, given as value and least value by their names, are not too small.

    Raises
    ------
    ArgumentError
        If one is, or is no finite number.
    """
    for name, (value, least) in arguments.items():
        try:
            is_possible = least <= value < inf
        except TypeError:
            is_possible = False
        if not is_possible:
            raise ArgumentError(f"{name}: {value!r} is not possible: give {least:g} or more")
