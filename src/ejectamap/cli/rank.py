"""The verb that asks people."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ejectamap.cli.app import CraterIds, ProjectFolder, app, read_ids
from ejectamap.cli.browse import NoBrowser, Port
from ejectamap.errors import RankingError


@app.command(epilog="Example: ejectamap rank mercury --maps ours=mercury --maps theirs=published")
def rank(
    folder: ProjectFolder,
    maps: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FOLDER",
            help="Maps to judge: a project, or a folder of masks.",
            show_default="those in PROJECT/compare",
        ),
    ] = None,
    craters: CraterIds = None,
    port: Port = 0,
    no_browser: NoBrowser = False,
    report: Annotated[
        bool, typer.Option("--report", help="Say what people prefer, and which figures agree.")
    ] = False,
) -> None:
    """Let people choose between maps of a crater in the browser, blind; --report says what came of it."""
    from ejectamap.pages.ranking import open_study, ranking_app, report_study
    from ejectamap.pages.server import serve
    from ejectamap.project import Project

    project, console = Project.open(folder), Console()
    study = open_study(project, _read_maps(maps or []), read_ids(craters))
    if report:
        report_study(project, study, console)
        return
    serve(
        ranking_app(study),
        port=port,
        open_browser=not no_browser,
        announce=lambda address: console.print(f"{address} (Ctrl-C ends)"),
    )


def _read_maps(texts: list[str]) -> dict[str, Path]:
    """Names and folders of maps as users write them."""
    found: dict[str, Path] = {}
    for text in texts:
        name, _, folder = text.partition("=")
        if not name or not folder or name in found:
            raise RankingError(f"--maps {text!r}: write NAME=FOLDER, each name once")
        found[name] = Path(folder)
    return found
