"""Reading the catalogue of fresh craters from a CSV, a GeoPackage or a shapefile."""

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

# Column names of this package first, then those of the published release. Shapefiles truncate names to ten letters.
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
        Largest distance at which its ejecta are mapped, as a fraction of half the planet's circumference.
    family : str
        Name of the group that the crater belongs to; empty if there is none.
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
    """Read the catalogue from a CSV, a GeoPackage or a shapefile with one crater per row.

    Columns, in any case and order: `crater_id`; `lon`, `lat` in degrees (optional in a vector file: by
    default its points, or the centroids of its polygons, are used); `radius_m`, `radius_km` or
    `diameter_km`; optional `name`, `reach` (fraction of pi R, default 0.25) and `family`. The
    column names of the published release are accepted too.

    Parameters
    ----------
    path : Path or str
    grid : Grid
        Grid of the mosaic, for the body's radius and the pixel size.

    Returns
    -------
    tuple of Crater, sorted by crater_id

    Raises
    ------
    CraterError
        If the file or a column is missing or unreadable, a value is impossible, two craters have
        the same id, a unit or the order of lon and lat seems wrong, or the radius of the file's CRS is
        not that of the mosaic's.
    """
    table = read_table(Path(path), CraterError)
    _check_crs(table, grid)
    ids = table.unique_ids(table.require(*_ID))
    lon, lat = _positions(table, ids, grid)
    radius_m = _radii(table, ids, grid)
    reach = _reaches(table, ids)
    names = table.texts(table.find("name"))
    families = table.texts(table.find("family"))
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


def _positions(table: Table, ids: list[int], grid: Grid) -> LonLat:
    """Read and check longitudes and latitudes of the craters, in degrees; longitudes are wrapped."""
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
    """Longitudes and latitudes of the points, or centroids of the polygons, in a vector file."""
    crs = table.geometry.crs
    if crs is None:
        table.fail("has neither columns lon and lat nor a CRS: add the columns or assign the CRS")
    to_degrees = Transformer.from_crs(crs, geographic_crs(grid.radius_m), always_xy=True)
    centroids = [
        _centroid(table, crater_id, shape, to_degrees)
        for crater_id, shape in zip(ids, table.geometry, strict=True)
    ]
    lon, lat = np.array(centroids).T
    return LonLat(lon, lat)


def _centroid(
    table: Table, crater_id: int, shape: BaseGeometry | None, to_degrees: Transformer
) -> tuple[float, float]:
    """Longitude and latitude of one shape's centroid, in degrees.

    The centroids of the shape's parts are averaged on the sphere, because a rim may be divided at the dateline.
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
    """Read and check the radii of the craters, in metres."""
    column = table.require(*_METRES_PER_UNIT)
    unit_m = _METRES_PER_UNIT[column.strip().lower()]
    radius_m = table.numbers(column) * unit_m
    largest_m = grid.radius_m / 2
    if unit_m == 1.0 and _may_be_km(radius_m, grid):
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
            hint = "it looks like metres: name it radius_m" if unit_m > 1 else "check its unit"
            table.fail(
                f"column {column}, crater {crater_id}: {value / unit_m:g} makes a radius of"
                f" {value:.0f} m, more than half of the body's: {hint}"
            )
    return radius_m


def _may_be_km(radius_m: Array, grid: Grid) -> bool:
    """Whether the median crater is smaller than a pixel, but has a possible radius if the unit is kilometres."""
    median_m = float(np.median(radius_m))
    return 0 < median_m < grid.pixel_m / 2 and 1000 * median_m <= grid.radius_m / 2


def _reaches(table: Table, ids: list[int]) -> Array:
    """Read and check the reaches of the craters; the default where the column or a value is missing."""
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
