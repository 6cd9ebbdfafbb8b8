"""Verbs that open a page in the browser: view, rank."""

from pathlib import Path
from typing import Annotated

import typer

from ejectamap.cli.app import CraterIds, ProjectFolder, app, read_ids
from ejectamap.errors import RankingError
from ejectamap.terminal import results_console

Port = Annotated[
    int, typer.Option(min=0, max=65535, help="Port on this machine; 0: any free port.")
]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Only print the address.")]


@app.command(epilog="Example: ejectamap view mercury")
def view(folder: ProjectFolder, port: Port = 0, no_browser: NoBrowser = False) -> None:
    """Show mosaic, maps and labels in the browser; only who has the printed address can open it; Ctrl-C ends it."""
    from ejectamap.pages.server import serve
    from ejectamap.pages.viewer.app import Viewer
    from ejectamap.project.folder import Project

    project, console = Project.open(folder), results_console()
    with console.status("reading the project"):
        viewer = Viewer(project).app()
    serve(
        viewer,
        port=port,
        open_from=None if no_browser else project.folder,
        announce=lambda address: console.print(f"{address} (Ctrl-C ends)"),
    )


@app.command(epilog="Example: ejectamap rank mercury --maps ours=mercury --maps theirs=published")
def rank(
    folder: ProjectFolder,
    maps: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FOLDER",
            help="A map to compare: a project, or a folder of masks.",
            show_default="those in PROJECT/compare",
        ),
    ] = None,
    craters: CraterIds = None,
    port: Port = 0,
    no_browser: NoBrowser = False,
    report: Annotated[
        bool,
        typer.Option(
            "--report", help="Report which maps people prefer, and which figures agree with them."
        ),
    ] = False,
) -> None:
    """Let people choose between two maps of a crater in the browser, without names; --report evaluates the choices."""
    from ejectamap.pages.ranking.app import ranking_app
    from ejectamap.pages.ranking.study import open_study
    from ejectamap.pages.ranking.study_report import report_study
    from ejectamap.pages.server import serve
    from ejectamap.project.folder import Project

    ids = read_ids(craters)
    project, console = Project.open(folder), results_console()
    study = open_study(project, _read_maps(maps or []), ids)
    if report:
        report_study(project, study, console)
        return
    serve(
        ranking_app(study),
        port=port,
        open_from=None if no_browser else project.folder,
        announce=lambda address: console.print(f"{address} (Ctrl-C ends)"),
    )


def _read_maps(texts: list[str]) -> dict[str, Path]:
    """Read NAME=FOLDER options as folders by name."""
    folders: dict[str, Path] = {}
    for text in texts:
        name, _, folder = text.partition("=")
        if not name or not folder or name in folders:
            raise RankingError(f"--maps {text!r}: write NAME=FOLDER, each name once")
        folders[name] = Path(folder)
    return folders
