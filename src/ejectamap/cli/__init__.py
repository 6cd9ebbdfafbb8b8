"""The command line: one verb per stage, each a few lines over the library."""

import logging
import sys

from rich.console import Console
from rich.logging import RichHandler

from ejectamap.cli.app import app
from ejectamap.errors import EjectamapError, OutputError

# isort: off
# Importing them registers the verbs, in the order in which --help lists them.
from ejectamap.cli import start  # noqa: F401
from ejectamap.cli import stages  # noqa: F401
from ejectamap.cli import compare  # noqa: F401
from ejectamap.cli import search  # noqa: F401
from ejectamap.cli import analyse  # noqa: F401
from ejectamap.cli import exchange  # noqa: F401
from ejectamap.cli import browse  # noqa: F401
from ejectamap.cli import rank  # noqa: F401
# isort: on

_INTERRUPTED = 130  # typer's exit code for it


def main() -> None:
    """Run the command line: a user's error is one line on standard error and exit code 2."""
    logging.basicConfig(
        level=logging.WARNING,
        format="%(message)s",
        handlers=[RichHandler(console=Console(stderr=True), show_path=False, show_time=False)],
    )
    try:
        app()
    except EjectamapError as error:
        _fail(error)
    except OSError as error:
        _fail(
            OutputError(
                f"{error.filename or 'a file'}: {error.strerror or error}: check space and permissions"
            )
        )
    except SystemExit as ended:
        if ended.code == _INTERRUPTED:
            sys.stderr.write("interrupted: run the same command again to go on\n")
        raise


def _fail(error: EjectamapError) -> None:
    sys.stderr.write(f"ejectamap: {' '.join(str(error).split())}\n")
    sys.exit(2)
