import warnings
from collections.abc import Callable
from pathlib import Path

import geopandas
import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS
from shapely import Point, Polygon, box

from ejectamap.errors import LabelError
from ejectamap.world.body import azimuthal_crs, geographic_crs
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.label_files import load_labels
from ejectamap.world.labels import Labels, PackedMasks, Tile

R = 2_439_400.0
Write = Callable[..., Path]
# Pixels of the mini grid are 2.8125 degrees: crater 1 is at its middle, crater 2 on the dateline.
CRATERS = (Crater(1, "middle", 0.0, 0.0, 5e4), Crater(2, "dateline", 179.0, 0.0, 5e4))
TILES = "tile_id,row,col,height,width\n"


def block(grid: Grid, rows: slice, cols: list[int] | slice) -> np.ndarray:
    mask = np.zeros(grid.shape, np.uint8)
    mask[rows, cols] = 1
    return mask


@pytest.fixture
def folder(tmp_path: Path, grid: Grid, write_raster: Write) -> Path:
    """Masks of both craters: a block in the middle, and one over the dateline."""
    folder = tmp_path / "labels"
    folder.mkdir()
    middle = block(grid, slice(30, 34), slice(60, 70))
    dateline = block(grid, slice(31, 33), [125, 126, 127, 0, 1])
    write_raster(folder / "mask_crater_1.tif", middle, grid)
    write_raster(folder / "mask_crater_2.tif", dateline, grid)
    (folder / "notes.txt").write_text("other files are left alone")
    return folder


def tiles_csv(folder: Path, rows: str, header: str = TILES) -> Path:
    path = folder / "tiles.csv"
    path.write_text(header + rows)
    return path


def layer(path: Path, shapes: list, crs: object = "sphere", **columns: list) -> Path:
    crs = geographic_crs(R) if crs == "sphere" else crs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of no CRS: just what we want
        geopandas.GeoDataFrame(columns, geometry=shapes, crs=crs).to_file(path)
    return path


def refusal(path: Path, grid: Grid, tiles: Path | None = None, at: Path | None = None) -> str:
    """Message of the error, one line that names the file at fault."""
    with pytest.raises(LabelError) as caught:
        load_labels(path, grid, CRATERS, tiles)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{at or path}: ")
    return message


# --- masks


def test_masks_are_cropped_to_their_ones(folder: Path, grid: Grid) -> None:
    labels = load_labels(folder, grid, CRATERS)
    assert labels.tiles is None
    assert labels.masks[1][0] == Window(30, 60, 4, 10)
    assert labels.masks[2][0] == Window(31, 125, 2, 5)
    assert all(mask.all() and mask.shape == window.shape for window, mask in labels.masks.values())


def test_read_over_any_window(folder: Path, grid: Grid) -> None:
    labels = load_labels(str(folder), grid, CRATERS)
    whole = {
        1: block(grid, slice(30, 34), slice(60, 70)).astype(bool),
        2: block(grid, slice(31, 33), [125, 126, 127, 0, 1]).astype(bool),
        3: np.zeros(grid.shape, bool),
    }
    windows = [grid.whole, Window(0, 0, 5, 5), Window(32, 120, 10, 20), Window(28, 65, 4, 128)]
    for window in windows:
        rows = slice(window.row, window.row + window.height)
        for crater_id, mask in whole.items():
            read = labels.read(crater_id, window)
            assert read.dtype == bool
            assert np.array_equal(read, mask[rows][:, grid.columns(window)])
        union = (whole[1] | whole[2])[rows][:, grid.columns(window)]
        assert np.array_equal(labels.any_ejecta(window), union)


def test_sample_takes_the_pixel_that_holds_the_place(folder: Path, grid: Grid) -> None:
    labels = load_labels(folder, grid, CRATERS)
    for crater_id in (1, 2, 3):
        sampled = labels.sample(crater_id, *grid.centres(grid.whole))
        assert np.array_equal(sampled, labels.read(crater_id, grid.whole))
    assert labels.sample(2, 180.0, 0.1)
    assert labels.sample(2, -180.0, 0.1).shape == ()
    assert not labels.sample(1, [[0.0, 10.0]], [[90.0], [-90.0]]).any()


def test_a_window_of_the_mosaic_over_its_edge(
    tmp_path: Path, grid: Grid, write_raster: Write
) -> None:
    window = Window(28, 120, 8, 20)
    mask = np.random.default_rng(1).integers(0, 2, window.shape).astype(np.uint8)
    write_raster(
        tmp_path / "mask_crater_2.tif", mask, grid, transform=grid.window_transform(window)
    )
    labels = load_labels(tmp_path, grid, CRATERS)
    assert np.array_equal(labels.read(2, window), mask.astype(bool))
    assert labels.read(2, grid.whole).sum() == mask.sum()


def test_ones_at_both_ends_of_a_window(tmp_path: Path, grid: Grid, write_raster: Write) -> None:
    """The circle of columns is cut where the window is not, if that makes the smaller crop."""
    window = Window(28, 10, 4, 100)
    mask = np.zeros(window.shape, np.uint8)
    mask[:, [0, -1]] = 1
    write_raster(
        tmp_path / "mask_crater_1.tif", mask, grid, transform=grid.window_transform(window)
    )
    labels = load_labels(tmp_path, grid, (Crater(1, "", 0.0, 0.0, 5e4, reach=1.0),))
    assert labels.masks[1][0] == Window(28, 109, 4, 30)
    assert np.array_equal(labels.read(1, window), mask.astype(bool))


def test_a_mask_from_0_to_360_finds_its_place(
    tmp_path: Path, grid: Grid, write_raster: Write, make_grid: Callable[..., Grid]
) -> None:
    east = make_grid(lon_west=0.0)
    mask = block(east, slice(30, 34), slice(60, 70))
    write_raster(tmp_path / "mask_crater_2.tif", mask, east)
    labels = load_labels(tmp_path, grid, CRATERS)
    assert labels.masks[2][0] == Window(30, 124, 4, 10)


def test_any_value_but_0_and_no_data_is_ejecta(
    tmp_path: Path, grid: Grid, write_raster: Write
) -> None:
    mask = block(grid, slice(30, 34), slice(60, 70))
    mask[30, 60:63] = 7, 255, 0
    write_raster(tmp_path / "mask_crater_1.tif", mask, grid, nodata=255)
    labels = load_labels(tmp_path, grid, CRATERS)
    assert labels.read(1, Window(30, 60, 1, 4)).tolist() == [[True, False, False, True]]


def test_nan_is_not_ejecta(tmp_path: Path, grid: Grid, write_raster: Write) -> None:
    mask = block(grid, slice(30, 34), slice(60, 70)).astype(np.float32)
    mask[30, 60] = np.nan
    write_raster(tmp_path / "mask_crater_1.tif", mask, grid)
    labels = load_labels(tmp_path, grid, CRATERS)
    assert labels.read(1, grid.whole).sum() == 39


def test_masks_are_read_in_strips(
    folder: Path, grid: Grid, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = load_labels(folder, grid, CRATERS)
    monkeypatch.setattr("ejectamap.world.label_files._STRIP_PIXELS", 3 * grid.width)
    labels = load_labels(folder, grid, CRATERS)
    assert np.array_equal(labels.any_ejecta(grid.whole), expected.any_ejecta(grid.whole))


# --- tiles


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


# --- what cannot be a mask


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


# --- polygons


def polygons(grid: Grid, labels: Labels) -> tuple[list, list]:
    """The masks of some labels as boxes in degrees, one a pixel; over the dateline past 180."""
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
        found = labels.sample(crater_id, *places)
        assert np.array_equal(found, expected.sample(crater_id, *places))
        assert found.sum() == expected.masks[crater_id][1].sum()


def test_polygons_in_the_mosaics_crs(tmp_path: Path, grid: Grid) -> None:
    deg = np.radians(1) * R
    path = layer(
        tmp_path / "e.gpkg", [box(-10 * deg, -5 * deg, 10 * deg, 5 * deg)], grid.crs, crater_id=[1]
    )
    lon, lat = grid.centres(grid.whole)
    expected = (np.abs(lon) < 10) & (np.abs(lat) < 5)
    assert np.array_equal(load_labels(path, grid, CRATERS).read(1, grid.whole), expected)


def test_overlapping_craters_stay_apart(tmp_path: Path, grid: Grid) -> None:
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


def test_polygons_that_meet_themselves_around_the_globe(tmp_path: Path, grid: Grid) -> None:
    path = layer(tmp_path / "e.gpkg", [box(-180, 60, 300, 70)], crater_id=[1])
    (far,) = (Crater(1, "", 0.0, 65.0, 5e4),)
    lat = grid.centres(grid.whole).lat[:, 0]
    band = load_labels(path, grid, (far,)).read(1, grid.whole)
    assert np.array_equal(band, np.broadcast_to(((lat > 60) & (lat < 70))[:, None], grid.shape))


def test_a_crater_without_area_has_none_in_the_tiles(tmp_path: Path, grid: Grid) -> None:
    path = layer(
        tmp_path / "e.gpkg", [box(-10, -5, 10, 5), None, Point(179, 0)], crater_id=[1, 2, 2]
    )
    labels = load_labels(path, grid, CRATERS, tiles_csv(tmp_path, "0,0,0,5,5\n"))
    assert labels.masks[2][0] == Window(0, 0, 0, 0)


@pytest.mark.parametrize(
    ("shape", "crs", "columns", "complaint"),
    [
        (box(-10, -5, 10, 5), "sphere", {"id": [1]}, "no column crater_id"),
        (box(-10, -5, 10, 5), "sphere", {"crater_id": [9]}, "crater 9 is not in the catalogue"),
        (box(-10, -5, 10, 5), None, {"crater_id": [1]}, "has no CRS"),
        (box(-10, -5, 10, 5), "EPSG:4326", {"crater_id": [1]}, "not on a sphere"),
        (box(-10, -5, 10, 5), geographic_crs(1.7374e6), {"crater_id": [1]}, "radius of 1737400 m"),
        (box(-9e4, -5e4, 9e4, 5e4), "sphere", {"crater_id": [1]}, "beyond a pole"),
        (box(-9, -5, 9, 5), azimuthal_crs(0, 0, R), {"crater_id": [1]}, "azimuthal equidistant"),
        (Polygon(), "sphere", {"crater_id": [1]}, "every mask is empty"),
        (box(100, 40, 110, 50), "sphere", {"crater_id": [1]}, "no ejecta within the reach"),
    ],
)
def test_bad_polygons(
    tmp_path: Path, grid: Grid, shape: object, crs: object, columns: dict, complaint: str
) -> None:
    path = layer(tmp_path / "e.gpkg", [shape], crs, **columns)
    assert complaint in refusal(path, grid)


def test_a_table_is_no_layer(tmp_path: Path, grid: Grid) -> None:
    path = tmp_path / "e.csv"
    path.write_text("crater_id\n1\n")
    assert "has no polygons" in refusal(path, grid)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_packed_masks_are_the_same_masks(grid, data):
    def window():
        height, width = data.draw(st.integers(0, 9)), data.draw(st.integers(0, 128))
        return Window(
            data.draw(st.integers(0, 64 - height)), data.draw(st.integers(0, 127)), height, width
        )

    place, asked = window(), window()
    mask = np.random.default_rng(data.draw(st.integers(0, 99))).random(place.shape) < 0.5
    plain = Labels(grid, {4: (place, mask)}, None)
    packed = Labels(grid, PackedMasks([(4, place, mask)]), None)
    assert packed.masks[4][0] == place
    assert (packed.masks[4][1] == mask).all()
    assert list(packed.masks) == [4]
    found = packed.read(4, asked)
    assert (found == plain.read(4, asked)).all()
    rows, cols = np.indices(asked.shape)
    row, col = rows + asked.row, (cols + asked.col) % 128
    inside = (row >= place.row) & (row < place.row + place.height)
    across = (col - place.col) % 128
    inside &= across < place.width
    assert (found[inside] == mask[row[inside] - place.row, across[inside]]).all()
    assert not found[~inside].any()
    lon, lat = grid.to_lonlat(col + 0.5, row + 0.5)
    assert (packed.sample(4, lon, lat) == found).all()
    assert (plain.sample(4, lon, lat) == found).all()
