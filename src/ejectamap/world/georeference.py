"""Coordinate reference systems of input files: their relation to degrees on the sphere, and checks of them."""

from dataclasses import astuple, dataclass, replace
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt
import rasterio
from pyproj import CRS, Transformer
from pyproj.database import query_crs_info
from pyproj.exceptions import CRSError, ProjError
from rasterio.errors import RasterioError

from ejectamap.errors import EjectamapError, MosaicError
from ejectamap.world.body import BODIES, cylindrical_crs, geographic_crs
from ejectamap.world.sphere import Array, LonLat

_CYLINDRICAL = ("equidistant cylindrical", "equirectangular")
SAME_RADIUS = 1e-7
"""Relative tolerance of radii for rounding in WKT: 0.25 m on Mercury."""
_EARTH_M = 6_378_137.0  # of WGS 84, which GeoJSON has for any body
_SAME_BODY = 0.01  # relative difference between the radii that are in use for one body


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


def raster_crs(source: "rasterio.io.DatasetReader", error: type[EjectamapError]) -> CRS:
    """CRS of an open raster, without vertical part and shifts of datum; a missing or unreadable one raises `error`."""
    if source.crs is None:
        raise error(
            f"{source.name}: has no CRS: assign the body's own, as in rio edit-info --crs"
            f" IAU_2015:30110 {source.name} for the Moon in metres, or gdal_edit.py -a_srs"
        )
    try:
        return plain_crs(CRS.from_wkt(source.crs.to_wkt()))
    except (CRSError, RasterioError) as problem:
        raise error(
            f"{source.name}: its CRS cannot be understood ({one_line(problem)}): assign the body's"
            f" own with rio edit-info --crs or gdal_edit.py -a_srs"
        ) from problem


def plain_crs(crs: CRS) -> CRS:
    """The horizontal CRS within one that is bound to another (by TOWGS84 or nadgrids) or has heights as well.

    GeoTIFF, GeoPackage and shapefile lose that longitudes of IAU_2015's planetographic CRS increase to the west: where
    such a name stands in the file, the CRS is the authority's own.
    """
    while crs.is_bound and crs.source_crs is not None:
        crs = crs.source_crs
    crs = crs.sub_crs_list[0] if crs.is_compound else crs
    if "ographic" not in crs.name.lower():
        return crs
    code = _planetographic_codes().get(_letters(crs.name.removeprefix("GCS_")))
    official = None if code is None else CRS.from_authority("IAU_2015", code)
    return official if official is not None and official.ellipsoid == crs.ellipsoid else crs


@cache
def _planetographic_codes() -> dict[str, str]:
    """Codes of IAU_2015's planetographic CRS, by the letters and digits of their names."""
    infos = query_crs_info(auth_name="IAU_2015")
    return {_letters(info.name): info.code for info in infos if "Ographic" in info.name}


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def sphere_radius(name: object, crs: CRS, error: type[EjectamapError]) -> float:
    """Radius in metres of the sphere of a CRS; an ellipsoid raises `error`."""
    equatorial_m, polar_m = _semi_axes(name, crs, error)
    if equatorial_m != polar_m:
        raise error(
            f"{name}: its CRS ({crs.name}) is not on a sphere: reproject it onto the body's sphere,"
            " with gdalwarp or ogr2ogr -t_srs"
        )
    return equatorial_m


def _semi_axes(name: object, crs: CRS, error: type[EjectamapError]) -> tuple[float, float]:
    """Equatorial and polar radius of a CRS's ellipsoid in metres; equal on a sphere."""
    ellipsoid = crs.ellipsoid
    if ellipsoid is None:
        raise error(
            f"{name}: its CRS ({crs.name}) has no ellipsoid: assign the body's own CRS with"
            " rio edit-info --crs, gdal_edit.py -a_srs or ogr2ogr -a_srs"
        )
    a, b = float(ellipsoid.semi_major_metre), float(ellipsoid.semi_minor_metre)
    return (a, a) if np.isclose(a, b, rtol=1e-9) else (a, b)


def check_radius(name: object, crs: CRS, radius_m: float, error: type[EjectamapError]) -> None:
    """Check that the radius of a CRS's sphere is `radius_m`: 300 m more shift longitude 180 by a kilometre.

    Raises
    ------
    EjectamapError
        Of the type `error`, if it is not; the message contains both radii.
    """
    other_m = sphere_radius(name, crs, error)
    if abs(other_m - radius_m) > SAME_RADIUS * radius_m:
        raise error(
            f"{name}: its CRS has a radius of {other_m:.10g} m, the mosaic's has {radius_m:.10g} m:"
            " reproject it to the mosaic's CRS, or assign that if the coordinates were made for it"
        )


@dataclass(frozen=True)
class Projection:
    """How the coordinates of a CRS, in any projection, give places on the body's sphere.

    Attributes
    ----------
    radius_m : float
        Equatorial radius of the CRS's sphere or ellipsoid.
    pipeline : str
        The same relation as a PROJ pipeline, from CRS coordinates to longitude east and planetocentric latitude, in
        degrees.
    cylinder : Cylinder or None
        If longitude and latitude are linear in x and y; where the latitudes are planetographic, the relation to those.
    is_planetographic : bool
        Whether the CRS has planetographic latitudes, which the pipeline converts.
    notes : tuple of str
        What a person should know about how places are read; each begins with the name of the file.
    """

    radius_m: float
    pipeline: str
    cylinder: Cylinder | None
    is_planetographic: bool
    notes: tuple[str, ...] = ()

    def to_lonlat(self, x: npt.ArrayLike, y: npt.ArrayLike) -> LonLat:
        """Places of CRS coordinates, infinite where there is none; longitudes of a cylinder are not wrapped."""
        if self.cylinder is not None and not self.is_planetographic:
            return LonLat(*self.cylinder.to_degrees(x, y))
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        return LonLat(*map(np.asarray, self._transformer.transform(x, y)))

    def from_lonlat(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[Array, Array]:
        """CRS coordinates (x, y) of places, infinite where there are none."""
        lon, lat = np.asarray(lon, np.float64), np.asarray(lat, np.float64)
        x, y = self._transformer.transform(lon, lat, direction="INVERSE")
        return np.asarray(x), np.asarray(y)

    @cached_property
    def _transformer(self) -> Transformer:
        return Transformer.from_pipeline(self.pipeline)


def read_projection(name: object, crs: CRS, error: type[EjectamapError]) -> Projection:
    """Read how the coordinates of a CRS give places.

    A positive-west longitude becomes east; on an ellipsoid planetographic latitudes become planetocentric ones.

    Parameters
    ----------
    name : object
        Name of the file, for messages.
    crs : CRS
    error : type

    Raises
    ------
    EjectamapError
        Of the type `error`, if the CRS is not of a known projection.
    """
    crs = plain_crs(crs)
    equatorial_m, polar_m = _semi_axes(name, crs, error)
    if crs.is_derived and not crs.is_projected:
        raise error(
            f"{name}: its CRS ({crs.name}) is in degrees of a rotated globe: convert it to plain longitude and"
            f" latitude with -t_srs '+proj=longlat +R={equatorial_m:.10g} +no_defs' of gdalwarp or ogr2ogr"
        )
    # On axes called planetocentric, latitudes need no conversion.
    is_planetographic = equatorial_m != polar_m and not _has_spherical_axes(crs)
    linear = _read_cylinder(crs, equatorial_m)
    steps = _inverse_projection(name, crs, error) if linear is None else _linear_steps(linear)
    notes: tuple[str, ...] = ()
    if is_planetographic:
        steps += (
            " +step +proj=unitconvert +xy_in=deg +xy_out=rad"
            f" +step +proj=geoc +a={equatorial_m!r} +b={polar_m!r} +over"
            " +step +proj=unitconvert +xy_in=rad +xy_out=deg"
        )
        notes = (
            f"{name}: its CRS is on an ellipsoid ({equatorial_m:.10g} x {polar_m:.10g} m): its planetographic"
            f" latitudes are converted to planetocentric ones, on a sphere of {equatorial_m:.10g} m",
        )
    return Projection(equatorial_m, f"+proj=pipeline{steps}", linear, is_planetographic, notes)


def projection_beside_mosaic(
    name: object, crs: CRS, radius_m: float, error: type[EjectamapError]
) -> Projection:
    """Read how the coordinates of craters or labels give places on the mosaic's sphere.

    In degrees a place is the same on all spheres that are in use for a body, which a note says; so are the degrees of
    Earth's CRS WGS 84, which files of GeoJSON always have. In metres it is not: 300 m more shift longitude 180 by a
    kilometre.

    Parameters
    ----------
    name : object
        Name of the file, for messages.
    crs : CRS
        The file's.
    radius_m : float
        Radius of the mosaic's sphere.
    error : type

    Raises
    ------
    EjectamapError
        Of the type `error`, if the coordinates are in metres of another radius, or of another body.
    """
    read = read_projection(name, crs, error)
    if abs(read.radius_m - radius_m) <= SAME_RADIUS * radius_m:
        return read
    is_same_body = abs(read.radius_m - radius_m) <= _SAME_BODY * radius_m
    in_degrees = crs_is_in_degrees(crs)
    radii = f"{name}: its CRS has a radius of {read.radius_m:.10g} m, the mosaic's has {radius_m:.10g} m"
    is_earth = abs(read.radius_m - _EARTH_M) <= SAME_RADIUS * _EARTH_M
    if not is_same_body and not (in_degrees and is_earth):
        degrees = f" '+proj=longlat +R={radius_m:.10g} +no_defs'" if in_degrees else ""
        raise error(
            f"{radii}: these are two bodies: give a file of the mosaic's or, if the coordinates were made for it,"
            f" assign its CRS with -a_srs{degrees} of ogr2ogr or gdal_translate"
        )
    if not in_degrees:
        raise error(
            f"{radii}: convert its coordinates to degrees, which are the same on both, with -t_srs '+proj=longlat"
            f" +R={read.radius_m:.10g} +no_defs' of ogr2ogr or gdalwarp; or assign the mosaic's CRS if they were made"
            " for it"
        )
    assert read.cylinder is not None
    if read.is_planetographic and not is_same_body:
        # The flattening of another body says nothing: the degrees were meant for this one.
        linear = read.cylinder
        read = Projection(read.radius_m, f"+proj=pipeline{_linear_steps(linear)}", linear, False)
    note = (
        f"{name}: its CRS ({crs.name}) has a radius of {read.radius_m:.10g} m, the mosaic's has {radius_m:.10g} m:"
        " its degrees are taken as places on the mosaic's sphere"
    )
    return replace(read, notes=(*read.notes, note))


def crs_is_in_degrees(crs: CRS) -> bool:
    """Whether the coordinates of a CRS are longitude and latitude."""
    crs = plain_crs(crs)
    return crs.is_geographic or (not crs.is_projected and _has_spherical_axes(crs))


def cylinder(name: object, crs: CRS, error: type[EjectamapError]) -> Cylinder:
    """Relation of a CRS to degrees.

    Raises
    ------
    EjectamapError
        Of the type `error`, if the CRS is not on a sphere, or neither geographic nor equidistant cylindrical.
    """
    crs = plain_crs(crs)
    radius_m = sphere_radius(name, crs, error)
    linear = _read_cylinder(crs, radius_m)
    if linear is None:
        raise error(
            f"{name}: its projection is {projection_name(crs)!r}: reproject it to equidistant cylindrical with"
            " gdalwarp or ogr2ogr -t_srs"
        )
    return linear


def projection_name(crs: CRS) -> str:
    """Name of a CRS's projection in lower case; "degrees" if it has none."""
    if crs_is_in_degrees(crs):
        return "degrees"
    operation = plain_crs(crs).coordinate_operation
    return operation.method_name.lower() if operation is not None else "none"


def _has_spherical_axes(crs: CRS) -> bool:
    """Whether latitudes and longitudes are planetocentric by the definition of the CRS's own axes."""
    return any("planetocentric" in axis.name.lower() for axis in crs.axis_info)


def _directions(crs: CRS) -> tuple[float, float]:
    """Signs of x and y: -1 where they increase to the west, or to the south."""
    directions = [axis.direction.lower() for axis in crs.axis_info[:2]]
    # Around a pole both axes point away from it, or towards it, which says nothing about signs.
    is_polar = len(set(directions)) == 1
    return (
        -1.0 if "west" in directions else 1.0,
        -1.0 if "south" in directions and not is_polar else 1.0,
    )


def _read_cylinder(crs: CRS, radius_m: float) -> Cylinder | None:
    """Linear relation of a CRS to degrees, planetographic ones on an ellipsoid; None if there is none."""
    sign_x, sign_y = _directions(crs)
    lon_zero = _prime_meridian_deg(crs)
    if crs_is_in_degrees(crs):
        per_unit = _degrees(crs.axis_info[0].unit_conversion_factor)
        return Cylinder(radius_m, sign_x * per_unit, sign_y * per_unit, lon_zero, 0.0)
    if not any(word in projection_name(crs) for word in _CYLINDRICAL):
        return None
    values = {p.name.lower(): p.value for p in crs.coordinate_operation.params}  # type: ignore[union-attr]
    parallel = np.radians(values.get("latitude of 1st standard parallel", 0.0))
    lat_per_y = np.degrees(crs.axis_info[0].unit_conversion_factor / radius_m)
    lon_per_x = lat_per_y / np.cos(parallel)
    lon_origin = float(values.get("longitude of natural origin", 0.0)) + lon_zero
    lat_origin = values.get("latitude of natural origin", 0.0)
    return Cylinder(
        radius_m,
        sign_x * float(lon_per_x),
        sign_y * float(lat_per_y),
        float(lon_origin - values.get("false easting", 0.0) * lon_per_x),
        float(lat_origin - values.get("false northing", 0.0) * lat_per_y),
    )


def _prime_meridian_deg(crs: CRS) -> float:
    meridian = crs.prime_meridian
    if meridian is None:
        return 0.0
    return float(meridian.longitude) * _degrees(float(meridian.unit_conversion_factor))


def _degrees(radians_per_unit: float) -> float:
    """Degrees per angular unit; exactly 1 in spite of the rounding in WKT."""
    degrees = float(np.degrees(radians_per_unit))
    return 1.0 if abs(degrees - 1.0) < 1e-9 else degrees


def _linear_steps(linear: Cylinder) -> str:
    """PROJ steps from the coordinates of an equidistant cylindrical CRS to degrees, which are not wrapped."""
    return (
        f" +step +proj=affine +s11={linear.lon_per_x!r} +xoff={linear.lon_origin!r}"
        f" +s22={linear.lat_per_y!r} +yoff={linear.lat_origin!r}"
    )


def _inverse_projection(name: object, crs: CRS, error: type[EjectamapError]) -> str:
    """PROJ steps from projected coordinates to degrees; those of pyproj do not know of axes to the west."""
    try:
        definition = crs.to_json_dict()
        ellipsoid, unit_m = crs.ellipsoid, crs.axis_info[0].unit_conversion_factor
        shape = {"name": "body", "semi_major_axis": ellipsoid.semi_major_metre}  # type: ignore[union-attr]
        datum = {"type": "GeodeticReferenceFrame", "name": "body"}
        datum["ellipsoid"] = shape | {"inverse_flattening": ellipsoid.inverse_flattening}  # type: ignore
        plain = CRS.from_json_dict(
            {
                "type": "ProjectedCRS",
                "name": "plain",
                "base_crs": {
                    "type": "GeographicCRS",
                    "name": "plain",
                    "datum": datum,
                    "coordinate_system": geographic_crs(1.0).to_json_dict()["coordinate_system"],
                },
                "conversion": definition["conversion"],
                "coordinate_system": cylindrical_crs(1.0).to_json_dict()["coordinate_system"],
            }
        )
        inverse = Transformer.from_crs(plain, plain.geodetic_crs, always_xy=True).definition
    except (CRSError, ProjError, KeyError, AttributeError) as problem:
        raise error(
            f"{name}: its projection ({projection_name(crs)}) cannot be used: reproject it to"
            " equidistant cylindrical with gdalwarp or ogr2ogr -t_srs"
        ) from problem
    sign_x, sign_y = _directions(crs)
    steps = " ".join(f"+{word}" for word in inverse.split()).removeprefix("+proj=pipeline ")
    return (
        f" +step +proj=affine +s11={sign_x * unit_m!r} +s22={sign_y * unit_m!r} {steps}"
        f" +step +proj=affine +xoff={_prime_meridian_deg(crs)!r}"
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
            or abs(body.radius_m - degrees.radius_m) > SAME_RADIUS * body.radius_m
        ):
            continue
        official = body.cylindrical_crs()
        official_degrees = cylinder(body.name, official, MosaicError)
        if crs.is_projected and np.allclose(
            astuple(official_degrees), astuple(degrees), rtol=SAME_RADIUS
        ):
            return official
    return crs


def one_line(problem: object) -> str:
    """Text of an exception on one line."""
    return " ".join(str(problem).split())
