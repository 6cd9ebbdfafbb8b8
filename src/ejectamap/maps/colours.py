"""One colour for each crater, the same in the rasters, the figures and the report."""

import numpy as np

# From one id to the next hue and lightness go on by these steps, modulo 1: the best of 60 000 random
# choices for the closest pair among the named fresh craters of Mercury, its mapped ones and ids 0 to
# 39, as seen with normal vision, deuteranopia and protanopia (Machado et al. 2009, severity 1).
_HUE_START, _HUE_STEP = 0.728, 0.6297
_LIGHTNESS_START, _LIGHTNESS_STEP = 0.531, 0.4356
_LIGHTNESS = 0.56, 0.85
_CHROMA = 0.20
# OKLab to linear sRGB (Ottosson 2020, "A perceptual color space for image processing").
_TO_LMS = np.array(
    [
        [1.0, 0.3963377774, 0.2158037573],
        [1.0, -0.1055613458, -0.0638541728],
        [1.0, -0.0894841775, -1.2914855480],
    ]
)
_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def crater_colour(crater_id: int) -> tuple[int, int, int]:
    """Colour (red, green, blue), 0 to 255, of a crater: bright, of any hue.

    Lightness varies too, because hue alone is lost on colour-blind readers.
    """
    hue = 2 * np.pi * ((_HUE_START + crater_id * _HUE_STEP) % 1.0)
    dark, light = _LIGHTNESS
    step = (_LIGHTNESS_START + crater_id * _LIGHTNESS_STEP) % 1.0
    lightness = dark + (light - dark) * step
    for chroma in np.arange(_CHROMA, 0.0, -0.005):
        lab = np.array([lightness, chroma * np.cos(hue), chroma * np.sin(hue)])
        linear = _TO_RGB @ (_TO_LMS @ lab) ** 3
        if linear.min() >= 0.0 and linear.max() <= 1.0:
            break
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    red, green, blue = np.rint(255 * srgb).astype(int).tolist()
    return red, green, blue
