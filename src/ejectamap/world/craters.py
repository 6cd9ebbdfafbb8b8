"""The catalogue of fresh craters, from a CSV, a GeoPackage or a shapefile."""

from dataclasses import dataclass

import numpy as np


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
