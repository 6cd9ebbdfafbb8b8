"""From which side a projectile came: ejecta are missing there.

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
_NEAR = 1.5  # how far out ejecta are looked for, in half-cover radii
_SMOOTH_DEG = 15.0
_FULL_SHARE = (
    0.75  # quantile of the shares of ejecta over azimuth that stands for a side without a gap
)


class Direction(NamedTuple):
    """The side where ejecta are missing.

    Attributes
    ----------
    symmetry : str
        "oblique", "symmetric", or "" where there are no ejecta to tell from, or none but scattered ones.
    missing_bearing_deg, downrange_bearing_deg : float
        Middle of the forbidden zone, and the opposite direction; nan unless oblique.
    forbidden_width_deg : float
        Angle over which ejecta are less than half of what they are on full sides; 0 where they are nowhere.
    confidence : float
        1 - ejecta in the gap over ejecta on full sides: 1 an empty gap, 0 none.
    """

    symmetry: str
    missing_bearing_deg: float
    downrange_bearing_deg: float
    forbidden_width_deg: float
    confidence: float


def missing_direction(around: Surroundings, half_cover_m: float) -> Direction:
    """Find the widest gap in the ejecta around a crater, between its rim and 1.5 half-cover radii.

    The share of ejecta along each azimuth is smoothed over 15 degrees. A gap is where it is less than half of what it
    is on full sides, its upper quartile. The pattern is oblique where the widest gap is at least 40 degrees wide and
    the ejecta in it are at most 0.4 of those on full sides; the middle of the gap, weighed by what is missing, is where
    the projectile came from. Azimuths without data are filled from their neighbours.
    """
    share = _share_by_azimuth(around, half_cover_m)
    full = float(np.quantile(share, _FULL_SHARE)) if share.size else 0.0
    nan = float("nan")
    # Where not even the first ring is half covered there is nothing continuous for a gap to be in.
    if full == 0.0 or half_cover_m <= around.view.crater.radius_m:
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
    angle = np.radians(around.view.column_bearings_deg()[gap])
    weight = missing[gap]
    towards = np.degrees(np.arctan2(weight @ np.sin(angle), weight @ np.cos(angle))) % 360.0
    return Direction("oblique", float(towards), float((towards + 180) % 360), width, confidence)


def _share_by_azimuth(around: Surroundings, half_cover_m: float) -> Array:
    """Share of ejecta along each azimuth near the crater, 0 to 1, smooth; empty if nothing is known there."""
    radius_m = around.view.crater.radius_m
    near = around.beyond_rim & (around.range_m < _NEAR * max(half_cover_m, radius_m))
    seen = (around.known & near).sum(axis=0).astype(np.float64)
    found = (around.ejecta & around.known & near).sum(axis=0).astype(np.float64)
    cells = max(1, round(_SMOOTH_DEG / 360.0 * seen.size))
    while seen.any() and not (smooth := uniform_filter1d(seen, cells, mode="wrap")).min() > 1e-9:
        cells *= 2
    if not seen.any():
        return np.zeros(0)
    share: Array = uniform_filter1d(found, cells, mode="wrap") / smooth
    return share


def _widest_gap(missing: Array) -> Array:
    """Columns of the longest run, around the circle, in which something is missing."""
    if (missing > 0).all() or not (missing > 0).any():
        return np.zeros(0, np.intp)
    first = int(np.argmin(missing > 0))  # a column with ejecta: no run goes over it
    turned = np.roll(missing > 0, -first)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], turned, [False]]).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - starts))
    return (np.arange(starts[longest], ends[longest]) + first) % missing.size
