"""What the report says of each crater."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyogrio

from ejectamap.analysis.measure import ANALYSIS_NAME, read_analysis
from ejectamap.mapping.colours import crater_colour
from ejectamap.pages.report.parts import Picture, inline_ground
from ejectamap.project import Project
from ejectamap.show.card import panel_boxes
from ejectamap.show.run import card_path
from ejectamap.world.craters import Crater

Record = Mapping[str, Any]

NONE = "–"


@dataclass(frozen=True)
class Card:
    """One crater in the report.

    Attributes
    ----------
    crater : Crater
    colour : str
        The crater's own, as #rrggbb.
    pictures : tuple of Picture
        The mosaic, and the map over it.
    overview : tuple of str
        Its cells in the table of all craters, under `OVERVIEW`.
    figures : tuple of (str, str)
        Everything measured: name and value.
    """

    crater: Crater
    colour: str
    pictures: tuple[Picture, ...]
    overview: tuple[str, ...]
    figures: tuple[tuple[str, str], ...]


OVERVIEW = (
    "Radius, km",
    "Ejecta, km²",
    "Mean probability",
    "Blanket radius, km",
    "Farthest, km",
    "Rays",
    "Pixel F1",
)


@dataclass(frozen=True)
class Records:
    """What the project's files say of each crater, by id; empty where a file is not there.

    Attributes
    ----------
    polygons, analysis, evaluation : mapping of int to mapping
        Rows of map/ejecta.gpkg, analysis.csv and of the craters of evaluation.json.
    connections : DataFrame
        map/connections.parquet.
    """

    polygons: Mapping[int, Record]
    analysis: Mapping[int, Record]
    evaluation: Mapping[int, Record]
    connections: pd.DataFrame

    @classmethod
    def of(cls, project: Project) -> "Records":
        """Read them."""
        polygons = pyogrio.read_dataframe(project.maps / "ejecta.gpkg", read_geometry=False)
        measured = (project.outputs / ANALYSIS_NAME).exists()
        judged = project.outputs / "evaluation.json"
        craters = json.loads(judged.read_text())["craters"] if judged.exists() else []
        return cls(
            _by_id(polygons.to_dict("records")),
            _by_id(read_analysis(project).to_dict("records")) if measured else {},
            _by_id(craters),
            pd.read_parquet(project.maps / "connections.parquet"),
        )


def make_card(project: Project, crater: Crater, records: Records) -> Card:
    """Everything that the report says of a crater."""
    k = crater.crater_id
    polygon, measured = records.polygons.get(k, {}), records.analysis.get(k, {})
    judged = records.evaluation.get(k, {"pixel": {}})["pixel"]
    tiles = records.connections[records.connections["crater_id"] == k]
    overview = (
        f"{crater.radius_m / 1000:,.1f}",
        _number(polygon.get("area_km2", 0.0)),
        _number(polygon.get("mean_probability"), 2),
        _number(measured.get("blanket_radius_km")),
        _number(measured.get("max_distance_km")),
        _number(measured.get("ray_count")),
        _number(judged.get("f1"), 3),
    )
    figures = [
        ("Centre", _place(crater)),
        ("Radius", f"{crater.radius_m / 1000:,.1f} km"),
        ("Mapped ejecta", f"{overview[1]} km²"),
        ("Confidence: mean probability of them", overview[2]),
        *_measured_figures(crater, measured),
        *_judged_figures(judged),
    ]
    if crater.family:
        figures.insert(2, ("Family", crater.family))
    if len(tiles):
        figures.append(("Connected tiles", f"{tiles['connected'].sum()} of {len(tiles)}"))
    shown = ("the mosaic", "the probability of ejecta, over the mosaic in grey")
    pictures = tuple(
        inline_ground(card_path(project, crater), f"{crater.name}: {alt}", box)
        for alt, box in zip(shown, panel_boxes(), strict=True)
    )
    colour = "#{:02x}{:02x}{:02x}".format(*crater_colour(k))
    return Card(crater, colour, pictures, overview, tuple(figures))


def _measured_figures(crater: Crater, row: Record) -> list[tuple[str, str]]:
    """From analysis.csv."""
    if not row:
        return []
    expected = f"{_number(row['expected_area_km2'])} ± {_number(row['expected_area_sd_km2'])} km²"
    contrast = " and ".join(_number(row[f"{part}_contrast"], 1) for part in ("blanket", "ray"))
    areas = " and ".join(_number(row[f"{part}_area_km2"]) for part in ("blanket", "ray"))
    radii = _number(1000 * row["blanket_radius_km"] / crater.radius_m, 1)
    blanket = f"{_number(row['blanket_radius_km'])} km, {radii} crater radii"
    rays = f"{_number(row['ray_count'])}"
    if row["ray_count"] > 0:
        rays += f", the longest {_number(row['ray_length_max_km'])} km"
    shared = f"{row['blanket_shared_share']:.0%}{', set aside' if row['set_aside'] else ''}"
    return [
        ("Area expected from the probabilities", expected),
        ("Blanket radius", blanket),
        ("Blanket and ray area", f"{areas} km²"),
        ("Farthest ejecta", f"{_number(row['max_distance_km'])} km"),
        ("Rays", rays),
        ("Impact direction", _direction(row)),
        (
            "Contrast of blanket and rays",
            contrast,
        ),
        ("Freshness rank by ray contrast", _number(row["freshness_rank"])),
        ("Blanket shared with other craters", shared),
    ]


def _judged_figures(pixel: Record) -> list[tuple[str, str]]:
    """From evaluation.json."""
    if not pixel:
        return []
    names = {"f1": "F1", "precision": "precision", "recall": "recall"}
    text = ", ".join(f"{name} {_number(pixel[key], 3)}" for key, name in names.items())
    return [("Against its labels, pixel", text)]


def _direction(row: Record) -> str:
    """Where the projectile came from."""
    if row["symmetry"] == "oblique":
        came = f"{row['missing_bearing_deg']:.0f}°"
        return f"from {came} (clear by {row['confidence']:.2f} of 1)"
    return "no side is missing" if row["symmetry"] == "symmetric" else NONE


def _place(crater: Crater) -> str:
    ns, ew = "NS"[crater.lat < 0], "EW"[crater.lon < 0]
    return f"{abs(crater.lat):.2f}° {ns}, {abs(crater.lon):.2f}° {ew}"


def _number(value: Any, digits: int = 0) -> str:
    """Write a number with separators; a dash where there is none."""
    return NONE if value is None or pd.isna(value) else f"{value:,.{digits}f}"


def _by_id(rows: list[Any]) -> dict[int, Record]:
    return {int(row["crater_id"]): row for row in rows}
