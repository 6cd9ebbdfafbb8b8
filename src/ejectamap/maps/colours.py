"""One colour for each crater, the same in rasters, figures, pages and exports; near craters get colours far apart.

A crater's colour depends on the craters with smaller ids alone: a crater that is added with the largest id leaves all
other colours as they are.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.color import deltaE_ciede2000, rgb2lab

from ejectamap.world.craters import Crater
from ejectamap.world.sphere import unit_vectors

Colour = tuple[int, int, int]
"""Red, green, blue, each 0 to 255."""
UNKNOWN: Colour = (150, 150, 150)
"""Of ejecta on an earlier map whose crater is not in the catalogue any more."""

# Colours bright and vivid enough over a dimmed mosaic, found by a search for the largest difference of the closest pair
# (CIEDE2000): 10.5 for normal vision, 6.3 for deuteranopia and protanopia.
_PALETTE = """
ff11bb ccee11 bb3300 009977 55ffff 66aa44 00ee88 ee0055 885599 66aaff ff99dd 8811ff
33ccff ffaa66 117744 44ccbb bb6699 997722 55bb88 ee8866 aa11bb 11ccdd cc6677 ccbb00
00ffdd aa4466 99ff77 8866ee ff99aa bb4444 9977bb bb1188 ff66aa ff2211 7788ff 99eebb
"""
# Linear sRGB as a deuteranope and a protanope see it (Machado et al. 2009, severity 1).
_COLOUR_BLINDNESS = np.array(
    [
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ],
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ],
    ]
)
_NEAREST = 0.3  # separation, in reaches, below which it no longer matters how near two craters are
_SAME = 1.0  # difference that two craters of the same colour count as: far apart they may share one
_COMPARED = 60  # craters that a further one is compared with, the nearest ones

Floats = npt.NDArray[np.float64]


@lru_cache(maxsize=4)
def crater_colours(craters: tuple[Crater, ...]) -> Mapping[int, Colour]:
    """Colours of a catalogue's craters, by crater id.

    Craters get their colours in the order of their ids: each that of the palette whose difference from those of the
    craters before it is largest, where a difference counts the less the nearer the two craters are, relative to the sum
    of their reaches. Where there are more craters than colours, craters far apart share one.

    Parameters
    ----------
    craters : tuple of Crater
        The whole catalogue of a project (`Project.craters`), mapped or not.
    """
    ordered = sorted(craters, key=lambda crater: crater.crater_id)
    palette = [_rgb(text) for text in _PALETTE.split()]
    differences = colour_differences(palette) + _SAME
    vectors = unit_vectors([c.lon for c in ordered], [c.lat for c in ordered])
    reaches = np.array([crater.reach for crater in ordered])
    chosen = np.zeros(len(ordered), np.intp)
    for k in range(1, len(ordered)):
        angle = np.arccos(np.clip(vectors[:k] @ vectors[k], -1.0, 1.0))
        weight = _NEAREST + angle / (np.pi * (reaches[:k] + reaches[k]))
        near = np.argsort(weight, kind="stable")[:_COMPARED]
        least = (differences[:, chosen[:k][near]] * weight[near]).min(axis=1)
        chosen[k] = int(np.round(least, 6).argmax())  # the same on all machines
    colours = (palette[index] for index in chosen)
    return MappingProxyType(
        {crater.crater_id: colour for crater, colour in zip(ordered, colours, strict=True)}
    )


def colour_differences(colours: Sequence[Colour]) -> Floats:
    """Differences of every two colours (CIEDE2000): the least of normal vision, deuteranopia and protanopia."""
    srgb = np.array(colours, np.float64).reshape(-1, 3) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = [srgb]
    for matrix in _COLOUR_BLINDNESS:
        dimmed = np.clip(linear @ matrix.T, 0.0, 1.0)
        seen.append(
            np.where(dimmed <= 0.0031308, 12.92 * dimmed, 1.055 * dimmed ** (1 / 2.4) - 0.055)
        )
    labs = [rgb2lab(picture) for picture in seen]
    least: Any = np.minimum.reduce(
        [deltaE_ciede2000(lab[:, None], lab[None]) for lab in labs], axis=0
    )
    return np.asarray(least, np.float64)


def _rgb(text: str) -> Colour:
    """Colour from six hexadecimal digits."""
    red, green, blue = bytes.fromhex(text)
    return red, green, blue
