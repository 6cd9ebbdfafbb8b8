from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ejectamap.views.chip import Chip, largest_chip
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.sphere import (
    azimuthal_forward,
    azimuthal_inverse,
    destination,
    distance,
)

R = 2_439_400.0


def crater_at(lon: float, lat: float, radius_m: float = 40e3) -> Crater:
    return Crater(1, "A", lon, lat, radius_m)


def outline(crater: Crater, window: Window, grid: Grid, points: int) -> np.ndarray:
    """Azimuthal coordinates (2, 4 points) of a tile's outline."""
    s, zero, one = np.linspace(0, 1, points), np.zeros(points), np.ones(points)
    cols = window.col + window.width * np.concatenate([s, one, s, zero])
    rows = window.row + window.height * np.concatenate([zero, s, one, s])
    lon, lat = grid.to_lonlat(cols, rows)
    return np.stack(azimuthal_forward(lon, lat, crater.lon, crater.lat, grid.radius_m))


def fraction_outside(
    x: np.ndarray, y: np.ndarray, crater: Crater, window: Window, grid: Grid
) -> np.ndarray:
    """Distance on the ground by which places lie outside a tile, as a fraction of its height; 0 inside."""
    lon, lat = azimuthal_inverse(x, y, crater.lon, crater.lat, grid.radius_m)
    col, row = grid.to_pixel(lon, lat)
    across = (col - window.col + grid.width / 2) % grid.width - grid.width / 2
    beyond_cols = np.maximum(np.maximum(-across, across - window.width), 0) * np.cos(
        np.radians(lat)
    )
    beyond_rows = np.maximum(np.maximum(window.row - row, row - window.row - window.height), 0)
    return np.maximum(beyond_cols, beyond_rows) / window.height


def largest_side_by_brute_force(crater: Crater, window: Window, grid: Grid) -> float:
    """Side of the largest square around any of 1600 places in the tile that contains no point of the outline."""
    edge = outline(crater, window, grid, 400)
    cols, rows = np.meshgrid((np.arange(40) + 0.5) / 40, (np.arange(40) + 0.5) / 40)
    lon, lat = grid.to_lonlat(
        window.col + window.width * cols.ravel(), window.row + window.height * rows.ravel()
    )
    centres = np.stack(azimuthal_forward(lon, lat, crater.lon, crater.lat, grid.radius_m))
    half = np.abs(centres[:, :, None] - edge[:, None, :]).max(axis=0).min(axis=1)
    return float(2 * half.max())


def random_pair(rng: np.random.Generator, grid: Grid) -> tuple[Crater, Window]:
    """A crater anywhere and a tile within its reach, which may cross the dateline or be near a pole."""
    crater = crater_at(rng.uniform(-180, 180), np.degrees(np.arcsin(rng.uniform(-0.99, 0.99))))
    height = int(rng.integers(6, 24))
    lon, lat = destination(
        crater.lon, crater.lat, rng.uniform(0, 360), rng.uniform(0, 0.6) * np.pi * R, R
    )
    col, row = grid.to_pixel(lon, lat)
    top = int(np.clip(row - height / 2, 0, grid.height - height))
    middle = 90 - (top + height / 2) * 180 / grid.height
    width = min(int(height / np.cos(np.radians(middle))), grid.width // 3)
    return crater, Window(top, int(col), height, width)


def test_the_first_pixel_of_a_chip_is_in_the_north_west() -> None:
    chip = Chip(300.0, 400.0, 200.0)
    x, y = chip.pixel_xy(4)
    assert x.shape == (1, 4)
    assert y.shape == (4, 1)
    assert x.ravel() == pytest.approx([225, 275, 325, 375])
    assert y.ravel() == pytest.approx([475, 425, 375, 325])
    assert chip.distance_m == pytest.approx(500)
    assert chip.bearing_deg == pytest.approx(np.degrees(np.arctan2(3, 4)))


@pytest.mark.parametrize(("lon", "lat"), [(20, 10), (-180, -35), (77, 89.9)])
def test_places_of_a_chip_keep_its_distance_and_bearing(lon: float, lat: float) -> None:
    crater, chip = crater_at(lon, lat), Chip(-400e3, 250e3, 100e3)
    places = chip.places(crater, R, 5)
    expected = destination(lon, lat, chip.bearing_deg, chip.distance_m, R)
    middle = places.lon[2, 2], places.lat[2, 2]
    assert distance(*middle, *expected, R) == pytest.approx(0, abs=1e-3)
    x, y = azimuthal_forward(*places, lon, lat, R)
    assert np.allclose(x, chip.pixel_xy(5)[0], atol=1e-3)
    assert np.allclose(y, chip.pixel_xy(5)[1], atol=1e-3)


@given(
    lon=st.floats(-180, 179),
    lat=st.floats(-90, 90),
    bearing=st.floats(0, 360),
    distance_m=st.floats(0, 3e6),
)
@settings(max_examples=40)
def test_a_chip_has_the_values_of_the_mosaic_at_its_places(
    turned_planet: Callable, lon: float, lat: float, bearing: float, distance_m: float
) -> None:
    mosaic, crater = turned_planet(20.0, 10.0).mosaic, crater_at(lon, lat)
    x_m = distance_m * np.sin(np.radians(bearing))
    y_m = distance_m * np.cos(np.radians(bearing))
    chip = Chip(x_m, y_m, 300e3)
    values, valid = mosaic.sample_on_grid(chip.sampling_grid(crater, 24))
    expected, known = mosaic.sample(*chip.places(crater, R, 24), chip.side_m / 24)
    assert valid.all()
    assert known.all()
    # The sampling grid's coordinates are within 0.01 pixels, across which values of -1 to 1 change by less than this.
    assert np.abs(values - expected).max() < 2e-3


def test_largest_chip_is_inside_the_tile_and_no_larger_one_is(
    make_grid: Callable[..., Grid],
) -> None:
    grid = make_grid(180)
    rng = np.random.default_rng(0)
    for _ in range(60):
        crater, window = random_pair(rng, grid)
        chip = largest_chip(crater, window, grid)
        tile_side_m = window.height * grid.pixel_m
        largest_m = min(largest_side_by_brute_force(crater, window, grid), tile_side_m)
        assert chip.side_m <= tile_side_m * (1 + 1e-9)
        assert chip.side_m >= 0.97 * largest_m, (crater, window)
        edge = np.linspace(-0.5, 0.5, 40) * chip.side_m
        ends = np.full(40, 0.5 * chip.side_m)
        x = chip.x_m + np.concatenate([edge, edge, ends, -ends])
        y = chip.y_m + np.concatenate([ends, -ends, edge, edge])
        assert fraction_outside(x, y, crater, window, grid).max() < 0.03, (crater, window)


@pytest.mark.parametrize("lon", [0.0, 33.0, -179.9])
def test_the_chip_of_a_tile_around_a_crater_on_the_equator_is_the_tile(
    make_grid: Callable[..., Grid], lon: float
) -> None:
    grid = make_grid(512)
    crater = crater_at(lon, 0.0)
    col, row = (int(v) for v in grid.to_pixel(lon, 0.0))
    chip = largest_chip(crater, Window(row - 8, (col - 8) % grid.width, 16, 16), grid)
    assert chip.side_m == pytest.approx(16 * grid.pixel_m, rel=0.01)
    assert chip.distance_m < grid.pixel_m


def test_the_chip_of_the_smallest_tile_is_a_pixel_wide(grid: Grid) -> None:
    chip = largest_chip(crater_at(0, 0), Window(20, 60, 1, 1), grid)
    assert chip.side_m == pytest.approx(grid.pixel_m)
