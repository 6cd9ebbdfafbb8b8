"""One colour for each crater, the same in the rasters, the figures and the report."""

import numpy as np

# Multiples of the inverse powers of this number, modulo 1, fill the unit square evenly (Roberts
# 2018, "The unreasonable effectiveness of quasirandom sequences"): any set of ids gets colours far
# apart.
_PLASTIC = 1.32471795724474602596
# Where the sequence starts: the furthest apart closest pair among the named craters of Mercury, as
# seen with normal vision, deuteranopia and protanopia (Machado et al. 2009, severity 1).
_START_HUE, _START_LIGHTNESS = 0.45, 0.5
_LIGHTNESS = 0.60, 0.90
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
    hue = 2 * np.pi * ((_START_HUE + crater_id / _PLASTIC) % 1.0)
    dark, light = _LIGHTNESS
    lightness = dark + (light - dark) * ((_START_LIGHTNESS + crater_id / _PLASTIC**2) % 1.0)
    for chroma in np.arange(_CHROMA, 0.0, -0.005):
        lab = np.array([lightness, chroma * np.cos(hue), chroma * np.sin(hue)])
        linear = _TO_RGB @ (_TO_LMS @ lab) ** 3
        if linear.min() >= 0.0 and linear.max() <= 1.0:
            break
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    red, green, blue = np.rint(255 * srgb).astype(int).tolist()
    return red, green, blue
