"""Tiles within which the labels are complete."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn_labels import CRATERS, TILES, refusal, tiles_csv

from ejectamap.errors import LabelError
from ejectamap.world.grid import Grid, Window
from ejectamap.world.label_files import load_labels
from ejectamap.world.labels import Tile

Write = Callable[..., Path]


@pytest.mark.parametrize("header", [TILES, "pos_index,y,x,height,width\n"])
def test_tiles(folder: Path, grid: Grid, header: str) -> None:
    path = tiles_csv(folder, "5,10,20,30,40\n2,0,120,8,16\n", header)
    labels = load_labels(folder, grid, CRATERS, path)
    assert labels.tiles == (Tile(5, Window(10, 20, 30, 40)), Tile(2, Window(0, 120, 8, 16)))


@pytest.mark.parametrize("tiles", [True, False])
def test_an_empty_mask_says_that_there_are_no_ejecta(
    folder: Path, grid: Grid, write_raster: Write, tiles: bool
) -> None:
    write_raster(folder / "mask_crater_1.tif", np.zeros(grid.shape, np.uint8), grid)
    named = tiles_csv(folder, "0,30,120,5,20\n") if tiles else None
    labels = load_labels(folder, grid, CRATERS, named)
    assert labels.masks[1][0] == Window(0, 0, 0, 0)
    assert labels.masks[1][1].shape == (0, 0)
    assert not labels.read(1, grid.whole).any()
    assert not labels.sample(1, 0.0, 0.0)
    assert labels.any_ejecta(grid.whole).sum() == 10


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ("", "no rows"),
        ("3,60,0,5,5\n", "tile 3 .*not in the mosaic of 64 x 128 pixels"),
        ("3,-1,0,5,5\n", "tile 3 .*not in the mosaic"),
        ("3,0,-1,5,5\n", "tile 3 .*not in the mosaic"),
        ("3,0,128,5,5\n", "tile 3 .*not in the mosaic"),
        ("3,0,0,5,129\n", "tile 3 .*not in the mosaic"),
        ("3,0,0,0,5\n", "tile 3 .*not in the mosaic"),
        ("3,0,0,5,0\n", "tile 3 .*not in the mosaic"),
        ("3,0,0,5,5\n3,9,9,5,5\n", "column tile_id: 3 stands in rows 1 and 2"),
        ("3,0,0,5,x\n", "column width, row 1 is 'x', not a number"),
        ("3,0.5,0,5,5\n", "column row, row 1: 0.5 is not a whole number"),
    ],
)
def test_bad_tiles(folder: Path, grid: Grid, rows: str, complaint: str) -> None:
    path = tiles_csv(folder, rows)
    with pytest.raises(LabelError, match=complaint):
        load_labels(folder, grid, CRATERS, path)
    refusal(folder, grid, path, at=path)


def test_tiles_without_a_column(folder: Path, grid: Grid) -> None:
    path = tiles_csv(folder, "1,2,3,4\n", "tile_id,row,col,height\n")
    assert "no column width" in refusal(folder, grid, path, at=path)


def test_missing_tiles(folder: Path, grid: Grid) -> None:
    path = folder / "none.csv"
    assert "does not exist" in refusal(folder, grid, path, at=path)
