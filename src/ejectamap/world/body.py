"""Bodies that can be mapped: spheres, each with the source of its radius."""

from dataclasses import dataclass

from pyproj import CRS

_IAU_2015 = "Archinal et al. 2018, Celest. Mech. Dyn. Astron. 130:22 (IAU WGCCRE report 2015)"


@dataclass(frozen=True)
class Body:
    """A spherical body.

    Attributes
    ----------
    name : str
    radius_m : float
        Radius of the sphere, in metres.
    reference : str
        Source of the radius.
    iau_code : int or None
        Code of the body's equirectangular CRS (clon 0) in the IAU_2015 authority, if there is one.
    """

    name: str
    radius_m: float
    reference: str
    iau_code: int | None = None

    def cylindrical_crs(self) -> CRS:
        """Equidistant cylindrical CRS on this sphere, from IAU_2015 where it has the body."""
        if self.iau_code is not None:
            return CRS.from_authority("IAU_2015", self.iau_code)
        return cylindrical_crs(self.radius_m, self.name)


BODIES = {
    body.name.lower(): body
    for body in (
        Body("Mercury", 2_440_530.0, f"{_IAU_2015}, table 4, equatorial radius", 19910),
        Body("Moon", 1_737_400.0, f"{_IAU_2015}, table 5, mean radius", 30110),
        Body("Mars", 3_396_190.0, f"{_IAU_2015}, table 4, equatorial radius", 49910),
        Body("Ganymede", 2_631_200.0, f"{_IAU_2015}, table 5, mean radius", 50310),
        Body("Ceres", 487_300.0, f"{_IAU_2015}, table 6, equatorial radius", 200000110),
    )
}

SIMULATED = "simulated planet"
"""Description (TIFF tag) of the mosaic of a planet that `ejectamap simulate` made: it has a real one's radius."""


def body_near(radius_m: float) -> Body | None:
    """Registered body with the radius nearest to `radius_m`, in metres; None if it differs by more than 0.2 %.

    The tolerance is needed because many mosaics use a slightly different radius.
    """
    nearest = min(BODIES.values(), key=lambda body: abs(body.radius_m - radius_m))
    return nearest if abs(nearest.radius_m - radius_m) < 0.002 * radius_m else None


def cylindrical_crs(radius_m: float, name: str = "sphere") -> CRS:
    """Equidistant cylindrical CRS in metres on any sphere; standard parallel and meridian 0."""
    crs = CRS.from_dict({"proj": "eqc", "R": radius_m, "units": "m", "no_defs": True})
    wkt = crs.to_wkt().replace('PROJCRS["unknown"', f'PROJCRS["Equidistant Cylindrical {name}"', 1)
    return CRS.from_wkt(wkt)


def geographic_crs(radius_m: float) -> CRS:
    """Longitude east and latitude, in degrees, on any sphere."""
    return CRS.from_dict({"proj": "longlat", "R": radius_m, "no_defs": True})


def azimuthal_crs(lon: float, lat: float, radius_m: float) -> CRS:
    """Azimuthal equidistant CRS, in metres, centred on (lon, lat) in degrees."""
    return CRS.from_dict(
        {"proj": "aeqd", "lon_0": lon, "lat_0": lat, "R": radius_m, "units": "m", "no_defs": True}
    )
