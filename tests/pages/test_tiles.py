"""Map tiles: every pixel shows its own place, for any extent of the raster."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rasterio.enums import Resampling

from ejectamap.maps.crater_map import in_memory
from ejectamap.maps.rasters import write_probability
from ejectamap.pages.viewer.layers import MosaicLayer, SampledMosaicLayer, probability_tile
from ejectamap.pages.viewer.overviews import mosaic_with_overviews
from ejectamap.pages.viewer.tiles import TILE_PX, MapTile, fill_tile, finest_zoom
from ejectamap.world.grid import Grid, Window
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.mosaic_files import is_on_grid

MakeGrid = Callable[..., Grid]
WriteRaster = Callable[..., Path]


def read_png(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def places_of(tile: MapTile) -> tuple[np.ndarray, np.ndarray]:
    lon, lat = np.broadcast_arrays(tile.lons()[None, :], tile.lats()[:, None])
    return lon, lat


@given(
    lon_west=st.sampled_from([-180.0, 0.0, 37.3]),
    zoom=st.integers(0, 3),
    at=st.tuples(st.floats(0, 0.999), st.floats(0, 0.999)),
    rows=st.tuples(st.integers(0, 63), st.integers(1, 64)),
    cols=st.tuples(st.integers(0, 127), st.integers(1, 128)),
)
@settings(max_examples=60)
def test_each_pixel_of_a_tile_is_the_nearest_of_the_raster(
    make_grid: MakeGrid,
    lon_west: float,
    zoom: int,
    at: tuple[float, float],
    rows: tuple[int, int],
    cols: tuple[int, int],
) -> None:
    grid = make_grid(64, lon_west)
    row, col = rows[0], cols[0]
    covered = Window(row, col, min(rows[1], 64 - row), min(cols[1], 128 - col))
    tile = MapTile(zoom, int(at[0] * 2 ** (zoom + 1)), int(at[1] * 2**zoom))
    numbers = np.arange(1, 64 * 128 + 1, dtype=np.int32).reshape(1, *grid.shape)
    part = numbers[:, row : row + covered.height, col : col + covered.width]
    out = np.zeros((1, TILE_PX, TILE_PX), np.int32)
    with rasterio.MemoryFile() as memory:
        shape = {"height": covered.height, "width": covered.width, "count": 1, "dtype": "int32"}
        with memory.open(
            driver="GTiff", transform=grid.window_transform(covered), **shape
        ) as target:
            target.write(part)
        with memory.open() as source:
            fill_tile(
                tile,
                grid,
                covered,
                lambda window, shape: source.read(
                    [1], window=window, out_shape=(1, *shape), resampling=Resampling.nearest
                ),
                out,
            )
    c, r = grid.to_pixel(*places_of(tile))
    inside = grid.inside(covered, *places_of(tile))
    expected = np.where(inside, numbers[0, r.astype(int), c.astype(int)], 0)
    # A centre on the edge between two pixels may be rounded to either.
    off_edge = (np.abs(c - np.rint(c)) > 0.02) & (np.abs(r - np.rint(r)) > 0.02)
    assert np.array_equal(out[0][off_edge], expected[off_edge])


def test_globe_has_two_tiles_at_zoom_0_and_four_times_as_many_at_each_zoom() -> None:
    assert MapTile(0, 1, 0).exists
    assert not MapTile(0, 2, 0).exists
    assert MapTile(3, 15, 7).exists
    assert not MapTile(3, 0, 8).exists


def test_the_finest_tiles_show_every_pixel(make_grid: MakeGrid) -> None:
    for height in (64, 512, 513, 2880):
        grid = make_grid(height)
        assert MapTile(finest_zoom(grid), 0, 0).reduction(grid) <= 1
        assert finest_zoom(grid) == 0 or MapTile(finest_zoom(grid) - 1, 0, 0).reduction(grid) > 1


def test_probability_tile_keeps_values_and_no_data(make_grid: MakeGrid, tmp_path: Path) -> None:
    grid = make_grid(64)
    window = Window(10, 20, 30, 40)
    probability = np.full(window.shape, 0.4, np.float32)
    probability[:15] = np.nan
    write_probability(tmp_path / "p.tif", grid, window, in_memory(window, probability))
    pictures = [
        read_png(probability_tile(tmp_path / "p.tif", grid, MapTile(0, x, 0))) for x in (0, 1)
    ]
    picture = np.concatenate(pictures, axis=1)
    assert set(np.unique(picture)) == {100, 255}
    lon, lat = (
        np.concatenate([places_of(MapTile(0, x, 0))[k] for x in (0, 1)], axis=1) for k in (0, 1)
    )
    known = grid.inside(Window(25, 20, 15, 40), lon, lat)
    assert np.array_equal(picture == 100, known)


@pytest.mark.parametrize("bands", [1, 2, 3, 5])
def test_mosaics_of_any_number_of_bands(
    make_grid: MakeGrid, write_raster: WriteRaster, tmp_path: Path, bands: int
) -> None:
    grid = make_grid(64)
    values = np.arange(grid.height * grid.width).reshape(grid.shape).astype(np.float32)
    stack = np.repeat(values[None], bands, axis=0)
    stack[:, :, :32] = -1
    path = write_raster(tmp_path / "m.tif", stack, grid, nodata=-1)
    picture = read_png(MosaicLayer(path, grid).tile(MapTile(0, 0, 0)))
    assert picture.shape == (TILE_PX, TILE_PX, 4)
    assert not picture[:, :200, 3].any()
    assert (picture[:, 300:, 3] == 255).all()
    assert picture[30, 400, 0] < picture[250, 400, 0] < picture[480, 400, 0]


def test_a_mosaic_without_overviews_gets_them_once(
    make_grid: MakeGrid, write_raster: WriteRaster, tmp_path: Path
) -> None:
    grid = make_grid(2048)
    values = np.tile(np.linspace(1, 255, grid.width).astype(np.uint8), (1, grid.height, 1))
    path = write_raster(tmp_path / "m.tif", values, grid, nodata=0)
    cache = tmp_path / "cache"
    ready = mosaic_with_overviews(path, cache)
    assert ready.parent.parent == cache
    with rasterio.open(ready) as source:
        assert source.overviews(1) == [2]
        assert np.array_equal(source.read(1)[7], values[0, 7])
    written = ready.with_name("mosaic.vrt.ovr").stat().st_mtime_ns
    assert mosaic_with_overviews(path, cache) == ready
    assert ready.with_name("mosaic.vrt.ovr").stat().st_mtime_ns == written
    plain, quick = (read_png(MosaicLayer(p, grid).tile(MapTile(0, 0, 0))) for p in (path, ready))
    assert np.abs(plain.astype(int) - quick).max() <= 2

    write_raster(path, values[:, :, ::-1], grid, nodata=0)
    assert mosaic_with_overviews(path, cache) != ready
    assert [folder.name[:7] for folder in cache.iterdir()] == ["mosaic-"]  # the old one was removed


def test_a_small_mosaic_needs_no_overviews(
    make_grid: MakeGrid, write_raster: WriteRaster, tmp_path: Path
) -> None:
    grid = make_grid(64)
    path = write_raster(tmp_path / "m.tif", np.ones(grid.shape, np.uint8), grid)
    assert mosaic_with_overviews(path, tmp_path / "cache") == path
    assert not (tmp_path / "cache").exists()


def test_a_mosaic_on_another_grid_is_shown_where_it_belongs(
    make_grid: MakeGrid, write_raster: WriteRaster, tmp_path: Path
) -> None:
    """South up, and without data in the east: drawn from memory, as the file with north up is drawn."""
    grid = make_grid(64)
    values = np.random.default_rng(4).integers(1, 250, (3, *grid.shape)).astype(np.uint8)
    values[:, :, 100:] = 0
    upright = write_raster(tmp_path / "upright.tif", values, grid, nodata=0)
    flipped = grid.transform @ Affine.translation(0, 64) @ Affine.scale(1, -1)
    path = write_raster(tmp_path / "m.tif", values[:, ::-1], grid, nodata=0, transform=flipped)
    assert (is_on_grid(upright), is_on_grid(path)) == (True, False)
    tile = MapTile(0, 1, 0)
    sampled = read_png(SampledMosaicLayer(path, Mosaic.open(path)).tile(tile))
    direct = read_png(MosaicLayer(upright, grid).tile(tile))
    assert np.mean(sampled[..., 3] != direct[..., 3]) < 0.02
    shown = (sampled[..., 3] > 0) & (direct[..., 3] > 0)
    assert np.corrcoef(sampled[shown][:, 0], direct[shown][:, 0])[0, 1] > 0.8
