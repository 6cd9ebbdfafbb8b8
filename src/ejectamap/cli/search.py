"""The verb that searches for better settings."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ejectamap.cli.app import ProjectFolder, app


@app.command(
    epilog="Example: ejectamap tune mercury examples/search_poster.yaml --trials 50 --minutes-per-trial 20"
)
def tune(
    folder: ProjectFolder,
    search: Annotated[
        Path, typer.Argument(metavar="SEARCH", help="YAML file: what to try, what to strive for.")
    ],
    trials: Annotated[int, typer.Option(min=1, help="In all runs together.")] = 20,
    workers: Annotated[int, typer.Option(min=1, help="Processes on this machine.")] = 1,
    minutes_per_trial: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            help="Time budget of each trial's training.",
            show_default="training.max_minutes",
        ),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            help="Address of a database for the study.", show_default="tuning/journal.log"
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep each trial's networks and maps.")
    ] = False,
) -> None:
    """Search for better settings: train, map and judge by many; the same command again goes on."""
    from ejectamap.tuning import Order
    from ejectamap.tuning import tune as tune_project

    order = Order(folder, search, trials, minutes_per_trial, storage, keep)
    tune_project(order, workers, Console())
