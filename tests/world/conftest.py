"""A folder with masks of two craters."""

from collections.abc import Callable
from pathlib import Path

import pytest
from label_inputs import block

from ejectamap.world.grid import Grid


@pytest.fixture
def folder(tmp_path: Path, grid: Grid, write_raster: Callable[..., Path]) -> Path:
    """Masks of both craters: a block in the middle, and one over the dateline."""
    folder = tmp_path / "labels"
    folder.mkdir()
    middle = block(grid, slice(30, 34), slice(60, 70))
    dateline = block(grid, slice(31, 33), [125, 126, 127, 0, 1])
    write_raster(folder / "mask_crater_1.tif", middle, grid)
    write_raster(folder / "mask_crater_2.tif", dateline, grid)
    (folder / "notes.txt").write_text("other files are ignored")
    return folder
