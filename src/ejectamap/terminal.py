"""The terminal on which results are printed."""

from rich.console import Console


def results_console() -> Console:
    """Console for standard output that prints text as it is: a name may hold [brackets] and :colons:."""
    return Console(markup=False, emoji=False)
