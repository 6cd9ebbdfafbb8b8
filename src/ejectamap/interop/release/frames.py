"""The release's azimuthal frames: one square raster per crater, north up, with the mosaic's pixel size.

Row 0 is the northernmost, and the crater's centre is the common corner of the four middle pixels.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from ejectamap.errors import ReleaseError
from ejectamap.maps.files import write_cog
from ejectamap.views.chip import Chip
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Bools, Grid, Window
from ejectamap.world.label_masks import read_nonzero
from ejectamap.world.raster_files import open_raster
from ejectamap.world.sphere import azimuthal_forward
from ejectamap.world.tables import read_table


def frame_size(grid: Grid) -> int:
    """Side of a frame, in pixels: twice the number of whole pixels in half the planet's circumference."""
    # The millionth of a pixel avoids rounding down if half the circumference is exactly a whole number of pixels.
    return 2 * int(np.pi * grid.radius_m / grid.pixel_m + 1e-6)


def read_chips(path: Path, grid: Grid) -> pd.DataFrame:
    """Read the chips that the release placed on one crater's frame to map it.

    Returns
    -------
    DataFrame
        tile, x_m, y_m (centre, east and north of the crater), side_m, distance_m, train_intersect (1: it overlaps a
        labelled tile).

    Raises
    ------
    ReleaseError
        If the table lacks a column, or a chip is not a square inside the frame.
    """
    table = read_table(path, ReleaseError)
    ids = table.unique_ids(table.require("eval_pos_index"))
    tops, lefts, heights, widths = (
        table.integers(table.require(name)) for name in ("y", "x", "height", "width")
    )
    overlaps = table.integers(table.require("train_intersect"))
    size = frame_size(grid)
    rows = []
    for chip_id, top, left, height, width, overlap in zip(
        ids, tops, lefts, heights, widths, overlaps, strict=True
    ):
        inside = min(top, left) >= 0 and max(top + height, left + width) <= size
        if height != width or height <= 0 or not inside:
            table.fail(
                f"chip {chip_id} (y {top}, x {left}, {height} x {width}) is not a square in the frame of {size} pixels"
            )
        x_px, y_px = left + width / 2 - size / 2, size / 2 - top - height / 2
        chip = Chip(x_px * grid.pixel_m, y_px * grid.pixel_m, width * grid.pixel_m)
        rows.append((chip_id, chip.x_m, chip.y_m, chip.side_m, chip.distance_m, overlap))
    columns = ["tile", "x_m", "y_m", "side_m", "distance_m", "train_intersect"]
    return pd.DataFrame(rows, columns=columns)


def read_on_grid(path: Path, crater: Crater, grid: Grid) -> Iterator[tuple[Window, Bools]]:
    """Read a mask in a crater's frame, resampled to the mosaic's grid by nearest neighbour.

    Yields
    ------
    (Window, bool array)
        Strips of whole rows, north to south.

    Raises
    ------
    ReleaseError
        If the file cannot be read, or does not have the size of a frame.
    """
    size = frame_size(grid)
    with open_raster(path, ReleaseError) as source:
        if source.shape != (size, size):
            raise ReleaseError(
                f"{path}: is {source.height} x {source.width} pixels, a frame on this mosaic {size} x {size}"
            )
        frame = read_nonzero(source)
    for strip in grid.strips(grid.whole):
        x_m, y_m = azimuthal_forward(*grid.centres(strip), crater.lon, crater.lat, grid.radius_m)
        # Near the antipode, positions may lie up to half a pixel outside the frame.
        col = np.clip(size / 2 + x_m / grid.pixel_m, 0, size - 1).astype(np.intp)
        row = np.clip(size / 2 - y_m / grid.pixel_m, 0, size - 1).astype(np.intp)
        yield strip, frame[row, col]


def write_reference(path: Path, grid: Grid, strips: Iterable[tuple[Window, Bools]]) -> None:
    """Write a mask of the whole grid as a COG: uint8, 1 = ejecta.

    `strips` are whole rows, north to south, as `read_on_grid` yields them.
    """
    write_cog(
        path,
        ((strip, mask.view(np.uint8)) for strip, mask in strips),
        grid,
        grid.whole,
        description="1 = ejecta, drawn by hand",
        nodata=None,
        resampling="mode",
    )
