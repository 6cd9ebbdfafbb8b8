"""Verbs that bring in what others made, and hand on what was made here: import, export."""

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


exports = typer.Typer(no_args_is_help=True)
app.add_typer(
    exports,
    name="export",
    help="Hand a map on, in the forms that others use.",
    epilog="Example: ejectamap export stac mercury",
)


@exports.command(epilog="Example: ejectamap export stac mercury")
def stac(folder: ProjectFolder) -> None:
    """Write stac/: a STAC collection of the map with an item a crater, for catalogues."""
    from ejectamap.interop.stac import export_stac
    from ejectamap.project import Project

    Console().print(f"made {export_stac(Project.open(folder))}", soft_wrap=True)


@exports.command(epilog="Example: ejectamap export pds4 mercury --mission MESSENGER")
def pds4(
    folder: ProjectFolder,
    mission: Annotated[str, typer.Option(help="That took the mosaic's pictures.")] = "Unknown",
    collection: Annotated[
        str, typer.Option(help="Logical identifier that the products' own begin with.")
    ] = "urn:nasa:pds:ejectamap:data",
) -> None:
    """Write pds4/: each raster of the map as a PDS4 product, with its label."""
    from ejectamap.interop.pds4 import export_pds4
    from ejectamap.project import Project

    Console().print(
        f"made {export_pds4(Project.open(folder), mission, collection)}", soft_wrap=True
    )
