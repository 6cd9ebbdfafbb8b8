"""The files other programs rely on: right values and places, whole or absent, the same bytes."""

import errno
import resource
import time
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from affine import Affine

from ejectamap.errors import OutputError
from ejectamap.mapping.colours import crater_colour
from ejectamap.mapping.export import (
    ejecta_mask,
    read_probability,
    write_connections,
    write_mask,
    write_polygons,
    write_probability,
)
from ejectamap.mapping.origin import OriginMap
from ejectamap.world.body import cylindrical_crs
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.mosaic import read_grid

RADIUS_M = 1_000_000.0


def make_grid(height: int) -> Grid:
    pixel = np.pi * RADIUS_M / height
    corner = Affine(pixel, 0, -np.pi * RADIUS_M, 0, -pixel, np.pi * RADIUS_M / 2)
    return Grid(height, 2 * height, RADIUS_M, -180.0, cylindrical_crs(RADIUS_M).to_wkt(), corner)


GRID = make_grid(720)
WINDOW = Window(100, 40, 600, 1300)


@pytest.fixture(scope="module")
def probability() -> np.ndarray:
    values = np.random.default_rng(1).random(WINDOW.shape, np.float32)
    values[:50] = np.nan
    return values


def crater(crater_id: int, name: str = "Bashō") -> Crater:
    return Crater(crater_id, name, 0.0, 0.0, 10_000.0)


def connections() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "votes": [3],
            "crater_id": [1],
            "tile": [7],
            "distance_m": [1.5],
            "score": np.float32([0.3]),
            "connected": [True],
            "extra": ["dropped"],
        }
    )


def polygon_entries(probability: np.ndarray) -> list[tuple[Crater, Window, np.ndarray]]:
    return [(crater(1), WINDOW, probability), (crater(2), WINDOW, probability * 0)]


def write_origin(path: Path, probability: np.ndarray) -> None:
    origin = OriginMap(GRID)
    origin.add(1, WINDOW, probability)
    origin.write(path, [crater(1)])


WRITERS: dict[str, Callable[[Path, np.ndarray], None]] = {
    "p.tif": lambda path, p: write_probability(path, GRID, WINDOW, p),
    "m.tif": lambda path, p: write_mask(path, GRID, WINDOW, p),
    "origin.tif": write_origin,
    "ejecta.gpkg": lambda path, p: write_polygons(
        path, GRID, polygon_entries(np.where(p > 0.99, p, 0))
    ),
    "connections.parquet": lambda path, p: write_connections(path, connections()),
}


def test_probability_on_disk(tmp_path: Path, probability: np.ndarray) -> None:
    path = tmp_path / "p.tif"
    write_probability(path, GRID, WINDOW, probability)
    with rasterio.open(path) as source:
        stored = source.read(1)
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert source.profile["tiled"]
        assert source.overviews(1) == [2, 4]
        assert source.dtypes == ("uint8",)
        assert source.nodata == 255
        assert "probability" in source.descriptions[0]
        assert source.transform.almost_equals(GRID.window_transform(WINDOW), 1e-6)
        assert read_grid_radius(source) == RADIUS_M
        half = source.read(1, out_shape=(300, 650))
    assert (stored[:50] == 255).all()
    np.testing.assert_array_equal(stored[50:], np.rint(250 * probability[50:]))
    blocks = stored.reshape(300, 2, 650, 2)[25:].mean(axis=(1, 3))
    assert np.abs(half[25:] - blocks).max() <= 1
    assert (half[:25] == 255).all()


def read_grid_radius(source: rasterio.DatasetReader) -> float:
    return float(source.crs.to_dict()["R"])


def test_probability_reads_back(tmp_path: Path, probability: np.ndarray) -> None:
    write_probability(tmp_path / "p.tif", GRID, WINDOW, probability)
    window, values = read_probability(tmp_path / "p.tif", GRID)
    assert window == WINDOW
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, probability, atol=0.5 / 250 + 1e-6)
    np.testing.assert_array_equal(ejecta_mask(values), ejecta_mask(probability))
    (tmp_path / "p.tif").write_bytes(b"II*\0 cut off")
    with pytest.raises(OutputError, match="map the crater again"):
        read_probability(tmp_path / "p.tif", GRID)


def test_mask_agrees_with_stored_probability(tmp_path: Path, probability: np.ndarray) -> None:
    write_probability(tmp_path / "p.tif", GRID, WINDOW, probability)
    write_mask(tmp_path / "m.tif", GRID, WINDOW, probability)
    write_mask(tmp_path / "high.tif", GRID, WINDOW, probability, threshold=0.9)
    _, values = read_probability(tmp_path / "p.tif", GRID)
    with rasterio.open(tmp_path / "m.tif") as source, rasterio.open(tmp_path / "high.tif") as high:
        assert source.dtypes == ("uint8",)
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        np.testing.assert_array_equal(source.read(1), values > 0.5)
        np.testing.assert_array_equal(high.read(1), values > np.float32(0.9))


def test_whole_globe_is_a_mosaic_grid(tmp_path: Path) -> None:
    origin = OriginMap(GRID)
    origin.write(tmp_path / "origin.tif", [])
    with rasterio.open(tmp_path / "origin.tif") as source:
        grid = read_grid(source)
    assert grid.shape == GRID.shape
    assert grid.radius_m == GRID.radius_m
    assert grid.lon_west == pytest.approx(GRID.lon_west)


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
        origin.add(crater_id, *maps[crater_id])
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
    origin.add(3, Window(0, 0, 1, 3), np.float32([[0.6, 0.7, 0.8]]))
    np.testing.assert_array_equal(origin.value[0, :4], [0, 0, 4, 0])


def test_origin_with_large_ids(tmp_path: Path) -> None:
    grid = make_grid(8)
    origin = OriginMap(grid)
    origin.add(65_534, Window(0, 0, 1, 1), np.float32([[1.0]]))
    origin.write(tmp_path / "origin.tif", [crater(65_534)])
    with rasterio.open(tmp_path / "origin.tif") as source:
        assert source.dtypes == ("uint16",)
        assert source.read(1)[0, 0] == 65_535
        assert source.colormap(1)[65_535][:3] == crater_colour(65_534)
    with pytest.raises(OutputError, match="renumber"):
        origin.add(65_535, Window(0, 0, 1, 1), np.float32([[1.0]]))


def test_polygons(tmp_path: Path) -> None:
    probability = np.full(WINDOW.shape, np.nan, np.float32)
    probability[100:200, 100:300] = 0.8
    probability[100:150, 100:300] = 0.6
    probability[120:130, 120:130] = 0.2
    probability[300, 5] = 1.0
    path = tmp_path / "ejecta.gpkg"
    write_polygons(path, GRID, polygon_entries(probability))
    frame = gpd.read_file(path, layer="ejecta")
    assert list(frame.columns) == ["crater_id", "name", "area_km2", "mean_probability", "geometry"]
    assert frame["crater_id"].tolist() == [1]
    assert frame["name"].tolist() == ["Bashō"]
    assert frame.crs.ellipsoid.semi_major_metre == RADIUS_M
    outline = frame.geometry[0]
    assert outline.geom_type == "MultiPolygon"
    assert len(outline.geoms) == 2
    assert outline.area == pytest.approx((100 * 200 - 100 + 1) * GRID.pixel_m**2)
    mask = probability > 0.5
    areas = np.broadcast_to(GRID.row_area_m2[100:700, None], WINDOW.shape)
    assert frame["area_km2"][0] == pytest.approx(areas[mask].sum() / 1e6)
    expected = np.average(probability[mask], weights=areas[mask])
    assert frame["mean_probability"][0] == pytest.approx(expected)


def test_polygons_of_noise_are_valid(tmp_path: Path, probability: np.ndarray) -> None:
    path = tmp_path / "ejecta.gpkg"
    window = Window(100, 40, 100, 100)
    write_polygons(path, GRID, [(crater(1), window, probability[100:200, 100:200])])
    assert shapely.is_valid(gpd.read_file(path).geometry).all()


def test_no_polygons_is_an_empty_layer(tmp_path: Path) -> None:
    path = tmp_path / "ejecta.gpkg"
    write_polygons(path, GRID, [])
    frame = gpd.read_file(path, layer="ejecta")
    assert len(frame) == 0
    assert "area_km2" in frame


def test_connections(tmp_path: Path) -> None:
    write_connections(tmp_path / "c.parquet", connections())
    write_connections(tmp_path / "empty.parquet", connections()[:0])
    table = pd.read_parquet(tmp_path / "c.parquet")
    assert list(table) == ["crater_id", "tile", "distance_m", "score", "votes", "connected"]
    assert table["connected"].dtype == bool
    assert pd.read_parquet(tmp_path / "empty.parquet").dtypes.equals(table.dtypes)


@pytest.mark.parametrize("name", WRITERS)
def test_same_bytes_twice(tmp_path: Path, probability: np.ndarray, name: str) -> None:
    WRITERS[name](tmp_path / name, probability)
    first = (tmp_path / name).read_bytes()
    time.sleep(1.1 if name.endswith("gpkg") else 0)
    WRITERS[name](tmp_path / name, probability)
    assert (tmp_path / name).read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", WRITERS)
def test_full_disk_leaves_the_old_file(
    tmp_path: Path, probability: np.ndarray, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_half(path: Path, content: memoryview) -> int:
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / name).write_text("old")
    monkeypatch.setattr(Path, "write_bytes", write_half)
    with pytest.raises(OutputError, match="No space left") as caught:
        WRITERS[name](tmp_path / name, probability)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "old"


def test_a_real_limit_of_the_file_system(tmp_path: Path, probability: np.ndarray) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OutputError, match="free some space"):
            write_probability(tmp_path / "p.tif", GRID, WINDOW, probability)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())


def test_missing_folder_is_a_plain_error(tmp_path: Path, probability: np.ndarray) -> None:
    with pytest.raises(OutputError, match="No such file"):
        write_mask(tmp_path / "gone" / "m.tif", GRID, WINDOW, probability)


def test_a_wrapping_window_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="wraps"):
        write_mask(tmp_path / "m.tif", GRID, Window(0, 1439, 1, 2), np.zeros((1, 2), np.float32))


def test_colours_are_distinct_and_stable() -> None:
    colours = [crater_colour(i) for i in range(119)]
    assert len(set(colours)) == 119
    assert crater_colour(12) == crater_colour(12)
    assert np.min(colours) >= 0
    assert np.max(colours) <= 255
    assert all(type(part) is int for part in colours[0])
