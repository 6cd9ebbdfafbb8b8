"""Smooth noise on the sphere, without a discontinuity at the dateline or a distortion at the poles.

Gradient noise in three dimensions (Perlin 2002, "Improving noise", SIGGRAPH), evaluated at unit vectors, so that a
feature has the same size on the ground everywhere.
"""

from collections.abc import Callable

import numba
import numpy as np

from ejectamap.world.mosaic import Floats
from ejectamap.world.sphere import Array

# Standard deviation of one octave, measured on a million random points.
_OCTAVE_STD = 0.270


def octaves_for(frequency: float, pixel_rad: float) -> int:
    """Count the octaves from a frequency (cycles per radian) up to features of two pixels of `pixel_rad` radians."""
    return max(1, int(np.log2(max(2.0, 1.0 / (2.0 * pixel_rad * frequency)))) + 1)


def fractal(points: Array, frequency: float, octaves: int, seed: int, gain: float = 0.5) -> Floats:
    """Fractal noise of about zero mean and unit standard deviation.

    Parameters
    ----------
    points : array (3, ...)
        Unit vectors, or other points in three dimensions.
    frequency : float
        Features of the first octave per unit of length: per radian on a unit sphere.
    octaves : int
        Each octave has features half the size of the one before.
    seed : int
        Different seeds give independent noise; 0 <= seed < 2**31.
    gain : float
        Amplitude of an octave relative to the one before.

    Returns
    -------
    float32 array (...)
    """
    x, y, z = (np.ascontiguousarray(axis).ravel() for axis in points)
    norm = _OCTAVE_STD * float(np.sqrt(np.sum(gain ** (2.0 * np.arange(octaves)))))
    values: Floats = _fractal(x, y, z, frequency, octaves, seed, gain) / np.float32(norm)
    return values.reshape(points.shape[1:])


@numba.njit(cache=True, nogil=True)
def _fractal(x, y, z, frequency, octaves, seed, gain):  # type: ignore[no-untyped-def]
    """Sum of octaves of gradient noise at many points."""
    out = np.zeros(x.size, np.float32)
    for i in range(x.size):
        f = frequency
        a = 1.0
        total = 0.0
        for octave in range(octaves):
            # The shift keeps the lattices of the octaves apart.
            shift = 17.31 * octave + 0.37
            total += a * gradient_noise(
                x[i] * f + shift, y[i] * f + shift, z[i] * f + shift, seed + octave
            )
            f *= 2.03
            a *= gain
        out[i] = total
    return out


@numba.njit(cache=True, nogil=True)
def _corner(ix, iy, iz, seed, dx, dy, dz):  # type: ignore[no-untyped-def]
    """Dot product of a lattice corner's pseudo-random gradient with the offset from it."""
    h = (ix * 374761393 + iy * 668265263 + iz * 1440662683 + seed * 974634721) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    h = (h ^ (h >> 16)) & 15
    u = dx if h < 8 else dy
    if h < 4:
        v = dy
    elif h in (12, 14):
        v = dx
    else:
        v = dz
    return (u if h & 1 == 0 else -u) + (v if h & 2 == 0 else -v)


def _gradient_noise(x, y, z, seed):  # type: ignore[no-untyped-def]
    """Gradient noise at one point, about -1 to 1, features of unit size."""
    x0, y0, z0 = int(np.floor(x)), int(np.floor(y)), int(np.floor(z))
    dx, dy, dz = x - x0, y - y0, z - z0
    u = dx * dx * dx * (dx * (dx * 6.0 - 15.0) + 10.0)
    v = dy * dy * dy * (dy * (dy * 6.0 - 15.0) + 10.0)
    w = dz * dz * dz * (dz * (dz * 6.0 - 15.0) + 10.0)
    total = 0.0
    for k in range(8):
        cx, cy, cz = k & 1, (k >> 1) & 1, k >> 2
        weight = (u if cx else 1.0 - u) * (v if cy else 1.0 - v) * (w if cz else 1.0 - w)
        total += weight * _corner(x0 + cx, y0 + cy, z0 + cz, seed, dx - cx, dy - cy, dz - cz)
    return total


gradient_noise: Callable[[float, float, float, int], float] = numba.njit(cache=True, nogil=True)(
    _gradient_noise
)
