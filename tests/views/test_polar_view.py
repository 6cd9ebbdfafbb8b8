from collections.abc import Callable

import numpy as np
import pytest

from ejectamap.simulation.planet import Planet
from ejectamap.views.inputs import polar_input
from ejectamap.views.polar import PolarView, polar_size
from ejectamap.views.scaling import ChannelScaling
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.sphere import azimuthal_forward, bearing, distance

R = 2_439_400.0
REACH_M = 0.25 * np.pi * R


def test_a_mask_sampled_in_the_view_and_resampled_to_the_grid_is_the_mask(planet: Planet) -> None:
    grid, true_positives, wrong = planet.mosaic.grid, 0, 0
    for crater in planet.craters:
        size = polar_size(crater.reach, 256, 640)
        view = PolarView(crater, grid.radius_m, crater.reach_m(grid.radius_m), *size)
        places = view.places()
        truth = planet.truth.sample(crater.crater_id, places.lon, places.lat)
        window = grid.cap_window(crater.lon, crater.lat, view.range_m)
        resampled = view.to_grid(truth.astype(np.float32), grid, window)
        expected = planet.truth.read(crater.crater_id, window)
        within = ~np.isnan(resampled)
        mask = resampled > 0.5
        true_positives += (mask & expected)[within].sum()
        wrong += (mask ^ expected)[within].sum()
    assert true_positives > 2000
    assert 2 * true_positives / (2 * true_positives + wrong) > 0.99


@pytest.mark.parametrize(("lon", "lat"), [(20, 10), (-180, -35), (77, 89.9), (0, -90)])
def test_cells_have_the_range_of_their_row_and_the_azimuth_of_their_column(
    lon: float, lat: float
) -> None:
    view = PolarView(Crater(1, "A", lon, lat, 40e3), R, REACH_M, 32, 64, turn_deg=30)
    places = view.places()
    distance_m = distance(lon, lat, places.lon, places.lat, R)
    assert np.allclose(distance_m, view.row_ranges_m()[:, None], atol=1e-3)
    theta = bearing(lon, lat, places.lon, places.lat)
    error_deg = (theta - view.column_bearings_deg() + 180) % 360 - 180
    assert np.abs(error_deg).max() < 1e-3
    edges = view.row_edges_m()
    assert edges[0] == pytest.approx(20e3)
    assert edges[-1] == pytest.approx(REACH_M)
    assert ((edges[:-1] < view.row_ranges_m()) & (view.row_ranges_m() < edges[1:])).all()


def test_the_areas_of_cells_add_up_to_that_of_the_ring() -> None:
    view = PolarView(Crater(1, "A", 0, 0, 40e3), R, REACH_M, 32, 64)
    ring = 2 * np.pi * R**2 * (np.cos(20e3 / R) - np.cos(REACH_M / R))
    assert view.cell_area_m2().sum() * 64 == pytest.approx(ring)
    assert view.cell_spacing_m() ** 2 == pytest.approx(view.cell_area_m2())


def test_turning_the_view_shifts_the_columns(turned_planet: Callable) -> None:
    world = turned_planet(20, 10)
    views = [PolarView(world.crater, R, REACH_M, 32, 64, turn_deg=turn) for turn in (0.0, 360 / 64)]
    scaling = ChannelScaling((0.0, 0.0), (1.0, 1.0))
    straight, turned = (polar_input(world.mosaic, scaling, view, []) for view in views)
    assert np.abs(turned - np.roll(straight, -1, axis=-1)).max() < 1e-4
    assert np.abs(turned - straight).max() > 0.05


@pytest.mark.parametrize(("lon", "lat"), [(20, 10), (-179.9, -35), (77, 89.9), (0, -90)])
@pytest.mark.parametrize("turn_deg", [0.0, 123.0])
def test_resampling_to_the_grid_across_dateline_and_pole(
    make_grid: Callable[..., Grid], lon: float, lat: float, turn_deg: float
) -> None:
    grid = make_grid(128)
    crater = Crater(1, "A", lon, lat, 40e3)
    view = PolarView(crater, R, REACH_M, 128, 256, turn_deg=turn_deg)

    def pattern(range_m: np.ndarray, bearing_deg: np.ndarray) -> np.ndarray:
        return np.sin(range_m / 4e5) + range_m / REACH_M * np.cos(np.radians(2 * bearing_deg))

    values = pattern(view.row_ranges_m()[:, None], view.column_bearings_deg()[None, :])
    window = grid.cap_window(lon, lat, REACH_M)
    resampled = view.to_grid(values.astype(np.float32), grid, window)
    assert resampled.dtype == np.float32
    x, y = azimuthal_forward(*grid.centres(window), lon, lat, R)
    range_m = np.hypot(x, y)
    assert np.array_equal(np.isnan(resampled), range_m > REACH_M)
    expected = pattern(range_m, np.degrees(np.arctan2(x, y)))
    ring = (range_m < view.row_ranges_m()[-1]) & (range_m > view.row_ranges_m()[0])
    assert np.abs(resampled - expected)[ring].max() < 5e-3


def test_the_grid_is_filled_up_to_the_crater_s_centre(make_grid: Callable[..., Grid]) -> None:
    grid = make_grid(512)
    view = PolarView(Crater(1, "A", 3, 4, 200e3), R, REACH_M, 32, 64)
    window = grid.cap_window(3, 4, 90e3)
    assert (view.to_grid(np.ones(view.shape, np.float32), grid, window) == 1).all()


@pytest.mark.parametrize(
    ("reach", "size"),
    [
        (0.25, (256, 640)),
        (0.1, (256, 640)),
        (0.5, (352, 896)),
        (0.75, (448, 896)),
        (1.0, (512, 896)),
    ],
)
def test_the_size_of_a_view_grows_with_the_reach(reach: float, size: tuple[int, int]) -> None:
    assert polar_size(reach, 256, 640) == size


def test_the_smallest_view_has_32_rows_and_columns() -> None:
    assert polar_size(0.25, 8, 8) == (32, 32)
    assert polar_size(0.25, 64, 128) == (64, 128)
