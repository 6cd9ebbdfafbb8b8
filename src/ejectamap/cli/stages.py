"""Verbs that do the work, in its order: train, map, evaluate."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ejectamap.cli.app import CraterIds, Minutes, ProjectFolder, app, read_ids


@app.command(epilog="Example: ejectamap train mercury --max-minutes 60")
def train(
    folder: ProjectFolder,
    max_minutes: Minutes = None,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh/--resume",
            help="Forget what was trained and start again, or go on where it stopped.",
        ),
    ] = False,
) -> None:
    """Train the networks that the project's method needs; an interrupted training goes on."""
    from ejectamap.project import Project
    from ejectamap.training import train as train_project

    train_project(Project.open(folder), max_minutes, fresh)


@app.command(name="map", epilog="Example: ejectamap map mercury --craters 12,17 --workers 2")
def map_(
    folder: ProjectFolder,
    craters: CraterIds = None,
    family: Annotated[
        str | None, typer.Option(help="Only craters of these families, as in A,B.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes on this machine.")] = 1,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler to use instead.")
    ] = None,
) -> None:
    """Map every crater's ejecta; an interrupted map goes on with the craters that are missing."""
    from ejectamap.mapping import map_project
    from ejectamap.project import Project
    from ejectamap.show import draw_card, draw_maps

    project = Project.open(folder)
    ids = read_ids(craters)
    if family is not None:
        members = [crater.crater_id for crater in project.family_craters(family.split(","))]
        ids = members if ids is None else [k for k in ids if k in members]
    map_project(project, ids, workers, scheduler, draw_card)
    draw_maps(project)


@app.command(epilog="Example: ejectamap evaluate mercury --json")
def evaluate(
    folder: ProjectFolder,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print evaluation.json instead of tables.")
    ] = False,
    structure: Annotated[
        bool, typer.Option("--structure", help="Judge the shape too: outlines, rays, gaps.")
    ] = False,
    second_labels: Annotated[
        Path | None,
        typer.Option(help="What another person drew: their agreement is a map's ceiling."),
    ] = None,
) -> None:
    """Compare the map with the labels, as the poster does."""
    from ejectamap.evaluation import evaluate_project, print_tables
    from ejectamap.project import Project

    evaluation = evaluate_project(Project.open(folder), second_labels, structure)
    if as_json:
        sys.stdout.write(json.dumps(evaluation.to_dict(), indent=2) + "\n")
    else:
        print_tables(evaluation, Console())


@app.command(epilog="Example: ejectamap report mercury")
def report(folder: ProjectFolder) -> None:
    """Write report.html: the map, each crater, evaluation and provenance in one file to keep, print and send."""
    from ejectamap.pages.report import write_report
    from ejectamap.project import Project

    path = write_report(Project.open(folder))
    Console().print(f"{path}: {path.stat().st_size / 1e6:.1f} MB", soft_wrap=True)
