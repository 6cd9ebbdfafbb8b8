"""Reading the catalogue of fresh craters from a CSV, a GeoPackage or a shapefile."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from ejectamap.errors import CraterError
from ejectamap.world.crater_columns import (
    has_places,
    read_families,
    read_ids,
    read_latitudes,
    read_longitudes,
    read_names,
    read_radii,
)
from ejectamap.world.dateline import unwrap
from ejectamap.world.georeference import Projection, projection_beside_mosaic
from ejectamap.world.grid import Grid
from ejectamap.world.sphere import Array, LonLat, wrap_longitude
from ejectamap.world.tables import Table, read_table

DEFAULT_REACH = 0.25
"""Reach of a crater for which the catalogue gives none; a giant's is larger."""


@dataclass(frozen=True)
class Crater:
    """A fresh crater.

    Attributes
    ----------
    crater_id : int
        Unique, 0 or more.
    name : str
        One line of letters (see `texts.clean`).
    lon, lat : float
        Centre, in degrees; -180 <= lon < 180.
    radius_m : float
        Radius of the rim, in metres.
    reach : float
        Largest distance at which its ejecta are mapped, as a fraction of half the planet's circumference.
    family : str
        Name of the group that the crater belongs to; empty if there is none.
    """

    crater_id: int
    name: str
    lon: float
    lat: float
    radius_m: float
    reach: float = DEFAULT_REACH
    family: str = ""

    def reach_m(self, body_radius_m: float) -> float:
        """Reach as a ground distance from the centre, in metres."""
        return self.reach * np.pi * body_radius_m


def load_craters(
    path: Path | str,
    grid: Grid,
    columns: Mapping[str, str] | None = None,
    notes: list[str] | None = None,
) -> tuple[Crater, ...]:
    """Read the catalogue from a text table, a GeoPackage or a shapefile with one crater per row.

    Columns, in any case and order: `crater_id` (by default rows are numbered from 1); `lon`, `lat` in degrees
    (optional in a vector file: by default its points, or the centroids of its polygons, are used); `radius_m`,
    `radius_km`, `diameter_km` or `diameter_m`; optional `name`, `reach` (fraction of pi R, default 0.25) and `family`.
    Names that published catalogues have are known too; see `crater_columns`.

    Parameters
    ----------
    path : Path or str
    grid : Grid
        Grid of the mosaic, for the body's radius and the pixel size.
    columns : mapping of str to str, optional
        Columns of the file to use, by one of `crater_columns.COLUMNS`.
    notes : list of str, optional
        What the user should know about how the file was read is added, one line each.

    Returns
    -------
    tuple of Crater, sorted by crater_id

    Raises
    ------
    CraterError
        If the file or a column is missing or unreadable, a value is impossible, two craters have
        the same id, columns contradict each other, a unit or the order of lon and lat seems wrong, or the file's CRS
        is not of the mosaic's body.
    """
    table = read_table(Path(path), CraterError)
    table = replace(table, chosen=columns or {}, notes=table.notes if notes is None else notes)
    _check_chosen(table)
    ids, id_texts = read_ids(table)
    lon, lat = _positions(table, ids, grid)
    radius_m = read_radii(table, ids, grid)
    reach_column = table.find("reach")
    reach = _reaches(table, ids, reach_column)
    names = read_names(table)
    families = read_families(table)
    craters = [
        Crater(
            crater_id,
            names[i] or id_texts[i] or f"crater {crater_id}",
            float(lon[i]),
            float(lat[i]),
            float(radius_m[i]),
            float(reach[i]),
            families[i],
        )
        for i, crater_id in enumerate(ids)
    ]
    check_reaches(craters, grid, f"{table.path}: column {reach_column}")
    return tuple(sorted(craters, key=lambda crater: crater.crater_id))


def check_reaches(craters: Iterable[Crater], grid: Grid, source: str) -> None:
    """Check that every crater's reach ends beyond its rim, and at least a pixel away.

    Parameters
    ----------
    craters : iterable of Crater
    grid : Grid
    source : str
        Where the reaches come from, for the error message.

    Raises
    ------
    CraterError
        If one does not.
    """
    for crater in craters:
        least_m = max(crater.radius_m, grid.pixel_m)
        if crater.reach_m(grid.radius_m) <= least_m:
            least = least_m / (np.pi * grid.radius_m)
            raise CraterError(
                f"{source}, crater {crater.crater_id}: a reach of {crater.reach:g} ends within the rim or its pixel:"
                f" give a fraction of pi R above {least:.2g}"
            )


def _check_chosen(table: Table) -> None:
    for key, column in table.chosen.items():
        if column not in table.columns:
            table.fail(
                f"has no column {column}, which inputs.columns of project.yaml names for {key}: correct it"
                f" (columns present: {table.present})"
            )


def _positions(table: Table, ids: list[int], grid: Grid) -> LonLat:
    """Read and check longitudes and latitudes of the craters, in degrees; longitudes are wrapped."""
    if table.geometry is not None and not has_places(table):
        lon, lat = _centroids(table, ids, grid)
        return LonLat(wrap_longitude(lon), lat)
    _note_other_radius(table, grid)
    return LonLat(read_longitudes(table, ids), read_latitudes(table, ids))


def _note_other_radius(table: Table, grid: Grid) -> None:
    """Note that degrees from columns are taken as they are where the layer's CRS is of another radius."""
    crs = None if table.geometry is None else table.geometry.crs
    if crs is None or crs.ellipsoid is None:
        return
    radius_m = crs.ellipsoid.semi_major_metre
    if abs(radius_m - grid.radius_m) > 1e-7 * grid.radius_m:
        table.note(
            f"its CRS ({crs.name}) has a radius of {radius_m:.10g} m, the mosaic's has {grid.radius_m:.10g} m: the"
            " degrees in its columns are taken as places on the mosaic's sphere"
        )


def _centroids(table: Table, ids: list[int], grid: Grid) -> LonLat:
    """Longitudes and latitudes of the points, or centroids of the polygons, in a vector file."""
    crs = table.geometry.crs
    if crs is None:
        table.fail("has neither columns lon and lat nor a CRS: add the columns or assign the CRS")
    projection = projection_beside_mosaic(table.path, crs, grid.radius_m, CraterError)
    table.notes.extend(projection.notes)
    centroids = [
        _centroid(table, crater_id, shape, projection)
        for crater_id, shape in zip(ids, table.geometry, strict=True)
    ]
    lon, lat = np.array(centroids).T
    return LonLat(lon, lat)


def _centroid(
    table: Table, crater_id: int, shape: BaseGeometry | None, projection: Projection
) -> tuple[float, float]:
    """Longitude and latitude of one shape's centroid, in degrees.

    The centroids of the shape's parts are averaged on the sphere, because a rim may be divided at the dateline.
    """
    if shape is None or shape.is_empty:
        table.fail(f"crater {crater_id} has no geometry: draw it, or add columns lon and lat")
    parts = shapely.get_parts(shape)
    together = _across_dateline(table, crater_id, shape, projection)
    if together is None:
        centres = shapely.get_coordinates(shapely.centroid(parts))
        lon, lat = np.radians(projection.to_lonlat(*centres.T))
    else:
        lon, south = np.radians(shapely.get_coordinates(shapely.centroid(together)).T)
        lat, parts = np.pi / 2 - south, np.array([together])
    weight = shapely.area(parts) if shape.area > 0 else np.ones(len(parts))
    x, y, z = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)
    east, north, up = (weight @ axis for axis in (x, y, z))
    return float(np.degrees(np.arctan2(north, east))), float(
        np.degrees(np.arctan2(up, np.hypot(east, north)))
    )


def _across_dateline(
    table: Table, crater_id: int, shape: BaseGeometry, projection: Projection
) -> BaseGeometry | None:
    """Check a shape's places; where it jumps over the dateline, put it together, in degrees east and from the north."""
    xy = shapely.get_coordinates(shape)
    lon, lat = projection.to_lonlat(*xy.T)
    if not (np.isfinite(xy).all() and np.isfinite(lon).all() and np.isfinite(lat).all()):
        table.fail(
            f"crater {crater_id}: a coordinate of its geometry is no number, or no place in its CRS: draw it again"
        )
    if lon.min() < -360 or lon.max() > 540 or np.abs(lat).max() > 90.0001:
        table.fail(
            f"crater {crater_id}: its geometry is at lon {lon[np.argmax(np.abs(lon))]:g}, lat"
            f" {lat[np.argmax(np.abs(lat))]:g}: give longitudes between -180 and 360 and latitudes up to 90 degrees"
        )
    if projection.cylinder is None:
        return None
    title = f"{table.path}: crater {crater_id}"
    degrees = shapely.set_coordinates(
        shapely.transform(shape, lambda xy: xy), np.stack([lon, 90 - lat], axis=1)
    )
    together = unwrap(title, degrees, 360.0, 180.0, table.notes)
    return None if together is degrees else together


def _reaches(table: Table, ids: list[int], column: str | None) -> Array:
    """Read and check the reaches of the craters; the default where the column or a value is missing."""
    if column is None:
        return np.full(table.rows, Crater.reach)
    reach = table.numbers(column, default=Crater.reach)
    for crater_id, value in zip(ids, reach, strict=True):
        if not 0 < value <= 1:
            table.fail(
                f"column {column}, crater {crater_id}: {value:g} is not a fraction of pi R: give a"
                " number above 0, at most 1"
            )
    return reach
