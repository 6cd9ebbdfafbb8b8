from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ejectamap.world.grid import Grid, Window, overlap_matrix, windows_overlap
from ejectamap.world.sphere import destination, distance

R = 2_439_400.0
WESTS = [-180.0, 0.0]


def test_pixel_size(grid: Grid) -> None:
    assert grid.pixel_m == pytest.approx(np.pi * R / 64)
    assert grid.shape == (64, 128)
    assert grid.whole.shape == grid.shape


@pytest.mark.parametrize("west", WESTS)
def test_pixels_to_places_and_back(make_grid: Callable[..., Grid], west: float) -> None:
    grid = make_grid(lon_west=west)
    col, row = np.meshgrid(np.arange(128) + 0.5, np.arange(64) + 0.5)
    lon, lat = grid.to_lonlat(col, row)
    assert lon.min() >= -180
    assert lon.max() < 180
    back = grid.to_pixel(lon, lat)
    assert np.allclose(back, (col, row), rtol=0, atol=1e-9)


def test_corner_pixels(grid: Grid, make_grid: Callable[..., Grid]) -> None:
    pixel_deg = 180 / 64
    assert grid.to_lonlat(0.5, 0.5) == (-180 + pixel_deg / 2, 90 - pixel_deg / 2)
    assert make_grid(lon_west=0).to_lonlat(0.5, 0.5).lon == pixel_deg / 2
    assert make_grid(lon_west=0).to_lonlat(127.5, 0.5).lon == pytest.approx(-pixel_deg / 2)


@pytest.mark.parametrize("west", WESTS)
def test_column_is_always_inside(make_grid: Callable[..., Grid], west: float) -> None:
    lon = np.array([-180, 180, 360, 0, -1e-300, -1e-14, 540, np.nextafter(180, 0), -179.999999999])
    col, _ = make_grid(lon_west=west).to_pixel(lon, 0.0)
    assert (col >= 0).all()
    assert (col < 128).all()


def test_row_areas_sum_to_the_sphere(grid: Grid) -> None:
    assert grid.row_area_m2.shape == (64,)
    assert grid.row_area_m2.sum() * grid.width == pytest.approx(4 * np.pi * R**2, rel=1e-12)
    assert np.allclose(grid.row_area_m2, grid.row_area_m2[::-1])
    assert grid.row_area_m2[31] == pytest.approx(grid.pixel_m**2, rel=1e-3)


def test_a_window_wraps_over_the_right_edge(grid: Grid) -> None:
    window = Window(10, 126, 2, 4)
    assert grid.columns(window).tolist() == [126, 127, 0, 1]
    lon, lat = grid.centres(window)
    assert lon.shape == (1, 4)
    assert lat.shape == (2, 1)
    whole = grid.centres(grid.whole)
    assert np.array_equal(lon[0], whole.lon[0, [126, 127, 0, 1]])
    assert np.array_equal(lat[:, 0], whole.lat[10:12, 0])


def test_window_transform_moves_the_corner(grid: Grid) -> None:
    transform = grid.window_transform(Window(3, 5, 2, 2))
    assert transform @ (0.0, 0.0) == pytest.approx(grid.transform @ (5.0, 3.0))


@pytest.mark.parametrize("west", WESTS)
def test_window_of_inverts_window_transform(make_grid: Callable[..., Grid], west: float) -> None:
    grid = make_grid(lon_west=west)
    for window in (grid.whole, Window(3, 5, 2, 7), Window(60, 127, 4, 1)):
        assert grid.window_of(grid.window_transform(window), window.shape) == window


@pytest.mark.parametrize(
    ("window", "west", "centre"),
    [
        (Window(0, 0, 64, 128), -180.0, (0.0, 0.0)),
        (Window(0, 0, 64, 128), 0.0, (-180.0, 0.0)),
        (Window(16, 126, 32, 4), -180.0, (-180.0, 0.0)),  # over the dateline
        (Window(16, 126, 32, 4), 0.0, (0.0, 0.0)),
        (Window(0, 127, 1, 1), -180.0, (180 - 180 / 128, 90 - 180 / 128)),
        (Window(0, 127, 1, 2), -180.0, (-180.0, 90 - 180 / 128)),
    ],
)
def test_window_centre(
    make_grid: Callable[..., Grid], window: Window, west: float, centre: tuple[float, float]
) -> None:
    grid = make_grid(lon_west=west)
    assert grid.window_centre(window) == pytest.approx(centre, abs=1e-12)
    lon, lat = grid.window_centres([window, window])
    assert lon.tolist() == [grid.window_centre(window).lon] * 2
    assert lat.tolist() == [grid.window_centre(window).lat] * 2


def test_no_windows_have_no_centres(grid: Grid) -> None:
    lon, lat = grid.window_centres([])
    assert lon.shape == lat.shape == (0,)


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        (Window(0, 0, 2, 2), Window(1, 1, 2, 2), True),
        (Window(0, 0, 2, 2), Window(2, 0, 2, 2), False),  # side by side: no common row
        (Window(0, 0, 2, 2), Window(0, 2, 2, 2), False),  # no common column
        (Window(0, 126, 2, 4), Window(0, 1, 2, 2), True),  # the first wraps around
        (Window(0, 126, 2, 4), Window(0, 2, 2, 2), False),
        (Window(0, 126, 2, 4), Window(0, 127, 2, 4), True),  # both wrap around
        (Window(0, 0, 2, 128), Window(1, 127, 1, 1), True),  # the first holds whole rows
        (Window(0, 64, 2, 128), Window(1, 63, 1, 1), True),
        (Window(0, 0, 0, 0), Window(0, 0, 2, 2), False),  # empty
        (Window(1, 1, 1, 0), Window(0, 0, 4, 4), False),
    ],
)
def test_windows_overlap(first: Window, second: Window, overlap: bool) -> None:
    assert windows_overlap(first, second, 128) is overlap
    assert windows_overlap(second, first, 128) is overlap


WINDOWS = st.builds(
    Window, st.integers(0, 11), st.integers(0, 11), st.integers(0, 6), st.integers(0, 12)
)


@given(st.lists(WINDOWS, max_size=5), st.lists(WINDOWS, max_size=5))
def test_overlap_matrix_agrees_with_sets_of_pixels(
    first: list[Window], second: list[Window]
) -> None:
    def pixels(window: Window) -> set[tuple[int, int]]:
        rows = range(window.row, window.row + window.height)
        cols = range(window.col, window.col + window.width)
        return {(row, col % 12) for row in rows for col in cols}

    matrix = overlap_matrix(first, second, 12)
    assert matrix.shape == (len(first), len(second))
    assert matrix.tolist() == [[bool(pixels(a) & pixels(b)) for b in second] for a in first]


def window_mask(grid: Grid, window: Window) -> np.ndarray:
    mask = np.zeros(grid.shape, bool)
    mask[window.row : window.row + window.height, grid.columns(window)] = True
    return mask


def assert_holds_cap(grid: Grid, lon: float, lat: float, radius_m: float) -> None:
    """Check that every pixel with its centre in the cap or under its rim is in the window."""
    mask = window_mask(grid, grid.cap_window(lon, lat, radius_m))
    inside = distance(lon, lat, *grid.centres(grid.whole), R) <= radius_m
    assert not (inside & ~mask).any()
    rim = destination(lon, lat, np.arange(0, 360, 0.5), radius_m * (1 - 1e-9), R)
    col, row = (v.astype(int) for v in grid.to_pixel(*rim))
    assert mask[np.minimum(row, grid.height - 1), col].all()


@settings(max_examples=200)
@given(
    st.floats(-180, 179.999),
    st.floats(-90, 90),
    st.floats(1e3, np.pi * R),
    st.sampled_from(WESTS),
)
def test_cap_window_holds_the_cap(
    make_grid: Callable[..., Grid], lon: float, lat: float, radius_m: float, west: float
) -> None:
    assert_holds_cap(make_grid(lon_west=west), lon, lat, radius_m)


@pytest.mark.parametrize("west", WESTS)
@pytest.mark.parametrize("lon", [-180.0, 179.9, 0.0, -0.1, 90.0])
@pytest.mark.parametrize("lat", [90.0, -90.0, 85.0, -60.0, 0.0])
def test_cap_window_at_seams_and_poles(
    make_grid: Callable[..., Grid], west: float, lon: float, lat: float
) -> None:
    assert_holds_cap(make_grid(lon_west=west), lon, lat, 0.1 * np.pi * R)


def test_cap_window_is_tight(grid: Grid) -> None:
    window = grid.cap_window(0.0, 0.0, np.radians(10) * R)
    assert window == Window(28, 60, 8, 8)


def test_cap_window_at_the_edge_takes_whole_rows(grid: Grid) -> None:
    window = grid.cap_window(179.0, 0.0, np.radians(10) * R)
    assert (window.col, window.width) == (0, grid.width)


def test_strips_cover_a_window_once(grid: Grid) -> None:
    window = Window(5, 120, 11, 20)
    strips = list(grid.strips(window, 65))
    assert [s.row for s in strips] == [5, 8, 11, 14]
    assert sum(s.height for s in strips) == 11
    assert all((s.col, s.width) == (120, 20) for s in strips)
    assert len(list(grid.strips(window, 1))) == 11


def test_blocks_cover_a_window_once_and_wrap_around(grid: Grid) -> None:
    window = Window(5, grid.width - 3, 11, 20)
    blocks = list(grid.blocks(window, 8))
    count = np.zeros(grid.shape, int)
    for block in blocks:
        assert 0 <= block.col < grid.width
        count[block.row : block.row + block.height, grid.columns(block)] += 1
    inside = np.zeros(grid.shape, int)
    inside[5:16, grid.columns(window)] = 1
    assert (count == inside).all()
    assert max(max(block.shape) for block in blocks) == 8
