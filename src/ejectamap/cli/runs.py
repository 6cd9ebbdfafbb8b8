"""Verbs about earlier maps of a project: runs, difference."""

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from ejectamap.cli.app import ProjectFolder, app
from ejectamap.errors import OutputError
from ejectamap.terminal import results_console

if TYPE_CHECKING:
    from ejectamap.maps.runs import Run
    from ejectamap.project.folder import Project


@app.command(epilog="Example: ejectamap runs mercury --keep before-retraining")
def runs(
    folder: ProjectFolder,
    keep: Annotated[
        str | None, typer.Option(metavar="NAME", help="Keep the present map under this name.")
    ] = None,
    name: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="OLD NEW", help="Name a run, so that it stays until it is deleted."),
    ] = None,
    delete: Annotated[str | None, typer.Option(metavar="NAME", help="Delete a run.")] = None,
) -> None:
    """List the project's maps, the present one and earlier ones, which map keeps before it changes them."""
    from ejectamap.maps.runs import delete_run, keep_as, rename_run
    from ejectamap.project.folder import Project
    from ejectamap.project.lock import sole_writer

    project = Project.open(folder)
    changes = keep is not None or name is not None or delete is not None
    with sole_writer(folder, "runs") if changes else nullcontext():
        if keep is not None:
            keep_as(project, keep)
        if name is not None:
            rename_run(project, *name)
        if delete is not None:
            delete_run(project, delete)
    _list_runs(project)


@app.command(epilog="Example: ejectamap difference mercury before-retraining")
def difference(
    folder: ProjectFolder,
    before: Annotated[
        str,
        typer.Argument(
            metavar="BEFORE", help="A run, or another project's folder.", show_default=False
        ),
    ],
    after: Annotated[
        str, typer.Argument(metavar="AFTER", help="Likewise; present: the project's map.")
    ] = "present",
) -> None:
    """Set two maps beside each other: figures, agreement of each crater, and a picture; writes differences/."""
    from ejectamap.evaluation.difference import compare_maps, write_difference
    from ejectamap.evaluation.difference_tables import difference_tables
    from ejectamap.evaluation.tables import print_table
    from ejectamap.project.folder import Project
    from ejectamap.show.difference import draw_difference

    project, console = Project.open(folder), results_console()
    result = compare_maps(project, before, after)
    target = project.folder / "differences" / f"{result.before.name}-{result.after.name}"
    write_difference(result, target)
    draw_difference(project, result, target / "difference.png")
    console.print(f"Before: {result.before.name}; after: {result.after.name}", soft_wrap=True)
    for table in difference_tables(result):
        print_table(table, console)
    console.print(f"{target}: difference.json, craters.csv, difference.png", soft_wrap=True)


def _list_runs(project: "Project") -> None:
    """Print a table of the project's maps, latest first."""
    from ejectamap.maps.runs import kept_runs, present_run

    present, kept, console = present_run(project), kept_runs(project), results_console()
    runs = [*([] if present is None else [present]), *kept]
    if runs:
        table = Table("Run", "Map of", "Method", "Networks", "Craters", "F1", "MB", box=None)
        for run in runs:
            table.add_row(Text(f"{run.name} *" if run.automatic else run.name), *_cells(run))
        console.print(table)
    if any(run.f1 is not None and not _is_independent(run) for run in runs):
        console.print(
            "F1 in brackets: on labels that networks were trained on, at least in part.",
            soft_wrap=True,
        )
    if present is None:
        what = "finishes it" if project.maps.is_dir() else "makes one"
        console.print(f"No finished map: ejectamap map {project.folder} {what}.", soft_wrap=True)
    if any(run.automatic for run in kept):
        limit = project.settings.map.keep_runs
        console.print(
            f"*: one of the latest {limit} (map.keep_runs); --name keeps it for good.",
            soft_wrap=True,
        )


def _is_independent(run: "Run") -> bool:
    """Whether its F1 is of labels that no network is known to have been trained on."""
    from ejectamap.evaluation.tables import is_independent

    return is_independent(run.evaluation or {})


def _cells(run: "Run") -> tuple[str, ...]:
    """Date, method, networks, number of craters, pixel F1 and size of a map."""
    made = f"{run.made.astimezone():%Y-%m-%d %H:%M}"
    try:
        method, networks, craters = run.method, run.networks, str(len(run.crater_ids))
    except OutputError:
        return made, "damaged"
    f1 = "–" if run.f1 is None else f"{run.f1:.3f}" if _is_independent(run) else f"({run.f1:.3f})"
    return made, method, networks, craters, f1, f"{run.size_bytes / 1e6:,.1f}"
