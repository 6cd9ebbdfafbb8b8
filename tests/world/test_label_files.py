"""Labels read from files: rasters off the grid, tables of tiles, layers of polygons."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from label_inputs import CRATERS, TILES, R, block, error_message, layer, tiles_csv
from pyproj import CRS
from shapely import Point, Polygon, box

from ejectamap.errors import LabelError
from ejectamap.world.body import azimuthal_crs, geographic_crs
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.label_files import format_tiles, load_labels, load_tiles
from ejectamap.world.labels import Labels, Tile

Write = Callable[..., Path]


# --- rasters that are refused


def test_missing_path_and_folder_without_masks(tmp_path: Path, grid: Grid) -> None:
    assert "does not exist" in error_message(tmp_path / "none", grid)
    assert "has no mask_crater_{id}.tif" in error_message(tmp_path, grid)


def test_unknown_crater(folder: Path, grid: Grid, write_raster: Write) -> None:
    path = write_raster(folder / "mask_crater_9.tif", np.ones(grid.shape, np.uint8), grid)
    assert "crater 9 is not in the catalogue" in error_message(folder, grid, at=path)


def test_two_masks_of_one_crater(folder: Path, grid: Grid, write_raster: Write) -> None:
    write_raster(folder / "mask_crater_01.tif", np.ones(grid.shape, np.uint8), grid)
    message = error_message(folder, grid, at=folder / "mask_crater_01.tif")
    assert "crater 1 has another mask" in message


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ({"crs": None}, "no CRS: assign"),
        ({"crs": None, "transform": None}, "no CRS: assign"),
        ({"transform": None}, "no geotransform: assign"),
        ({"transform": Affine(np.nan, 0, 0, 0, np.nan, 0)}, "geotransform"),
        ({"transform": Affine(0, 0, 0, 0, 0, 0)}, "geotransform"),
        ({"transform": Affine(1e15, 0, 0, 0, -1e15, 0)}, "covers"),
        ({"transform": Affine(1e5, 0, 1e15, 0, -1e5, 3e6)}, "from longitude"),
        (
            {"crs": CRS.from_dict({"proj": "eqc", "R": 2_440_530})},
            "radius of 2440530 m, the mosaic's has 2439400 m",
        ),
        ({"crs": CRS.from_dict({"proj": "eqc", "a": 2_440_530, "b": 2_438_260})}, "radius of"),
    ],
)
def test_masks_that_are_nowhere_are_refused(
    tmp_path: Path, grid: Grid, write_raster: Write, profile: dict, message: str
) -> None:
    mask = block(grid, slice(30, 34), slice(60, 70))
    path = write_raster(tmp_path / "mask_crater_1.tif", mask, grid, **profile)
    assert message in error_message(tmp_path, grid, at=path)


def test_mask_wider_than_the_globe_is_refused(
    tmp_path: Path, grid: Grid, write_raster: Write
) -> None:
    path = write_raster(tmp_path / "mask_crater_1.tif", np.ones((64, 129), np.uint8), grid)
    assert "covers 362.812 x 180 degrees" in error_message(tmp_path, grid, at=path)


def test_ejecta_beyond_a_pole_are_refused(tmp_path: Path, grid: Grid, write_raster: Write) -> None:
    mask = block(grid, slice(30, 64), slice(60, 70))
    down = grid.transform @ Affine.translation(0, 1)
    path = write_raster(tmp_path / "mask_crater_1.tif", mask, grid, transform=down)
    assert "rows beyond a pole" in error_message(tmp_path, grid, at=path)


def test_truncated_mask(tmp_path: Path, grid: Grid, write_raster: Write) -> None:
    path = write_raster(tmp_path / "mask_crater_1.tif", np.ones(grid.shape, np.uint8), grid)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "cannot be read" in error_message(tmp_path, grid, at=path)


def test_all_masks_empty(tmp_path: Path, grid: Grid, write_raster: Write) -> None:
    write_raster(tmp_path / "mask_crater_1.tif", np.zeros(grid.shape, np.uint8), grid)
    assert "every mask is empty" in error_message(
        tmp_path, grid, tiles_csv(tmp_path, "0,0,0,5,5\n")
    )


def test_mask_outside_its_craters_reach_is_refused(folder: Path, grid: Grid) -> None:
    swapped = (Crater(1, "", 0.0, 89.0, 5e4), CRATERS[1])
    with pytest.raises(LabelError, match=r"reach of crater 1 .*lon and lat are swapped"):
        load_labels(folder, grid, swapped)


# --- tiles


@pytest.mark.parametrize("header", [TILES, "pos_index,y,x,height,width\n"])
def test_tiles(folder: Path, grid: Grid, header: str) -> None:
    path = tiles_csv(folder, "5,10,20,30,40\n2,0,120,8,16\n", header)
    labels = load_labels(folder, grid, CRATERS, path)
    assert labels.tiles == (Tile(5, Window(10, 20, 30, 40)), Tile(2, Window(0, 120, 8, 16)))


def test_tiles_may_name_the_craters_that_were_labelled_in_them(folder: Path, grid: Grid) -> None:
    header = "tile_id,row,col,height,width,labelled_craters\n"
    path = tiles_csv(folder, "5,10,20,30,40,1 3\n2,0,120,8,16,\n", header)
    tiles = load_labels(folder, grid, CRATERS, path).tiles
    assert tiles == (
        Tile(5, Window(10, 20, 30, 40), frozenset({1, 3})),
        Tile(2, Window(0, 120, 8, 16)),
    )
    assert path.read_text() == format_tiles(tiles)
    path.write_text(format_tiles(tiles[1:]))
    assert path.read_text() == "tile_id,row,col,height,width\n2,0,120,8,16\n"
    assert load_tiles(path, grid) == tiles[1:]
    path = tiles_csv(folder, "5,10,20,30,40,1;3\n", header)
    message = error_message(folder, grid, path, at=path)
    assert "column labelled_craters: '1;3' is no list of crater ids" in message


@pytest.mark.parametrize("tiles", [True, False])
def test_empty_mask_is_a_crater_without_ejecta(
    folder: Path, grid: Grid, write_raster: Write, tiles: bool
) -> None:
    write_raster(folder / "mask_crater_1.tif", np.zeros(grid.shape, np.uint8), grid)
    table = tiles_csv(folder, "0,30,120,5,20\n") if tiles else None
    labels = load_labels(folder, grid, CRATERS, table)
    assert labels.masks[1][0] == Window(0, 0, 0, 0)
    assert labels.masks[1][1].shape == (0, 0)
    assert not labels.read(1, grid.whole).any()
    assert not labels.sample(1, 0.0, 0.0)
    assert labels.any_ejecta(grid.whole).sum() == 10


@pytest.mark.parametrize(
    ("rows", "message"),
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
def test_bad_tiles(folder: Path, grid: Grid, rows: str, message: str) -> None:
    path = tiles_csv(folder, rows)
    with pytest.raises(LabelError, match=message):
        load_labels(folder, grid, CRATERS, path)
    error_message(folder, grid, path, at=path)


def test_tiles_without_a_column(folder: Path, grid: Grid) -> None:
    path = tiles_csv(folder, "1,2,3,4\n", "tile_id,row,col,height\n")
    assert "no column width" in error_message(folder, grid, path, at=path)


def test_missing_tiles(folder: Path, grid: Grid) -> None:
    path = folder / "none.csv"
    assert "does not exist" in error_message(folder, grid, path, at=path)


# --- polygons


def polygons(grid: Grid, labels: Labels) -> tuple[list, list]:
    """The masks of labels as boxes in degrees, one per pixel; across the dateline longitudes exceed 180."""
    step = 180 / grid.height
    shapes, ids = [], []
    for crater_id, (window, mask) in labels.masks.items():
        for row, col in np.argwhere(mask):
            west = grid.lon_west + (window.col + col) * step
            north = 90 - (window.row + row) * step
            shapes.append(box(west, north - step, west + step, north))
            ids.append(crater_id)
    return shapes, ids


@pytest.mark.parametrize("lon_west", [-180.0, 0.0])
@pytest.mark.parametrize("suffix", [".gpkg", ".shp"])
def test_polygons_equal_masks(
    folder: Path, make_grid: Callable[..., Grid], suffix: str, lon_west: float
) -> None:
    expected = load_labels(folder, make_grid(), CRATERS)
    grid = make_grid(lon_west=lon_west)
    shapes, ids = polygons(expected.grid, expected)
    path = layer(folder / f"ejecta{suffix}", shapes, Crater_ID=ids)
    labels = load_labels(path, grid, CRATERS)
    places = grid.centres(grid.whole)
    for crater_id in (1, 2):
        ejecta = labels.sample(crater_id, *places)
        assert np.array_equal(ejecta, expected.sample(crater_id, *places))
        assert ejecta.sum() == expected.masks[crater_id][1].sum()


def test_polygons_in_the_mosaics_crs(tmp_path: Path, grid: Grid) -> None:
    deg = np.radians(1) * R
    path = layer(
        tmp_path / "e.gpkg", [box(-10 * deg, -5 * deg, 10 * deg, 5 * deg)], grid.crs, crater_id=[1]
    )
    lon, lat = grid.centres(grid.whole)
    expected = (np.abs(lon) < 10) & (np.abs(lat) < 5)
    assert np.array_equal(load_labels(path, grid, CRATERS).read(1, grid.whole), expected)


def test_overlapping_craters_have_separate_masks(tmp_path: Path, grid: Grid) -> None:
    craters = (CRATERS[0], Crater(2, "beside", 5.0, 0.0, 5e4))
    path = layer(tmp_path / "e.gpkg", [box(-10, -5, 10, 5), box(0, -5, 20, 5)], crater_id=[1, 2])
    labels = load_labels(path, grid, craters)
    both = labels.read(1, grid.whole) & labels.read(2, grid.whole)
    assert both.any()
    assert np.array_equal(
        labels.any_ejecta(grid.whole), labels.read(1, grid.whole) | labels.read(2, grid.whole)
    )


def test_holes_are_not_ejecta(tmp_path: Path, grid: Grid) -> None:
    ring = box(-20, -20, 20, 20) - box(-10, -10, 10, 10)
    path = layer(tmp_path / "e.gpkg", [ring], crater_id=[1])
    labels = load_labels(path, grid, CRATERS)
    assert not labels.sample(1, 0.0, 0.0)
    assert labels.sample(1, 15.0, 0.0)


def test_polygon_longer_than_the_circumference(tmp_path: Path, grid: Grid) -> None:
    path = layer(tmp_path / "e.gpkg", [box(-180, 60, 300, 70)], crater_id=[1])
    crater = Crater(1, "", 0.0, 65.0, 5e4)
    lat = grid.centres(grid.whole).lat[:, 0]
    band = load_labels(path, grid, (crater,)).read(1, grid.whole)
    assert np.array_equal(band, np.broadcast_to(((lat > 60) & (lat < 70))[:, None], grid.shape))


def test_shapes_without_area_make_an_empty_mask(tmp_path: Path, grid: Grid) -> None:
    path = layer(
        tmp_path / "e.gpkg", [box(-10, -5, 10, 5), None, Point(179, 0)], crater_id=[1, 2, 2]
    )
    labels = load_labels(path, grid, CRATERS, tiles_csv(tmp_path, "0,0,0,5,5\n"))
    assert labels.masks[2][0] == Window(0, 0, 0, 0)


@pytest.mark.parametrize(
    ("shape", "crs", "columns", "message"),
    [
        (box(-10, -5, 10, 5), "sphere", {"id": [1]}, "no column crater_id"),
        (box(-10, -5, 10, 5), "sphere", {"crater_id": [9]}, "crater 9 is not in the catalogue"),
        (box(-10, -5, 10, 5), None, {"crater_id": [1]}, "has no CRS"),
        (box(-10, -5, 10, 5), geographic_crs(1.7374e6), {"crater_id": [1]}, "radius of 1737400 m"),
        (box(-9e4, -5e4, 9e4, 5e4), "sphere", {"crater_id": [1]}, "beyond a pole"),
        (box(-9e4, 0, 9e4, 9e4), azimuthal_crs(0, 0, 2.44e6), {"crater_id": [1]}, "-t_srs"),
        (Polygon(), "sphere", {"crater_id": [1]}, "every mask is empty"),
        (box(100, 40, 110, 50), "sphere", {"crater_id": [1]}, "no ejecta within the reach"),
    ],
)
def test_bad_polygons(
    tmp_path: Path, grid: Grid, shape: object, crs: object, columns: dict, message: str
) -> None:
    path = layer(tmp_path / "e.gpkg", [shape], crs, **columns)
    assert message in error_message(path, grid)


def test_table_without_polygons_is_refused(tmp_path: Path, grid: Grid) -> None:
    path = tmp_path / "e.csv"
    path.write_text("crater_id\n1\n")
    assert "has no polygons" in error_message(path, grid)
