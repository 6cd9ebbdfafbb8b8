import pytest
from pyproj import CRS

from ejectamap.world.body import (
    BODIES,
    azimuthal_crs,
    cylindrical_crs,
    geographic_crs,
)


@pytest.mark.parametrize("name", BODIES)
def test_registered_radius_is_that_of_the_iau_crs(name: str) -> None:
    body = BODIES[name]
    ellipsoid = body.cylindrical_crs().ellipsoid
    assert ellipsoid is not None
    assert ellipsoid.semi_major_metre == ellipsoid.semi_minor_metre == body.radius_m
    assert "2018" in body.reference


def test_crs_are_on_the_sphere_and_in_metres() -> None:
    radius_m = 487_300.0
    for crs in (cylindrical_crs(radius_m), azimuthal_crs(10, 20, radius_m)):
        assert crs.ellipsoid is not None
        assert crs.ellipsoid.semi_major_metre == radius_m
        assert crs.axis_info[0].unit_name == "metre"
    assert geographic_crs(radius_m).is_geographic


def test_cylindrical_crs_survives_wkt() -> None:
    crs = cylindrical_crs(487_300.0, "Ceres")
    assert CRS.from_wkt(crs.to_wkt()) == crs
