"""Measurements of every mapped crater, one row each, as written to analysis.csv."""

from dataclasses import asdict

import numpy as np
import pandas as pd

from ejectamap.analysis.colour import Colour, blanket_colour, ray_colour
from ejectamap.analysis.columns import describe
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
from ejectamap.analysis.rays import blanket_radius_m, half_cover_radius_m, rays_beyond
from ejectamap.analysis.surroundings import Surroundings
from ejectamap.errors import OutputError
from ejectamap.evaluation.rings import SECTORS
from ejectamap.files import replace_file
from ejectamap.maps.ejecta_map import EjectaMap
from ejectamap.maps.mapped import require_mapped
from ejectamap.progress import track
from ejectamap.project.folder import Project
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Bools, Grid, Window

Row = dict[str, object]

ANALYSIS_NAME = "analysis.csv"
UNSHARED = "unshared_"
"""Prefix of columns measured without ground that other craters' ejecta cover too."""
SET_ASIDE_SHARE = 0.2


def analyze_project(project: Project) -> pd.DataFrame:
    """Measure all mapped craters; write analysis.csv and analysis-columns.csv into the project's results.

    The mosaic, one byte per pixel of the globe and the window of one crater at a time are held in memory.

    Returns
    -------
    DataFrame
        One row per crater; `columns.describe` gives unit and meaning of each column. A crater with `set_aside` shares
        more than 20 % of its blanket with others. It has no freshness rank and should be left out of comparisons, as in
        the release.

    Raises
    ------
    ProjectError
        If no crater is mapped.
    """
    craters = require_mapped(project)
    grid = project.mosaic.grid
    ejecta_map, count = EjectaMap(project.maps, grid), EjectaCount(grid)
    for crater in track(craters, "reading masks"):
        count.add(*_cleaned_mask(ejecta_map, crater, grid))
    rows = [
        measure_crater(project, ejecta_map, count, crater) for crater in track(craters, "measuring")
    ]
    table = pd.DataFrame(rows)
    table["freshness_rank"] = _freshness_rank(table)
    meanings = pd.DataFrame(describe(list(table.columns), project.mosaic.band_names))
    for name, content in ((ANALYSIS_NAME, table), ("analysis-columns.csv", meanings)):
        text = content.to_csv(index=False, lineterminator="\n", float_format="%.6g")
        replace_file(project.outputs / name, memoryview(text.encode()))
    return table


def read_analysis(project: Project) -> pd.DataFrame:
    """Read analysis.csv; names are read as text even if they consist of digits.

    Raises
    ------
    OutputError
        If it is missing or damaged.
    """
    path = project.outputs / ANALYSIS_NAME
    try:
        table = pd.read_csv(path, dtype={"name": str}, keep_default_na=False, na_values=[""])
        return table.fillna({"name": ""}).astype({"crater_id": int})
    except (OSError, ValueError, KeyError) as error:
        raise OutputError(
            f"{path}: cannot be read ({error}): run ejectamap analyze {project.folder} again"
        ) from error


def measure_crater(
    project: Project, ejecta_map: EjectaMap, count: EjectaCount, crater: Crater
) -> Row:
    """All measurements of one crater, by the names of their columns.

    Parameters
    ----------
    project : Project
    ejecta_map : EjectaMap
    count : EjectaCount
        Of all mapped craters, this one included.
    crater : Crater
    """
    grid = project.mosaic.grid
    window, mask = _cleaned_mask(ejecta_map, crater, grid)
    others = count.other_craters(window, mask)
    pattern = EjectaPixels.of_mask(crater, grid, window, mask, others)
    surroundings = Surroundings.sample(crater, project.mosaic, window, mask, count)
    stored = ejecta_map.stored(crater.crater_id, window)
    row: Row = {
        "crater_id": crater.crater_id,
        "name": crater.name,
        "lon_deg": crater.lon,
        "lat_deg": crater.lat,
        "radius_km": crater.radius_m / 1e3,
    }
    half_cover_m = half_cover_radius_m(surroundings, grid.pixel_m)
    direction = find_forbidden_zone(surroundings, half_cover_m)
    blanket_m = blanket_radius_m(surroundings, grid.pixel_m, direction)
    blanket = pattern.select(pattern.distance_m <= blanket_m)
    shared_km2 = float(blanket.area_km2[blanket.shared].sum())
    share = shared_km2 / float(blanket.area_km2.sum()) if blanket.area_km2.size else 0.0
    row |= {"blanket_shared_share": share, "set_aside": share > SET_ASIDE_SHARE}
    row |= {"half_cover_radius_km": half_cover_m / 1e3, **direction._asdict()}
    for prefix, part, part_surroundings, chosen in (
        ("", pattern, surroundings, np.ones(mask.shape, bool)),
        (UNSHARED, pattern.select(~pattern.shared), surroundings.unshared(), ~others),
    ):
        radius_m = blanket_radius_m(part_surroundings, grid.pixel_m, direction)
        area_km2, sd_km2 = expected_area_km2(crater, grid, window, stored, chosen)
        columns = _extents(part, radius_m)
        columns |= {"expected_area_km2": area_km2, "expected_area_sd_km2": sd_km2}
        columns |= _rays_and_colours(part_surroundings, radius_m)
        row |= {prefix + name: value for name, value in columns.items()}
    return row


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


def _rays_and_colours(surroundings: Surroundings, blanket_m: float) -> Row:
    """Columns of the rays, and of the colours of blanket and rays."""
    rays = rays_beyond(surroundings, blanket_m)
    row: Row = {f"ray_{k}": v for k, v in asdict(rays).items()}
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


def _cleaned_mask(ejecta_map: EjectaMap, crater: Crater, grid: Grid) -> tuple[Window, Bools]:
    """One crater's mask, its interior included, without small clusters."""
    window, mask = ejecta_map.as_labels(crater.crater_id).masks[crater.crater_id]
    return window, without_small_clusters(mask, grid, window)
