"""Verbs that analyse maps: families, analyze, suggest."""

from math import isnan
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from ejectamap.cli.app import ProjectFolder, app
from ejectamap.terminal import results_console


@app.command(epilog="Example: ejectamap families mercury --write")
def families(
    folder: ProjectFolder,
    write: Annotated[
        bool,
        typer.Option("--write", help="Use these families in the project."),
    ] = False,
) -> None:
    """Suggest families of craters by clustering their ejecta and radii; writes families.csv and families.png."""
    from ejectamap.analysis.families import adopt_families, suggest_families, write_families
    from ejectamap.project.folder import Project
    from ejectamap.show.families import plot_families

    project, console = Project.open(folder), results_console()
    suggested = suggest_families(project)
    write_families(project, suggested)
    plot_families(project.folder / "families.png", suggested)
    table = Table("Crater", "Radius, km", suggested.quantity, "Family")
    for row in suggested.table.itertuples(index=False):
        _, name, radius_km, ejecta, family = row
        table.add_row(Text(str(name)), f"{radius_km:.1f}", f"{ejecta:,.0f}", family or "–")
    console.print(table)
    if write:
        adopt_families(project, suggested)
        console.print(f"{project.folder / 'project.yaml'}: inputs.craters is craters-families.csv")


@app.command(epilog="Example: ejectamap analyze mercury")
def analyze(folder: ProjectFolder) -> None:
    """Measure the ejecta of each mapped crater; writes analysis.csv, analysis-columns.csv and analysis.png."""
    from ejectamap.analysis.measure import analyze_project
    from ejectamap.project.folder import Project
    from ejectamap.show.analysis import plot_analysis

    project, console = Project.open(folder), results_console()
    measurements = analyze_project(project)
    plot_analysis(project.outputs / "analysis.png", measurements)
    columns = {
        "Area, km²": "total_area_km2",
        "Expected": "expected_area_km2",
        "±": "expected_area_sd_km2",
        "Blanket, km": "blanket_radius_km",
        "Farthest, km": "max_distance_km",
        "Rays": "ray_count",
        "From, °": "missing_bearing_deg",
    }
    table = Table("Crater", *columns, "Set aside")
    for row in measurements.to_dict("records"):
        values = [row[name] for name in columns.values()]
        cells = ["–" if isnan(value) else f"{value:,.0f}" for value in values]
        table.add_row(Text(str(row["name"])), *cells, "yes" if row["set_aside"] else "")
    console.print(table)


@app.command(epilog="Example: ejectamap suggest mercury --tiles 30")
def suggest(
    folder: ProjectFolder,
    tiles: Annotated[int, typer.Option(min=1, help="Number of tiles.")] = 50,
) -> None:
    """Rank unlabelled tiles by how much their labels would improve the networks; writes suggestions.csv."""
    from ejectamap.project.folder import Project
    from ejectamap.suggest import NAME, suggest_tiles

    project, console = Project.open(folder), results_console()
    suggested = suggest_tiles(project, tiles)
    table = Table("Tile", "Row", "Column", "Size, px", "Score", "Why")
    for row in suggested.to_dict("records"):
        position = str(row["tile_id"]), str(row["row"]), str(row["col"])
        size = f"{row['height']} x {row['width']}"
        table.add_row(*position, size, f"{row['score']:.3f}", Text(str(row["reason"])))
    console.print(table)
    console.print(f"{project.folder / NAME}: {len(suggested)} tiles", soft_wrap=True)
