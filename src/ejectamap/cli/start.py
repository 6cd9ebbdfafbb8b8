"""Verbs that make something to work on: demo, simulate, new, check."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ejectamap.cli.app import Minutes, ProjectFolder, app


@app.command(epilog="Example: ejectamap demo demo")
def demo(
    folder: Annotated[Path, typer.Argument(help="New folder for the demonstration.")] = Path(
        "demo"
    ),
    max_minutes: Minutes = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the planets and of the training.")] = 0,
) -> None:
    """Simulate planets, train on some, map another one that was never seen, and judge the map."""
    from ejectamap.demo import run_demo

    run_demo(folder, max_minutes, seed, Console())


@app.command(epilog="Example: ejectamap simulate planet --seed 7 --width 2048 --tiles 200")
def simulate(
    folder: Annotated[Path, typer.Argument(help="New folder for mosaic, craters and labels.")],
    seed: Annotated[int, typer.Option(min=0)] = 0,
    width: Annotated[int, typer.Option(min=256, help="Width of the mosaic, in pixels.")] = 2048,
    craters: Annotated[int, typer.Option(min=1, help="Number of fresh craters.")] = 30,
    tiles: Annotated[
        int, typer.Option(min=0, help="Label only so many tiles; 0: the whole planet.")
    ] = 0,
    tile_px: Annotated[int, typer.Option(min=8, help="Side of such a tile, in pixels.")] = 64,
) -> None:
    """Make a planet with known ejecta: mosaic.tif, craters.csv, labels/, tiles.csv."""
    from ejectamap.simulate import choose_tiles, simulate_planet, write_planet

    planet = simulate_planet(seed, width, craters)
    write_planet(planet, folder, choose_tiles(planet, tiles, tile_px, seed) if tiles else ())


@app.command(
    epilog="Example: ejectamap new mercury --mosaic mosaic.tif --craters craters.csv --labels labels --preset laptop"
)
def new(
    folder: ProjectFolder,
    mosaic: Annotated[
        Path, typer.Option(help="Whole-globe raster, equidistant cylindrical on a sphere.")
    ],
    craters: Annotated[Path, typer.Option(help="CSV, GeoPackage or shapefile of fresh craters.")],
    labels: Annotated[
        Path | None, typer.Option(help="Folder of masks, or vector layer of polygons.")
    ] = None,
    tiles: Annotated[Path | None, typer.Option(help="CSV of fully labelled windows.")] = None,
    preset: Annotated[str, typer.Option(help="Settings to start from.")] = "laptop",
    seed: Annotated[int, typer.Option(min=0, help="The one seed of everything random.")] = 0,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of the preset."),
    ] = None,
) -> None:
    """Make a project folder with its project.yaml."""
    from ejectamap.project import Project

    project = Project.create(folder, mosaic, craters, labels, tiles, preset, seed, changes or ())
    Console().print(
        f"made {project.folder / 'project.yaml'}; next: ejectamap check {project.folder}",
        soft_wrap=True,
    )


@app.command(epilog="Example: ejectamap check mercury")
def check(folder: ProjectFolder) -> None:
    """Validate every input and say what will run and what it will cost."""
    from ejectamap.check import check_project
    from ejectamap.project import Project

    check_project(Project.open(folder), Console())
