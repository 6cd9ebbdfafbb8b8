"""One writer per project: train, map, compare, import and whatever else changes a project exclude each other.

The operating system holds the lock (`.lock` in the project folder) and frees it when its process ends, however that
ends; the text in the file only says who has it. Readers ask for no lock. Dask's workers work for the process that has
it; the trials of a search are projects of their own.
"""

import errno
import logging
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from filelock import FileLock, Timeout

from ejectamap.errors import OutputError, ProjectError
from ejectamap.files import read_text

if TYPE_CHECKING:
    from ejectamap.project.folder import Project

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger(__name__)

_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}
"""What disks answer that have no locks, as some networked ones."""


def writes_project(
    verb: str,
) -> Callable[[Callable[Concatenate["Project", P], R]], Callable[Concatenate["Project", P], R]]:
    """Decorate a function of a project that changes it, and that no other process may change meanwhile.

    Parameters
    ----------
    verb : str
        What a person calls it, for the second writer's message: "map".
    """

    def decorate(
        function: Callable[Concatenate["Project", P], R],
    ) -> Callable[Concatenate["Project", P], R]:
        @wraps(function)
        def locked(project: "Project", /, *args: P.args, **kwargs: P.kwargs) -> R:
            with sole_writer(project.folder, verb):
                return function(project, *args, **kwargs)

        return locked

    return decorate


@contextmanager
def sole_writer(folder: Path, verb: str) -> Iterator[None]:
    """Be the only writer of a project until the context ends; a function within may ask for the same again.

    Raises
    ------
    ProjectError
        If another process, or another thread, writes it.
    OutputError
        If the folder cannot be written.
    """
    path = folder.resolve() / ".lock"
    lock = FileLock(path, is_singleton=True, fallback_to_soft=False)
    is_outermost = not lock.is_locked
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ProjectError(
            f"{folder}: {_holder(path)} writes it: wait until that has ended, or stop it"
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise OutputError(
                f"{path}: cannot be written ({error.strerror}): check the folder's permissions"
            ) from error
        logger.warning(
            "%s: its disk has no locks: let one command at a time write the project", folder
        )
        yield
        return
    try:
        if is_outermost:
            started = f"{datetime.now().astimezone():%Y-%m-%d %H:%M}"
            path.write_text(
                f"ejectamap {verb} (process {os.getpid()} on {platform.node()}, since {started})"
            )
        yield
    finally:
        if is_outermost:
            path.write_text("")
        lock.release()


def _holder(path: Path) -> str:
    """Who has a lock, as far as its file says."""
    try:
        return read_text(path).strip() or "another command"
    except (OSError, ValueError):
        return "another command"
