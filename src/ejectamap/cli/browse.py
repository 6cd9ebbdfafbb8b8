"""Verbs that open a page in the browser."""

from typing import Annotated

import typer
from rich.console import Console

from ejectamap.cli.app import ProjectFolder, app

Port = Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine; 0: any free one.")]
NoBrowser = Annotated[
    bool, typer.Option("--no-browser", help="Print the address, open no browser.")
]


@app.command(epilog="Example: ejectamap view mercury")
def view(folder: ProjectFolder, port: Port = 0, no_browser: NoBrowser = False) -> None:
    """Look at mosaic, maps and labels in the browser; served to this machine alone, until Ctrl-C."""
    from ejectamap.pages.server import serve
    from ejectamap.pages.viewer.app import Viewer
    from ejectamap.project import Project

    console = Console()
    with console.status("reading the project"):
        viewer = Viewer(Project.open(folder)).app()
    serve(
        viewer,
        port=port,
        open_browser=not no_browser,
        announce=lambda address: console.print(f"{address} (Ctrl-C ends)"),
    )
