"""Parameters of a simulated planet that are the same for all its craters: colours, terrain, rays, noise.

The planet is painted in three *latent* properties - brightness, blueness (immaturity) and a third, independent one -
each with a standard deviation of about 1. A matrix turns them into the bands of the mosaic. For most planets it is
close to the matrix that reproduces the statistics of the MESSENGER Enhanced Color mosaic; for some it is far from it.
"""

from dataclasses import dataclass

import numpy as np

from ejectamap.world.sphere import Array

BAND_NAMES = ("PC2", "PC1", "430/1000 nm")
# Standard deviations (49, 42, 46) counts and correlations (0.89, -0.06, 0.37) of the Enhanced Color mosaic.
_MERCURY_MIX = np.array([[41.0, -19.0, 12.0], [40.0, 0.0, -10.0], [15.0, 40.0, 6.0]])
_MERCURY_OFFSET = np.array([95.0, 92.0, 134.0])


@dataclass(frozen=True)
class PlanetStyle:
    """Parameters of one planet's appearance.

    Attributes
    ----------
    mix : array (3, 3)
        Matrix from latent properties (columns) to bands (rows), in counts per latent unit.
    offset : array (3,)
        Value of each band, in counts, where all latent properties are 0.
    fresh : array (3,)
        Change of the latent properties from mature ground to fresh ejecta. `draw_planet_style` returns a vector of
        length about 1; `planet.scale_fresh_contrast` scales it to `contrast`.
    contrast : float
        Change of the bands by pure fresh ejecta, divided by the local standard deviation of the ground.
    border : float
        Width of the transition between geological units, in standard deviations of the noise that places them.
    levels : tuple of float
        Level above which that noise makes plains and dark material; the higher, the rarer they are.
    units, mottle, texture : float
        Amplitude of geological units, of broad variations and of fine texture, in latent units.
    relief : float
        Amplitude of topographic shading at low latitude; it grows towards the poles.
    specks : float
        Density of small bright spots and of old craters, relative to Mercury.
    strips : float
        Amplitude of the brightness steps between neighbouring image strips, in latent units.
    noise : float
        Standard deviation of the sensor noise, in counts.
    blur_px : float
        Standard deviation of the Gaussian blur of the brightness, in pixels; colour is blurred more.
    rays : float
        Number of long rays of a crater, relative to Mercury.
    short_rays : float
        Number of short rays, relative to Mercury.
    ray_km : float
        Typical half-width of a ray, in kilometres.
    bend : float
        Standard deviation of the change of azimuth along a ray, in radians.
    fading : float
        A ray's cover falls with this power of the remaining length.
    patch : float
        Length of the patches of a ray, relative to Mercury.
    sharpness : float
        Exponent of a ray's cross profile: 2 a Gaussian, 4 nearly a box.
    patchiness : float
        0 unbroken rays, 1 rays mostly made of patches.
    filaments : float
        Amplitude of the filaments at the edge of the blanket; 0 a smooth edge.
    threshold : float
        Smallest visible contrast of ejecta, as a multiple of the local standard deviation of the bands.
    polar_gap_deg : tuple of float
        Angular radius of the no-data cap at the north pole and at the south pole, in degrees.
    chain_fraction : float
        Fraction of the craters that have chains of bright patches far out, like chains of secondary craters.
    dark_fraction : float
        Fraction of the craters that excavated dark material, such as Mercury's low-reflectance material.
    """

    mix: Array
    offset: Array
    fresh: Array
    contrast: float
    border: float
    levels: tuple[float, float]
    units: float
    mottle: float
    texture: float
    relief: float
    specks: float
    strips: float
    noise: float
    blur_px: float
    rays: float
    short_rays: float
    ray_km: float
    bend: float
    fading: float
    patch: float
    sharpness: float
    patchiness: float
    filaments: float
    threshold: float
    polar_gap_deg: tuple[float, float]
    chain_fraction: float
    dark_fraction: float


def draw_planet_style(rng: np.random.Generator) -> PlanetStyle:
    """Draw a planet's parameters: usually similar to Mercury's, sometimes very different."""
    is_uniform = rng.random() < 0.15  # a planet with hardly any features but rays and noise
    ground_amplitude = 0.35 if is_uniform else 1.0
    gaps = np.abs(rng.normal(0.0, 4.0, 2))
    return PlanetStyle(
        mix=_draw_mix(rng),
        offset=_MERCURY_OFFSET + rng.normal(0.0, 14.0, 3),
        fresh=np.array([rng.uniform(0.7, 1.2), rng.normal(0.8, 0.35), rng.normal(0.0, 0.25)]),
        contrast=float(np.clip(np.exp(rng.normal(np.log(9.0), 0.4)), 4.5, 20.0)),
        border=float(np.exp(rng.uniform(np.log(0.3), np.log(2.5)))),
        levels=(rng.uniform(-0.2, 1.0), rng.uniform(0.4, 1.5)),
        units=ground_amplitude * rng.uniform(0.4, 0.9),
        mottle=ground_amplitude * rng.uniform(0.03, 0.25),
        texture=ground_amplitude * rng.uniform(0.03, 0.17),
        relief=ground_amplitude * rng.uniform(0.6, 1.9),
        specks=ground_amplitude * float(np.exp(rng.normal(0.0, 0.5))),
        strips=0.2 * ground_amplitude * rng.random() ** 2,
        noise=float(np.exp(rng.uniform(np.log(1.0), np.log(9.0)))),
        blur_px=rng.uniform(0.3, 0.9),
        rays=float(np.exp(rng.normal(0.0, 0.5))),
        short_rays=float(np.exp(rng.normal(0.0, 0.8))),
        ray_km=float(np.exp(rng.normal(np.log(4.5), 0.5)) * rng.choice([1.0, 2.5], p=[0.7, 0.3])),
        bend=float(np.exp(rng.normal(np.log(0.12), 0.6))),
        fading=rng.uniform(0.2, 1.1),
        patch=float(np.exp(rng.normal(0.0, 0.5))),
        sharpness=rng.uniform(1.2, 3.5),
        patchiness=rng.uniform(0.1, 0.9),
        filaments=rng.uniform(0.2, 0.6),
        threshold=rng.uniform(0.55, 1.1),
        polar_gap_deg=(float(gaps[0]), float(gaps[1])),
        chain_fraction=rng.uniform(0.3, 0.9) * (rng.random() < 0.5),
        dark_fraction=rng.uniform(0.1, 0.3) * (rng.random() < 0.6),
    )


def _draw_mix(rng: np.random.Generator) -> Array:
    """Draw the matrix from latent properties to bands.

    It is close to Mercury's, far from it, far from it with one band inverted, nearly grey, or random.
    """
    kind = rng.choice(5, p=[0.5, 0.18, 0.1, 0.06, 0.16])
    spread = 0.12 if kind == 0 else 0.35
    mix = _MERCURY_MIX + rng.normal(0.0, 40.0 * spread, (3, 3))
    if kind == 2:
        mix[rng.choice([0, 2])] *= -1.0
    if kind == 3:
        mix = np.outer(rng.uniform(0.8, 1.2, 3), mix[1]) + rng.normal(0.0, 4.0, (3, 3))
    if kind == 4:
        mix = rng.normal(0.0, 25.0, (3, 3)) * np.exp(rng.normal(0.0, 0.5, (3, 1)))
    return np.asarray(mix * rng.uniform(0.65, 1.15))
