"""Pictures straight from the mosaic against pyproj's geometry and SciPy's bilinear interpolation."""

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
from ejectamap.world.picture import Picture

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


def finest(picture: Picture) -> Picture:
    """The same from the mosaic itself, however coarse it is."""
    return replace(picture, spacing_m=0.0)


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
    """Along a great circle, then at right angles to it, by pyproj's geodesics."""
    corridor, geod = Corridor.between(crater, chip), Geod(a=R, b=R)
    along, across = np.broadcast_arrays(*corridor.pixel_along_across(size_px))

    def everywhere(value: float) -> np.ndarray:
        return np.full(along.shape, value)

    lon, lat, back = geod.fwd(
        everywhere(crater.lon), everywhere(crater.lat), everywhere(corridor.bearing_deg), along
    )
    lon, lat, _ = geod.fwd(lon, lat, np.asarray(back) + 180 + 90, across)
    return np.asarray(lon), np.asarray(lat)


def bilinear(values: np.ndarray, col: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Bilinear interpolation of (band, row, col) with a column more at either end and the poles' other side."""
    half = values.shape[2] // 2
    over = np.concatenate(
        [np.roll(values[:, :1], half, 2), values, np.roll(values[:, -1:], half, 2)], 1
    )
    wide = np.concatenate([over[..., -1:], over, over[..., :1]], 2).astype(float)
    return np.stack([map_coordinates(band, [row + 0.5, col + 0.5], order=1) for band in wide])


@pytest.fixture(scope="module")
def index_mosaic(make_grid: MakeGrid, make_mosaic: MakeMosaic) -> Mosaic:
    """A mosaic whose two bands are its own columns and rows: a sample tells where it was taken."""
    grid = make_grid(2048)
    rows, cols = np.mgrid[: grid.height, : grid.width]
    return make_mosaic(np.stack([cols, rows]).astype(np.float32) + 0.5, grid)


def misplacement_px(mosaic: Mosaic, found: np.ndarray, lon: np.ndarray, lat: np.ndarray) -> float:
    """Largest error of places in pixels of a full-size mosaic, off the seams, where the bands step."""
    grid = mosaic.grid
    col, row = grid.to_pixel(lon, lat)
    smooth = (col > 0.5) & (col < grid.width - 0.5) & (row > 0.5) & (row < grid.height - 0.5)
    error_px = np.abs(found - np.stack([col, row]))[:, smooth]
    return float(error_px.max()) * FULL_WIDTH / grid.width


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("chip", CHIPS)
def test_a_chip_is_taken_where_pyproj_says(
    index_mosaic: Mosaic, place: tuple[float, float], chip: Chip
) -> None:
    crater = crater_at(place)
    found, valid = index_mosaic.sample_picture(finest(chip.picture(crater, 96)))
    assert valid.all()
    assert misplacement_px(index_mosaic, found, *chip_places(crater, chip, 96)) < 0.05


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("chip", CHIPS[1:])
def test_a_corridor_is_taken_where_pyproj_says(
    index_mosaic: Mosaic, place: tuple[float, float], chip: Chip
) -> None:
    crater = crater_at(place)
    picture = Corridor.between(crater, chip).picture(crater, (192, 48))
    found, valid = index_mosaic.sample_picture(finest(picture))
    assert valid.all()
    places = corridor_places(crater, chip, (192, 48))
    assert misplacement_px(index_mosaic, found, *places) < 0.05


@pytest.mark.parametrize("spacing_px", [1.0, 4.0])
@pytest.mark.parametrize("lat", [0.0, 40.0, 65.0, 75.0, 80.0, 84.0, 87.0, 89.0])
def test_interpolated_places_are_right_towards_the_poles(
    make_grid: MakeGrid, make_mosaic: MakeMosaic, lat: float, spacing_px: float
) -> None:
    """Chips of 224 pixels in the middle of the frame and far away from it, in pixels of the mosaic itself."""
    grid = make_grid(2048)
    rows, cols = np.mgrid[: grid.height, : grid.width]
    mosaic = make_mosaic(np.stack([cols, rows]).astype(np.float32) + 0.5, grid)
    side_m = 224 * spacing_px * grid.pixel_m
    for crater, chip in (
        (crater_at((7.0, lat)), Chip(0.0, 0.0, side_m)),
        (crater_at((7.0, -20.0)), Chip(1e5, np.radians(lat + 20.0) * R, side_m)),
    ):
        found, valid = mosaic.sample_picture(finest(chip.picture(crater, 224)))
        col, row = grid.to_pixel(*chip_places(crater, chip, 224))
        smooth = (np.abs(col - grid.width / 2) < grid.width / 2 - 1) & (row > 0.5)
        assert valid.all()
        assert np.abs(found - np.stack([col, row]))[:, smooth].max() < 0.02


@pytest.fixture(scope="module")
def smooth_mosaic(make_grid: MakeGrid, make_mosaic: MakeMosaic) -> Mosaic:
    """Three bands of eight bits that vary smoothly over the sphere, from 0 to 360 degrees."""
    grid = make_grid(512, 0.0)
    lon, lat = (np.radians(v) for v in grid.centres(grid.whole))
    x, y, z = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat) + 0 * lon
    bands = np.stack([np.sin(9 * x + y), np.cos(7 * y - 5 * z), np.sin(8 * z + 4 * x)])
    return make_mosaic(np.rint(127 + 120 * bands).astype(np.uint8), grid)


@pytest.mark.parametrize("place", PLACES)
def test_smooth_pictures_are_right_to_a_count(
    smooth_mosaic: Mosaic, place: tuple[float, float]
) -> None:
    crater, chip = crater_at(place), Chip(900e3, -1300e3, 700e3)
    level = np.moveaxis(smooth_mosaic.levels[0], -1, 0)
    found, valid = chip.sample(smooth_mosaic, crater, 224)
    col, row = smooth_mosaic.grid.to_pixel(*chip_places(crater, chip, 224))
    assert valid.all()
    assert np.abs(found - bilinear(level, col, row)).max() < 0.05
    found, valid = Corridor.between(crater, chip).sample(smooth_mosaic, crater, (224, 56))
    col, row = smooth_mosaic.grid.to_pixel(*corridor_places(crater, chip, (224, 56)))
    assert valid.all()
    assert np.abs(found - bilinear(level, col, row)).max() < 1


@pytest.mark.parametrize("place", PLACES)
def test_pictures_beside_no_data_are_as_places_one_by_one(
    make_grid: MakeGrid, make_mosaic: MakeMosaic, place: tuple[float, float]
) -> None:
    grid, rng = make_grid(128), np.random.default_rng(0)
    values = rng.integers(0, 255, (2, *grid.shape)).astype(np.uint8)
    mosaic = make_mosaic(values, grid, rng.random(grid.shape) > 0.3)
    crater, chip = crater_at(place), Chip(300e3, 500e3, 2e6)
    for picture, places, spacing_m in (
        (chip.sample(mosaic, crater, 50), chip.places(crater, R, 50), chip.side_m / 50),
        (
            (corridor := Corridor.between(crater, chip)).sample(mosaic, crater, (80, 20)),
            corridor.places(crater, R, (80, 20)),
            corridor.length_m / 80,
        ),
    ):
        values, valid = mosaic.sample(*places, spacing_m)
        assert 0 < valid.mean() < 1
        # At half of the weight a hundredth of a pixel decides, and from pixel to pixel is all of the range.
        assert (picture[1] == valid).mean() > 0.997
        both = valid & picture[1]
        assert np.abs(picture[0] - values)[:, both].max() < 1
        assert (picture[0][:, ~picture[1]] == 0).all()


def test_threads_make_no_difference(smooth_mosaic: Mosaic) -> None:
    crater = crater_at(PLACES[1])
    chips = [Chip(x, 500e3, 300e3) for x in np.linspace(-2e6, 2e6, 40)]
    alone = [chip.sample(smooth_mosaic, crater, 64)[0] for chip in chips]
    with ThreadPoolExecutor(4) as pool:
        together = pool.map(lambda chip: chip.sample(smooth_mosaic, crater, 64)[0], chips)
        assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))
