"""Random augmentation of training pictures.

Flips and rotations apply to all channels; contrast, brightness and blur only to the bands. The other channels (marker,
distance, guide, target) keep their values. Every random number is drawn whatever the settings are, so that changing
one setting does not change the effect of the others.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from ejectamap.project.settings import ChipAugmentation, CorridorAugmentation, PolarAugmentation
from ejectamap.world.mosaic import Floats


def augment_corridor(
    picture: Floats, settings: CorridorAugmentation, rng: np.random.Generator
) -> Floats:
    """Augment a corridor with its marker, (band + 1, width, length)."""
    if rng.random() < 0.5 and settings.flips:
        picture = picture[:, ::-1]
    return _jitter_bands(picture, picture.shape[0] - 1, settings, rng)


def augment_chip(
    picture: Floats, settings: ChipAugmentation, rng: np.random.Generator, unchanged: int = 2
) -> Floats:
    """Augment a chip, (band + unchanged, n, n), whose last `unchanged` channels keep their values."""
    if rng.random() < 0.5 and settings.flips:
        picture = picture[..., ::-1]
    quarters = int(rng.integers(4))
    if settings.quarter_turns:
        picture = np.rot90(picture, quarters, axes=(1, 2))
    return _jitter_bands(picture, picture.shape[0] - unchanged, settings, rng)


def drop_bands(bands: Floats, probability: float, rng: np.random.Generator) -> None:
    """With some probability set the last band or bands (band, rows, cols) to 0, in place."""
    if probability and rng.random() < probability:
        bands[rng.integers(1, len(bands) + 1) :] = 0


def jitter_polar(
    picture: Floats, bands: int, settings: PolarAugmentation, rng: np.random.Generator
) -> Floats:
    """Change contrast, brightness and sharpness of a polar input, as `views.inputs.assemble_polar_input` makes it.

    Scaled bands and their local contrast change independently, the latter without brightness. Cells without data stay
    0, and blurring wraps around in azimuth.
    """
    shape = (2 * bands, 1, 1)
    valid = picture[-1:]
    contrast = 1 + settings.contrast * rng.uniform(-1, 1, shape)
    brightness = settings.brightness * rng.uniform(-1, 1, shape)
    brightness[bands:] = 0
    sigma_px = settings.blur_px * rng.random()
    result = picture.copy()
    changed = picture[: 2 * bands] * contrast + brightness
    if sigma_px > 0:
        mode = ("nearest", "nearest", "wrap")
        changed = gaussian_filter(changed, (0, sigma_px, sigma_px), mode=mode)
    result[: 2 * bands] = changed * valid
    return result


def _jitter_bands(
    picture: npt.NDArray[Any], bands: int, settings: CorridorAugmentation, rng: np.random.Generator
) -> Floats:
    """Change contrast, brightness and sharpness of the first `bands` channels of (channel, row, col)."""
    contrast = 1 + settings.contrast * rng.uniform(-1, 1, (bands, 1, 1))
    brightness = settings.brightness * rng.uniform(-1, 1, (bands, 1, 1))
    sigma_px = settings.blur_px * rng.random()
    result = picture.astype(np.float32)
    std = result[:bands].std(axis=(1, 2), keepdims=True)
    result[:bands] = result[:bands] * contrast + brightness * std
    if sigma_px > 0:
        result[:bands] = gaussian_filter(result[:bands], (0, sigma_px, sigma_px), mode="nearest")
    return result
