"""Where an impact's ejecta lie: the cover of blanket and rays at places of its azimuthal frame."""

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from ejectamap.simulate.impacts import Impact, Pattern, azimuth_weight
from ejectamap.simulate.look import Look
from ejectamap.simulate.noise import Floats, fractal, gradient_noise

Array = npt.NDArray[np.float64]
_AZIMUTH_BINS = 720
_WANDER = 0.035  # how far a ray strays from its great circle, radians seen from the crater


class Cover(NamedTuple):
    """Share of the surface that ejecta hide, 0 to 1.

    Attributes
    ----------
    fine : float32 array (n,)
        With knots, streaks and specks.
    smooth : float32 array (n,)
        What a person would outline: patches and gaps, but no knots.
    """

    fine: Floats
    smooth: Floats


def cover_at(
    impact: Impact, pattern: Pattern, look: Look, range_m: Array, azimuth: Array, body_m: float
) -> Cover:
    """Cover at places given by range (metres) and azimuth (radians) from the crater, shape (n,)."""
    radius_m = impact.crater.radius_m
    r = range_m / radius_m
    blanket = blanket_cover(impact, pattern, look, r, azimuth)
    rays = pattern.rays
    first, listed = _bin_rays(rays)
    fine, smooth = _ray_cover(
        r, azimuth, radius_m / body_m, rays, first, listed, look.sharpness, pattern.seed
    )
    # Both hide part of what the other leaves.
    grain = 0.25 * fractal(
        np.stack([2.2 * r * np.sin(azimuth), 2.2 * r * np.cos(azimuth), 0 * r]),
        1.0,
        3,
        pattern.seed,
    )
    rough = np.clip(blanket * (1.0 + grain), 0.0, 1.0)
    return Cover(1 - (1 - rough) * (1 - fine), 1 - (1 - blanket) * (1 - smooth))


def blanket_cover(impact: Impact, pattern: Pattern, look: Look, r: Array, azimuth: Array) -> Floats:
    """Cover of the continuous blanket: thinning outwards, with a lobate edge that frays into filaments."""
    u, v = np.sin(azimuth), np.cos(azimuth)
    depth = np.log(np.maximum(r, 0.5))
    lobes = fractal(np.stack([1.6 * u, 1.6 * v, 0.4 * depth]), 1.0, 2, pattern.seed + 11)
    hair = fractal(np.stack([7.0 * u, 7.0 * v, 0.8 * depth]), 1.0, 3, pattern.seed + 12, 0.7)
    edge = pattern.blanket * np.exp(0.15 * lobes + look.hair * hair)
    edge = 1.15 + (edge - 1.15).clip(0.0) * np.sqrt(azimuth_weight(impact, azimuth))
    inside = 1.0 / (1.0 + (r / edge) ** 7)
    thin = pattern.cover * np.maximum(r, 1.0) ** -pattern.fade
    return np.asarray(inside * thin, np.float32)


def _bin_rays(rays: Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """List the rays that may touch each azimuth bin: (first index per bin, ray numbers), as in a sparse matrix."""
    span = 2 * np.pi / _AZIMUTH_BINS
    members: list[list[int]] = [[] for _ in range(_AZIMUTH_BINS)]
    for k, (azimuth, curve, offset, start, end, width, widening, *_rest) in enumerate(rays):
        # Widest as seen from the crater: near the root, where even a narrow ray covers many degrees.
        half = np.arctan((abs(offset) + 2.6 * width * (1.0 + widening)) / start) + _WANDER + span
        low = azimuth + min(0.0, curve * (end - start)) - half
        high = azimuth + max(0.0, curve * (end - start)) + half
        bins = np.arange(int(np.floor(low / span)), int(np.ceil(high / span)) + 1)
        for b in np.unique(bins % _AZIMUTH_BINS):
            members[b].append(k)
    counts = [len(m) for m in members]
    return np.concatenate([[0], np.cumsum(counts)]), np.array(
        [k for m in members for k in m], np.int64
    )


@numba.njit(cache=True, nogil=True)
def _ray_cover(r, azimuth, radius_rad, rays, first, listed, sharpness, seed):  # type: ignore[no-untyped-def]
    """Fine and smooth cover of all rays at many places."""
    fine = np.zeros(r.size, np.float32)
    smooth = np.zeros(r.size, np.float32)
    bins = first.size - 1
    for i in range(r.size):
        sin_d = np.sin(min(r[i] * radius_rad, np.pi))
        b = int(azimuth[i] / (2 * np.pi) * bins) % bins
        clear_fine = 1.0
        clear_smooth = 1.0
        for j in range(first[b], first[b + 1]):
            k = listed[j]
            a, s = _one_ray(r[i], azimuth[i], sin_d, radius_rad, rays[k], sharpness, seed + 101 * k)
            clear_fine *= 1.0 - a
            clear_smooth *= 1.0 - s
        fine[i] = 1.0 - clear_fine
        smooth[i] = 1.0 - clear_smooth
    return fine, smooth


@numba.njit(cache=True, nogil=True)
def _one_ray(r, azimuth, sin_d, radius_rad, ray, sharpness, seed):  # type: ignore[no-untyped-def]
    """Fine and smooth cover of one ray at one place."""
    root, curve, offset, start, end, width, widening, strength, gap, fading, length = ray
    if r < start or r > end:
        return 0.0, 0.0
    t = (r - start) / (end - start)
    turn = azimuth - root - curve * (r - start)
    sideways = sin_d * np.sin(turn)
    broad = width * (1.0 + widening * t)
    # Most rays of a bin miss the place: tell so before the costly noise, with room for what it adds.
    room = 3.9 * broad + abs(offset) + _WANDER * sin_d / radius_rad
    if np.cos(turn) <= 0.0 or abs(sideways) > room * radius_rad:
        return 0.0, 0.0
    turn -= _WANDER * gradient_noise(0.15 * r, 0.3, 0.7, seed)
    # Distance from the great circle of the ray's middle, in crater radii.
    across = np.arcsin(sin_d * np.sin(turn)) / radius_rad - offset
    q = abs(across) / (broad * (1.0 + 0.5 * gradient_noise(0.5 * r, 5.3, 0.7, seed)))
    if q > 2.6:
        return 0.0, 0.0
    fade = (1.0 - t) ** fading * min(1.0, (end - r) / (0.05 * end)) * min(1.0, 0.45 + 12.0 / r)
    # Rays come out of the blanket: there they are no brighter than it is.
    rise = min(1.0, 0.3 + 0.2 * (r - start))
    value = strength * np.exp(-(q**sharpness)) * fade * rise
    if value < 0.005:
        return 0.0, 0.0
    along = r / length
    patch = gradient_noise(0.25 * along, 0.25 * across / width, 9.1, seed) + 0.5 * gradient_noise(
        0.9 * along, 0.4 * across / width, 3.3, seed
    )
    # Noise below the level is a gap; the share of gaps grows outwards.
    level = -0.5 + gap * (0.45 + 0.5 * t)
    value *= min(1.0, max(0.0, (patch - level) / 0.3))
    knots = (
        1.0
        + 0.9 * gradient_noise(1.6 * r, 1.8 * across / width, 1.9, seed)
        + 0.6 * gradient_noise(4.0 * r, 4.0 * across / width, 6.9, seed)
    )
    return min(0.95, value * max(0.0, knots)), value
