"""Verbs from labels to results: train, map, evaluate, report; compare methods; tune settings."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ejectamap.cli.app import CraterIds, Minutes, ProjectFolder, app, finite, read_ids
from ejectamap.progress import status
from ejectamap.terminal import results_console

if TYPE_CHECKING:
    from ejectamap.maps.runs import Run
    from ejectamap.project.folder import Project

Workers = Annotated[int, typer.Option(min=1, max=1024, help="Number of processes on this machine.")]


@app.command(epilog="Example: ejectamap train mercury --max-minutes 60")
def train(
    folder: ProjectFolder,
    max_minutes: Minutes = None,
    fresh: Annotated[
        bool,
        typer.Option(
            "--fresh/--resume",
            help="Train all networks anew, or only what is missing, damaged or not current.",
        ),
    ] = False,
) -> None:
    """Train the networks that the project's method needs, again where labels or settings changed."""
    from ejectamap.project.folder import Project

    with status("loading"):  # PyTorch takes seconds
        from ejectamap.training.run import train as train_project

    train_project(Project.open(folder), max_minutes, fresh, console=results_console())


@app.command(name="map", epilog="Example: ejectamap map mercury --craters 12,17 --workers 2")
def map_(
    folder: ProjectFolder,
    craters: CraterIds = None,
    family: Annotated[
        str | None, typer.Option(help="Only the craters of these families, as in A,B.")
    ] = None,
    workers: Workers = 1,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Address of a Dask scheduler to use instead of local processes."),
    ] = None,
) -> None:
    """Map every crater's ejecta; an interrupted run continues with the craters that are missing."""
    from ejectamap.api.stages import chosen_ids, map_and_draw
    from ejectamap.project.folder import Project
    from ejectamap.project.network_state import outdated_networks
    from ejectamap.world.coverage import ground_share, is_outside

    ids = read_ids(craters)
    project = Project.open(folder)
    ids = chosen_ids(project, ids, None if family is None else family.split(","))
    for line in outdated_networks(project):
        results_console().print(f"warning: {line}", style="yellow", soft_wrap=True)
    kept = map_and_draw(project, ids, workers, scheduler)
    outside = ", ".join(
        crater.name
        for crater in project.chosen_craters(ids)
        if is_outside(ground_share(project.mosaic, crater))
    )
    if outside:
        results_console().print(
            f"warning: outside the mosaic, nothing mapped: {outside}",
            style="yellow",
            soft_wrap=True,
        )
    for line in _map_summary(project, kept):
        results_console().print(line, highlight=False, markup=False, soft_wrap=True)


def _map_summary(project: "Project", kept: "Run | None") -> Iterator[str]:
    """What the map folder holds now, what to bear in mind, and what comes next."""
    from ejectamap.maps.mapped import find_maps
    from ejectamap.project.products import note_on_networks

    count, every = len(find_maps(project).all), len(project.craters)
    yield (
        f"{project.maps}: {count} of {every} craters, each with probability, mask and card; origin.tif, ejecta.gpkg"
        " and global.png show them together"
    )
    if kept is not None:
        yield (
            f"the map before is kept as run {kept.name}: ejectamap difference {project.folder} {kept.name} compares"
            " the two"
        )
    note = note_on_networks(project)
    if note is not None:
        yield f"note: {note}"
    verbs = (
        ("view", "analyze", "report") if project.labels is None else ("evaluate", "report", "view")
    )
    yield f"next: {', '.join(f'ejectamap {verb} {project.folder}' for verb in verbs)}"


@app.command(epilog="Example: ejectamap evaluate mercury --json")
def evaluate(
    folder: ProjectFolder,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the content of evaluation.json instead of tables.")
    ] = False,
    structure: Annotated[
        bool,
        typer.Option(
            "--structure", help="Also evaluate the shape of the ejecta: outlines, rays, gaps."
        ),
    ] = False,
    second_labels: Annotated[
        Path | None,
        typer.Option(
            help="Labels by a second person: the agreement of the two is the most a map can reach."
        ),
    ] = None,
) -> None:
    """Compare the map with the labels; writes evaluation.json."""
    from ejectamap.evaluation.run import evaluate_project
    from ejectamap.evaluation.tables import print_tables
    from ejectamap.project.folder import Project

    project = Project.open(folder)
    evaluation = evaluate_project(project, second_labels, structure)
    if as_json:
        sys.stdout.write(json.dumps(evaluation.to_dict(), indent=2) + "\n")
    else:
        console = results_console()
        print_tables(evaluation, console)
        console.print(f"{project.outputs / 'evaluation.json'}: all figures", soft_wrap=True)


@app.command(epilog="Example: ejectamap report mercury")
def report(folder: ProjectFolder) -> None:
    """Write report.html, one self-contained file: the map, every crater, evaluation and provenance."""
    from ejectamap.pages.report.page import write_report
    from ejectamap.project.folder import Project

    path = write_report(Project.open(folder))
    results_console().print(f"{path}: {path.stat().st_size / 1e6:.1f} MB", soft_wrap=True)


@app.command(
    epilog="Example: ejectamap compare mercury --methods two-stage,distance-only --max-minutes 30"
)
def compare(
    folder: ProjectFolder,
    methods: Annotated[
        str | None,
        typer.Option(help="Only these methods, as in two-stage,polar.", show_default="all"),
    ] = None,
    max_minutes: Minutes = None,
) -> None:
    """Train, map and evaluate with several methods, each with an equal part of the time; print one table."""
    from ejectamap.compare import compare_methods, print_comparison
    from ejectamap.project.folder import Project

    names = () if methods is None else tuple(methods.split(","))
    print_comparison(compare_methods(Project.open(folder), names, max_minutes), results_console())


@app.command(epilog="Example: ejectamap cross-validate mercury --folds 5 --max-minutes 60")
def cross_validate(
    folder: ProjectFolder,
    folds: Annotated[int, typer.Option(min=2, help="Number of groups of craters.")] = 5,
    max_minutes: Minutes = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, in the folds alone."),
    ] = None,
) -> None:
    """Judge each labelled crater by networks not trained on it; the same command again continues."""
    from ejectamap.cross_validation import cross_validate as cross_validate_project
    from ejectamap.cross_validation import print_result
    from ejectamap.project.folder import Project

    project, console = Project.open(folder), results_console()
    result = cross_validate_project(project, folds, max_minutes, changes or (), console)
    print_result(result, console)


@app.command(
    epilog="Example: ejectamap tune mercury examples/search_poster.yaml --trials 50 --minutes-per-trial 20"
)
def tune(
    folder: ProjectFolder,
    search: Annotated[
        Path,
        typer.Argument(metavar="SEARCH", help="YAML file with settings to try and objectives."),
    ],
    trials: Annotated[
        int, typer.Option(min=1, help="Number of trials, in all runs together.")
    ] = 20,
    workers: Workers = 1,
    minutes_per_trial: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            callback=finite,
            help="Time budget of each trial's training, in minutes.",
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
    """Search for better settings: train, map and evaluate with many; the same command again continues the search."""
    from ejectamap.tuning.run import TuningOptions
    from ejectamap.tuning.run import tune as tune_project

    options = TuningOptions(folder, search, trials, minutes_per_trial, storage, keep)
    tune_project(options, workers, results_console())
