"""How much of a crater's surroundings a mosaic shows."""

import numpy as np

from ejectamap.world.craters import Crater
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import destination

NEARLY_ALL = 0.95
"""Share of ground from which on nothing needs to be said: poles without data are common."""
_HARDLY_ANY = 0.005
"""Share of ground below which a crater counts as outside: as a whole number of per cent it would be 0."""
_PLACES = 4000
_GOLDEN_DEG = 180.0 * (3.0 - 5.0**0.5)


def ground_share(mosaic: Mosaic, crater: Crater) -> float:
    """Share of the area within a crater's reach where the mosaic has data, 0 to 1; to about one per cent."""
    radius_m = mosaic.grid.radius_m
    # Places of equal area on a spiral around the crater.
    areas = (np.arange(_PLACES) + 0.5) / _PLACES
    range_m = radius_m * np.arccos(1 - areas * (1 - np.cos(crater.reach_m(radius_m) / radius_m)))
    bearing_deg = np.arange(_PLACES) * _GOLDEN_DEG
    places = destination(crater.lon, crater.lat, bearing_deg, range_m, radius_m)
    _, valid = mosaic.sample(places.lon, places.lat)
    return float(valid.mean())


def is_outside(share: float) -> bool:
    """Whether a crater is outside a mosaic, by its `ground_share`: nothing of its ejecta can be mapped."""
    return share < _HARDLY_ANY
