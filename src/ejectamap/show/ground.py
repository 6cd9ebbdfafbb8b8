"""The raster part of a picture: the mosaic at the picture's pixels, and colours of ejecta over it."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ejectamap.maps.colours import UNKNOWN, Colour
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Bools, Grid
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import LonLat, azimuthal_inverse

Image = npt.NDArray[np.float32]
Origin = npt.NDArray[np.unsignedinteger[Any]]

_SEARCH_PX = 400  # side of the picture in which the farthest ejecta are found
_LEAST_RADII = 12.0  # least half side of a picture of a crater, in crater radii
_MARGIN = 1.12
_STRETCH = 0.5, 99.5  # percentiles shown black and white
_GREY = 0.08, 0.80  # brightness of these percentiles in a dimmed picture, below coloured ejecta
_OPACITY = 0.70  # of ejecta over the mosaic
_NO_DATA = np.float32(0.06)  # brightness
_SHADES = 51  # levels of each primary colour: fewer make a smaller file


def half_side_m(
    crater: Crater, ejecta: Callable[[npt.ArrayLike, npt.ArrayLike, float], Bools], radius_m: float
) -> float:
    """Half the side of the square to show around a crater, in metres: to its farthest ejecta, at most to its reach.

    Parameters
    ----------
    crater : Crater
    ejecta : callable
        From places (lon, lat, degrees) and their spacing (metres) to whether there are ejecta.
    radius_m : float
        Radius of the body.
    """
    reach_m = crater.reach_m(radius_m)
    spacing_m = 2 * reach_m / _SEARCH_PX
    is_ejecta = ejecta(*square_around(crater, radius_m, reach_m, _SEARCH_PX), spacing_m)
    offset = (np.abs(np.arange(_SEARCH_PX) + 0.5 - _SEARCH_PX / 2) + 0.5) * spacing_m
    farthest = max(
        float(np.max(offset, where=is_ejecta.any(axis=axis), initial=0.0)) for axis in (0, 1)
    )
    return min(reach_m, max(_MARGIN * farthest, _LEAST_RADII * crater.radius_m))


def square_around(crater: Crater, radius_m: float, half_m: float, size_px: int) -> LonLat:
    """Places of the pixels of a square around the crater, each (row, col); row 0 is north."""
    offset = (np.arange(size_px) + 0.5 - size_px / 2) * 2 * half_m / size_px
    return azimuthal_inverse(offset[None, :], -offset[:, None], crater.lon, crater.lat, radius_m)


def colour_ground(
    mosaic: Mosaic, lon: npt.ArrayLike, lat: npt.ArrayLike, spacing_m: npt.ArrayLike
) -> Image:
    """Picture (row, col, 3), 0 to 1, of the mosaic at places: its first three bands, or its one band in grey.

    Contrast is stretched to the values in this picture, so that faint rays are visible.
    """
    values, valid = mosaic.sample(lon, lat, spacing_m)
    bands = values[:3] if mosaic.bands >= 3 else values[[0, 0, 0]]
    picture = np.stack([_stretch(band, valid) for band in bands], axis=-1)
    return np.where(valid[..., None], picture, _NO_DATA)


def grey_ground(mosaic: Mosaic, lon: npt.ArrayLike, lat: npt.ArrayLike, spacing_m: float) -> Image:
    """Dimmed grey picture (row, col, 3), 0 to 1, of the mean of all bands at places."""
    values, valid = mosaic.sample(lon, lat, spacing_m)
    dark, bright = _GREY
    grey = dark + (bright - dark) * _stretch(values.mean(axis=0), valid)
    return np.repeat(np.where(valid, grey, _NO_DATA)[..., None], 3, axis=-1)


def paint(ground: Image, tint: Image, cover: Image) -> Image:
    """Lay a tint (row, col, 3) over the ground with opacity by `cover` (row, col), 0 to 1; the ground stays visible."""
    alpha = (_OPACITY * cover)[..., None]
    # The tint is brighter over bright ground and darker over dark ground.
    shaded = np.clip(tint * (0.45 + 1.1 * ground), 0.0, 1.0)
    painted: Image = (1.0 - alpha) * ground + alpha * shaded
    return painted


def to_bytes(picture: Image) -> npt.NDArray[np.uint8]:
    """Picture of 0 to 1 as uint8, reduced to `_SHADES` levels, so that a PNG of it is small."""
    return (np.rint(_SHADES * np.clip(picture, 0, 1)) * (255 // _SHADES)).astype(np.uint8)


def origin_colours(
    origin: Origin,
    colours: Mapping[int, Colour],
    grid: Grid,
    lon: npt.ArrayLike,
    lat: npt.ArrayLike,
) -> Image:
    """Colour and cover (row, col, 4), 0 to 1, of the crater that each place's ejecta come from.

    Parameters
    ----------
    origin : unsigned int array
        Id + 1 of the likeliest crater, 0 for none; the whole globe of `grid`, at any resolution.
    colours : mapping of int to Colour
        By crater id.
    grid : Grid
    lon, lat : array_like
        Places, in degrees.
    """
    rows, cols = origin.shape
    col, row = np.broadcast_arrays(*grid.to_pixel(lon, lat))
    r = np.minimum((row * (rows / grid.height)).astype(np.intp), rows - 1)
    c = np.minimum((col * (cols / grid.width)).astype(np.intp), cols - 1)
    numbers, index = np.unique(origin[r, c], return_inverse=True)
    table = np.zeros((len(numbers), 4), np.float32)
    for k, number in enumerate(numbers):
        if number > 0:
            colour = colours.get(int(number) - 1, UNKNOWN)
            table[k] = (*(value / 255 for value in colour), 1.0)
    picture: Image = table[index.reshape(r.shape)]
    return picture


def _stretch(values: Image, valid: npt.NDArray[np.bool_]) -> Image:
    """Scale values to 0 to 1 between two percentiles of the valid ones."""
    if not valid.any():
        return np.zeros_like(values)
    low, high = np.percentile(values[valid], _STRETCH)
    scaled = (values - np.float32(low)) / np.float32(max(high - low, 1e-9))
    stretched: Image = np.clip(scaled, np.float32(0), np.float32(1))
    return stretched
