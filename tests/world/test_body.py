import pytest
from pyproj import CRS

from ejectamap.errors import MosaicError
from ejectamap.world.body import (
    BODIES,
    azimuthal_crs,
    custom_body,
    cylindrical_crs,
    find_body,
    geographic_crs,
)


@pytest.mark.parametrize("name", BODIES)
def test_registered_radius_is_that_of_the_iau_crs(name: str) -> None:
    body = BODIES[name]
    ellipsoid = body.cylindrical_crs().ellipsoid
    assert ellipsoid is not None
    assert ellipsoid.semi_major_metre == ellipsoid.semi_minor_metre == body.radius_m
    assert "2018" in body.reference


def test_find_body_in_any_case() -> None:
    assert find_body("mErCuRy").radius_m == 2_440_530


def test_unknown_body_lists_the_known_ones() -> None:
    with pytest.raises(MosaicError, match=r"unknown body 'Vulcan'.*Mercury, Moon"):
        find_body("Vulcan")


def test_custom_body_has_a_crs_of_its_radius() -> None:
    body = custom_body("Mercury", 2_439_400, "MDIS mosaic")
    crs = body.cylindrical_crs()
    assert crs.ellipsoid is not None
    assert crs.ellipsoid.semi_major_metre == 2_439_400
    assert "Mercury" in crs.name


@pytest.mark.parametrize("radius_m", [0, -1, float("nan")])
def test_impossible_radius(radius_m: float) -> None:
    with pytest.raises(MosaicError, match="positive number of metres"):
        custom_body("Nowhere", radius_m, "none")


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
