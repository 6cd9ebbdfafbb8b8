"""Azimuthal coordinates of the mosaic's grid agree with exact geometry, also at poles and the antipode."""

from collections.abc import Callable

import numpy as np
import pytest

from ejectamap.views.azimuthal_grid import azimuthal_coordinates, resample_to_grid
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.sphere import azimuthal_forward


@pytest.mark.parametrize("place", [(20, 10), (-179.9, -35), (77, 60), (0, 90), (12, -90)])
@pytest.mark.parametrize("reach", [0.25, 0.75, 1.0])
def test_coordinates_agree_with_the_exact_projection(
    make_grid: Callable[..., Grid], place: tuple[float, float], reach: float
) -> None:
    grid = make_grid(180)
    crater = Crater(1, "A", *place, 30e3, reach=reach)
    reach_m = crater.reach_m(grid.radius_m)
    window = grid.cap_window(*place, reach_m)
    x_m, y_m = azimuthal_coordinates(crater, grid, window, reach_m)
    exact = azimuthal_forward(*grid.centres(window), *place, grid.radius_m)
    distance_m = np.hypot(*exact)
    assert np.array_equal(np.isnan(x_m), distance_m > reach_m)
    assert np.array_equal(np.isnan(x_m), np.isnan(y_m))
    # At the antipode the direction is undefined.
    compared = (distance_m <= reach_m) & (distance_m < 0.999 * np.pi * grid.radius_m)
    assert np.hypot(x_m - exact.x_m, y_m - exact.y_m)[compared].max() < 0.1


def test_the_centre_and_its_antipode(make_grid: Callable[..., Grid]) -> None:
    grid = make_grid(180)
    lon, lat = grid.to_lonlat(100.5, 70.5)
    crater = Crater(1, "A", float(lon), float(lat), 30e3, reach=1.0)
    x_m, y_m = azimuthal_coordinates(crater, grid, grid.whole, np.pi * grid.radius_m)
    assert np.isfinite(x_m).all()
    assert (x_m[70, 100], y_m[70, 100]) == pytest.approx((0, 0), abs=0.1)
    assert np.hypot(x_m, y_m)[109, 280] == pytest.approx(np.pi * grid.radius_m)


@pytest.mark.parametrize("place", [(20, 10), (-179.9, -35), (77, 60), (0, 90), (12, -90)])
def test_blocks_beyond_the_reach_are_not_sampled(
    make_grid: Callable[..., Grid], monkeypatch: pytest.MonkeyPatch, place: tuple[float, float]
) -> None:
    monkeypatch.setattr("ejectamap.views.azimuthal_grid._BLOCK_PX", 16)
    grid = make_grid(360)
    crater = Crater(1, "A", *place, 30e3, reach=0.2)
    window, reach_m = grid.whole, crater.reach_m(grid.radius_m)
    sampled = []

    def sample(x_m: np.ndarray, y_m: np.ndarray) -> np.ndarray:
        sampled.append(x_m)
        return np.hypot(x_m, y_m).astype(np.float32)

    values = resample_to_grid(crater, grid, window, reach_m, sample)
    x_m, y_m = azimuthal_coordinates(crater, grid, window, reach_m)
    np.testing.assert_array_equal(values, np.hypot(x_m, y_m).astype(np.float32))
    assert len(sampled) < 0.7 * len(list(grid.blocks(window, 16)))
