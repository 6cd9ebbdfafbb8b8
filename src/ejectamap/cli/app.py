"""The application that all verbs are registered with, and the arguments that several verbs share."""

from math import isfinite
from pathlib import Path
from typing import Annotated

import typer

from ejectamap import __version__
from ejectamap.errors import SettingsError
from ejectamap.terminal import results_console

app = typer.Typer(
    help="One ejecta map per fresh crater, for a whole planet.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        results_console().print(f"ejectamap {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Take the options of the program itself."""


# Verbs import the library inside their functions, so that --help and light verbs start quickly.

ProjectFolder = Annotated[
    Path, typer.Argument(metavar="PROJECT", help="Project folder.", show_default=False)
]


def finite(parameter: typer.CallbackParam, value: float | None) -> float | None:
    """Refuse infinity and nan as the value of an option."""
    if value is not None and not isfinite(value):
        raise SettingsError(
            f"{parameter.opts[0]} {value:g}: give a number of minutes; without a limit, set training.max_minutes of"
            " project.yaml to null and leave the option out"
        )
    return value


Minutes = Annotated[
    float | None,
    typer.Option(min=0.01, callback=finite, help="Time budget of all training, in minutes."),
]
CraterIds = Annotated[
    str | None,
    typer.Option("--craters", metavar="IDS", help="Only the craters with these ids, as in 12,17."),
]


def read_ids(text: str | None) -> list[int] | None:
    """Read a comma-separated list of crater ids; None if there is none."""
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise SettingsError(
            f"--craters {text!r}: is not a list of ids: write them as in 12,17"
        ) from None


def read_columns(text: str | None) -> dict[str, str]:
    """Read a comma-separated list of KEY=COLUMN; empty if there is none."""
    if text is None:
        return {}
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(key.strip() and column.strip() for key, _, column in pairs):
        raise SettingsError(
            f"--columns {text!r}: is not a list of columns: write it as in lon=LON_CIRC,radius_m=R"
        )
    return {key.strip(): column.strip() for key, _, column in pairs}
