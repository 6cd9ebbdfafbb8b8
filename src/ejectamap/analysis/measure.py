"""Measurements of every mapped crater and of its rays, as written to analysis.csv and rays.csv."""

from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from ejectamap.analysis.area_error import AreaError, measure_area_error
from ejectamap.analysis.colour import Colour, blanket_colour, ray_colour
from ejectamap.analysis.columns import describe, describe_rays
from ejectamap.analysis.direction import find_forbidden_zone
from ejectamap.analysis.extent import (
    QUANTILES,
    barycentre,
    by_sector,
    distance_quantiles_km,
    expected_area_km2,
    max_distance_km,
)
from ejectamap.analysis.pattern import EjectaCount, EjectaPixels, without_small_clusters
from ejectamap.analysis.ray_table import measure_rays, ray_columns, write_rays
from ejectamap.analysis.rays import (
    Ray,
    Rays,
    blanket_radius_m,
    half_cover_radius_m,
    trace_rays,
)
from ejectamap.analysis.surroundings import Surroundings
from ejectamap.analysis.truncation import truncation
from ejectamap.evaluation.rings import SECTORS
from ejectamap.files import replace_file
from ejectamap.maps.mapped import require_mapped
from ejectamap.maps.rasters import Bytes
from ejectamap.maps.reader import MapReader
from ejectamap.outputs import reading
from ejectamap.progress import track
from ejectamap.project.folder import Project
from ejectamap.texts import without_guard, write_csv
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Bools, Grid, Window
from ejectamap.world.mosaic import Floats

Row = dict[str, object]

ANALYSIS_NAME = "analysis.csv"
UNSHARED = "unshared_"
"""Prefix of columns measured without ground that other craters' ejecta cover too."""
SET_ASIDE_SHARE = 0.2
_BEYOND = 0.1  # part of the range of the surroundings, beyond them, in which the probability at tips of rays may fall


@dataclass(frozen=True)
class Measurements:
    """Measurements of one crater.

    Attributes
    ----------
    row : dict
        Its row of analysis.csv, but for the freshness rank.
    rays : list of dict
        Its rows of rays.csv, with the centre line of each ray as `geometry`.
    """

    row: Row
    rays: list[Row]


def analyze_project(project: Project) -> pd.DataFrame:
    """Measure all mapped craters and their rays.

    Writes analysis.csv, rays.csv, rays.gpkg, and the meaning of all columns (analysis-columns.csv, rays-columns.csv)
    into the project's results. The mosaic, one byte per pixel of the globe and the window of one crater at a time are
    held in memory.

    Returns
    -------
    DataFrame
        The content of analysis.csv, one row per crater; `columns.describe` gives unit and meaning of each column. A
        crater with `set_aside` shares more than 20 % of its blanket with others. It has no freshness rank and should be
        left out of comparisons, as in the release.

    Raises
    ------
    ProjectError
        If no crater is mapped.
    """
    craters = require_mapped(project)
    grid, bands = project.mosaic.grid, project.mosaic.band_names
    ejecta_map, count = MapReader(project.maps, grid), EjectaCount(grid)
    for crater in track(craters, "reading masks"):
        count.add(*_cleaned_mask(ejecta_map, crater, grid))
    error = measure_area_error(project, ejecta_map, craters)
    measured = [
        measure_crater(project, ejecta_map, count, crater, error)
        for crater in track(craters, "measuring")
    ]
    table = pd.DataFrame([measurements.row for measurements in measured])
    table["freshness_rank"] = _freshness_rank(table)
    names = ray_columns(len(bands))
    tables = {
        ANALYSIS_NAME: table,
        "analysis-columns.csv": pd.DataFrame(describe(list(table.columns), bands)),
        "rays-columns.csv": pd.DataFrame(describe_rays(names, bands)),
    }
    for name, content in tables.items():
        replace_file(project.outputs / name, write_csv(content, float_format="%.6g"))
    write_rays(project.outputs, [row for part in measured for row in part.rays], names, grid)
    return table


def read_analysis(project: Project) -> pd.DataFrame:
    """Read analysis.csv; names are read as text even if they consist of digits.

    Raises
    ------
    OutputError
        If it is missing or damaged.
    """
    path = project.outputs / ANALYSIS_NAME
    with reading(path, f"run ejectamap analyze {project.folder} again"):
        text = {"name": str, "truncated": str}
        table = pd.read_csv(path, dtype=text, keep_default_na=False, na_values=[""])
        table = table.fillna(dict.fromkeys(text, "")).astype({"crater_id": int})
        table["name"] = table["name"].map(without_guard)
        return table


def measure_crater(
    project: Project,
    ejecta_map: MapReader,
    count: EjectaCount,
    crater: Crater,
    error: AreaError,
) -> Measurements:
    """All measurements of one crater.

    Parameters
    ----------
    project : Project
    ejecta_map : MapReader
    count : EjectaCount
        Of all mapped craters, this one included.
    crater : Crater
    error : AreaError
        Error of expected areas beside their random one.
    """
    grid = project.mosaic.grid
    window, mask = _cleaned_mask(ejecta_map, crater, grid)
    others = count.other_craters(window, mask)
    pattern = EjectaPixels.of_mask(crater, grid, window, mask, others)
    surroundings = Surroundings.sample(crater, project.mosaic, window, mask, count)
    stored = ejecta_map.stored(crater.crater_id, window)
    half_cover_m = half_cover_radius_m(surroundings, grid.pixel_m)
    direction = find_forbidden_zone(surroundings, half_cover_m)
    row: Row = {
        "crater_id": crater.crater_id,
        "name": crater.name,
        "lon_deg": crater.lon,
        "lat_deg": crater.lat,
        "radius_km": crater.radius_m / 1e3,
        **_areas(crater, grid, window, stored, np.ones(mask.shape, bool), error),
        "area_error": error.relative,
        "area_error_craters": error.craters,
        "truncated": truncation(pattern, project.mosaic, window, mask),
        **_shared_blanket(pattern, blanket_radius_m(surroundings, grid.pixel_m, direction)),
        "half_cover_radius_km": half_cover_m / 1e3,
        **direction._asdict(),
    }
    traced: dict[str, list[Ray]] = {}
    for prefix, part, part_surroundings in (
        ("", pattern, surroundings),
        (UNSHARED, pattern.select(~pattern.shared), surroundings.unshared()),
    ):
        radius_m = blanket_radius_m(part_surroundings, grid.pixel_m, direction)
        traced[prefix] = trace_rays(part_surroundings, radius_m)
        summary = Rays.summarise(traced[prefix], part_surroundings)
        columns = _extents(part, radius_m)
        columns |= {f"ray_{key}": value for key, value in asdict(summary).items()}
        columns |= _colours(part_surroundings, radius_m)
        row |= {prefix + name: value for name, value in columns.items()}
    unshared = _areas(crater, grid, window, stored, ~others, error)
    row |= {UNSHARED + name: value for name, value in unshared.items()}
    probability = _probability_around(ejecta_map, surroundings)
    threshold = project.settings.map.threshold
    rays = measure_rays(traced[""], surroundings, probability, grid, threshold)
    return Measurements(row, rays)


def _areas(
    crater: Crater, grid: Grid, window: Window, stored: Bytes, chosen: Bools, error: AreaError
) -> Row:
    """Columns of the expected area of the chosen pixels, and of its uncertainty."""
    area_km2, random_km2 = expected_area_km2(crater, grid, window, stored, chosen)
    return {
        "expected_area_km2": area_km2,
        "expected_area_sd_km2": error.total_km2(area_km2, random_km2),
    }


def _shared_blanket(pattern: EjectaPixels, blanket_m: float) -> Row:
    """Columns that say how much of the blanket is shared with other craters."""
    blanket = pattern.select(pattern.distance_m <= blanket_m)
    shared_km2 = float(blanket.area_km2[blanket.shared].sum())
    share = shared_km2 / float(blanket.area_km2.sum()) if blanket.area_km2.size else 0.0
    return {"blanket_shared_share": share, "set_aside": share > SET_ASIDE_SHARE}


def _probability_around(ejecta_map: MapReader, surroundings: Surroundings) -> Floats:
    """Probability at the cells of the surroundings, and in some more rows beyond, where rays end."""
    view, depth_m = surroundings.view, surroundings.depth_m
    limit_m = np.pi * view.radius_m  # farther on, the ground around the antipode repeats
    more = max(0, int(min(_BEYOND * view.rows, (limit_m - view.range_m) / depth_m)))
    farther = replace(view, range_m=view.range_m + more * depth_m, rows=view.rows + more)
    return ejecta_map.sample(view.crater.crater_id, *farther.places())


def _extents(pattern: EjectaPixels, blanket_m: float) -> Row:
    """Columns of the areas and distances of a pattern whose blanket has a given radius."""
    rays = pattern.select(pattern.distance_m > blanket_m)
    ray_km2, total_km2 = float(rays.area_km2.sum()), float(pattern.area_km2.sum())
    row: Row = {
        "total_area_km2": total_km2,
        "blanket_area_km2": total_km2 - ray_km2,
        "ray_area_km2": ray_km2,
        "blanket_radius_km": blanket_m / 1e3,
        "max_distance_km": max_distance_km(pattern),
    }
    for share, value in zip(QUANTILES, distance_quantiles_km(pattern), strict=True):
        row[f"distance_q{round(100 * share)}_km"] = value
    for name, part in (("barycentre", pattern), ("ray_barycentre", rays)):
        row |= {f"{name}_{key}": value for key, value in barycentre(part)._asdict().items()}
    areas_km2, distances_km = by_sector(pattern)
    for name, values in (("area", areas_km2), ("max_distance", distances_km)):
        unit = "km2" if name == "area" else "km"
        row |= {
            f"{name}_{k.replace('-', '_')}deg_{unit}": v
            for k, v in zip(SECTORS, values, strict=True)
        }
    return row


def _colours(surroundings: Surroundings, blanket_m: float) -> Row:
    """Columns of the colours of blanket and rays."""
    row: Row = {}
    colours = {
        "blanket": blanket_colour(surroundings, blanket_m),
        "ray": ray_colour(surroundings, blanket_m),
    }
    for name, colour in colours.items():
        row |= _band_columns(name, colour)
    return row


def _band_columns(part: str, colour: Colour) -> Row:
    """Columns of the colour of blanket or rays; bands are numbered from 1."""
    row: Row = {}
    for figure in ("mean", "ratio", "contrast"):
        values = getattr(colour, figure)
        row |= {f"{part}_{figure}_band{k + 1}": value for k, value in enumerate(values)}
    return row | {f"{part}_contrast": colour.strength}


def _freshness_rank(table: pd.DataFrame) -> pd.Series:
    """Rank of the craters that are not set aside by the contrast of their rays; 1 is the freshest."""
    contrast = table["unshared_ray_contrast"].where(~table["set_aside"].astype(bool))
    return contrast.rank(ascending=False, method="min").astype("Int64")


def _cleaned_mask(ejecta_map: MapReader, crater: Crater, grid: Grid) -> tuple[Window, Bools]:
    """One crater's mask, its interior included, without small clusters."""
    window, mask = ejecta_map.as_labels(crater.crater_id).masks[crater.crater_id]
    return window, without_small_clusters(mask, grid, window)
