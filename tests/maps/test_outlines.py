from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from rasterio.features import rasterize

from ejectamap.maps.crater_map import in_memory
from ejectamap.maps.outlines import write_outline
from ejectamap.maps.rasters import write_mask, write_probability
from ejectamap.simulation.planet import make_grid
from ejectamap.world.body import BODIES
from ejectamap.world.grid import Window

GRID = make_grid(1440, BODIES["mercury"])
WINDOW = Window(100, 40, 600, 1300)


@pytest.mark.parametrize("cols", [(0, 40, 1200, 1300), (3, 60, 61, 70), (500, 501, 501, 502)])
def test_an_outline_at_both_ends_is_the_mask(tmp_path: Path, cols: tuple[int, ...]) -> None:
    """What lies far apart is traced apart, and nothing is lost or drawn twice."""
    probability = np.zeros(WINDOW.shape, np.float32)
    probability[20:90, cols[0] : cols[1]], probability[60:110, cols[2] : cols[3]] = 1, 1
    files = [tmp_path / name for name in ("p.tif", "m.tif", "o.parquet")]
    write_probability(files[0], GRID, WINDOW, in_memory(WINDOW, probability))
    write_mask(files[1], GRID, files[0])
    write_outline(files[2], GRID, files[0], files[1])
    outline = pd.read_parquet(files[2])
    traced = rasterize(
        [shapely.from_wkb(outline["geometry"][0])],
        WINDOW.shape,
        transform=GRID.window_transform(WINDOW),
    )
    assert np.array_equal(traced, probability)
