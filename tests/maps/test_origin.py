"""Whose ejecta a pixel is: the likeliest crater's, whatever the order, and in a colour of its own."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from ejectamap.errors import OutputError
from ejectamap.maps.colours import crater_colour
from ejectamap.maps.origin import OriginMap
from ejectamap.maps.rasters import quantise
from ejectamap.world.body import cylindrical_crs
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.mosaic import read_grid

RADIUS_M = 1_000_000.0


def make_grid(height: int) -> Grid:
    pixel = np.pi * RADIUS_M / height
    corner = Affine(pixel, 0, -np.pi * RADIUS_M, 0, -pixel, np.pi * RADIUS_M / 2)
    return Grid(height, 2 * height, RADIUS_M, -180.0, cylindrical_crs(RADIUS_M).to_wkt(), corner)


def crater(crater_id: int) -> Crater:
    return Crater(crater_id, "A", 0.0, 0.0, 10_000.0)


def test_whole_globe_is_a_mosaic_grid(tmp_path: Path) -> None:
    expected = make_grid(720)
    origin = OriginMap(expected)
    origin.write(tmp_path / "origin.tif", [])
    with rasterio.open(tmp_path / "origin.tif") as source:
        grid = read_grid(source)
    assert grid.shape == expected.shape
    assert grid.radius_m == expected.radius_m
    assert grid.lon_west == pytest.approx(expected.lon_west)


@pytest.mark.parametrize("order", [(3, 9, 5), (9, 5, 3), (5, 3, 9)])
def test_origin_takes_the_likeliest_and_breaks_ties_by_id(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    grid = make_grid(8)
    maps = {
        3: (Window(2, 4, 1, 4), np.float32([[0.6, 0.9, 0.5, np.nan]])),
        5: (Window(2, 4, 1, 4), np.float32([[0.6, 0.91, 0.4, 0.7]])),
        9: (Window(2, 5, 1, 3), np.float32([[0.6, 0.7, 0.7]])),
    }
    origin = OriginMap(grid)
    for crater_id in order:
        window, values = maps[crater_id]
        origin.add(crater_id, window, quantise(values))
    origin.write(tmp_path / "origin.tif", [crater(i) for i in maps])
    with rasterio.open(tmp_path / "origin.tif") as source:
        stored = source.read(1)
        colours = source.colormap(1)
    assert stored.dtype == np.uint8
    np.testing.assert_array_equal(stored[2, 3:9], [0, 4, 6, 10, 6, 0])
    assert stored.sum() == 26
    assert colours[4] == (*crater_colour(3), 255)


def test_origin_with_another_threshold() -> None:
    origin = OriginMap(make_grid(8), threshold=0.7)
    origin.add(3, Window(0, 0, 1, 3), quantise(np.float32([[0.6, 0.7, 0.8]])))
    np.testing.assert_array_equal(origin.origin[0, :4], [0, 0, 4, 0])


def test_origin_with_large_ids(tmp_path: Path) -> None:
    grid = make_grid(8)
    origin = OriginMap(grid)
    origin.add(65_534, Window(0, 0, 1, 1), np.uint8([[250]]))
    origin.write(tmp_path / "origin.tif", [crater(65_534)])
    with rasterio.open(tmp_path / "origin.tif") as source:
        assert source.dtypes == ("uint16",)
        assert source.read(1)[0, 0] == 65_535
        assert source.colormap(1)[65_535][:3] == crater_colour(65_534)
    with pytest.raises(OutputError, match="renumber"):
        origin.add(65_535, Window(0, 0, 1, 1), np.uint8([[250]]))


def test_colours_are_distinct_and_stable() -> None:
    colours = [crater_colour(i) for i in range(119)]
    assert len(set(colours)) == 119
    assert crater_colour(12) == crater_colour(12)
    assert np.min(colours) >= 0
    assert np.max(colours) <= 255
    assert all(type(part) is int for part in colours[0])
