from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from pyproj import CRS

from ejectamap.errors import MosaicError
from ejectamap.world.grid import Grid, Window
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sampling_grid import SamplingGrid
from ejectamap.world.sphere import destination

R = 2_439_400.0
Write = Callable[..., Path]


def smooth(grid: Grid) -> np.ndarray:
    """Two bands that vary smoothly over the sphere: sines of latitude and of a tilted axis."""
    lon, lat = (np.radians(v) for v in grid.centres(grid.whole))
    return np.stack([np.sin(lat) + 0 * lon, np.cos(lat) * np.cos(lon)]).astype(np.float32)


def in_memory(values: np.ndarray, grid: Grid, valid: np.ndarray | None = None) -> Mosaic:
    names = tuple(f"band {i + 1}" for i in range(len(values)))
    valid = np.ones(grid.shape, bool) if valid is None else valid
    return Mosaic.from_array(values, valid, grid, names)


def pixel_centres(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.broadcast_arrays(*grid.centres(grid.whole)))  # type: ignore[return-value]


# --- opening


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
def test_open_keeps_values_type_and_geometry(
    tmp_path: Path, grid: Grid, write_raster: Write, dtype: type
) -> None:
    values = np.random.default_rng(1).integers(1, 250, (3, *grid.shape)).astype(dtype)
    mosaic = Mosaic.open(write_raster(tmp_path / "m.tif", values, grid))
    assert mosaic.dtype == dtype
    assert mosaic.bands == 3
    assert mosaic.grid.radius_m == R
    assert mosaic.grid.lon_west == pytest.approx(-180)
    read, valid = mosaic.read(Window(3, 5, 10, 20))
    assert np.array_equal(read, values[:, 3:13, 5:25])
    assert valid.all()


def test_crs_of_the_iau_authority_is_used_if_equal(
    tmp_path: Path, make_grid: Callable[..., Grid], write_raster: Write
) -> None:
    values = np.arange(64 * 128).reshape(1, 64, 128).astype(np.uint8)
    authorities = {}
    for radius_m, west in ((2_440_530.0, -180.0), (2_440_530.0, 0.0), (R, -180.0)):
        grid = make_grid(64, west, radius_m)
        opened = Mosaic.open(write_raster(tmp_path / "m.tif", values, grid)).grid
        assert opened.transform == grid.transform
        assert opened.lon_west == pytest.approx(west)
        authorities[radius_m, west] = CRS.from_wkt(opened.crs).to_authority()
    assert authorities.pop((2_440_530.0, -180.0)) == ("IAU_2015", "19910")
    assert set(authorities.values()) == {None}


def test_open_reads_in_strips(
    tmp_path: Path, grid: Grid, write_raster: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ejectamap.world.mosaic_files._STRIP_BYTES", 5 * 128 * 2)
    values = np.random.default_rng(1).integers(1, 250, (2, *grid.shape)).astype(np.uint8)
    mosaic = Mosaic.open(write_raster(tmp_path / "m.tif", values, grid))
    assert np.array_equal(mosaic.read(grid.whole)[0], values)


def test_open_accepts_degrees_and_0_to_360(tmp_path: Path, grid: Grid, write_raster: Write) -> None:
    values = (smooth(grid) * 100 + 120).astype(np.uint8)
    expected = Mosaic.open(write_raster(tmp_path / "west.tif", values, grid))
    rolled = np.roll(values, 64, axis=2)
    degrees = CRS.from_dict({"proj": "longlat", "R": R})
    step = 180 / 64
    half_m = np.pi * R
    variants = {
        "central_meridian": {"crs": CRS.from_dict({"proj": "eqc", "lon_0": 180, "R": R})},
        "x_from_0": {"transform": grid.transform @ Affine.translation(64, 0)},
        "degrees": {"crs": degrees, "transform": Affine(step, 0, 0, 0, -step, 90)},
        "false_easting": {
            "crs": CRS.from_dict({"proj": "eqc", "x_0": 1000, "R": R}),
            "transform": Affine.translation(1000 + half_m, 0) @ grid.transform,
        },
    }
    places = np.random.default_rng(2).uniform(-1, 1, (2, 500)) * [[180], [90]]
    for name, profile in variants.items():
        mosaic = Mosaic.open(write_raster(tmp_path / f"{name}.tif", rolled, grid, **profile))
        assert mosaic.grid.lon_west == pytest.approx(0), name
        assert np.allclose(mosaic.sample(*places)[0], expected.sample(*places)[0], atol=1e-3), name


def test_standard_parallel_only_changes_the_width_of_a_unit(
    tmp_path: Path, grid: Grid, write_raster: Write
) -> None:
    crs = CRS.from_dict({"proj": "eqc", "lat_ts": 60, "R": R})
    transform = Affine.scale(0.5, 1) @ grid.transform
    values = np.arange(64 * 128).reshape(grid.shape).astype(np.uint8)
    path = write_raster(tmp_path / "m.tif", values, grid, crs=crs, transform=transform)
    assert Mosaic.open(path).grid.lon_west == pytest.approx(-180)


def test_no_data_value_nan_and_infinity_are_not_valid(
    tmp_path: Path, grid: Grid, write_raster: Write
) -> None:
    floats = np.random.default_rng(1).uniform(4, 6, (2, *grid.shape)).astype(np.float32)
    floats[0, 3, 4], floats[1, 5, 6], floats[1, 7, 8] = np.nan, np.inf, -9999
    mosaic = Mosaic.open(write_raster(tmp_path / "f.tif", floats, grid, nodata=-9999))
    values, valid = mosaic.read(grid.whole)
    assert np.argwhere(~valid).tolist() == [[3, 4], [5, 6], [7, 8]]
    assert (values[:, ~valid] == 0).all()


def test_a_zero_is_no_data_only_where_all_bands_are_zero(
    tmp_path: Path, grid: Grid, write_raster: Write
) -> None:
    values = np.full((2, *grid.shape), 5, np.uint8)
    values[0, 3, 4] = 0
    values[:, 5, 6] = 0
    mosaic = Mosaic.open(write_raster(tmp_path / "m.tif", values, grid, nodata=0))
    assert np.argwhere(~mosaic.read_valid(grid.whole)).tolist() == [[5, 6]]


def test_invalid_pixels_have_no_influence(grid: Grid) -> None:
    """Their values are read as 0 and are left out of the means of coarser levels."""
    values = np.full((2, *grid.shape), 5, np.float32)
    valid = np.ones(grid.shape, bool)
    valid[::2, ::2] = False
    values[:, ~valid] = np.nan
    mosaic = Mosaic.from_array(values, valid, grid, ("a", "b"))
    assert (mosaic.read(grid.whole)[0][:, ~valid] == 0).all()
    assert (mosaic.levels[1] == 5).all()


@pytest.mark.parametrize("col", [0, 3, 8, 61, 120])
@pytest.mark.parametrize("width", [1, 8, 30])
def test_validity_of_a_window_is_that_of_the_whole_grid(grid: Grid, col: int, width: int) -> None:
    """For windows that begin at a packed byte, within one, and that wrap around."""
    valid = np.random.default_rng(5).random(grid.shape) > 0.5
    mosaic = Mosaic.from_array(np.ones((1, *grid.shape), np.uint8), valid, grid, ("a",))
    window = Window(7, col, 20, width)
    columns = grid.columns(window)
    assert np.array_equal(mosaic.read_valid(window), valid[7:27][:, columns])


# --- sampling


def test_sample_at_a_pixel_centre_is_its_value(grid: Grid) -> None:
    values = np.random.default_rng(3).integers(0, 65535, (2, *grid.shape)).astype(np.uint16)
    sampled, valid = in_memory(values, grid).sample(*pixel_centres(grid))
    assert np.allclose(sampled, values, atol=0.01)
    assert sampled.dtype == np.float32
    assert valid.all()


def test_bilinear_is_exact_on_a_linear_field(grid: Grid) -> None:
    rows, cols = np.mgrid[: grid.height, : grid.width]
    mosaic = in_memory((3.0 * rows + 0.5 * cols)[None].astype(np.float32), grid)
    rng = np.random.default_rng(4)
    col, row = rng.uniform(1, 127, 1000), rng.uniform(1, 63, 1000)
    sampled, _ = mosaic.sample(*grid.to_lonlat(col, row))
    assert np.allclose(sampled[0], 3.0 * (row - 0.5) + 0.5 * (col - 0.5), atol=1e-3)


def test_shapes_broadcast(grid: Grid) -> None:
    mosaic = in_memory(smooth(grid), grid)
    values, valid = mosaic.sample(np.zeros((1, 4)), np.zeros((3, 1)), 1e5)
    assert values.shape == (2, 3, 4)
    assert valid.shape == (3, 4)
    assert mosaic.sample(10.0, 20.0)[0].shape == (2,)


def test_no_data_has_no_influence_on_samples(grid: Grid) -> None:
    values = np.full((1, *grid.shape), 7, np.float32)
    valid = np.random.default_rng(5).random(grid.shape) > 0.3
    values[:, ~valid] = -9999
    mosaic = in_memory(values, grid, valid)
    places = np.random.default_rng(6).uniform(-1, 1, (2, 5000)) * [[180], [90]]
    for spacing_m in (0.0, 2 * grid.pixel_m):
        sampled, sample_valid = mosaic.sample(*places, spacing_m)
        assert sample_valid.any()
        assert not sample_valid.all() or spacing_m > 0
        assert np.allclose(sampled[0, sample_valid], 7)
        assert (sampled[0, ~sample_valid] == 0).all()


def test_sample_is_valid_if_half_of_the_weight_is(grid: Grid) -> None:
    valid = np.ones(grid.shape, bool)
    valid[:, 50:] = False
    mosaic = in_memory(np.ones((1, *grid.shape), np.float32), grid, valid)
    _, sample_valid = mosaic.sample(*grid.to_lonlat([49.5, 49.99, 50.01, 50.5], 20.5))
    assert sample_valid.tolist() == [True, True, False, False]


@pytest.mark.parametrize("lon_west", [-180.0, 0.0])
@pytest.mark.parametrize("spacing_px", [0, 2])
def test_samples_are_continuous_across_seams_and_poles(
    make_grid: Callable[..., Grid], lon_west: float, spacing_px: float
) -> None:
    """Across the dateline, longitude 0 and both poles, values change as little as elsewhere."""
    grid = make_grid(256, lon_west)
    mosaic = in_memory(smooth(grid), grid)
    along_m = np.linspace(-0.05, 0.05, 2001) * np.pi * R
    for start, theta in [((180, 10), 90), ((0, -20), 90), ((33, 90), 0), ((70, -90), 180)]:
        lon, lat = destination(*start, theta, along_m, R)
        values, valid = mosaic.sample(lon, lat, spacing_px * grid.pixel_m)
        assert valid.all()
        truth = np.stack(
            [np.sin(np.radians(lat)), np.cos(np.radians(lat)) * np.cos(np.radians(lon))]
        )
        assert np.abs(values - truth).max() < 0.02
        assert np.abs(np.diff(values, axis=1)).max() < 3e-3


# --- rasters that are refused


def error_message(path: Path) -> str:
    """Open a raster that is refused, check that the error is one line that names the file, and return it."""
    with pytest.raises(MosaicError) as caught:
        Mosaic.open(path)
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    return message


@pytest.mark.parametrize("lon_west", [-180.0, 0.0])
@pytest.mark.parametrize("window", [Window(0, 0, 20, 128), Window(21, 17, 31, 40)])
def test_a_part_of_the_globe_keeps_its_pixels(
    tmp_path: Path,
    make_grid: Callable[..., Grid],
    write_raster: Write,
    lon_west: float,
    window: Window,
) -> None:
    grid = make_grid(64, lon_west)
    values = np.random.default_rng(8).integers(1, 250, (2, *grid.shape)).astype(np.uint8)
    rows, cols = slice(window.row, window.row + window.height), grid.columns(window)
    path = write_raster(
        tmp_path / "m.tif", values[:, rows, cols], grid, transform=grid.window_transform(window)
    )
    part = Mosaic.open(path)
    assert part.grid.shape == grid.shape
    assert (part.grid.lat_north, part.grid.lat_south) == (90, -90)
    lon, lat = grid.centres(window)
    sampled, valid = part.sample(*np.broadcast_arrays(lon, lat))
    assert valid.all()
    assert np.array_equal(sampled.round(3), values[:, rows, cols])
    assert part.read_valid(part.grid.whole).sum() == window.height * window.width


def test_several_rasters_are_joined_and_the_first_counts(
    tmp_path: Path, grid: Grid, write_raster: Write
) -> None:
    values = np.random.default_rng(8).integers(1, 250, (1, *grid.shape)).astype(np.uint8)
    for name, rows, data in (("a", slice(0, 40), values), ("b", slice(30, 64), values + 1)):
        part = grid.window_transform(Window(rows.start, 0, 1, 1))
        write_raster(tmp_path / f"{name}.tif", data[:, rows], grid, transform=part)
    joined, valid = Mosaic.open(tmp_path).read(grid.whole)
    assert valid.all()
    assert np.array_equal(joined[:, :40], values[:, :40])
    assert np.array_equal(joined[:, 40:], values[:, 40:] + 1)


@pytest.mark.parametrize("unequal", ["bands", "radius"])
def test_rasters_that_do_not_belong_together_are_refused(
    tmp_path: Path, make_grid: Callable[..., Grid], write_raster: Write, unequal: str
) -> None:
    grid, other = make_grid(), make_grid(64, -180.0, R + (1000 if unequal == "radius" else 0))
    values = np.random.default_rng(8).integers(1, 250, (2, *grid.shape)).astype(np.uint8)
    write_raster(tmp_path / "a.tif", values, grid)
    write_raster(tmp_path / "b.tif", values[: 1 if unequal == "bands" else 2], other)
    with pytest.raises(MosaicError, match=r"b\.tif: .*(bands|radius).*a\.tif"):
        Mosaic.open(tmp_path)


def test_few_values_of_a_small_part_are_all_used_for_means(
    tmp_path: Path, make_grid: Callable[..., Grid], write_raster: Write
) -> None:
    grid = make_grid(4096)
    values = np.random.default_rng(8).integers(1, 250, (1, 40, 30)).astype(np.uint8)
    transform = grid.window_transform(Window(2000, 3000, 40, 30))
    mosaic = Mosaic.open(write_raster(tmp_path / "m.tif", values, grid, transform=transform))
    assert mosaic.mean_and_std[0] == pytest.approx(values.mean())


def test_a_node_registered_grid_samples_as_one_with_its_edges_at_the_poles(
    make_grid: Callable[..., Grid],
) -> None:
    """All ways of sampling agree on a grid whose outer rows are centred on the poles."""
    regular = make_grid(90)
    shift = regular.transform @ Affine.translation(0, -0.5)
    grid = replace(regular, height=91, transform=shift, lat_north=91.0, lat_south=-91.0)
    lat = np.linspace(90, -90, 91)[:, None]
    lon = grid.centres(grid.whole).lon
    values = np.stack(
        [np.sin(np.radians(lat)) + 0 * lon, np.cos(np.radians(lat)) * np.cos(np.radians(lon))]
    )
    mosaic = in_memory(values.astype(np.float32), grid)
    axis_m = np.linspace(-2e6, 2e6, 81)
    for place in ((20.0, 10.0), (-60.0, 84.0), (175.0, -80.0)):
        points = SamplingGrid.azimuthal(*place, axis_m, axis_m, 1.0)
        fast, valid = mosaic.sample_on_grid(points)
        x_m, y_m = np.meshgrid(axis_m, axis_m)
        bearing = np.degrees(np.arctan2(x_m, y_m))
        places = destination(*place, bearing, np.hypot(x_m, y_m), R)
        truth = np.stack(
            [
                np.sin(np.radians(places.lat)),
                np.cos(np.radians(places.lat)) * np.cos(np.radians(places.lon)),
            ]
        )
        assert valid.all()
        assert np.abs(fast - truth).max() < 2e-3
        assert np.abs(mosaic.sample(*places)[0] - truth).max() < 2e-3
    assert grid.row_area_m2.sum() * grid.width == pytest.approx(4 * np.pi * R**2)
    assert grid.cap_window(0, 0, 1e5).row == grid.to_pixel(0, np.degrees(1e5 / R))[1] // 1


def test_truncated_file(tmp_path: Path, grid: Grid, write_raster: Write) -> None:
    noise = np.random.default_rng(9).integers(0, 255, grid.shape).astype(np.uint8)
    path = write_raster(tmp_path / "m.tif", noise, grid)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "cannot be read" in error_message(path)


def test_mosaic_without_data_is_refused(tmp_path: Path, grid: Grid, write_raster: Write) -> None:
    ones = np.ones(grid.shape, np.uint8)
    path = write_raster(tmp_path / "m.tif", ones, grid, nodata=1)
    assert "every pixel is no-data" in error_message(path)
