"""The command line: one verb per stage; each calls a few functions of the library."""

import errno
import logging
import sys

from rich.text import Text

from ejectamap.cli.app import app
from ejectamap.errors import EjectamapError, OutputError
from ejectamap.progress import progress_console

# isort: off
# Importing these modules registers the verbs, in the order in which --help lists them.
from ejectamap.cli import start  # noqa: F401
from ejectamap.cli import stages  # noqa: F401
from ejectamap.cli import runs  # noqa: F401
from ejectamap.cli import analyse  # noqa: F401
from ejectamap.cli import exchange  # noqa: F401
from ejectamap.cli import browse  # noqa: F401
# isort: on

_LONGEST = 2000  # letters of a message
_REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "free space on this disk"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "check permissions"),
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ELOOP: "replace the link, which leads to itself",
    errno.EMFILE: "raise the limit of open files with ulimit -n",
}
_INTERRUPTED = 130  # exit code of typer after Ctrl-C


class _MessageHandler(logging.Handler):
    """Prints what is logged as the verbs print their own warnings."""

    def emit(self, record: logging.LogRecord) -> None:
        _say(f"{record.levelname.lower()}: {record.getMessage()}", "yellow")


def _say(text: str, style: str = "") -> None:
    """Print a sentence on standard error."""
    progress_console().print(Text(text, style), soft_wrap=True)


def main() -> None:
    """Run the command line; an error that the user can mend is one line on standard error and exit code 2."""
    logging.basicConfig(
        level=logging.WARNING,
        handlers=[_MessageHandler()],
    )
    # What GDAL warns of is checked where it matters; its errors are raised.
    logging.getLogger("rasterio").setLevel(logging.CRITICAL)
    try:
        app()
    except EjectamapError as error:
        _fail(error)
    except OSError as error:
        _fail(OutputError(_describe(error)))
    except MemoryError as error:
        _fail(_out_of_memory(error))
    except RuntimeError as error:
        if "not enough memory" not in str(error) and "out of memory" not in str(error):
            raise
        _fail(_out_of_memory(error))
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            _say("interrupted: run the same command again to continue")
        raise


def _out_of_memory(error: Exception) -> EjectamapError:
    reason = str(error).partition("\n")[0] or "out of memory"
    return EjectamapError(
        f"memory is not enough ({reason}): give smaller pictures or batches (views, batch_size in project.yaml), fewer"
        " --workers, or a coarser mosaic"
    )


def _describe(error: OSError) -> str:
    """Message about an error of the system, with the remedy for its kind."""
    what = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)
    return f"{what}: {_REMEDIES.get(error.errno or 0, 'check this file or address')}"


def _fail(error: EjectamapError) -> None:
    line = " ".join(str(error).split())
    shown = line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..."
    _say(f"ejectamap: {shown}")
    sys.exit(2)
