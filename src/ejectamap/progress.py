"""Progress of long work: a bar, or a line, on standard error; nothing where that is not a terminal.

Whatever takes longer than about two seconds shows one of the two. They vanish when the work is done: results alone stay
on the terminal. Both may be nested.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeVar

import rich.progress
from rich.console import Console

from ejectamap.terminal import MessageConsole

T = TypeVar("T")


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
    if not progress_console().is_terminal:
        yield from items
        return
    yield from rich.progress.track(
        items, description, total=total, console=progress_console(), transient=True
    )


@contextmanager
def status(description: str) -> Iterator[None]:
    """Show what is being done, as in "reading the mosaic", until the context, or the decorated function, ends."""
    if not progress_console().is_terminal:
        yield
        return
    with progress_console().status(description, spinner="line"):
        yield


@lru_cache
def progress_console() -> Console:
    """One console for all displays and messages on standard error: they have to know of each other."""
    return MessageConsole(stderr=True)
