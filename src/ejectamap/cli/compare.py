"""The verb that sets methods side by side."""

from typing import Annotated

import typer
from rich.console import Console

from ejectamap.cli.app import Minutes, ProjectFolder, app


@app.command(
    epilog="Example: ejectamap compare mercury --methods two-stage,distance-only --max-minutes 30"
)
def compare(
    folder: ProjectFolder,
    methods: Annotated[
        str | None, typer.Option(help="Only these, as in two-stage,polar.", show_default="all")
    ] = None,
    max_minutes: Minutes = None,
) -> None:
    """Train, map and judge by several methods, each with an equal part of the time; print one table."""
    from ejectamap.evaluation.compare import compare_methods, print_comparison
    from ejectamap.project import Project

    names = () if methods is None else tuple(methods.split(","))
    print_comparison(compare_methods(Project.open(folder), names, max_minutes), Console())
