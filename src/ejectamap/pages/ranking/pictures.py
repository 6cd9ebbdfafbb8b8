"""Pictures for judges: the mosaic around a crater, and each map as an overlay."""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.image import imsave
from scipy.ndimage import binary_erosion

from ejectamap.evaluation.ranking.figures import ReadMap
from ejectamap.files import replace_file
from ejectamap.show.ground import colour_ground, half_side_m, square_around, to_bytes
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Bools
from ejectamap.world.mosaic import Mosaic

_LARGEST_PX = 2048
_FILL = (255, 60, 190, 90)  # red, green, blue, opacity: a colour that does not occur in mosaics
_EDGE = (255, 150, 225, 255)
_PANEL_PX = 700  # side of a panel in the page, in which the edge is one pixel wide


def draw_crater(
    mosaic: Mosaic, crater: Crater, maps: Mapping[str, ReadMap], folder: Path
) -> tuple[float, str, dict[str, str]]:
    """Draw the mosaic and each map in a crater's azimuthal frame, wide enough for all of the maps.

    Parameters
    ----------
    mosaic : Mosaic
    crater : Crater
    maps : mapping of str to callable
        By name, from a crater's id to its map, as labels.
    folder : Path
        Folder to write the pictures to. Equal pictures share a file.

    Returns
    -------
    half_km : float
        Half the side of the square that is shown, in km.
    ground : str
        File name of the mosaic's picture.
    maps : dict of str to str
        File name of each map's picture, transparent where there are no ejecta.
    """
    grid = mosaic.grid

    def ejecta(lon: npt.ArrayLike, lat: npt.ArrayLike, _: float) -> Bools:
        masks = [
            read(crater.crater_id).sample(crater.crater_id, lon, lat) for read in maps.values()
        ]
        return np.asarray(np.any(masks, axis=0))

    half_m = half_side_m(crater, ejecta, grid.radius_m)
    size_px = min(_LARGEST_PX, max(_PANEL_PX, int(2 * half_m / grid.pixel_m)))
    places = square_around(crater, grid.radius_m, half_m, size_px)
    picture = colour_ground(mosaic, *places, 2 * half_m / size_px)
    ground = _save_png(folder, to_bytes(picture))
    overlays = {
        name: _save_png(
            folder, _draw_overlay(read(crater.crater_id).sample(crater.crater_id, *places))
        )
        for name, read in maps.items()
    }
    return half_m / 1000, ground, overlays


def _draw_overlay(mask: Bools) -> npt.NDArray[np.uint8]:
    """Draw a mask as a picture (row, col, 4): a translucent fill with an opaque edge."""
    width_px = max(1, round(len(mask) / _PANEL_PX))
    interior = binary_erosion(mask, iterations=width_px, border_value=1)
    picture = np.zeros((*mask.shape, 4), np.uint8)
    picture[mask] = _EDGE
    picture[interior] = _FILL
    return picture


def _save_png(folder: Path, picture: npt.NDArray[np.uint8]) -> str:
    """Write a PNG whose name is a digest of its content."""
    buffer = io.BytesIO()
    imsave(buffer, picture, format="png", metadata={"Software": ""})
    name = f"{hashlib.sha256(buffer.getvalue()).hexdigest()[:20]}.png"
    replace_file(folder / name, buffer.getbuffer())
    return name
