"""Verbs that analyse maps: families, analyze, suggest."""

from math import isnan
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ejectamap.cli.app import ProjectFolder, app
from ejectamap.terminal import results_console

if TYPE_CHECKING:
    from pandas import DataFrame


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
    """Measure each mapped crater's ejecta and rays; writes analysis.csv, rays.csv, rays.gpkg and analysis.png."""
    from ejectamap.api.stages import analyze as analyze_map
    from ejectamap.project.folder import Project

    project, console = Project.open(folder), results_console()
    measurements = analyze_map(project)
    columns = {
        "Blanket,\nkm": "blanket_radius_km",
        "Farthest,\nkm": "max_distance_km",
        "Rays": "ray_count",
        "From, °": "missing_bearing_deg",
    }
    table = Table("Crater", box=SIMPLE, padding=(0, 1, 0, 0))
    for name in ("Area,\n1000 km²", "Mask,\n1000 km²", *columns):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for row in measurements.to_dict("records"):
        area, sd, mask = (
            _thousands(row[name])
            for name in ("expected_area_km2", "expected_area_sd_km2", "total_area_km2")
        )
        cells = ["–" if isnan(row[name]) else f"{row[name]:,.0f}" for name in columns.values()]
        flags = [row["truncated"] and "cut off", row["set_aside"] and "shared"]
        flag = ", ".join(word for word in flags if word)
        table.add_row(Text(str(row["name"])), f"{area} ± {sd}", mask, *cells, flag)
    console.print(table)
    _explain(console, measurements, project.settings.map.threshold)
    names = "analysis.csv, rays.csv, rays.gpkg, analysis.png"
    console.print(f"{project.outputs}: {names}", soft_wrap=True)


def _thousands(value: float) -> str:
    """A number in thousands, with a decimal below ten thousand."""
    return f"{value / 1000:,.{1 if abs(value) < 1e4 else 0}f}"


def _explain(console: Console, measurements: "DataFrame", threshold: float) -> None:
    """Say what the columns of the printed table are."""
    from ejectamap.analysis.area_error import LEAST_CRATERS

    error, craters = measurements["area_error"].iloc[0], measurements["area_error_craters"].iloc[0]
    source = "measured on other planets"
    if craters >= LEAST_CRATERS:
        source += f" and here on {craters} craters whose labels no network has seen"
    else:
        noun = "crater has" if craters == 1 else "craters have"
        source += (
            f" ({craters} {noun} labelled ejecta here that no network has seen; from"
            f" {LEAST_CRATERS} on they count too)"
        )
    notes = {
        "truncated": "Cut off: the ejecta end where the mosaic's data or the reach do.",
        "set_aside": "Shared: more than a fifth of the blanket's area has other craters' ejecta too.",
    }
    for line in (
        "Area: sum of probability times ground area, beyond the rim, and its standard deviation;"
        f" {error:.0%} of the area are the probabilities' own error, {source}."
        f" Mask: area where the probability exceeds {threshold:g}.",
        "Blanket: radius of the continuous ejecta. Farthest: distance of the farthest ejecta. From: where the"
        " projectile came from, clockwise from north.",
        *(note for column, note in notes.items() if measurements[column].astype(bool).any()),
        "analysis-columns.csv and rays-columns.csv explain every column of analysis.csv and rays.csv.",
    ):
        console.print(Text(line))


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
    if suggested.empty:
        console.print(
            "no tile to suggest: everything in reach is labelled, or the networks are sure of it"
        )
        return
    table = Table("Tile", "Row", "Column", "Size, px", "Score", "Why")
    for row in suggested.to_dict("records"):
        position = str(row["tile_id"]), str(row["row"]), str(row["col"])
        size = f"{row['height']} x {row['width']}"
        table.add_row(*position, size, f"{row['score']:.3f}", Text(str(row["reason"])))
    console.print(table)
    console.print(f"{project.folder / NAME}: {len(suggested)} tiles", soft_wrap=True)
