"""Input files of labels of two craters on the small test grid: masks, tiles, polygons."""

import warnings
from pathlib import Path

import geopandas
import numpy as np
import pytest

from ejectamap.errors import LabelError
from ejectamap.world.body import geographic_crs
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.label_files import load_labels

R = 2_439_400.0
# Pixels of the test grid are 2.8125 degrees; crater 1 is in its middle, crater 2 on the dateline.
CRATERS = (Crater(1, "middle", 0.0, 0.0, 5e4), Crater(2, "dateline", 179.0, 0.0, 5e4))
TILES = "tile_id,row,col,height,width\n"


def block(grid: Grid, rows: slice, cols: list[int] | slice) -> np.ndarray:
    mask = np.zeros(grid.shape, np.uint8)
    mask[rows, cols] = 1
    return mask


def tiles_csv(folder: Path, rows: str, header: str = TILES) -> Path:
    path = folder / "tiles.csv"
    path.write_text(header + rows)
    return path


def layer(path: Path, shapes: list, crs: object = "sphere", **columns: list) -> Path:
    crs = geographic_crs(R) if crs == "sphere" else crs
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # some tests need a layer without CRS or with truncated names
        geopandas.GeoDataFrame(columns, geometry=shapes, crs=crs).to_file(path)
    return path


def error_message(path: Path, grid: Grid, tiles: Path | None = None, at: Path | None = None) -> str:
    """Load labels that are refused, check that the error is one line beginning with the file's name, and return it."""
    with pytest.raises(LabelError) as caught:
        load_labels(path, grid, CRATERS, tiles)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{at or path}: ")
    return message
