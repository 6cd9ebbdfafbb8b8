"""The command line: one verb per stage; each calls a few functions of the library."""

import logging
import sys

from rich.console import Console
from rich.logging import RichHandler

from ejectamap.cli.app import app
from ejectamap.errors import EjectamapError, OutputError

# isort: off
# Importing these modules registers the verbs, in the order in which --help lists them.
from ejectamap.cli import start  # noqa: F401
from ejectamap.cli import stages  # noqa: F401
from ejectamap.cli import analyse  # noqa: F401
from ejectamap.cli import exchange  # noqa: F401
from ejectamap.cli import browse  # noqa: F401
# isort: on

_INTERRUPTED = 130  # exit code of typer after Ctrl-C


def main() -> None:
    """Run the command line; an error that the user can mend is one line on standard error and exit code 2."""
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
        reason = f"{error.filename or 'a file'}: {error.strerror or error}"
        _fail(OutputError(f"{reason}: check space and permissions"))
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            sys.stderr.write("interrupted: run the same command again to continue\n")
        raise


def _fail(error: EjectamapError) -> None:
    sys.stderr.write(f"ejectamap: {' '.join(str(error).split())}\n")
    sys.exit(2)
