"""The polygons of a map: each crater's outline, and the GeoPackage of all of them.

A crater's outline is traced by the worker that wrote its rasters, so that the work is shared among workers.
"""

import io
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
from rasterio.features import shapes
from shapely import MultiPolygon, Polygon, from_wkb, to_wkb

from ejectamap.files import replace_file
from ejectamap.maps.rasters import NO_DATA, STEPS, read_part, stored_strips
from ejectamap.outputs import reading
from ejectamap.project.folder import Project
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Bools, Grid, Window

_DESCRIPTION = (
    "Outlines of each crater's mask; area_km2: ground area of the whole mask, crater interior included"
    " (expected areas, without a threshold, are in analysis.csv)"
)


def write_outline(path: Path, grid: Grid, probability: Path, mask: Path) -> None:
    """Write the outline of one crater's ejecta as a table of one row; of none, if it has no ejecta.

    Columns
    -------
    area_km2
        True ground area on the sphere.
    mean_probability
        Over that area, where the probability is known.
    geometry
        A multi-polygon in the mosaic's CRS, as WKB.

    Parameters
    ----------
    path : Path
        A Parquet file.
    grid : Grid
        The mosaic's.
    probability, mask : Path
        The crater's files.

    Raises
    ------
    OutputError
        If a file cannot be read or written.
    """
    area_m2, mean_probability, parts = _measure(grid, probability, mask)
    row = []
    if parts:
        polygons = [
            polygon
            for part in parts
            for polygon in outline_of(read_part(mask, grid, part).view(bool), grid, part).geoms
        ]
        row = [(area_m2 / 1e6, mean_probability, to_wkb(MultiPolygon(polygons)))]
    table = pd.DataFrame(row, columns=["area_km2", "mean_probability", "geometry"])
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False, write_page_checksum=True)
    replace_file(path, buffer.getbuffer())


def write_polygons(
    path: Path,
    grid: Grid,
    outlines: Mapping[Crater, Path],
    stale: Container[Crater] = (),
    edited_km2: Mapping[int, float] | None = None,
) -> None:
    """Write the outlines of all craters' ejecta to a GeoPackage with one layer, "ejecta".

    A row is a crater: crater_id, name, area_km2, mean_probability, current, edited_km2 and geometry (see
    `write_outline`). A crater without ejecta has no row.

    Parameters
    ----------
    path : Path
    grid : Grid
        The mosaic's.
    outlines : mapping of Crater to Path
        What `write_outline` wrote.
    stale : container of Crater
        Craters whose maps are of earlier settings, networks or inputs: `current` is false for them.
    edited_km2 : mapping of int to float, optional
        By crater id, ground area that a person edited; 0 where it is missing.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    edits = edited_km2 or {}
    found = [
        (
            *(crater.crater_id, crater.name, area_km2, mean, crater not in stale),
            *(edits.get(crater.crater_id, 0.0), geometry),
        )
        for crater, outline in outlines.items()
        for area_km2, mean, geometry in _read_outline(outline)
    ]
    columns = {
        "crater_id": "int64",
        "name": "str",
        "area_km2": "float64",
        "mean_probability": "float64",
        "current": "bool",
        "edited_km2": "float64",
    }
    table = pd.DataFrame(found, columns=[*columns, "geometry"]).astype(columns)
    frame = gpd.GeoDataFrame(table, geometry="geometry", crs=grid.crs)
    buffer = io.BytesIO()
    with fixed_date():
        frame.to_file(
            buffer,
            driver="GPKG",
            layer="ejecta",
            geometry_type="MultiPolygon",
            layer_options={"DESCRIPTION": _DESCRIPTION},
        )
    replace_file(path, buffer.getbuffer())


def read_polygons(project: Project) -> gpd.GeoDataFrame:
    """Read map/ejecta.gpkg: what `write_polygons` wrote.

    Raises
    ------
    OutputError
        If it is missing or damaged.
    """
    path = project.maps / "ejecta.gpkg"
    with reading(path, f"run ejectamap map {project.folder} again"):
        frame = gpd.read_file(path, layer="ejecta")
        columns = ["crater_id", "name", "area_km2", "mean_probability", "geometry"]
        others = [name for name in frame.columns if name not in columns]
        return frame[[*columns[:-1], *others, "geometry"]].astype({"crater_id": "int64"})


def outline_of(mask: Bools, grid: Grid, window: Window) -> MultiPolygon:
    """Outline of a mask (window height, window width) along its pixels' edges, in the mosaic's CRS."""
    found = shapes(mask.view(np.uint8), mask=mask, transform=grid.window_transform(window))
    parts = (part["coordinates"] for part, _ in found)
    return MultiPolygon([Polygon(shell, holes) for shell, *holes in parts])


def _read_outline(path: Path) -> list[tuple[float, float, MultiPolygon]]:
    """Read what `write_outline` wrote."""
    with reading(path, "remove it and run ejectamap map again"):
        table = pd.read_parquet(path, page_checksum_verification=True)
        rows = table[["area_km2", "mean_probability", "geometry"]].to_numpy().tolist()
        return [(area_km2, mean, from_wkb(wkb)) for area_km2, mean, wkb in rows]


def _measure(grid: Grid, probability: Path, mask: Path) -> tuple[float, float, list[Window]]:
    """Ground area of ejecta in square metres, their mean probability, and small windows that hold them."""
    areas, known, sums = np.zeros((3, grid.height))
    columns = np.zeros(grid.width, bool)
    strips = zip(stored_strips(probability, grid), stored_strips(mask, grid), strict=True)
    for (strip, stored), (_, values) in strips:
        ejecta, here = values == 1, slice(strip.row, strip.row + strip.height)
        measured = ejecta & (stored != NO_DATA)
        areas[here], known[here] = ejecta.sum(axis=1), measured.sum(axis=1)
        sums[here] = np.sum(stored, axis=1, where=measured, dtype=np.int64) / STEPS
        columns[strip.col : strip.col + strip.width] |= ejecta.any(axis=0)
    if not columns.any():
        return 0.0, 0.0, []
    area_m2 = float(areas @ grid.row_area_m2)
    known_m2 = float(known @ grid.row_area_m2)
    mean = float(sums @ grid.row_area_m2) / known_m2 if known_m2 else float("nan")
    return area_m2, mean, _windows(areas > 0, columns)


def _windows(rows: Bools, columns: Bools) -> list[Window]:
    """The window of the rows and columns that are marked; two where a wide gap lies between, as over the dateline."""
    (marked,), (cols,) = np.nonzero(rows), np.nonzero(columns)
    runs = [cols]
    gaps = np.diff(cols)
    if 2 * gaps.max(initial=0) > len(cols):
        runs = np.split(cols, [int(gaps.argmax()) + 1])
    row, height = int(marked[0]), int(marked[-1] - marked[0] + 1)
    return [Window(row, int(run[0]), height, int(run[-1] - run[0] + 1)) for run in runs]


@contextmanager
def fixed_date() -> Iterator[None]:
    """Have GDAL stamp a constant date, which GeoPackage demands: equal maps, equal files."""
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "2000-01-01T00:00:00.000Z"})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
