"""Progress of long work: a bar, or a line, on standard error; nothing where that is neither a terminal nor a notebook.

Whatever takes longer than about two seconds shows one of the two. They vanish when the work is done: results alone stay
on the terminal. Both may be nested.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from importlib.util import find_spec
from typing import TypeVar

import rich.progress
from rich.console import Console

from ejectamap.terminal import MessageConsole

T = TypeVar("T")

_is_wanted = ContextVar("is_wanted", default=True)


@contextmanager
def progress_wanted(wanted: bool) -> Iterator[None]:
    """Show no progress until the context ends, unless it is wanted; within a context that wants none, none is shown."""
    token = _is_wanted.set(wanted and _is_wanted.get())
    try:
        yield
    finally:
        _is_wanted.reset(token)


def shows_progress() -> bool:
    """Whether progress is wanted, and can be shown: on a terminal, or in a notebook with ipywidgets."""
    console = progress_console()
    in_notebook = console.is_jupyter and find_spec("ipywidgets") is not None
    return _is_wanted.get() and (console.is_terminal or in_notebook)


def track(items: Iterable[T], description: str, total: float | None = None) -> Iterator[T]:
    """Yield the items; a bar shows how many are done.

    Parameters
    ----------
    items : iterable
    description : str
        What is being done, as in "drawing cards".
    total : float, optional
        Number of items, where their iterable has no length.
    """
    if not shows_progress():
        yield from items
        return
    yield from rich.progress.track(
        items, description, total=total, console=progress_console(), transient=True
    )


@contextmanager
def status(description: str) -> Iterator[None]:
    """Show what is being done, as in "reading the mosaic", until the context, or the decorated function, ends.

    Not in a notebook, which marks the cell that runs: rich would leave an empty output there.
    """
    if not shows_progress() or progress_console().is_jupyter:
        yield
        return
    with progress_console().status(description, spinner="line"):
        yield


@lru_cache
def progress_console() -> Console:
    """One console for all displays and messages on standard error: they have to know of each other."""
    return MessageConsole(stderr=True)
