"""Write labels into a folder: each crater's mask, and beside it where its pixels come from."""

from pathlib import Path

import numpy as np

from ejectamap.maps.files import write_cog
from ejectamap.world import label_sources
from ejectamap.world.grid import Grid
from ejectamap.world.label_files import label_path
from ejectamap.world.label_sources import SourcedMask, source_path
from ejectamap.world.labels import as_raster

_COLOUR = (0, 184, 212, 255)  # of labels on the cards too


def write_label(folder: Path, crater_id: int, label: SourcedMask, grid: Grid) -> None:
    """Write a crater's mask and its sources as rasters, the mask last: it is a label only once it has its sources.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    window, values = as_raster(label.window, label.source, grid)
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
    window, values = as_raster(label.window, label.mask.view(np.uint8), grid)
    write_cog(
        label_path(folder, crater_id),
        [(window, values)],
        grid,
        window,
        description="1 = ejecta",
        nodata=None,
        resampling="mode",
        colours={1: _COLOUR},
    )
