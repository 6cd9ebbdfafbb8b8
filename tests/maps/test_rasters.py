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
from ejectamap.maps.connections import write_connections
from ejectamap.maps.crater_map import in_memory
from ejectamap.maps.files import write_cog
from ejectamap.maps.origin import OriginMap
from ejectamap.maps.outlines import write_outline, write_polygons
from ejectamap.maps.rasters import (
    NO_DATA,
    STEPS,
    copy_probability,
    probabilities,
    quantise,
    read_stored,
    stored_strips,
    write_mask,
    write_probability,
)
from ejectamap.world.body import cylindrical_crs
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window

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


def store(path: Path, probability: np.ndarray, window: Window = WINDOW) -> None:
    write_probability(path, GRID, window, in_memory(window, probability))


def files_of(folder: Path, probability: np.ndarray, window: Window = WINDOW) -> Path:
    """Probability, mask and outline of a crater, in a folder of its own."""
    folder.mkdir()
    store(folder / "p.tif", probability, window)
    write_mask(folder / "m.tif", GRID, folder / "p.tif")
    write_outline(folder / "o.parquet", GRID, folder / "p.tif", folder / "m.tif")
    return folder / "o.parquet"


@pytest.fixture(scope="module")
def stored(probability: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that others are made from: probability, mask and outline."""
    return files_of(tmp_path_factory.mktemp("stored") / "files", np.where(probability > 0.98, 1, 0))


def write_origin(path: Path, probability: np.ndarray) -> None:
    origin = OriginMap(GRID)
    origin.add(1, WINDOW, quantise(probability))
    origin.write(path, [crater(1)], {1: (1, 2, 3)})


WRITERS: dict[str, Callable[[Path, np.ndarray, Path], None]] = {
    "p.tif": lambda path, p, _: store(path, p),
    "m.tif": lambda path, _, files: write_mask(path, GRID, files.with_name("p.tif")),
    "o.parquet": lambda path, _, files: write_outline(
        path, GRID, files.with_name("p.tif"), files.with_name("m.tif")
    ),
    "origin.tif": lambda path, p, _: write_origin(path, p),
    "ejecta.gpkg": lambda path, _, files: write_polygons(path, GRID, {crater(1): files}),
    "connections.parquet": lambda path, *_: write_connections(path, connections()),
}


def test_probability_on_disk(tmp_path: Path, probability: np.ndarray) -> None:
    path = tmp_path / "p.tif"
    store(path, probability)
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
    store(tmp_path / "p.tif", probability)
    window, stored = read_stored(tmp_path / "p.tif", GRID)
    values = probabilities(stored)
    assert window == WINDOW
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, probability, atol=0.5 / 250 + 1e-6)
    assert np.array_equal(quantise(values), quantise(probability))
    (tmp_path / "p.tif").write_bytes(b"II*\0 cut off")
    with pytest.raises(OutputError, match="run ejectamap map again"):
        read_stored(tmp_path / "p.tif", GRID)


def test_strips_make_the_same_file(
    tmp_path: Path, probability: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A raster is read strip by strip, never as a whole, and its bytes do not depend on the strips."""
    strips: list[Window] = []

    def read_strip(strip: Window) -> np.ndarray:
        strips.append(strip)
        return in_memory(WINDOW, probability)(strip)

    store(tmp_path / "whole.tif", probability)
    monkeypatch.setattr("ejectamap.world.grid.STRIP_PIXELS", 100 * WINDOW.width + 7)
    write_probability(tmp_path / "p.tif", GRID, WINDOW, read_strip)
    assert [strip.height for strip in strips] == [100] * 6
    assert (tmp_path / "p.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()
    read = list(stored_strips(tmp_path / "p.tif", GRID))
    assert [strip for strip, _ in read] == strips
    assert np.array_equal(np.concatenate([part for _, part in read]), quantise(probability))


def test_a_coloured_mask_shows_thin_rays_in_its_overviews(tmp_path: Path) -> None:
    """Of four pixels two make ejecta, one does not; colours are as in the mask itself."""
    ray = np.zeros(WINDOW.shape, np.float32)
    ray[:, 8], ray[100, 600] = 1, 1
    store(tmp_path / "p.tif", ray)
    write_mask(tmp_path / "m.tif", GRID, tmp_path / "p.tif", colour=(30, 130, 200))
    with rasterio.open(tmp_path / "m.tif", overview_level=0) as source:
        half = source.read(1)
        assert source.colormap(1)[1] == (30, 130, 200, 255)
    assert np.argwhere(half.any(axis=0)).ravel().tolist() == [4]
    assert half[:, 4].all()


def test_mask_agrees_with_stored_probability(tmp_path: Path, probability: np.ndarray) -> None:
    store(tmp_path / "p.tif", probability)
    write_mask(tmp_path / "m.tif", GRID, tmp_path / "p.tif")
    write_mask(tmp_path / "high.tif", GRID, tmp_path / "p.tif", threshold=0.9)
    values = probabilities(read_stored(tmp_path / "p.tif", GRID)[1])
    with rasterio.open(tmp_path / "m.tif") as source, rasterio.open(tmp_path / "high.tif") as high:
        assert source.dtypes == ("uint8",)
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        np.testing.assert_array_equal(source.read(1), values > 0.5)
        np.testing.assert_array_equal(high.read(1), values > np.float32(0.9))


def test_polygons(tmp_path: Path) -> None:
    probability = np.full(WINDOW.shape, np.nan, np.float32)
    probability[100:200, 100:300] = 0.8
    probability[100:150, 100:300] = 0.6
    probability[120:130, 120:130] = 0.2
    probability[300, 5] = 1.0
    path = tmp_path / "ejecta.gpkg"
    outlines = {
        crater(1): files_of(tmp_path / "1", probability),
        crater(2): files_of(tmp_path / "2", probability * 0),
    }
    write_polygons(path, GRID, outlines, stale=[crater(1)])
    frame = gpd.read_file(path, layer="ejecta")
    columns = [
        "crater_id",
        "name",
        "area_km2",
        "mean_probability",
        "current",
        "edited_km2",
        "geometry",
    ]
    assert list(frame.columns) == columns
    assert frame["crater_id"].tolist() == [1]
    assert frame["current"].tolist() == [False]
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
    noise = files_of(tmp_path / "1", probability[100:200, 100:200], window)
    write_polygons(path, GRID, {crater(1): noise})
    assert shapely.is_valid(gpd.read_file(path).geometry).all()


def test_no_polygons_is_an_empty_layer(tmp_path: Path) -> None:
    path = tmp_path / "ejecta.gpkg"
    write_polygons(path, GRID, {})
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
def test_same_bytes_twice(tmp_path: Path, probability: np.ndarray, stored: Path, name: str) -> None:
    WRITERS[name](tmp_path / name, probability, stored)
    first = (tmp_path / name).read_bytes()
    time.sleep(1.1 if name.endswith("gpkg") else 0)
    WRITERS[name](tmp_path / name, probability, stored)
    assert (tmp_path / name).read_bytes() == first
    style = ["origin.qml"] if name == "origin.tif" else []
    assert sorted(path.name for path in tmp_path.iterdir()) == [*style, name]


@pytest.mark.parametrize("name", WRITERS)
def test_full_disk_leaves_the_old_file(
    tmp_path: Path,
    probability: np.ndarray,
    stored: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def write_half(path: Path, content: memoryview) -> int:
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / name).write_text("old")
    monkeypatch.setattr(Path, "write_bytes", write_half)
    with pytest.raises(OutputError, match="No space left") as caught:
        WRITERS[name](tmp_path / name, probability, stored)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "old"


def test_a_real_limit_of_the_file_system(tmp_path: Path, probability: np.ndarray) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OutputError, match="free some space"):
            store(tmp_path / "p.tif", probability)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())


def test_missing_folder_is_a_plain_error(tmp_path: Path, probability: np.ndarray) -> None:
    with pytest.raises(OutputError, match="No such file"):
        store(tmp_path / "gone" / "p.tif", probability)


def test_a_wrapping_window_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="wraps"):
        store(tmp_path / "p.tif", np.zeros((1, 2), np.float32), Window(0, 1439, 1, 2))


def test_probabilities_carry_their_scale(tmp_path: Path, probability: np.ndarray) -> None:
    """Programs that heed scale and no-data show 0 to 1; the values stay as they are."""
    store(tmp_path / "p.tif", probability)
    with rasterio.open(tmp_path / "p.tif") as source:
        assert source.scales == (0.004,)
        assert source.offsets == (0.0,)
        assert source.nodata == NO_DATA
        shown = source.read(1, masked=True) * source.scales[0]
        np.testing.assert_array_equal(source.read(1), quantise(probability))
    np.testing.assert_allclose(shown.filled(np.nan), probability, atol=0.002001)


def test_a_copy_of_an_earlier_versions_map_gets_the_scale(
    tmp_path: Path, probability: np.ndarray
) -> None:
    new, old, copy = (tmp_path / name for name in ("new.tif", "old.tif", "copy.tif"))
    store(new, probability)
    write_cog(
        old,
        [(WINDOW, quantise(probability))],
        GRID,
        WINDOW,
        description=f"probability of ejecta x {STEPS}, {NO_DATA} = unknown",
        nodata=NO_DATA,
        resampling="average",
    )
    with rasterio.open(old) as source:
        assert source.scales == (1.0,)
    copy_probability(old, copy, GRID)
    assert copy.read_bytes() == new.read_bytes()
    copy_probability(new, copy, GRID)
    assert copy.samefile(new)
