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


@imports.command(epilog="Example: ejectamap import labels mercury mercury/qgis/map.gpkg")
def labels(
    folder: ProjectFolder,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="GeoPackage of export qgis, QClassiPy's CSV, masks or polygons.",
            show_default=False,
        ),
    ],
) -> None:
    """Take over what a person drew or corrected: only what was changed is changed."""
    from ejectamap.interop.corrections import FOLDER, import_labels
    from ejectamap.project import Project

    project = Project.open(folder)
    found = import_labels(project, file)
    counts = {"drawn": found.drawn, "accepted": found.accepted, "removed": found.removed}
    words = [
        f"{len(ids)} {word} ({', '.join(map(str, ids))})" for word, ids in counts.items() if ids
    ]
    words += [] if found.tiles is None else [f"{len(found.tiles)} tiles"]
    said = f"{project.folder / FOLDER}: {'; '.join(words)}" if words else "nothing was changed"
    Console().print(said, soft_wrap=True)


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


@exports.command(epilog="Example: ejectamap export qgis mercury")
def qgis(
    folder: ProjectFolder,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE.gpkg", help="GeoPackage.", show_default="PROJECT/qgis/map.gpkg"
        ),
    ] = None,
) -> None:
    """Write a GeoPackage to correct the map in, and a QGIS project that shows it over the mosaic."""
    from ejectamap.interop.qgis import export_qgis
    from ejectamap.project import Project

    project = Project.open(folder)
    view = export_qgis(project, file or project.outputs / "qgis" / "map.gpkg")
    back = f"ejectamap import labels {project.folder} {view.with_suffix('.gpkg')}"
    Console().print(f"open {view} in QGIS; then: {back}", soft_wrap=True)
