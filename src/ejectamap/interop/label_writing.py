"""Write labels into a folder: each crater's mask, and beside it where its pixels come from."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ejectamap.maps.colours import crater_colour
from ejectamap.maps.files import write_cog
from ejectamap.world import label_sources
from ejectamap.world.grid import Grid, Window
from ejectamap.world.label_files import crop_to_ones, label_path
from ejectamap.world.label_sources import SourcedMask, source_path
from ejectamap.world.labels import extract_window


def write_label(folder: Path, crater_id: int, label: SourcedMask, grid: Grid) -> None:
    """Write a crater's mask and its sources as rasters, the mask last: it is a label only once it has its sources.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    window, values = _as_raster(label, label.source, grid)
    write_cog(
        source_path(folder, crater_id),
        [(window, values)],
        grid,
        window,
        description=label_sources.DESCRIPTION,
        nodata=0,
        resampling="nearest",
        colours={int(code): colour for code, colour in label_sources.COLOURS.items()},
    )
    window, values = _as_raster(label, label.mask.view(np.uint8), grid)
    write_cog(
        label_path(folder, crater_id),
        [(window, values)],
        grid,
        window,
        description="1 = ejecta",
        nodata=None,
        resampling="mode",
        colours={1: (*crater_colour(crater_id), 255)},
    )


def _as_raster(
    label: SourcedMask, values: npt.NDArray[np.uint8], grid: Grid
) -> tuple[Window, npt.NDArray[np.uint8]]:
    """Values in the smallest window that holds those above 0; whole rows if it wraps around, a pixel if it is empty."""
    window, _ = crop_to_ones(label.window, values > 0, grid.width)
    if window.width == 0:
        window = Window(0, 0, 1, 1)
    elif window.col + window.width > grid.width:
        window = Window(window.row, 0, window.height, grid.width)
    return window, extract_window(label.window, values, window, grid.width)
