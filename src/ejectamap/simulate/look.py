"""How a simulated planet looks: everything that differs from planet to planet but not from crater to crater.

The planet is painted in three *latent* properties - brightness, blueness (immaturity) and a third, independent one -
of about unit spread. A matrix turns them into the bands of the mosaic: near the one that reproduces the statistics
of the MESSENGER Enhanced Color mosaic for most planets, further from it for others.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
BAND_NAMES = ("PC2", "PC1", "430/1000 nm")
# Standard deviations (49, 42, 46) counts and correlations (0.89, -0.06, 0.37) of the Enhanced Color mosaic.
_MERCURY_MIX = np.array([[41.0, -19.0, 12.0], [40.0, 0.0, -10.0], [15.0, 40.0, 6.0]])
_MERCURY_OFFSET = np.array([95.0, 92.0, 134.0])


@dataclass(frozen=True)
class Look:
    """One planet's style.

    Attributes
    ----------
    mix : array (3, 3)
        Counts per unit of each latent property (columns), per band (rows).
    offset : array (3,)
        Counts of average ground, per band.
    fresh : array (3,)
        Direction in which fresh ejecta change mature ground, in latent units; about unit length.
    contrast : float
        What pure fresh ejecta add, over the local standard deviation of the ground.
    border : float
        Softness of the units' borders.
    levels : tuple of float
        How rare plains and dark material are, in standard deviations of the noise that places them.
    units, mottle, texture : float
        Strength of geological units with sharp borders, of broad variations and of fine texture, in latent units.
    relief : float
        Strength of topographic shading at low latitude; it grows towards the poles.
    specks : float
        Density of small bright spots and of old craters, relative to Mercury.
    strips : float
        Brightness steps between images, in latent units.
    noise : float
        Sensor noise in counts.
    blur_px : float
        Gaussian blur of the brightness; colour is blurred more.
    rays : float
        Number of long rays of a crater, relative to Mercury.
    short_rays : float
        Number of short rays, relative to Mercury.
    ray_km : float
        Typical half-width of a ray.
    bend : float
        How far long rays leave their great circle, radians over their length.
    fading : float
        Power of the remaining length with which a ray's cover falls.
    patch : float
        Length of the patches of a ray, relative to Mercury.
    sharpness : float
        Exponent of a ray's cross profile: 2 a Gaussian, 4 nearly a box.
    patchiness : float
        0 unbroken rays, 1 rays mostly made of patches.
    hair : float
        How ragged and filamentary the edge of the blanket is.
    threshold : float
        What a careful eye still sees: contrast over local standard deviation.
    polar_gap_deg : tuple of float
        Width of the no-data cap in the north and in the south.
    strings : float
        Share of the craters that have bright strings of patches far out.
    dark : float
        Share of the craters that dug up dark material, such as Mercury's low-reflectance material.
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
    hair: float
    threshold: float
    polar_gap_deg: tuple[float, float]
    strings: float
    dark: float


def draw_look(rng: np.random.Generator) -> Look:
    """Draw a planet's style: Mercury-like as a rule, sometimes far from it."""
    plain = rng.random() < 0.15  # a quiet planet: little but rays and noise
    busy = 0.35 if plain else 1.0
    gaps = np.abs(rng.normal(0.0, 4.0, 2))
    return Look(
        mix=_draw_mix(rng),
        offset=_MERCURY_OFFSET + rng.normal(0.0, 14.0, 3),
        fresh=np.array([rng.uniform(0.7, 1.2), rng.normal(0.8, 0.35), rng.normal(0.0, 0.25)]),
        contrast=float(np.clip(np.exp(rng.normal(np.log(9.0), 0.4)), 4.5, 20.0)),
        border=float(np.exp(rng.uniform(np.log(0.3), np.log(2.5)))),
        levels=(rng.uniform(-0.2, 1.0), rng.uniform(0.4, 1.5)),
        units=busy * rng.uniform(0.4, 0.9),
        mottle=busy * rng.uniform(0.03, 0.25),
        texture=busy * rng.uniform(0.03, 0.17),
        relief=busy * rng.uniform(0.6, 1.9),
        specks=busy * float(np.exp(rng.normal(0.0, 0.5))),
        strips=0.2 * busy * rng.random() ** 2,
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
        hair=rng.uniform(0.2, 0.6),
        threshold=rng.uniform(0.55, 1.1),
        polar_gap_deg=(float(gaps[0]), float(gaps[1])),
        strings=rng.uniform(0.3, 0.9) * (rng.random() < 0.5),
        dark=rng.uniform(0.1, 0.3) * (rng.random() < 0.6),
    )


def _draw_mix(rng: np.random.Generator) -> Array:
    """Band matrix: near Mercury's, well away from it, with a band upside down, nearly grey, or of any meaning."""
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
