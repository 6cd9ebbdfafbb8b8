"""The report's card of each crater."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ejectamap.analysis.measure import ANALYSIS_NAME, read_analysis
from ejectamap.evaluation.stored import read_evaluation
from ejectamap.maps.colours import crater_colours
from ejectamap.maps.connections import read_connections
from ejectamap.maps.edits import read_edit
from ejectamap.maps.outlines import read_polygons
from ejectamap.maps.state import card_path
from ejectamap.pages.report.parts import Picture, embed_jpeg
from ejectamap.project.folder import Project
from ejectamap.show.card import panel_boxes
from ejectamap.show.run import describe_label
from ejectamap.world.craters import Crater

Row = Mapping[str, Any]

EVALUATION = "evaluation.json"
NO_VALUE = "–"
"""Shown where a figure is unknown."""


@dataclass(frozen=True)
class Card:
    """One crater in the report.

    Attributes
    ----------
    crater : Crater
    colour : str
        Of the crater on all maps, as #rrggbb.
    pictures : tuple of Picture
        The mosaic, and the probability over the mosaic.
    overview : tuple of str
        Its cells in the table of all craters, in the columns `OVERVIEW`.
    figures : tuple of (str, str)
        Name and value of each figure.
    """

    crater: Crater
    colour: str
    pictures: tuple[Picture, ...]
    overview: tuple[str, ...]
    figures: tuple[tuple[str, str], ...]


OVERVIEW = (
    "Radius, km",
    "Area, km²",
    "Mask, km²",
    "Mean probability",
    "Blanket radius, km",
    "Farthest, km",
    "Rays",
    "Pixel F1",
)


@dataclass(frozen=True)
class CraterRows:
    """Data of each crater from the project's files, by crater id; empty where a file is missing.

    Attributes
    ----------
    polygons, analysis, evaluation : mapping of int to mapping
        Rows of map/ejecta.gpkg, of analysis.csv and of the craters in evaluation.json.
    connections : DataFrame
        map/connections.parquet.
    """

    polygons: Mapping[int, Row]
    analysis: Mapping[int, Row]
    evaluation: Mapping[int, Row]
    connections: pd.DataFrame

    @classmethod
    def read(cls, project: Project, outdated: Collection[str] = ()) -> "CraterRows":
        """Read the files of a project, but for those that are named as outdated."""
        polygons = read_polygons(project).drop(columns="geometry")
        analysed = (project.outputs / ANALYSIS_NAME).exists() and ANALYSIS_NAME not in outdated
        evaluation = None if EVALUATION in outdated else read_evaluation(project)
        remedy = f"run ejectamap map {project.folder} again"
        return cls(
            _by_id(polygons.to_dict("records")),
            _by_id(read_analysis(project).to_dict("records")) if analysed else {},
            _by_id([] if evaluation is None else evaluation["craters"]),
            read_connections(project.maps / "connections.parquet", remedy),
        )


def build_card(project: Project, crater: Crater, crater_rows: CraterRows) -> Card:
    """Build the card of a crater."""
    k = crater.crater_id
    polygon, analysis = crater_rows.polygons.get(k, {}), crater_rows.analysis.get(k, {})
    scores = crater_rows.evaluation.get(k, {"pixel": {}})["pixel"]
    chips = crater_rows.connections[crater_rows.connections["crater_id"] == k]
    overview = (
        f"{crater.radius_m / 1000:,.1f}",
        _expected_area(analysis),
        _number(polygon.get("area_km2", 0.0)),
        _number(polygon.get("mean_probability"), 2),
        _number(analysis.get("blanket_radius_km")),
        _number(analysis.get("max_distance_km")),
        _number(analysis.get("ray_count")),
        _number(scores.get("f1"), 3),
    )
    figures = [
        ("Centre", _place(crater)),
        ("Radius", f"{crater.radius_m / 1000:,.1f} km"),
        ("Area, expected from the probabilities", f"{overview[1]} km²"),
        ("Area of the mask, crater included", f"{overview[2]} km²"),
        ("Mean probability in the mask", overview[3]),
        *_analysis_figures(crater, analysis),
        *_score_figures(scores),
    ]
    edit = read_edit(project, k)
    if edit is not None:
        figures.append(("Edited by hand", f"{_number(edit.area_km2(project.grid))} km² of the map"))
    label = describe_label(project, crater)
    if label is not None:
        figures.append(("Label", label))
    if crater.family:
        figures.insert(2, ("Family", crater.family))
    if len(chips):
        figures.append(("Connected chips", f"{chips['connected'].sum()} of {len(chips)}"))
    descriptions = ("the mosaic", "the probability of ejecta, over the mosaic in grey")
    pictures = tuple(
        embed_jpeg(card_path(project, crater), f"{crater.name}: {alt}", box)
        for alt, box in zip(descriptions, panel_boxes(), strict=True)
    )
    colour = "#{:02x}{:02x}{:02x}".format(*crater_colours(project.craters)[k])
    return Card(crater, colour, pictures, overview, tuple(figures))


def _analysis_figures(crater: Crater, row: Row) -> list[tuple[str, str]]:
    """Figures from a row of analysis.csv."""
    if not row:
        return []
    contrast = " and ".join(_number(row[f"{part}_contrast"], 1) for part in ("blanket", "ray"))
    areas = " and ".join(_number(row[f"{part}_area_km2"]) for part in ("blanket", "ray"))
    radii = _number(1000 * row["blanket_radius_km"] / crater.radius_m, 1)
    blanket = f"{_number(row['blanket_radius_km'])} km, {radii} crater radii"
    rays = f"{_number(row['ray_count'])}"
    if row["ray_count"] > 0:
        rays += f", the longest {_number(row['ray_length_max_km'])} km"
    shared = f"{row['blanket_shared_share']:.0%}{', set aside' if row['set_aside'] else ''}"
    return [
        ("Blanket radius", blanket),
        ("Blanket and rays in the mask", f"{areas} km²"),
        ("Farthest ejecta", f"{_number(row['max_distance_km'])} km"),
        *([("Cut off by", row["truncated"] or "nothing")] if "truncated" in row else []),
        ("Rays", rays),
        ("Impact direction", _direction(row)),
        ("Contrast of blanket and rays", contrast),
        ("Freshness rank by ray contrast", _number(row["freshness_rank"])),
        ("Blanket shared with other craters", shared),
    ]


def _expected_area(row: Row) -> str:
    """Expected area and its standard deviation, in km²; `NO_VALUE` where it was not measured."""
    if not row:
        return NO_VALUE
    return f"{_number(row['expected_area_km2'])} ± {_number(row['expected_area_sd_km2'])}"


def _score_figures(scores: Row) -> list[tuple[str, str]]:
    """Figures from a crater's pixel scores in evaluation.json."""
    if not scores:
        return []
    names = {"f1": "F1", "precision": "precision", "recall": "recall"}
    text = ", ".join(f"{name} {_number(scores[key], 3)}" for key, name in names.items())
    return [("Pixel scores against its labels", text)]


def _direction(row: Row) -> str:
    """Direction that the projectile came from."""
    if row["symmetry"] == "oblique":
        return f"from {row['missing_bearing_deg']:.0f}° (confidence {row['confidence']:.2f})"
    return "no forbidden zone" if row["symmetry"] == "symmetric" else NO_VALUE


def _place(crater: Crater) -> str:
    ns, ew = "NS"[crater.lat < 0], "EW"[crater.lon < 0]
    return f"{abs(crater.lat):.2f}° {ns}, {abs(crater.lon):.2f}° {ew}"


def _number(value: Any, digits: int = 0) -> str:
    """Format a number with thousands separators; `NO_VALUE` where it is unknown."""
    return NO_VALUE if value is None or pd.isna(value) else f"{value:,.{digits}f}"


def _by_id(rows: list[Any]) -> dict[int, Row]:
    return {int(row["crater_id"]): row for row in rows}
