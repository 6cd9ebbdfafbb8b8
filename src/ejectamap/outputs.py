"""Reading files that the program wrote itself: a damaged one is one line, with the command that makes it again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyarrow.lib import ArrowException
from shapely.errors import ShapelyError

from ejectamap.errors import OutputError

# What readers of JSON, tables, polygons and pictures raise for content that is not what was written.
_DAMAGE = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    RuntimeError,
    ArrowException,
    ShapelyError,
)


@contextmanager
def reading(path: Path, remedy: str) -> Iterator[None]:
    """Read and take apart an output within this context; keep all else out of it.

    Parameters
    ----------
    path : Path
    remedy : str
        What makes the file again: "run ejectamap map mercury again".

    Raises
    ------
    OutputError
        If the file is missing, or not what was written.
    """
    try:
        yield
    except OutputError:
        raise
    except FileNotFoundError as error:
        raise OutputError(f"{path}: is missing: {remedy}") from error
    except _DAMAGE as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise OutputError(f"{path}: is damaged ({reason}): {remedy}") from error
