"""Parts and overviews of a map's rasters, at the grid's edges too; a raster of another grid is refused."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from ejectamap.errors import OutputError
from ejectamap.maps.crater_map import in_memory
from ejectamap.maps.rasters import (
    NO_DATA,
    exceeds,
    quantise,
    read_mask,
    read_overview,
    read_part,
    read_stored,
    stored_window,
    write_mask,
    write_probability,
)
from ejectamap.world.grid import Grid, Window

LOWER_RIGHT = Window(39, 91, 25, 37)


@pytest.fixture
def stored(tmp_path: Path, grid: Grid) -> tuple[Path, np.ndarray]:
    """Probabilities in the lower right corner of the grid, one in nine unknown."""
    values = np.random.default_rng(5).random(LOWER_RIGHT.shape, np.float32)
    values.ravel()[::9] = np.nan
    path = tmp_path / "p.tif"
    write_probability(path, grid, LOWER_RIGHT, in_memory(LOWER_RIGHT, values))
    return path, quantise(values)


def test_probabilities_are_rounded_to_the_nearest_step() -> None:
    values = np.float32([[0, 1, 0.5, 0.0019, 0.0021, 0.9979, 0.9981, np.nan]])
    assert quantise(values).tolist() == [[0, 250, 125, 0, 1, 249, 250, 255]]


def test_a_threshold_is_exceeded_not_reached() -> None:
    values = np.uint8([[124, 125, 126, 250, NO_DATA]])
    assert exceeds(values, 0.5).tolist() == [[False, False, True, True, False]]


def test_a_part_is_that_of_the_whole(stored: tuple[Path, np.ndarray], grid: Grid) -> None:
    path, values = stored
    assert stored_window(path, grid) == LOWER_RIGHT
    assert np.array_equal(read_stored(path, grid)[1], values)
    part = Window(41, 94, 7, 11)
    assert np.array_equal(read_part(path, grid, part), values[2:9, 3:14])
    window, mask = read_mask(path, grid)
    assert window == LOWER_RIGHT
    assert np.array_equal(mask, values == 1)


def test_an_overview_has_a_pixel_for_every_step_begun(
    stored: tuple[Path, np.ndarray], grid: Grid
) -> None:
    window, overview = read_overview(stored[0], grid, 4)
    assert window == LOWER_RIGHT
    assert overview.shape == (7, 10)
    assert read_overview(stored[0], grid, 1)[1].shape == LOWER_RIGHT.shape


@pytest.mark.parametrize("rows_cols", [(1, 0), (0, 1), (-40, 0), (0, -92)])
def test_a_raster_beyond_the_grid_is_refused(
    stored: tuple[Path, np.ndarray], grid: Grid, rows_cols: tuple[int, int]
) -> None:
    path, _ = stored
    row, col = rows_cols
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as target:
        target.transform = Affine.translation(col * grid.pixel_m, -row * grid.pixel_m) @ (
            target.transform
        )
    for read in (stored_window, read_stored):
        with pytest.raises(OutputError, match="not on the mosaic's grid"):
            read(path, grid)


def test_a_mask_without_a_colour_has_no_colour_table(
    stored: tuple[Path, np.ndarray], grid: Grid, tmp_path: Path
) -> None:
    write_mask(tmp_path / "m.tif", grid, stored[0], threshold=0.25)
    with rasterio.open(tmp_path / "m.tif") as source:
        assert source.descriptions == ("1 = ejecta (probability > 0.25)",)
        assert "EDITED_KM2" not in source.tags()
        assert source.nodata is None
        with pytest.raises(ValueError, match="color table"):
            source.colormap(1)
        assert np.array_equal(source.read(1), exceeds(stored[1], 0.25))
