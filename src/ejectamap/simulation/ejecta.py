"""The fraction of the surface that one impact's ejecta, blanket and rays, cover at points of its azimuthal frame."""

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from ejectamap.simulation.impacts import Impact, RayPattern, azimuth_weight
from ejectamap.simulation.noise import fractal, gradient_noise
from ejectamap.simulation.planet_style import PlanetStyle
from ejectamap.world.mosaic import Floats
from ejectamap.world.sphere import Array

_AZIMUTH_BINS = 720
_WANDER = 0.035  # amplitude of the irregular variation of a ray's azimuth along it, in radians


class Cover(NamedTuple):
    """Fraction of the surface that ejecta cover, 0 to 1.

    Attributes
    ----------
    fine : float32 array (n,)
        With small-scale variation: knots along rays and grain of the blanket.
    smooth : float32 array (n,)
        Without it, as a person would outline the ejecta: patches and gaps only.
    """

    fine: Floats
    smooth: Floats


def compute_cover(
    impact: Impact,
    pattern: RayPattern,
    style: PlanetStyle,
    range_m: Array,
    azimuth: Array,
    body_m: float,
) -> Cover:
    """Compute the cover at points given by range (metres) and azimuth (radians) from the crater, shape (n,).

    `body_m` is the radius of the body, in metres.
    """
    radius_m = impact.crater.radius_m
    r = range_m / radius_m
    blanket = compute_blanket_cover(impact, pattern, style, r, azimuth)
    rays = pattern.rays
    first, ray_numbers = _bin_rays(rays)
    fine, smooth = _ray_cover(
        r, azimuth, radius_m / body_m, rays, first, ray_numbers, style.sharpness, pattern.seed
    )
    grain = 0.25 * fractal(
        np.stack([2.2 * r * np.sin(azimuth), 2.2 * r * np.cos(azimuth), 0 * r]),
        1.0,
        3,
        pattern.seed,
    )
    rough = np.clip(blanket * (1.0 + grain), 0.0, 1.0)
    # Uncovered fractions multiply: blanket and rays are placed independently of each other.
    return Cover(1 - (1 - rough) * (1 - fine), 1 - (1 - blanket) * (1 - smooth))


def compute_blanket_cover(
    impact: Impact, pattern: RayPattern, style: PlanetStyle, r: Array, azimuth: Array
) -> Floats:
    """Compute the cover of the continuous blanket at r crater radii and an azimuth in radians, shape (n,).

    It decreases outwards and ends in a lobate edge with filaments.
    """
    u, v = np.sin(azimuth), np.cos(azimuth)
    depth = np.log(np.maximum(r, 0.5))
    lobes = fractal(np.stack([1.6 * u, 1.6 * v, 0.4 * depth]), 1.0, 2, pattern.seed + 11)
    filaments = fractal(np.stack([7.0 * u, 7.0 * v, 0.8 * depth]), 1.0, 3, pattern.seed + 12, 0.7)
    edge = pattern.blanket * np.exp(0.15 * lobes + style.filaments * filaments)
    edge = 1.15 + (edge - 1.15).clip(0.0) * np.sqrt(azimuth_weight(impact, azimuth))
    within_edge = 1.0 / (1.0 + (r / edge) ** 7)
    cover = pattern.cover * np.maximum(r, 1.0) ** -pattern.fade
    return np.asarray(within_edge * cover, np.float32)


def _bin_rays(rays: Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """List the rays that may reach each azimuth bin, in compressed sparse row form.

    Returns
    -------
    int array (bins + 1,), int array (n,)
        The rays of bin b are `ray_numbers[first[b] : first[b + 1]]`.
    """
    span = 2 * np.pi / _AZIMUTH_BINS
    members: list[list[int]] = [[] for _ in range(_AZIMUTH_BINS)]
    for k, (azimuth, curve, offset, start, end, width, widening, *_rest) in enumerate(rays):
        # A ray spans the widest angle at its start, where even a narrow ray covers many degrees.
        half = np.arctan((abs(offset) + 2.6 * width * (1.0 + widening)) / start) + _WANDER + span
        low = azimuth + min(0.0, curve * (end - start)) - half
        high = azimuth + max(0.0, curve * (end - start)) + half
        bins = np.arange(int(np.floor(low / span)), int(np.ceil(high / span)) + 1)
        for b in np.unique(bins % _AZIMUTH_BINS):
            members[b].append(k)
    counts = [len(m) for m in members]
    ray_numbers = np.array([k for m in members for k in m], np.int64)
    return np.concatenate([[0], np.cumsum(counts)]), ray_numbers


@numba.njit(cache=True, nogil=True)
def _ray_cover(r, azimuth, radius_rad, rays, first, ray_numbers, sharpness, seed):  # type: ignore[no-untyped-def]
    """Fine and smooth cover of all rays at many points."""
    fine = np.zeros(r.size, np.float32)
    smooth = np.zeros(r.size, np.float32)
    bins = first.size - 1
    for i in range(r.size):
        sin_d = np.sin(min(r[i] * radius_rad, np.pi))
        b = int(azimuth[i] / (2 * np.pi) * bins) % bins
        uncovered_fine = 1.0
        uncovered_smooth = 1.0
        for j in range(first[b], first[b + 1]):
            k = ray_numbers[j]
            ray_fine, ray_smooth = _single_ray_cover(
                r[i], azimuth[i], sin_d, radius_rad, rays[k], sharpness, seed + 101 * k
            )
            uncovered_fine *= 1.0 - ray_fine
            uncovered_smooth *= 1.0 - ray_smooth
        fine[i] = 1.0 - uncovered_fine
        smooth[i] = 1.0 - uncovered_smooth
    return fine, smooth


@numba.njit(cache=True, nogil=True)
def _single_ray_cover(r, azimuth, sin_d, radius_rad, ray, sharpness, seed):  # type: ignore[no-untyped-def]
    """Fine and smooth cover of one ray at one point."""
    root, curve, offset, start, end, width, widening, strength, gap, fading, length = ray
    if r < start or r > end:
        return 0.0, 0.0
    t = (r - start) / (end - start)
    turn = azimuth - root - curve * (r - start)
    sideways = sin_d * np.sin(turn)
    broad = width * (1.0 + widening * t)
    # Most rays of a bin miss the point: return before the costly noise, with a margin for what it may add.
    margin = 3.9 * broad + abs(offset) + _WANDER * sin_d / radius_rad
    if np.cos(turn) <= 0.0 or abs(sideways) > margin * radius_rad:
        return 0.0, 0.0
    turn -= _WANDER * gradient_noise(0.15 * r, 0.3, 0.7, seed)
    # Distance from the great circle of the ray's middle, in crater radii.
    across = np.arcsin(sin_d * np.sin(turn)) / radius_rad - offset
    q = abs(across) / (broad * (1.0 + 0.5 * gradient_noise(0.5 * r, 5.3, 0.7, seed)))
    if q > 2.6:
        return 0.0, 0.0
    fade = (1.0 - t) ** fading * min(1.0, (end - r) / (0.05 * end)) * min(1.0, 0.45 + 12.0 / r)
    # Rays start within the blanket; there they are not brighter than it.
    rise = min(1.0, 0.3 + 0.2 * (r - start))
    value = strength * np.exp(-(q**sharpness)) * fade * rise
    if value < 0.005:
        return 0.0, 0.0
    along = r / length
    patch = gradient_noise(0.25 * along, 0.25 * across / width, 9.1, seed) + 0.5 * gradient_noise(
        0.9 * along, 0.4 * across / width, 3.3, seed
    )
    # Noise below the level is a gap; the fraction of gaps grows outwards.
    level = -0.5 + gap * (0.45 + 0.5 * t)
    value *= min(1.0, max(0.0, (patch - level) / 0.3))
    knots = (
        1.0
        + 0.9 * gradient_noise(1.6 * r, 1.8 * across / width, 1.9, seed)
        + 0.6 * gradient_noise(4.0 * r, 4.0 * across / width, 6.9, seed)
    )
    return min(0.95, value * max(0.0, knots)), value
