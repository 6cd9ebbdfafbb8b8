"""Coordinate reference systems of input files: their relation to degrees on the sphere, and checks of them."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from ejectamap.errors import EjectamapError, MosaicError
from ejectamap.world.body import BODIES
from ejectamap.world.sphere import Array

_CYLINDRICAL = ("equidistant cylindrical", "equirectangular")
_SAME_RADIUS = 1e-7  # relative tolerance for rounding in WKT: 0.25 m on Mercury


@dataclass(frozen=True)
class Cylinder:
    """The linear relation between degrees and an equidistant cylindrical (or geographic) CRS.

    Unlike a general reprojection it never wraps longitudes, so that a shape across the dateline stays in one piece.

    Attributes
    ----------
    radius_m : float
        Radius of the sphere.
    lon_per_x, lat_per_y : float
        Degrees per CRS unit.
    lon_origin, lat_origin : float
        Longitude and latitude of the CRS's x = 0, y = 0, in degrees.
    """

    radius_m: float
    lon_per_x: float
    lat_per_y: float
    lon_origin: float
    lat_origin: float

    def to_degrees(self, x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Array, Array]:
        """Longitude, not wrapped, and latitude of CRS coordinates."""
        lon = np.asarray(x, np.float64) * self.lon_per_x + self.lon_origin
        return lon, np.asarray(y, np.float64) * self.lat_per_y + self.lat_origin

    def from_degrees(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[Array, Array]:
        """CRS coordinates (x, y) of a longitude, which is not wrapped, and a latitude."""
        x = np.subtract(lon, self.lon_origin) / self.lon_per_x
        return x, np.subtract(lat, self.lat_origin) / self.lat_per_y


@contextmanager
def open_raster(path: Path, error: type[EjectamapError]) -> Iterator["rasterio.io.DatasetReader"]:
    """Open a raster; a failure of GDAL, also later in the block, is raised as an error with a one-line message.

    Raises
    ------
    EjectamapError
        Of the type `error`.
    """
    try:
        with warnings.catch_warnings():
            # The checks of CRS and transform have more specific messages than this warning.
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            source = rasterio.open(path)
        with source:
            yield source
    except RasterioError as problem:
        reason = one_line(problem.__cause__ or problem)
        raise error(
            f"{path}: cannot be read ({reason}): check the file, or copy it again"
        ) from problem


def raster_crs(source: "rasterio.io.DatasetReader", error: type[EjectamapError]) -> CRS:
    """CRS of an open raster; a missing or unreadable one raises `error`."""
    if source.crs is None:
        raise error(
            f"{source.name}: has no CRS: assign the body's equidistant cylindrical CRS with"
            " gdal_edit.py -a_srs"
        )
    try:
        return CRS.from_wkt(source.crs.to_wkt())
    except (CRSError, RasterioError) as problem:
        raise error(
            f"{source.name}: its CRS cannot be understood ({one_line(problem)}): assign the body's"
            " own with gdal_edit.py -a_srs"
        ) from problem


def sphere_radius(name: object, crs: CRS, error: type[EjectamapError]) -> float:
    """Radius in metres of the sphere of a CRS; an ellipsoid raises `error`."""
    ellipsoid = crs.ellipsoid
    if ellipsoid is None or not np.isclose(
        ellipsoid.semi_major_metre, ellipsoid.semi_minor_metre, rtol=1e-9
    ):
        raise error(
            f"{name}: its CRS ({crs.name}) is not on a sphere: reproject it onto the body's sphere,"
            " with gdalwarp or ogr2ogr -t_srs"
        )
    return float(ellipsoid.semi_major_metre)


def check_radius(name: object, crs: CRS, radius_m: float, error: type[EjectamapError]) -> None:
    """Check that the radius of a CRS's sphere is `radius_m`: 300 m more shift longitude 180 by a kilometre.

    Raises
    ------
    EjectamapError
        Of the type `error`, if it is not; the message contains both radii.
    """
    other_m = sphere_radius(name, crs, error)
    if abs(other_m - radius_m) > _SAME_RADIUS * radius_m:
        raise error(
            f"{name}: its CRS has a radius of {other_m:.10g} m, the mosaic's has {radius_m:.10g} m:"
            " reproject it to the mosaic's CRS, or assign that if the coordinates were made for it"
        )


def cylinder(name: object, crs: CRS, error: type[EjectamapError]) -> Cylinder:
    """Relation of a CRS to degrees.

    Raises
    ------
    EjectamapError
        Of the type `error`, if the CRS is not on a sphere, or neither geographic nor equidistant cylindrical.
    """
    radius_m = sphere_radius(name, crs, error)
    if crs.is_geographic:
        return Cylinder(radius_m, 1.0, 1.0, 0.0, 0.0)
    operation = crs.coordinate_operation
    method = operation.method_name.lower() if operation is not None else "none"
    if operation is None or not any(word in method for word in _CYLINDRICAL):
        raise error(
            f"{name}: its projection is {method!r}: reproject it to equidistant cylindrical with"
            " gdalwarp or ogr2ogr -t_srs"
        )
    values = {p.name.lower(): p.value for p in operation.params}
    parallel = np.radians(values.get("latitude of 1st standard parallel", 0.0))
    lat_per_y = np.degrees(crs.axis_info[0].unit_conversion_factor / radius_m)
    lon_per_x = lat_per_y / np.cos(parallel)
    lon_origin = values.get("longitude of natural origin", 0.0)
    lat_origin = values.get("latitude of natural origin", 0.0)
    return Cylinder(
        radius_m,
        float(lon_per_x),
        float(lat_per_y),
        float(lon_origin - values.get("false easting", 0.0) * lon_per_x),
        float(lat_origin - values.get("false northing", 0.0) * lat_per_y),
    )


def with_authority(crs: CRS, degrees: Cylinder) -> CRS:
    """Return the equal CRS of the authority IAU_2015 if there is one, else the CRS itself.

    Parameters
    ----------
    crs : CRS
        CRS of a raster.
    degrees : Cylinder
        Its relation to degrees.
    """
    for body in BODIES.values():
        if (
            body.iau_code is None
            or abs(body.radius_m - degrees.radius_m) > _SAME_RADIUS * body.radius_m
        ):
            continue
        official = body.cylindrical_crs()
        official_degrees = cylinder(body.name, official, MosaicError)
        if crs.is_projected and np.allclose(
            astuple(official_degrees), astuple(degrees), rtol=_SAME_RADIUS
        ):
            return official
    return crs


def one_line(problem: object) -> str:
    """Text of an exception on one line."""
    return " ".join(str(problem).split())
