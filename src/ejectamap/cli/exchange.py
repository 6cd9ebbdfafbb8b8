"""Verbs that exchange data with other programs: import, export."""

from pathlib import Path
from typing import Annotated

import typer

from ejectamap.cli.app import ProjectFolder, app
from ejectamap.terminal import results_console

imports = typer.Typer(no_args_is_help=True)
app.add_typer(
    imports,
    name="import",
    help="Import a release or labels of other programs.",
    epilog="Example: ejectamap import ejmap release/data mercury --results release/results",
)


@imports.command(
    epilog="Example: ejectamap import ejmap release/data mercury --results release/results"
)
def ejmap(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA_DIR", help="The unpacked data folder of the release.", show_default=False
        ),
    ],
    folder: ProjectFolder,
    results: Annotated[
        Path | None,
        typer.Option(
            help="The results folder of the release: trained networks and published masks."
        ),
    ] = None,
    split: Annotated[
        int, typer.Option(min=0, help="Number of the release's split into training and test.")
    ] = 61,
) -> None:
    """Make a project of the authors' released data (DOI 10.5281/zenodo.18787894)."""
    from ejectamap.interop.release.ejmap import import_ejmap

    console = results_console()
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
            help="GeoPackage of export qgis, folder corrections of view, CSV of QClassiPy, masks or polygons.",
            show_default=False,
        ),
    ],
    pin: Annotated[
        bool,
        typer.Option(
            "--pin",
            help="Corrected ground also stays as corrected in the map, whatever is trained later; remove"
            " edits/edit_crater_{id}.tif to undo.",
        ),
    ] = False,
) -> None:
    """Import labels that a person drew or corrected; only pixels that the person changed are changed."""
    from ejectamap.interop.import_labels import CORRECTED_LABELS, import_labels
    from ejectamap.project.folder import Project

    project, console = Project.open(folder), results_console()
    changes = import_labels(project, file, pin)
    lines = [f"crater {k}: {change.describe()}" for k, change in sorted(changes.labels.items())]
    if changes.tiles is not None:
        lines.append("1 tile" if len(changes.tiles) == 1 else f"{len(changes.tiles)} tiles")
    target = f"{project.folder / CORRECTED_LABELS}:"
    lines = ["no label was changed"] if changes.is_empty else [target, *lines]
    lines += [
        f"crater {k}: all of its map was deleted, and it has no label: left without one"
        for k in changes.left_out
    ]
    if not changes.is_empty:
        lines.append(
            f"project.yaml: inputs.labels is {CORRECTED_LABELS} now; the map is unchanged until ejectamap train"
            f" {project.folder}, then ejectamap map {project.folder}"
            + ("" if pin else "; --pin puts the corrections into the map itself")
        )
    if pin:
        ids = ", ".join(map(str, sorted(changes.edits)))
        lines += [f"pinned to the map: {ids}; next: ejectamap map {project.folder}"]
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False)


exports = typer.Typer(no_args_is_help=True)
app.add_typer(
    exports,
    name="export",
    help="Export the map for other programs.",
    epilog="Example: ejectamap export stac mercury",
)


@exports.command(epilog="Example: ejectamap export stac mercury")
def stac(folder: ProjectFolder) -> None:
    """Write stac/: the map as a STAC collection with one item per crater."""
    from ejectamap.interop.stac import export_stac
    from ejectamap.project.folder import Project

    results_console().print(f"made {export_stac(Project.open(folder))}", soft_wrap=True)


@exports.command(epilog="Example: ejectamap export pds4 mercury --mission MESSENGER")
def pds4(
    folder: ProjectFolder,
    mission: Annotated[
        str, typer.Option(help="Mission whose images the mosaic was made of.")
    ] = "Unknown",
    collection: Annotated[
        str,
        typer.Option(
            help="Logical identifier of the collection; those of the products begin with it."
        ),
    ] = "urn:nasa:pds:ejectamap:data",
) -> None:
    """Write pds4/: each raster of the map as a PDS4 product, with its label."""
    from ejectamap.interop.pds4 import export_pds4
    from ejectamap.project.folder import Project

    results_console().print(
        f"made {export_pds4(Project.open(folder), mission, collection)}", soft_wrap=True
    )


@exports.command(epilog="Example: ejectamap export qgis mercury")
def qgis(
    folder: ProjectFolder,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE.gpkg", help="GeoPackage to write.", show_default="PROJECT/qgis/map.gpkg"
        ),
    ] = None,
) -> None:
    """Write a GeoPackage in which the map can be corrected, and a QGIS project that shows it over the mosaic."""
    from ejectamap.interop.qgis import export_qgis
    from ejectamap.project.folder import Project

    project = Project.open(folder)
    qgis_project = export_qgis(project, file or project.outputs / "qgis" / "map.gpkg")
    next_command = f"ejectamap import labels {project.folder} {qgis_project.with_suffix('.gpkg')}"
    results_console().print(f"open {qgis_project} in QGIS; next: {next_command}", soft_wrap=True)
