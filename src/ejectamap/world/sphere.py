"""Geometry on a sphere, vectorised: distances, bearings, destinations, azimuthal frames.

Angles are in degrees, lengths in metres; arrays are float64 and broadcast (see docs/conventions.md). The
formulas use unit vectors and `arctan2`, which keep full precision at the poles, at the antipode and
for tiny distances, where the textbook `arccos` and haversine forms lose it (Vincenty 1975, Survey
Review 23, for the sphere).
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Degrees = npt.ArrayLike
Metres = npt.ArrayLike


class LonLat(NamedTuple):
    """Places: longitude east and latitude, in degrees."""

    lon: Array
    lat: Array


class XY(NamedTuple):
    """Places in a crater's azimuthal frame: metres east and north at the centre."""

    x_m: Array
    y_m: Array


def wrap_longitude(lon: Degrees) -> Array:
    """Wrap longitudes into [-180, 180)."""
    east = np.asarray(lon, dtype=np.float64)
    wrapped: Array = (east + 180.0) % 360.0 - 180.0
    # The remainder of a tiny negative number rounds up to the modulus itself.
    wrapped = np.where(wrapped >= 180.0, -180.0, wrapped)
    # Longitudes that are already in the range are returned without a rounding error.
    return np.where((east >= -180.0) & (east < 180.0), east, wrapped)


def _arc(lon1: Degrees, lat1: Degrees, lon2: Degrees, lat2: Degrees) -> tuple[Array, Array, Array]:
    """Direction from place 1 to place 2 at an angle d: parts east and north at place 1 (length sin d), and cos d."""
    dlon = np.radians(np.subtract(lon2, lon1))
    phi1, phi2 = np.radians(lat1), np.radians(lat2)
    east = np.cos(phi2) * np.sin(dlon)
    north = np.cos(phi1) * np.sin(phi2) - np.sin(phi1) * np.cos(phi2) * np.cos(dlon)
    cos_d = np.sin(phi1) * np.sin(phi2) + np.cos(phi1) * np.cos(phi2) * np.cos(dlon)
    return east, north, cos_d


def distance(lon1: Degrees, lat1: Degrees, lon2: Degrees, lat2: Degrees, radius_m: float) -> Array:
    """Great-circle distance in metres, 0 to pi R."""
    east, north, cos_d = _arc(lon1, lat1, lon2, lat2)
    return radius_m * np.arctan2(np.hypot(east, north), cos_d)


def bearing(lon1: Degrees, lat1: Degrees, lon2: Degrees, lat2: Degrees) -> Array:
    """Direction from place 1 to place 2 at place 1, in degrees clockwise from north, [0, 360)."""
    east, north, _ = _arc(lon1, lat1, lon2, lat2)
    return np.degrees(np.arctan2(east, north)) % 360.0


def destination(
    lon: Degrees, lat: Degrees, bearing_deg: Degrees, distance_m: Metres, radius_m: float
) -> LonLat:
    """Place at a bearing and any distance from (lon, lat), along a great circle."""
    theta = np.radians(bearing_deg)
    return azimuthal_inverse(
        np.multiply(distance_m, np.sin(theta)),
        np.multiply(distance_m, np.cos(theta)),
        lon,
        lat,
        radius_m,
    )


def azimuthal_forward(
    lon: Degrees, lat: Degrees, lon0: Degrees, lat0: Degrees, radius_m: float
) -> XY:
    """Azimuthal equidistant coordinates of places about a centre (lon0, lat0).

    The antipode of the centre has no unique coordinates; those returned lie on the circle of radius
    pi R.
    """
    east, north, cos_d = _arc(lon0, lat0, lon, lat)
    sin_d = np.hypot(east, north)
    d = np.arctan2(sin_d, cos_d)
    # d / sin d -> 1 at the centre; at the antipode sin d -> 0 and the direction is arbitrary.
    scale = radius_m * np.divide(d, sin_d, out=np.ones_like(d), where=sin_d > 0)
    at_antipode = (sin_d == 0) & (cos_d < 0)
    return XY(
        np.where(at_antipode, np.pi * radius_m, scale * east),
        np.where(at_antipode, 0.0, scale * north),
    )


def azimuthal_inverse(
    x_m: Metres, y_m: Metres, lon0: Degrees, lat0: Degrees, radius_m: float
) -> LonLat:
    """Places at azimuthal equidistant coordinates about a centre (lon0, lat0)."""
    x, y = np.asarray(x_m, np.float64) / radius_m, np.asarray(y_m, np.float64) / radius_m
    d = np.hypot(x, y)
    sinc = np.sinc(d / np.pi)  # sin(d) / d, 1 at the centre
    return _from_local(x * sinc, y * sinc, np.cos(d), lon0, lat0)


def unit_vectors(lon: Degrees, lat: Degrees) -> Array:
    """Unit vectors of places, in the body's frame (x to longitude 0, z to the north pole); shape (..., 3)."""
    lam, phi = np.broadcast_arrays(np.radians(lon), np.radians(lat))
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)


def local_frame(lon: float, lat: float, azimuth_deg: float = 0.0) -> Array:
    """Unit vectors up, right and forward at a place, in the body's frame; shape (3, 3), one a row.

    Forward points to the azimuth `azimuth_deg`. By default forward is north, and right is east.
    """
    lam, phi = math.radians(lon), math.radians(lat)
    sin_lam, cos_lam, sin_phi, cos_phi = math.sin(lam), math.cos(lam), math.sin(phi), math.cos(phi)
    up = [cos_phi * cos_lam, cos_phi * sin_lam, sin_phi]
    east = np.array([-sin_lam, cos_lam, 0.0])
    north = np.array([-sin_phi * cos_lam, -sin_phi * sin_lam, cos_phi])
    sin, cos = np.sin(np.radians(azimuth_deg)), np.cos(np.radians(azimuth_deg))
    return np.stack([up, east * cos - north * sin, east * sin + north * cos])


def corridor_inverse(
    along_m: Metres,
    across_m: Metres,
    lon0: Degrees,
    lat0: Degrees,
    bearing_deg: float,
    radius_m: float,
) -> LonLat:
    """Places at coordinates along a great circle from (lon0, lat0) at a bearing, and across it to its right.

    The coordinates are those of an oblique equidistant cylindrical frame with that great circle as its
    equator: lengths along it, and across it at right angles, are true.
    """
    t, s = np.asarray(along_m, np.float64) / radius_m, np.asarray(across_m, np.float64) / radius_m
    # Unit vector in the local frame of the start.
    up, forward, right = np.cos(s) * np.cos(t), np.cos(s) * np.sin(t), np.sin(s)
    theta = np.radians(bearing_deg)
    east = forward * np.sin(theta) + right * np.cos(theta)
    north = forward * np.cos(theta) - right * np.sin(theta)
    return _from_local(east, north, up, lon0, lat0)


def _from_local(east: Array, north: Array, up: Array, lon0: Degrees, lat0: Degrees) -> LonLat:
    """Places of unit vectors given in the local frame (east, north, up) of (lon0, lat0)."""
    phi0 = np.radians(lat0)
    toward_axis = up * np.cos(phi0) - north * np.sin(phi0)
    polar = up * np.sin(phi0) + north * np.cos(phi0)
    lat = np.degrees(np.arctan2(polar, np.hypot(east, toward_axis)))
    lon = wrap_longitude(np.degrees(np.arctan2(east, toward_axis)) + lon0)
    return LonLat(lon, np.broadcast_to(lat, lon.shape))
