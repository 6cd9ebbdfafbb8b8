"""Verbs that bring in what others made: import ejmap."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ejectamap.cli.app import ProjectFolder, app

imports = typer.Typer(no_args_is_help=True)
app.add_typer(
    imports,
    name="import",
    help="Bring in what others made.",
    epilog="Example: ejectamap import ejmap release/data mercury --results release/results",
)


@imports.command(
    epilog="Example: ejectamap import ejmap release/data mercury --results release/results"
)
def ejmap(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA_DIR", help="The release's data folder, unpacked.", show_default=False
        ),
    ],
    folder: ProjectFolder,
    results: Annotated[
        Path | None,
        typer.Option(help="Its results folder: trained networks and published masks."),
    ] = None,
    split: Annotated[
        int, typer.Option(min=0, help="Which of its splits into training and test.")
    ] = 61,
) -> None:
    """Make a project of the authors' released data (DOI 10.5281/zenodo.18787894)."""
    from ejectamap.interop import import_ejmap

    console = Console()
    project = import_ejmap(data, folder, results, split, console)
    console.print(
        f"made {project.folder / 'project.yaml'}; next: ejectamap check {project.folder}",
        soft_wrap=True,
    )
