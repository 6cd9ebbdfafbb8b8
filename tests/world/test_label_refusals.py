"""What cannot be a mask, and what is said of it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from drawn_labels import CRATERS, R, block, refusal, tiles_csv
from pyproj import CRS

from ejectamap.errors import LabelError
from ejectamap.world.body import azimuthal_crs
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.label_files import load_labels

Write = Callable[..., Path]


def test_nothing_there(tmp_path: Path, grid: Grid) -> None:
    assert "does not exist" in refusal(tmp_path / "none", grid)
    assert "has no mask_crater_{id}.tif" in refusal(tmp_path, grid)


def test_unknown_crater(folder: Path, grid: Grid, write_raster: Write) -> None:
    path = write_raster(folder / "mask_crater_9.tif", np.ones(grid.shape, np.uint8), grid)
    assert "crater 9 is not in the catalogue" in refusal(folder, grid, at=path)


def test_two_masks_of_one_crater(folder: Path, grid: Grid, write_raster: Write) -> None:
    write_raster(folder / "mask_crater_01.tif", np.ones(grid.shape, np.uint8), grid)
    message = refusal(folder, grid, at=folder / "mask_crater_01.tif")
    assert "crater 1 has another mask" in message


def other_grid(grid: Grid, name: str) -> dict:
    """Ways in which a mask can miss the mosaic's grid."""
    ellipsoid = {"proj": "eqc", "a": 2_440_530, "b": 2_438_260}
    return {
        "no_crs": {"crs": None},
        "nothing": {"crs": None, "transform": None},
        "radius": {"crs": CRS.from_dict({"proj": "eqc", "R": 2_440_530})},
        "ellipsoid": {"crs": CRS.from_dict(ellipsoid)},
        "projection": {"crs": azimuthal_crs(0, 90, R)},
        "off": {"transform": grid.transform @ Affine.translation(0.5, 0)},
        "off_in_rows": {"transform": grid.transform @ Affine.translation(0, 0.3)},
        "pixel": {"transform": grid.transform @ Affine.scale(0.5, 0.5)},
        "upside_down": {"transform": grid.transform @ Affine.scale(1, -1)},
        "beyond_pole": {"transform": grid.transform @ Affine.translation(0, 1)},
    }[name]


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("no_crs", "no CRS: assign"),
        ("nothing", "no CRS: assign"),
        ("radius", "radius of 2440530 m, the mosaic's has 2439400 m"),
        ("ellipsoid", "not on a sphere"),
        ("projection", "projection is 'azimuthal equidistant"),
        ("off", "corner is at column 0.500, row 0.000"),
        ("off_in_rows", "corner is at column 0.000, row 0.300"),
        ("pixel", "pixels are 0.5 x 0.5 of the mosaic's"),
        ("upside_down", "pixels are 1 x -1 of the mosaic's"),
        ("beyond_pole", "covers rows 1 to 65"),
    ],
)
def test_off_the_grid(
    tmp_path: Path, grid: Grid, write_raster: Write, name: str, complaint: str
) -> None:
    mask = block(grid, slice(30, 34), slice(60, 70))
    path = write_raster(tmp_path / "mask_crater_1.tif", mask, grid, **other_grid(grid, name))
    assert complaint in refusal(tmp_path, grid, at=path)


def test_wider_than_the_globe(tmp_path: Path, grid: Grid, write_raster: Write) -> None:
    path = write_raster(tmp_path / "mask_crater_1.tif", np.ones((64, 129), np.uint8), grid)
    assert "129 columns" in refusal(tmp_path, grid, at=path)


def test_truncated_mask(tmp_path: Path, grid: Grid, write_raster: Write) -> None:
    path = write_raster(tmp_path / "mask_crater_1.tif", np.ones(grid.shape, np.uint8), grid)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "cannot be read" in refusal(tmp_path, grid, at=path)


def test_all_masks_empty(tmp_path: Path, grid: Grid, write_raster: Write) -> None:
    write_raster(tmp_path / "mask_crater_1.tif", np.zeros(grid.shape, np.uint8), grid)
    assert "every mask is empty" in refusal(tmp_path, grid, tiles_csv(tmp_path, "0,0,0,5,5\n"))


def test_a_mask_out_of_its_craters_reach(folder: Path, grid: Grid) -> None:
    swapped = (Crater(1, "", 0.0, 89.0, 5e4), CRATERS[1])
    with pytest.raises(LabelError, match=r"reach of crater 1 .*lon and lat are swapped"):
        load_labels(folder, grid, swapped)
