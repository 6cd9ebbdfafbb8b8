"""Verbs that say what a map tells: families."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ejectamap.cli.app import ProjectFolder, app


@app.command(epilog="Example: ejectamap families mercury --write")
def families(
    folder: ProjectFolder,
    write: Annotated[
        bool,
        typer.Option("--write", help="Make these the families of the project's craters."),
    ] = False,
) -> None:
    """Suggest families of craters: clusters of ejecta against radius; writes families.csv and families.png."""
    from ejectamap.analysis.families import adopt, suggest_families, write_table
    from ejectamap.project import Project
    from ejectamap.show.families import plot_families

    project, console = Project.open(folder), Console()
    found = suggest_families(project)
    write_table(project, found)
    plot_families(project.folder / "families.png", found)
    table = Table("Crater", "Radius, km", found.quantity, "Family")
    for row in found.table.itertuples(index=False):
        _, name, radius_km, ejecta, family = row
        table.add_row(Text(str(name)), f"{radius_km:.1f}", f"{ejecta:,.0f}", family or "–")
    console.print(table)
    if write:
        adopt(project, found)
        console.print(f"{project.folder / 'project.yaml'}: inputs.craters is craters-families.csv")
