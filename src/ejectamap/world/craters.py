"""The catalogue of fresh craters, from a CSV, a GeoPackage or a shapefile."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from ejectamap.errors import CraterError
from ejectamap.world.body import geographic_crs
from ejectamap.world.georeference import check_radius
from ejectamap.world.grid import Grid
from ejectamap.world.sphere import Array, LonLat, wrap_longitude
from ejectamap.world.tables import Table, read_table

# Our names first, then those of the published release; a shapefile cuts names to ten letters.
_ID = ("crater_id", "crat_fid")
_LON = ("lon", "center_lon")
_LAT = ("lat", "center_lat")
_METRES_PER_UNIT = {
    "radius_m": 1.0,
    "radius": 1.0,
    "radius_km": 1000.0,
    "diameter_km": 500.0,
    "diameter_k": 500.0,
}


@dataclass(frozen=True)
class Crater:
    """A fresh crater.

    Attributes
    ----------
    crater_id : int
        Unique, 0 or more.
    name : str
    lon, lat : float
        Centre, in degrees; -180 <= lon < 180.
    radius_m : float
        Radius of the rim, in metres.
    reach : float
        How far its ejecta are looked for, as a fraction of half the planet's circumference.
    family : str
        Any word that groups craters; empty if there is none.
    """

    crater_id: int
    name: str
    lon: float
    lat: float
    radius_m: float
    reach: float = 0.25
    family: str = ""

    def reach_m(self, body_radius_m: float) -> float:
        """Reach as a ground distance from the centre, in metres."""
        return self.reach * np.pi * body_radius_m


def load_craters(path: Path | str, grid: Grid) -> tuple[Crater, ...]:
    """Read the catalogue: a CSV, a GeoPackage or a shapefile, one crater a row.

    Columns, in any case and order: `crater_id`; `lon`, `lat` in degrees (a vector file may leave
    them out: its points, or the centroids of its polygons, are used); `radius_m`, `radius_km` or
    `diameter_km`; optional `name`, `reach` (fraction of pi R, default 0.25) and `family`. The
    column names of the published release are read too.

    Parameters
    ----------
    path : Path or str
    grid : Grid
        The mosaic's, for the body's radius and the size of a pixel.

    Returns
    -------
    tuple of Crater, sorted by crater_id

    Raises
    ------
    CraterError
        If the file or a column is missing or unreadable, a value is impossible, two craters share
        an id, a unit or the order of lon and lat looks wrong, or the file's CRS has another radius
        than the mosaic's.
    """
    table = read_table(Path(path), CraterError)
    _check_crs(table, grid)
    ids = table.unique_ids(table.require(*_ID))
    lon, lat = _places(table, ids, grid)
    radius_m = _radii(table, ids, grid)
    reach = _reaches(table, ids)
    names = table.words(table.find("name"))
    families = table.words(table.find("family"))
    craters = [
        Crater(
            crater_id,
            names[i] or f"crater {crater_id}",
            float(lon[i]),
            float(lat[i]),
            float(radius_m[i]),
            float(reach[i]),
            families[i],
        )
        for i, crater_id in enumerate(ids)
    ]
    return tuple(sorted(craters, key=lambda crater: crater.crater_id))


def _check_crs(table: Table, grid: Grid) -> None:
    if table.geometry is not None and table.geometry.crs is not None:
        check_radius(table.path, table.geometry.crs, grid.radius_m, CraterError)


def _places(table: Table, ids: list[int], grid: Grid) -> LonLat:
    """Places of the craters, checked, longitude wrapped."""
    if table.geometry is not None and table.find(*_LON) is None and table.find(*_LAT) is None:
        lon, lat = _centroids(table, ids, grid)
    else:
        lon = table.numbers(table.require(*_LON))
        lat = table.numbers(table.require(*_LAT))
    for i, crater_id in enumerate(ids):
        if abs(lat[i]) > 90.0:
            table.fail(
                f"crater {crater_id}: lat is {lat[i]:g}, beyond 90 degrees: lon and lat may be"
                " swapped, or not in degrees"
            )
        if not -180.0 <= lon[i] <= 360.0:
            table.fail(
                f"crater {crater_id}: lon is {lon[i]:g}, not between -180 and 360: give degrees"
                " east"
            )
    return LonLat(wrap_longitude(lon), lat)


def _centroids(table: Table, ids: list[int], grid: Grid) -> LonLat:
    """Places of the shapes in a vector file: points, or centroids of polygons."""
    crs = table.geometry.crs
    if crs is None:
        table.fail("has neither columns lon and lat nor a CRS: add the columns or assign the CRS")
    to_degrees = Transformer.from_crs(crs, geographic_crs(grid.radius_m), always_xy=True)
    places = [_centroid(table, *pair, to_degrees) for pair in zip(ids, table.geometry, strict=True)]
    lon, lat = np.array(places).T
    return LonLat(lon, lat)


def _centroid(
    table: Table, crater_id: int, shape: BaseGeometry | None, to_degrees: Transformer
) -> tuple[float, float]:
    """Place of one shape's centroid, in degrees.

    Parts are averaged on the sphere, for a rim may be cut in two at the dateline.
    """
    if shape is None or shape.is_empty:
        table.fail(f"crater {crater_id} has no geometry: draw it, or add columns lon and lat")
    parts = shapely.get_parts(shape)
    centres = shapely.get_coordinates(shapely.centroid(parts))
    lon, lat = np.radians(to_degrees.transform(*centres.T))
    weight = shapely.area(parts) if shape.area > 0 else np.ones(len(parts))
    x, y, z = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)
    east, north, up = (weight @ axis for axis in (x, y, z))
    return float(np.degrees(np.arctan2(north, east))), float(
        np.degrees(np.arctan2(up, np.hypot(east, north)))
    )


def _radii(table: Table, ids: list[int], grid: Grid) -> Array:
    """Radii of the craters in metres, checked."""
    column = table.require(*_METRES_PER_UNIT)
    metres = _METRES_PER_UNIT[column.strip().lower()]
    radius_m = table.numbers(column) * metres
    largest_m = grid.radius_m / 2
    if metres == 1.0 and _looks_like_km(radius_m, grid):
        table.fail(
            f"column {column}: looks like kilometres (median {np.median(radius_m):g}, a mosaic"
            f" pixel is {grid.pixel_m:.0f} m): name it radius_km, or multiply by 1000"
        )
    for crater_id, value in zip(ids, radius_m, strict=True):
        if value <= 0:
            table.fail(
                f"column {column}, crater {crater_id}: is not above 0: give the rim's radius"
            )
        if value > largest_m:
            hint = "it looks like metres: name it radius_m" if metres > 1 else "check its unit"
            table.fail(
                f"column {column}, crater {crater_id}: {value / metres:g} makes a radius of"
                f" {value:.0f} m, more than half of the body's: {hint}"
            )
    return radius_m


def _looks_like_km(radius_m: Array, grid: Grid) -> bool:
    """Whether craters are too small to be seen, and possible if their unit is kilometres."""
    median_m = float(np.median(radius_m))
    return 0 < median_m < grid.pixel_m / 2 and 1000 * median_m <= grid.radius_m / 2


def _reaches(table: Table, ids: list[int]) -> Array:
    """Reaches of the craters, checked; the default where the column or a value is missing."""
    column = table.find("reach")
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
