"""The command line: one verb per stage, each a few lines over the library."""

import json
import logging
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.logging import RichHandler

from ejectamap.errors import EjectamapError, OutputError, SettingsError

app = typer.Typer(
    help="One ejecta map per fresh crater, for a whole planet.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
# Heavy libraries are imported inside the verbs, so that --help answers at once.

_INTERRUPTED = 130  # typer's exit code for it

ProjectFolder = Annotated[
    Path, typer.Argument(metavar="PROJECT", help="Project folder.", show_default=False)
]
Minutes = Annotated[float | None, typer.Option(min=0.01, help="Time budget of all training.")]


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


@app.command(epilog="Example: ejectamap train mercury --max-minutes 60")
def train(
    folder: ProjectFolder,
    max_minutes: Minutes = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Forget what was trained and start again.")
    ] = False,
) -> None:
    """Train the networks that the project's method needs; an interrupted training goes on."""
    from ejectamap.project import Project
    from ejectamap.training import train as train_project

    train_project(Project.open(folder), max_minutes, fresh)


@app.command(name="map", epilog="Example: ejectamap map mercury --craters 12,17 --workers 2")
def map_(
    folder: ProjectFolder,
    craters: Annotated[
        str | None, typer.Option(metavar="IDS", help="Only these, as in 12,17.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes on this machine.")] = 1,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler to use instead.")
    ] = None,
) -> None:
    """Map every crater's ejecta; an interrupted map goes on with the craters that are missing."""
    from ejectamap.mapping import map_project
    from ejectamap.project import Project
    from ejectamap.show import draw_maps

    project = Project.open(folder)
    map_project(project, _ids(craters), workers, scheduler)
    draw_maps(project)


@app.command(epilog="Example: ejectamap evaluate mercury --json")
def evaluate(
    folder: ProjectFolder,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print evaluation.json instead of tables.")
    ] = False,
) -> None:
    """Compare the map with the labels, as the poster does."""
    from ejectamap.evaluation import evaluate_project, print_tables
    from ejectamap.project import Project

    evaluation = evaluate_project(Project.open(folder))
    if as_json:
        sys.stdout.write(json.dumps(evaluation.to_dict(), indent=2) + "\n")
    else:
        print_tables(evaluation, Console())


def _ids(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise SettingsError(
            f"--craters {text!r}: is not a list of ids: write them as in 12,17"
        ) from None


def main() -> None:
    """Run the command line: a user's error is one line on standard error and exit code 2."""
    logging.basicConfig(
        level=logging.WARNING,
        format="%(message)s",
        handlers=[RichHandler(console=Console(stderr=True), show_path=False, show_time=False)],
    )
    try:
        app()
    except EjectamapError as error:
        _fail(error)
    except OSError as error:
        _fail(
            OutputError(
                f"{error.filename or 'a file'}: {error.strerror or error}: check space and permissions"
            )
        )
    except SystemExit as ended:
        if ended.code == _INTERRUPTED:
            sys.stderr.write("interrupted: run the same command again to go on\n")
        raise


def _fail(error: EjectamapError) -> None:
    sys.stderr.write(f"ejectamap: {' '.join(str(error).split())}\n")
    sys.exit(2)
