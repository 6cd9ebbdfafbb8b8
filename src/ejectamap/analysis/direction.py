"""Direction from which a projectile came, taken from the forbidden zone: the side on which ejecta are missing.

Impacts at less than about 45 degrees leave a forbidden zone up range, and below about 15 degrees one down range too
(Gault and Wedekind 1978, LPSC 9, 3843; Herrick and Forsberg-Taylor 2003, Meteoritics & Planetary Science 38, 1551).
"""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import uniform_filter1d

from ejectamap.analysis.surroundings import Surroundings
from ejectamap.world.sphere import Array

NARROWEST_DEG = 40.0
LEAST_CONFIDENCE = 0.6
_RANGE = 1.5  # up to which ejecta are considered, in half-cover radii
_SMOOTH_DEG = 15.0
_FULL_QUANTILE = 0.75
"""Quantile over azimuth of the share of ejecta that is taken as the share on sides without a gap."""


class Direction(NamedTuple):
    """The side on which ejecta are missing.

    Attributes
    ----------
    symmetry : str
        "oblique", "symmetric", or "" where there are no ejecta or only scattered ones.
    missing_bearing_deg, downrange_bearing_deg : float
        Middle of the forbidden zone, and the opposite direction; nan unless oblique.
    forbidden_width_deg : float
        Angle over which the share of ejecta is less than half of that on full sides; 0 where there is no gap.
    confidence : float
        1 minus the ratio of ejecta in the gap to ejecta on full sides: 1 for an empty gap, 0 for no gap.
    """

    symmetry: str
    missing_bearing_deg: float
    downrange_bearing_deg: float
    forbidden_width_deg: float
    confidence: float


def find_forbidden_zone(surroundings: Surroundings, half_cover_m: float) -> Direction:
    """Find the widest gap in the ejecta around a crater, between its rim and 1.5 half-cover radii.

    The share of ejecta along each azimuth is smoothed over 15 degrees. Its upper quartile is the share on full sides; a
    gap is where it is less than half of that. The pattern is oblique if the widest gap is at least 40 degrees wide and
    has at most 0.4 of the ejecta on full sides. The projectile came from the middle of that gap, weighted by the
    ejecta that are missing. Azimuths without data are filled from their neighbours.
    """
    share = _share_by_azimuth(surroundings, half_cover_m)
    full = float(np.quantile(share, _FULL_QUANTILE)) if share.size else 0.0
    nan = float("nan")
    # Where not even the first ring is half covered there is no continuous blanket in which a gap could be found.
    if full == 0.0 or half_cover_m <= surroundings.view.crater.radius_m:
        return Direction("", nan, nan, nan, nan)
    missing = np.clip(1.0 - share / (0.5 * full), 0.0, None)
    gap = _widest_gap(missing)
    if gap.size == 0:
        return Direction("symmetric", nan, nan, 0.0, 0.0)
    step_deg = 360.0 / share.size
    width = gap.size * step_deg
    confidence = 1.0 - float(share[gap].mean()) / full
    if width < NARROWEST_DEG or confidence < LEAST_CONFIDENCE:
        return Direction("symmetric", nan, nan, width, confidence)
    angle = np.radians(surroundings.view.column_bearings_deg()[gap])
    weight = missing[gap]
    towards = np.degrees(np.arctan2(weight @ np.sin(angle), weight @ np.cos(angle))) % 360.0
    return Direction("oblique", float(towards), float((towards + 180) % 360), width, confidence)


def _share_by_azimuth(surroundings: Surroundings, half_cover_m: float) -> Array:
    """Smoothed share of ejecta along each azimuth near the crater, 0 to 1; empty without data near the crater."""
    radius_m = surroundings.view.crater.radius_m
    near = surroundings.beyond_rim & (surroundings.range_m < _RANGE * max(half_cover_m, radius_m))
    known = (surroundings.known & near).sum(axis=0).astype(np.float64)
    ejecta = (surroundings.ejecta & surroundings.known & near).sum(axis=0).astype(np.float64)
    if not known.any():
        return np.zeros(0)
    cells = max(1, round(_SMOOTH_DEG / 360.0 * known.size))
    while not (smooth := uniform_filter1d(known, cells, mode="wrap")).min() > 1e-9:
        cells *= 2  # until every azimuth has data
    share: Array = uniform_filter1d(ejecta, cells, mode="wrap") / smooth
    return share


def _widest_gap(missing: Array) -> Array:
    """Columns of the longest run, around the circle, in which ejecta are missing; empty if all or none are."""
    if (missing > 0).all() or not (missing > 0).any():
        return np.zeros(0, np.intp)
    first = int(np.argmin(missing > 0))  # a column with ejecta, at which no run continues
    turned = np.roll(missing > 0, -first)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], turned, [False]]).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - starts))
    return (np.arange(starts[longest], ends[longest]) + first) % missing.size
