"""Changed copies of pictures that show the same ejecta.

The last channel of a corridor (the marker) and the last of a chip (distance, label, ...) say where things are; they
turn with the picture and keep their values. Every random number is drawn whatever the settings, so that one setting
changes one thing.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from ejectamap.project.settings import ChipAugmentation, CorridorAugmentation

Floats = npt.NDArray[np.float32]


def augment_corridor(
    picture: Floats, how: CorridorAugmentation, rng: np.random.Generator
) -> Floats:
    """Change a corridor; (band + 1, width, length)."""
    if rng.random() < 0.5 and how.flips:
        picture = picture[:, ::-1]
    return relight(picture, picture.shape[0] - 1, how, rng)


def augment_chip(
    picture: Floats, how: ChipAugmentation, rng: np.random.Generator, kept: int = 2
) -> Floats:
    """Change a chip; (band + kept, n, n)."""
    if rng.random() < 0.5 and how.flips:
        picture = picture[..., ::-1]
    quarters = int(rng.integers(4))
    if how.quarter_turns:
        picture = np.rot90(picture, quarters, axes=(1, 2))
    return relight(picture, picture.shape[0] - kept, how, rng)


def relight(
    picture: npt.NDArray[Any], bands: int, how: CorridorAugmentation, rng: np.random.Generator
) -> Floats:
    """Change contrast, brightness and sharpness of the first `bands` channels of (channel, row, col)."""
    contrast = 1 + how.contrast * rng.uniform(-1, 1, (bands, 1, 1))
    brightness = how.brightness * rng.uniform(-1, 1, (bands, 1, 1))
    sigma_px = how.blur_px * rng.random()
    lit = picture.astype(np.float32)
    spread = lit[:bands].std(axis=(1, 2), keepdims=True)
    lit[:bands] = lit[:bands] * contrast + brightness * spread
    if sigma_px > 0:
        lit[:bands] = gaussian_filter(lit[:bands], (0, sigma_px, sigma_px), mode="nearest")
    return lit
