"""The mosaic's grid in a crater's frame: the same as by exact geometry, everywhere."""

from collections.abc import Callable

import numpy as np
import pytest

from ejectamap.views.frame import frame_on_grid, look_on_grid
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.sphere import azimuthal_forward


@pytest.mark.parametrize("place", [(20, 10), (-179.9, -35), (77, 60), (0, 90), (12, -90)])
@pytest.mark.parametrize("reach", [0.25, 0.75, 1.0])
def test_like_the_exact_frame(
    make_grid: Callable[..., Grid], place: tuple[float, float], reach: float
) -> None:
    grid = make_grid(180)
    crater = Crater(1, "A", *place, 30e3, reach=reach)
    reach_m = crater.reach_m(grid.radius_m)
    window = grid.cap_window(*place, reach_m)
    x_m, y_m = frame_on_grid(crater, grid, window, reach_m)
    exact = azimuthal_forward(*grid.centres(window), *place, grid.radius_m)
    away_m = np.hypot(*exact)
    assert np.array_equal(np.isnan(x_m), away_m > reach_m)
    assert np.array_equal(np.isnan(x_m), np.isnan(y_m))
    # At the antipode any direction is right.
    near = (away_m <= reach_m) & (away_m < 0.999 * np.pi * grid.radius_m)
    assert np.hypot(x_m - exact.x_m, y_m - exact.y_m)[near].max() < 0.1


def test_the_centre_and_its_antipode(make_grid: Callable[..., Grid]) -> None:
    grid = make_grid(180)
    lon, lat = grid.to_lonlat(100.5, 70.5)
    crater = Crater(1, "A", float(lon), float(lat), 30e3, reach=1.0)
    x_m, y_m = frame_on_grid(crater, grid, grid.whole, np.pi * grid.radius_m)
    assert np.isfinite(x_m).all()
    assert (x_m[70, 100], y_m[70, 100]) == pytest.approx((0, 0), abs=0.1)
    assert np.hypot(x_m, y_m)[109, 280] == pytest.approx(np.pi * grid.radius_m)


@pytest.mark.parametrize("place", [(20, 10), (-179.9, -35), (77, 60), (0, 90), (12, -90)])
def test_blocks_beyond_the_reach_are_passed_over(
    make_grid: Callable[..., Grid], monkeypatch: pytest.MonkeyPatch, place: tuple[float, float]
) -> None:
    monkeypatch.setattr("ejectamap.views.frame._BLOCK_PX", 16)
    grid = make_grid(360)
    crater = Crater(1, "A", *place, 30e3, reach=0.2)
    window, reach_m = grid.whole, crater.reach_m(grid.radius_m)
    seen = []

    def look(x_m: np.ndarray, y_m: np.ndarray) -> np.ndarray:
        seen.append(x_m)
        return np.hypot(x_m, y_m).astype(np.float32)

    found = look_on_grid(crater, grid, window, reach_m, look)
    x_m, y_m = frame_on_grid(crater, grid, window, reach_m)
    np.testing.assert_array_equal(found, np.hypot(x_m, y_m).astype(np.float32))
    assert len(seen) < 0.7 * len(list(grid.blocks(window, 16)))
