"""The pictures that judges see: the mosaic about a crater, and each map to lay over it."""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.image import imsave
from scipy.ndimage import binary_erosion

from ejectamap.evaluation.ranking import ReadMap
from ejectamap.mapping.files import replace_file
from ejectamap.show.ground import colour_ground, half_side_m, square_about, to_bytes
from ejectamap.world.craters import Crater
from ejectamap.world.mosaic import Bools, Mosaic

_LARGEST_PX = 2048
_FILL = (255, 60, 190, 90)  # red, green, blue, opacity: a colour that no mosaic has
_EDGE = (255, 150, 225, 255)
_EDGE_OF_PX = 700  # the edge is one pixel of a panel of this size


def draw_crater(
    mosaic: Mosaic, crater: Crater, maps: Mapping[str, ReadMap], folder: Path
) -> tuple[float, str, dict[str, str]]:
    """Draw a crater's azimuthal frame, wide enough for all of its maps.

    Parameters
    ----------
    mosaic : Mosaic
    crater : Crater
    maps : mapping of str to callable
        By name: a crater's id to its map, as labels.
    folder : Path
        Where the pictures go. Maps that look alike share one.

    Returns
    -------
    half_km : float
        Half the side of the ground that is shown.
    ground : str
        File name of the mosaic's picture.
    maps : dict of str to str
        File name of each map's picture, transparent where there are no ejecta.
    """
    grid = mosaic.grid

    def ejecta(lon: npt.ArrayLike, lat: npt.ArrayLike, _: float) -> Bools:
        found = [
            read(crater.crater_id).sample(crater.crater_id, lon, lat) for read in maps.values()
        ]
        return np.asarray(np.any(found, axis=0))

    half_m = half_side_m(crater, ejecta, grid.radius_m)
    size_px = min(_LARGEST_PX, max(_EDGE_OF_PX, int(2 * half_m / grid.pixel_m)))
    places = square_about(crater, grid.radius_m, half_m, size_px)
    picture = colour_ground(mosaic, *places, 2 * half_m / size_px)
    ground = _save(folder, to_bytes(picture))
    drawn = {
        name: _save(folder, _painted(read(crater.crater_id).sample(crater.crater_id, *places)))
        for name, read in maps.items()
    }
    return half_m / 1000, ground, drawn


def _painted(mask: Bools) -> npt.NDArray[np.uint8]:
    """A mask as a picture (row, col, 4): filled thinly, with an edge."""
    width_px = max(1, round(len(mask) / _EDGE_OF_PX))
    inner = binary_erosion(mask, iterations=width_px, border_value=1)
    picture = np.zeros((*mask.shape, 4), np.uint8)
    picture[mask] = _EDGE
    picture[inner] = _FILL
    return picture


def _save(folder: Path, picture: npt.NDArray[np.uint8]) -> str:
    """Write a PNG under a name made of its content."""
    buffer = io.BytesIO()
    imsave(buffer, picture, format="png", metadata={"Software": ""})
    name = f"{hashlib.sha256(buffer.getvalue()).hexdigest()[:20]}.png"
    replace_file(folder / name, buffer.getbuffer())
    return name
