"""Whose ejecta a pixel is: the likeliest crater's, whatever the order, and in a colour of its own."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from affine import Affine

from ejectamap.maps.origin import OriginMap
from ejectamap.maps.rasters import quantise
from ejectamap.world.body import cylindrical_crs
from ejectamap.world.crater_columns import LARGEST_ID
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.mosaic_files import read_mosaic_grid

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
    origin.write(tmp_path / "origin.tif", [], {})
    grid = read_mosaic_grid(tmp_path / "origin.tif")
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
    colours = {crater_id: (crater_id, 2, 1) for crater_id in maps}
    origin.write(tmp_path / "origin.tif", [crater(i) for i in maps], colours)
    with rasterio.open(tmp_path / "origin.tif") as source:
        stored = source.read(1)
        table = source.colormap(1)
    assert stored.dtype == np.uint8
    np.testing.assert_array_equal(stored[2, 3:9], [0, 4, 6, 10, 6, 0])
    assert stored.sum() == 26
    assert table[4] == (3, 2, 1, 255)


def test_origin_with_another_threshold() -> None:
    origin = OriginMap(make_grid(8), threshold=0.7)
    origin.add(3, Window(0, 0, 1, 3), quantise(np.float32([[0.6, 0.7, 0.8]])))
    np.testing.assert_array_equal(origin.origin[0, :4], [0, 0, 4, 0])


@pytest.mark.parametrize(
    ("largest_id", "dtype"),
    [
        (254, "uint8"),
        (255, "uint16"),
        (65_534, "uint16"),
        (65_535, "uint32"),
        (1_000_000, "uint32"),
        (LARGEST_ID, "uint32"),
    ],
)
def test_origin_of_any_id_in_the_smallest_type(tmp_path: Path, largest_id: int, dtype: str) -> None:
    """With the colours in the file where its type can have them, and in a style beside it always."""
    path = tmp_path / "origin.tif"
    origin = OriginMap(make_grid(8), largest_id=largest_id)
    for column, crater_id in enumerate((largest_id, 3)):
        origin.add(crater_id, Window(0, column, 1, 1), np.uint8([[250]]))
    colours = {3: (1, 2, 3), largest_id: (4, 5, 6)}
    origin.write(path, [crater(3), crater(largest_id)], colours)
    with rasterio.open(path) as source:
        assert source.dtypes == (dtype,)
        assert source.read(1)[0, :3].tolist() == [largest_id + 1, 4, 0]
        if dtype != "uint32":
            assert source.colormap(1)[largest_id + 1][:3] == (4, 5, 6)
    entries = ElementTree.parse(path.with_suffix(".qml")).iter("paletteEntry")
    assert [(e.get("value"), e.get("label")) for e in entries] == [
        ("4", "A (3)"),
        (str(largest_id + 1), f"A ({largest_id})"),
    ]
    assert 'color="#040506"' in path.with_suffix(".qml").read_text()
