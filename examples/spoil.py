"""Eight ways to spoil the true ejecta of a crater, each in steps of known strength."""

from collections.abc import Callable

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from ejectamap.evaluation.counts import Bools
from ejectamap.evaluation.ground import Ground

STEPS = 6


def polar(ground: Ground) -> tuple[np.ndarray, np.ndarray]:
    """Range of each cell in crater radii, and its azimuth in degrees."""
    row, col = np.indices(ground.truth.shape) + 0.5
    north, east = ground.centre[0] - row, col - ground.centre[1]
    away = np.hypot(north, east) * ground.spacing_km / ground.rim_km
    return away, np.degrees(np.arctan2(east, north)) % 360


def inside_edge(ground: Ground) -> np.ndarray:
    """Distance in cells to the edge of the truth, positive inside."""
    truth = ground.truth
    return distance_transform_edt(truth) - distance_transform_edt(~truth)


def blur(ground: Ground, k: int) -> Bools:
    """Smoothed by k cells and cut at one half: thin rays go, corners are rounded."""
    return np.asarray(gaussian_filter(ground.truth.astype(np.float32), 0.6 * k) > 0.5)


def gaps(ground: Ground, k: int) -> Bools:
    """Every ray is broken at regular ranges; k of ten parts of its length are missing."""
    away, _ = polar(ground)
    return ground.truth & ((away < 3) | ((away / 1.5) % 1 >= k / 10))


def seams(ground: Ground, k: int) -> Bools:
    """Square tiles of 24 cells, each moved by up to k cells, as if sampled in the wrong place."""
    rng = np.random.default_rng(0)
    out = np.zeros_like(ground.truth)
    for top in range(0, out.shape[0], 24):
        for left in range(0, out.shape[1], 24):
            move = rng.uniform(-k, k, 2).round().astype(int)
            moved = np.roll(ground.truth, tuple(move), (0, 1))
            out[top : top + 24, left : left + 24] = moved[top : top + 24, left : left + 24]
    return out


def foreign(ground: Ground, k: int) -> Bools:
    """Another crater's ejecta: the same pattern turned by half a circle and moved away, k sixths of its sectors."""
    other = np.roll(ground.truth[::-1, ::-1], ground.truth.shape[1] // 3, 1)
    _, azimuth = polar(ground)
    return ground.truth | (other & (azimuth % 60 < 10 * k))


def no_far_rays(ground: Ground, k: int) -> Bools:
    """The outer ejecta are missing: what is left ends nearer to the crater in each step."""
    away, _ = polar(ground)
    farthest = away[ground.truth].max()
    return ground.truth & (away < farthest * (1 - k / (STEPS + 1)))


def salt(ground: Ground, k: int) -> Bools:
    """Single cells turned over at random, 1.5 % of all in each step."""
    draws = np.random.default_rng(0).random(ground.truth.shape)
    return ground.truth ^ (draws < 0.015 * k)


def dilation(ground: Ground, k: int) -> Bools:
    """The outline moved outwards by k cells."""
    return inside_edge(ground) > -0.5 - k


def erosion(ground: Ground, k: int) -> Bools:
    """The outline moved inwards by k cells."""
    return inside_edge(ground) > 0.5 + k


WAYS: dict[str, Callable[[Ground, int], Bools]] = {
    "blur": blur,
    "gaps along rays": gaps,
    "tile seams": seams,
    "another crater's ejecta": foreign,
    "far rays missing": no_far_rays,
    "salt noise": salt,
    "dilation": dilation,
    "erosion": erosion,
}
