"""Geometry on the sphere compared with PROJ, also at poles, dateline and antipode."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod, Transformer

from ejectamap.world.body import azimuthal_crs, geographic_crs
from ejectamap.world.sphere import (
    azimuthal_forward,
    azimuthal_inverse,
    bearing,
    corridor_inverse,
    destination,
    distance,
    wrap_longitude,
)

R = 2_439_400.0
TOLERANCE_M = 665.24315e-6  # a millionth of a pixel of the Mercury mosaic
GEOD = Geod(a=R, b=R)

lons = st.floats(-180, 180, exclude_max=True)
lats = st.floats(-90, 90)
bearings = st.floats(0, 360, exclude_max=True)


def random_pairs() -> tuple[np.ndarray, ...]:
    """10 000 pairs of places: anywhere, at poles, across the dateline, close together, nearly antipodal."""
    rng = np.random.default_rng(7)
    n = 10_000
    lon1, lon2 = rng.uniform(-180, 180, (2, n))
    lat1, lat2 = np.degrees(np.arcsin(rng.uniform(-1, 1, (2, n))))
    lat1[:200], lat2[100:300] = 90.0, -90.0
    lat1[300:500] = -90.0
    lon1[500:1500], lon2[500:1500] = rng.uniform(179, 180, 1000), rng.uniform(-180, -179, 1000)
    close = slice(1500, 2500)
    lon2[close] = lon1[close] + rng.uniform(-1e-3, 1e-3, 1000)
    lat2[close] = np.clip(lat1[close] + rng.uniform(-1e-3, 1e-3, 1000), -90, 90)
    far = slice(2500, 3500)
    lon2[far] = wrap_longitude(lon1[far] + 180 + rng.uniform(0.01, 1, 1000))
    lat2[far] = np.clip(-lat1[far] + rng.uniform(0.01, 1, 1000), -90, 90)
    return lon1, lat1, lon2, lat2


PAIRS = random_pairs()


def gap_m(lon1, lat1, lon2, lat2) -> np.ndarray:
    """Straight-line distance between places, in metres; well defined at poles and dateline."""

    def vector(lon, lat):
        lon, lat = np.radians(lon), np.radians(lat)
        return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])

    return R * np.linalg.norm(vector(lon1, lat1) - vector(lon2, lat2), axis=0)


def test_distance_and_bearing_agree_with_geod() -> None:
    forward_deg, _, length_m = GEOD.inv(*PAIRS)
    assert np.abs(distance(*PAIRS, R) - length_m).max() < TOLERANCE_M
    turn = np.radians(bearing(*PAIRS) - forward_deg)
    # At a pole a bearing depends on the longitude given for the pole, so poles are left out.
    not_at_pole = np.abs(PAIRS[1]) < 90
    sideways_m = R * np.sin(length_m / R) * 2 * np.abs(np.sin(turn / 2))
    assert sideways_m[not_at_pole].max() < TOLERANCE_M


def test_bearing_lies_in_0_to_360() -> None:
    bearings_deg = bearing(*PAIRS)
    assert bearings_deg.min() >= 0
    assert bearings_deg.max() < 360
    assert bearing(0.0, 0.0, -1e-15, 1.0) < 360


def test_destination_agrees_with_geod() -> None:
    rng = np.random.default_rng(8)
    theta = rng.uniform(0, 360, PAIRS[0].size)
    length_m = rng.uniform(0, np.pi * R, PAIRS[0].size)
    # At a pole PROJ measures bearings from another meridian than the given longitude.
    lat = np.clip(PAIRS[1], -89.999, 89.999)
    lon2, lat2, _ = GEOD.fwd(PAIRS[0], lat, theta, length_m)
    assert gap_m(*destination(PAIRS[0], lat, theta, length_m, R), lon2, lat2).max() < TOLERANCE_M


def test_bearing_and_distance_lead_from_one_place_to_the_other() -> None:
    lon1, lat1, lon2, lat2 = PAIRS
    there = destination(lon1, lat1, bearing(*PAIRS), distance(*PAIRS, R), R)
    assert gap_m(*there, lon2, lat2).max() < TOLERANCE_M


@pytest.mark.parametrize("centre", [(0, 0), (179.9, 45), (-31.32, -11.34), (10, 90), (0, -90)])
def test_azimuthal_frame_agrees_with_aeqd(centre: tuple[float, float]) -> None:
    to_frame = Transformer.from_crs(geographic_crs(R), azimuthal_crs(*centre, R), always_xy=True)
    lon, lat = PAIRS[2:]
    away_m = distance(*centre, lon, lat, R)
    keep = (away_m > 1000) & (away_m < np.pi * R - 1000)  # there PROJ itself is less exact
    lon, lat = lon[keep], lat[keep]
    x_m, y_m = to_frame.transform(lon, lat)
    ours = azimuthal_forward(lon, lat, *centre, R)
    assert np.hypot(ours.x_m - x_m, ours.y_m - y_m).max() < TOLERANCE_M
    back = azimuthal_inverse(x_m, y_m, *centre, R)
    assert gap_m(*back, lon, lat).max() < TOLERANCE_M


@given(lons, lats, lons, lats)
def test_azimuthal_coordinates_keep_distance_and_invert(lon0, lat0, lon, lat) -> None:
    x_m, y_m = azimuthal_forward(lon, lat, lon0, lat0, R)
    assert abs(np.hypot(x_m, y_m) - distance(lon0, lat0, lon, lat, R)) < TOLERANCE_M
    assert gap_m(*azimuthal_inverse(x_m, y_m, lon0, lat0, R), lon, lat) < TOLERANCE_M


def test_azimuthal_frame_at_its_centre_and_antipode() -> None:
    assert azimuthal_forward(10.0, 20.0, 10.0, 20.0, R) == (0.0, 0.0)
    x_m, y_m = azimuthal_forward(180.0, 0.0, 0.0, 0.0, R)
    assert np.hypot(x_m, y_m) == pytest.approx(np.pi * R)
    x_m, y_m = azimuthal_forward(0.0, -90.0, 0.0, 90.0, R)
    assert np.hypot(x_m, y_m) == pytest.approx(np.pi * R)


@given(lons, lats, bearings, st.floats(0, np.pi * R))
def test_corridor_axis_is_the_great_circle(lon0, lat0, theta, along_m) -> None:
    axis = corridor_inverse(along_m, 0.0, lon0, lat0, theta, R)
    assert gap_m(*axis, *destination(lon0, lat0, theta, along_m, R)) < TOLERANCE_M


@given(lons, lats, bearings, st.floats(0, np.pi * R), st.floats(-1.5e6, 1.5e6))
def test_corridor_distances_are_true(lon0, lat0, theta, along_m, across_m) -> None:
    place = corridor_inverse(along_m, across_m, lon0, lat0, theta, R)
    foot = corridor_inverse(along_m, 0.0, lon0, lat0, theta, R)
    assert abs(distance(*place, *foot, R) - abs(across_m)) < TOLERANCE_M
    # Napier: the hypotenuse of a right-angled spherical triangle.
    hypotenuse = np.arccos(np.clip(np.cos(along_m / R) * np.cos(across_m / R), -1, 1))
    assert abs(distance(lon0, lat0, *place, R) - R * hypotenuse) < 0.1  # arccos near 1 is rough


@given(lons, st.floats(-80, 80), bearings, st.floats(1e4, 1.5e6))
@settings(max_examples=50)
def test_corridor_across_points_to_the_right(lon0, lat0, theta, across_m) -> None:
    right = bearing(lon0, lat0, *corridor_inverse(0.0, across_m, lon0, lat0, theta, R))
    left = bearing(lon0, lat0, *corridor_inverse(0.0, -across_m, lon0, lat0, theta, R))
    assert np.cos(np.radians(right - theta - 90)) == pytest.approx(1)
    assert np.cos(np.radians(left - theta + 90)) == pytest.approx(1)


def test_everything_broadcasts() -> None:
    lon, lat = np.zeros((1, 4)), np.zeros((3, 1))
    assert distance(lon, lat, 10.0, 20.0, R).shape == (3, 4)
    assert destination(lon, lat, 10.0, 20.0, R).lat.shape == (3, 4)
    assert azimuthal_forward(lon, lat, 10.0, 20.0, R).x_m.shape == (3, 4)
    assert corridor_inverse(lon, lat, 10.0, 20.0, 30.0, R).lon.shape == (3, 4)


@given(st.floats(-1e4, 1e4))
def test_wrap_longitude(lon) -> None:
    wrapped = wrap_longitude(lon)
    assert -180 <= wrapped < 180
    assert np.cos(np.radians(wrapped - lon)) == pytest.approx(1)


def test_wrap_longitude_returns_longitudes_in_range_unchanged() -> None:
    assert wrap_longitude(16.65) == 16.65
    assert list(wrap_longitude([180.0, -180.0, 360.0, -1e-300])) == [-180.0, -180.0, 0.0, -1e-300]
    assert wrap_longitude(np.nextafter(-180.0, -181.0)) < 180
