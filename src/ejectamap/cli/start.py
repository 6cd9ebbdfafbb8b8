"""Verbs that prepare a project: demo, simulate, new, check."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ejectamap.cli.app import Minutes, ProjectFolder, app, read_columns
from ejectamap.errors import EjectamapError
from ejectamap.progress import status
from ejectamap.terminal import results_console

if TYPE_CHECKING:
    from ejectamap.project.folder import Project


@app.command(epilog="Example: ejectamap demo demo")
def demo(
    folder: Annotated[Path, typer.Argument(help="New folder for the demonstration.")] = Path(
        "demo"
    ),
    max_minutes: Minutes = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the planets and of the training.")] = 0,
) -> None:
    """Simulate planets, train on all but one, map and evaluate that one, and write the report."""
    from ejectamap.demo import run_demo

    run_demo(folder, max_minutes, seed, results_console())


@app.command(epilog="Example: ejectamap simulate planet --seed 7 --width 2048 --tiles 200")
def simulate(
    folder: Annotated[Path, typer.Argument(help="New folder for mosaic, craters and labels.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the planet.")] = 0,
    width: Annotated[
        int, typer.Option(min=256, max=65_536, help="Width of the mosaic, in pixels.")
    ] = 2048,
    craters: Annotated[int, typer.Option(min=1, max=10_000, help="Number of fresh craters.")] = 30,
    tiles: Annotated[
        int,
        typer.Option(
            min=0, max=100_000, help="Number of tiles to label; 0: label the whole planet."
        ),
    ] = 0,
    tile_px: Annotated[int, typer.Option(min=8, max=8192, help="Side of a tile, in pixels.")] = 64,
) -> None:
    """Simulate a planet with known ejecta; writes mosaic.tif, craters.csv, labels/ and, with --tiles, tiles.csv."""
    from ejectamap.api.stages import simulate as simulate_planet

    simulate_planet(folder, seed, width, craters, tiles, tile_px)


@app.command(
    epilog="Example: ejectamap new mercury --mosaic mosaic.tif --craters craters.csv --labels labels --preset laptop"
)
def new(
    folder: ProjectFolder,
    mosaic: Annotated[
        Path, typer.Option(help="Raster of a globe or a part of it, or a folder of such.")
    ],
    craters: Annotated[Path, typer.Option(help="CSV, GeoPackage or shapefile of fresh craters.")],
    labels: Annotated[
        Path | None, typer.Option(help="Folder of masks, or vector layer of polygons.")
    ] = None,
    tiles: Annotated[
        Path | None, typer.Option(help="CSV of the windows that are labelled completely.")
    ] = None,
    preset: Annotated[str, typer.Option(help="Preset of settings to start from.")] = "laptop",
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")] = 0,
    *,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="KEY=COLUMN,...",
            help="Columns of the catalogue that are not found by name, as in lon=LON_CIRC,radius_m=R.",
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of the preset."),
    ] = None,
) -> None:
    """Make a project folder with its settings, project.yaml."""
    from ejectamap.project.folder import Project

    chosen = read_columns(columns)
    project = Project.create(
        folder, mosaic, craters, labels, tiles, preset, seed, changes or (), columns=chosen
    )
    _warn_of_radii(project)
    for note in project.input_files.notes:
        results_console().print(f"note: {note}", highlight=False, soft_wrap=True)
    results_console().print(
        f"made {project.folder / 'project.yaml'}; next: ejectamap check {project.folder}",
        soft_wrap=True,
    )


def _warn_of_radii(project: "Project") -> None:
    """Ask about radii in a wrong unit at once; whether the catalogue can be used at all is for `check` to say."""
    from ejectamap.world.radius_checks import doubtful_radii

    try:
        lines = list(doubtful_radii(project.craters, project.grid.pixel_m))
    except EjectamapError:
        return
    for line in lines:
        results_console().print(
            f"warning: {project.settings.inputs.craters}: {line}", style="yellow", soft_wrap=True
        )


@app.command(epilog="Example: ejectamap check mercury")
def check(folder: ProjectFolder) -> None:
    """Check every input and setting, and print what the other commands will do and what it will cost."""
    with status("loading"):  # PyTorch takes seconds
        from ejectamap.check import check_project
    from ejectamap.project.folder import Project

    check_project(Project.open(folder), results_console())
