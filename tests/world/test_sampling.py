"""Values on sampling grids compared with pyproj's geometry and SciPy's bilinear interpolation."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from pyproj import CRS, Geod, Transformer
from scipy.ndimage import map_coordinates

from ejectamap.views.chip import Chip
from ejectamap.views.corridor import Corridor
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sampling_grid import SamplingGrid

R = 2_439_400.0
FULL_WIDTH = 23_040
MakeGrid, MakeMosaic = Callable[..., Grid], Callable[..., Mosaic]
PLACES = [(20, 10), (-179.99, -35), (0.01, 71), (77, 89.9), (-120, -90), (179.7, 0)]
CHIPS = [
    Chip(0.0, 0.0, 149e3),
    Chip(-700e3, 900e3, 149e3),
    Chip(4e6, -3e6, 149e3),
    Chip(0.0, -7.2e6, 600e3),
]


def crater_at(place: tuple[float, float]) -> Crater:
    return Crater(1, "A", *place, 30e3)


def at_full_resolution(points: SamplingGrid) -> SamplingGrid:
    """The same grid, sampled from the finest level of the pyramid."""
    return replace(points, spacing_m=0.0)


def chip_places(crater: Crater, chip: Chip, size_px: int) -> tuple[np.ndarray, np.ndarray]:
    about = {"proj": "aeqd", "lon_0": crater.lon, "lat_0": crater.lat, "R": R}
    back = Transformer.from_crs(
        CRS.from_dict(about), CRS.from_dict({"proj": "longlat", "R": R}), always_xy=True
    )
    lon, lat = back.transform(*np.broadcast_arrays(*chip.pixel_xy(size_px)))
    return np.asarray(lon), np.asarray(lat)


def corridor_places(
    crater: Crater, chip: Chip, size_px: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Places of a corridor's points by pyproj's geodesics: along a great circle, then at right angles to it."""
    corridor, geod = Corridor.between(crater, chip), Geod(a=R, b=R)
    along, across = np.broadcast_arrays(*corridor.pixel_along_across(size_px))

    def constant(value: float) -> np.ndarray:
        return np.full(along.shape, value)

    lon, lat, back = geod.fwd(
        constant(crater.lon), constant(crater.lat), constant(corridor.bearing_deg), along
    )
    lon, lat, _ = geod.fwd(lon, lat, np.asarray(back) + 180 + 90, across)
    return np.asarray(lon), np.asarray(lat)


def bilinear(values: np.ndarray, col: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Bilinear interpolation of (band, row, col) with one more column at either end and rows across the poles."""
    half = values.shape[2] // 2
    over = np.concatenate(
        [np.roll(values[:, :1], half, 2), values, np.roll(values[:, -1:], half, 2)], 1
    )
    wide = np.concatenate([over[..., -1:], over, over[..., :1]], 2).astype(float)
    return np.stack([map_coordinates(band, [row + 0.5, col + 0.5], order=1) for band in wide])


@pytest.fixture(scope="module")
def index_mosaic(make_grid: MakeGrid, make_mosaic: MakeMosaic) -> Mosaic:
    """A mosaic whose two bands are its own columns and rows: a sample is the position where it was taken."""
    grid = make_grid(2048)
    rows, cols = np.mgrid[: grid.height, : grid.width]
    return make_mosaic(np.stack([cols, rows]).astype(np.float32) + 0.5, grid)


def position_error_px(
    mosaic: Mosaic, samples: np.ndarray, lon: np.ndarray, lat: np.ndarray
) -> float:
    """Largest position error, in pixels of a full-size mosaic, except at the seams, where the bands jump."""
    grid = mosaic.grid
    col, row = grid.to_pixel(lon, lat)
    smooth = (col > 0.5) & (col < grid.width - 0.5) & (row > 0.5) & (row < grid.height - 0.5)
    error_px = np.abs(samples - np.stack([col, row]))[:, smooth]
    return float(error_px.max()) * FULL_WIDTH / grid.width


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("chip", CHIPS)
def test_chip_positions_agree_with_pyproj(
    index_mosaic: Mosaic, place: tuple[float, float], chip: Chip
) -> None:
    crater = crater_at(place)
    samples, valid = index_mosaic.sample_on_grid(at_full_resolution(chip.sampling_grid(crater, 96)))
    assert valid.all()
    assert position_error_px(index_mosaic, samples, *chip_places(crater, chip, 96)) < 0.05


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("chip", CHIPS[1:])
def test_corridor_positions_agree_with_pyproj(
    index_mosaic: Mosaic, place: tuple[float, float], chip: Chip
) -> None:
    crater = crater_at(place)
    points = Corridor.between(crater, chip).sampling_grid(crater, (192, 48))
    samples, valid = index_mosaic.sample_on_grid(at_full_resolution(points))
    assert valid.all()
    places = corridor_places(crater, chip, (192, 48))
    assert position_error_px(index_mosaic, samples, *places) < 0.05


@pytest.mark.parametrize("spacing_px", [1.0, 4.0])
@pytest.mark.parametrize("lat", [0.0, 40.0, 65.0, 75.0, 80.0, 84.0, 87.0, 89.0])
def test_interpolated_positions_are_exact_towards_the_poles(
    make_grid: MakeGrid, make_mosaic: MakeMosaic, lat: float, spacing_px: float
) -> None:
    """For chips of 224 pixels at the centre of the frame and far from it; errors in pixels of the small mosaic."""
    grid = make_grid(2048)
    rows, cols = np.mgrid[: grid.height, : grid.width]
    mosaic = make_mosaic(np.stack([cols, rows]).astype(np.float32) + 0.5, grid)
    side_m = 224 * spacing_px * grid.pixel_m
    for crater, chip in (
        (crater_at((7.0, lat)), Chip(0.0, 0.0, side_m)),
        (crater_at((7.0, -20.0)), Chip(1e5, np.radians(lat + 20.0) * R, side_m)),
    ):
        samples, valid = mosaic.sample_on_grid(at_full_resolution(chip.sampling_grid(crater, 224)))
        col, row = grid.to_pixel(*chip_places(crater, chip, 224))
        smooth = (np.abs(col - grid.width / 2) < grid.width / 2 - 1) & (row > 0.5)
        assert valid.all()
        assert np.abs(samples - np.stack([col, row]))[:, smooth].max() < 0.02


@pytest.fixture(scope="module")
def smooth_mosaic(make_grid: MakeGrid, make_mosaic: MakeMosaic) -> Mosaic:
    """Three bands of eight bits that vary smoothly over the sphere, from 0 to 360 degrees."""
    grid = make_grid(512, 0.0)
    lon, lat = (np.radians(v) for v in grid.centres(grid.whole))
    x, y, z = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat) + 0 * lon
    bands = np.stack([np.sin(9 * x + y), np.cos(7 * y - 5 * z), np.sin(8 * z + 4 * x)])
    return make_mosaic(np.rint(127 + 120 * bands).astype(np.uint8), grid)


@pytest.mark.parametrize("place", PLACES)
def test_values_of_a_smooth_mosaic_agree_with_scipy(
    smooth_mosaic: Mosaic, place: tuple[float, float]
) -> None:
    crater, chip = crater_at(place), Chip(900e3, -1300e3, 700e3)
    level = np.moveaxis(smooth_mosaic.levels[0], -1, 0)
    samples, valid = smooth_mosaic.sample_on_grid(chip.sampling_grid(crater, 224))
    col, row = smooth_mosaic.grid.to_pixel(*chip_places(crater, chip, 224))
    assert valid.all()
    assert np.abs(samples - bilinear(level, col, row)).max() < 0.05
    samples, valid = smooth_mosaic.sample_on_grid(
        Corridor.between(crater, chip).sampling_grid(crater, (224, 56))
    )
    col, row = smooth_mosaic.grid.to_pixel(*corridor_places(crater, chip, (224, 56)))
    assert valid.all()
    assert np.abs(samples - bilinear(level, col, row)).max() < 1


@pytest.mark.parametrize("place", PLACES)
def test_grids_next_to_no_data_agree_with_single_places(
    make_grid: MakeGrid, make_mosaic: MakeMosaic, place: tuple[float, float]
) -> None:
    grid, rng = make_grid(128), np.random.default_rng(0)
    values = rng.integers(0, 255, (2, *grid.shape)).astype(np.uint8)
    mosaic = make_mosaic(values, grid, rng.random(grid.shape) > 0.3)
    crater, chip = crater_at(place), Chip(300e3, 500e3, 2e6)
    for (grid_values, grid_valid), places, spacing_m in (
        (
            mosaic.sample_on_grid(chip.sampling_grid(crater, 50)),
            chip.places(crater, R, 50),
            chip.side_m / 50,
        ),
        (
            mosaic.sample_on_grid(
                (corridor := Corridor.between(crater, chip)).sampling_grid(crater, (80, 20))
            ),
            corridor.places(crater, R, (80, 20)),
            corridor.length_m / 80,
        ),
    ):
        values, valid = mosaic.sample(*places, spacing_m)
        assert 0 < valid.mean() < 1
        # Where half of the weight is valid, a position error of 0.01 pixels decides; values vary over the full range.
        assert (grid_valid == valid).mean() > 0.997
        both = valid & grid_valid
        assert np.abs(grid_values - values)[:, both].max() < 1
        assert (grid_values[:, ~grid_valid] == 0).all()


def test_threads_give_equal_values(smooth_mosaic: Mosaic) -> None:
    crater = crater_at(PLACES[1])
    chips = [Chip(x, 500e3, 300e3) for x in np.linspace(-2e6, 2e6, 40)]
    sequential = [smooth_mosaic.sample_on_grid(chip.sampling_grid(crater, 64))[0] for chip in chips]
    with ThreadPoolExecutor(4) as pool:
        concurrent = pool.map(
            lambda chip: smooth_mosaic.sample_on_grid(chip.sampling_grid(crater, 64))[0], chips
        )
        assert all(np.array_equal(a, b) for a, b in zip(sequential, concurrent, strict=True))
