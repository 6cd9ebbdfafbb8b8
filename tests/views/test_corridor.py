import numpy as np
import pytest

from ejectamap.views.chip import Chip
from ejectamap.views.corridor import Corridor
from ejectamap.world.craters import Crater
from ejectamap.world.sphere import azimuthal_forward, destination, distance

R = 2_439_400.0
POSTER = (448, 112)
LAPTOP = (128, 32)
CRATERS = [
    Crater(1, "A", 20, 10, 50e3),
    Crater(2, "B", -180, -35, 15e3),
    Crater(3, "C", 0, 89.9, 90e3),
]
CHIPS = [
    Chip(0.0, 0.0, 149e3),
    Chip(-120e3, 40e3, 149e3),
    Chip(1.5e6, -2e6, 149e3),
    Chip(3e6, 4e6, 60e3),
]


@pytest.mark.parametrize("crater", CRATERS)
@pytest.mark.parametrize("chip", CHIPS)
def test_a_corridor_is_four_to_one_and_contains_crater_and_chip(crater: Crater, chip: Chip) -> None:
    corridor = Corridor.between(crater, chip)
    assert corridor.length_m == pytest.approx(4 * corridor.width_m)
    end_m = corridor.start_m + corridor.length_m
    assert corridor.start_m <= -crater.radius_m
    assert end_m >= chip.distance_m + chip.side_m / 2 - 1e-6
    assert end_m >= crater.radius_m
    assert corridor.width_m >= max(chip.side_m, 2 * crater.radius_m) - 1e-6
    assert corridor.bearing_deg == chip.bearing_deg


@pytest.mark.parametrize("crater", CRATERS)
@pytest.mark.parametrize("size_px", [POSTER, LAPTOP, (64, 16)])
@pytest.mark.parametrize("chip", CHIPS)
def test_the_marker_is_1_at_crater_and_chip(
    crater: Crater, chip: Chip, size_px: tuple[int, int]
) -> None:
    corridor = Corridor.between(crater, chip)
    marker = np.full(size_px[::-1], np.nan, np.float32)
    corridor.write_marker(crater, marker)
    assert set(np.unique(marker)) <= {0.0, 1.0}
    pixel_m = corridor.length_m / size_px[0]
    middle = size_px[1] // 2
    for along_m in (0.0, chip.distance_m):
        assert marker[middle, int((along_m - corridor.start_m) / pixel_m)] == 1
    marked_m2 = marker.sum() * pixel_m**2
    largest_m2 = np.pi * max(crater.radius_m, pixel_m) ** 2 + max(chip.side_m, 2 * pixel_m) ** 2
    assert marked_m2 < 1.3 * largest_m2


def test_marker_areas_are_right_where_crater_and_chip_are_apart() -> None:
    crater, chip = Crater(1, "A", 0, 0, 50e3), Chip(600e3, 0.0, 149e3)
    corridor = Corridor.between(crater, chip)
    marker = np.full(POSTER[::-1], np.nan, np.float32)
    corridor.write_marker(crater, marker)
    pixel_m = corridor.length_m / POSTER[0]
    along = corridor.pixel_along_across(POSTER)[0].ravel()
    near = along < 300e3
    assert marker[:, near].sum() * pixel_m**2 == pytest.approx(np.pi * 50e3**2, rel=0.03)
    assert marker[:, ~near].sum() * pixel_m**2 == pytest.approx(149e3**2, rel=0.03)


@pytest.mark.parametrize("crater", CRATERS)
@pytest.mark.parametrize("chip", CHIPS[1:])
def test_the_middle_row_is_the_great_circle(crater: Crater, chip: Chip) -> None:
    corridor = Corridor.between(crater, chip)
    size_px = 65, 17
    places = corridor.places(crater, R, size_px)
    along, across = corridor.pixel_along_across(size_px)
    assert across[8, 0] == pytest.approx(0, abs=1e-6)
    expected = destination(crater.lon, crater.lat, chip.bearing_deg, along.ravel(), R)
    off = distance(places.lon[8], places.lat[8], expected.lon, expected.lat, R)
    assert off.max() < 1e-3
    # Every place is as far from the great circle as its row's `across`, to the right in the lower half.
    pole = destination(crater.lon, crater.lat, chip.bearing_deg + 90, np.pi * R / 2, R)
    to_right = np.pi * R / 2 - distance(places.lon, places.lat, pole.lon, pole.lat, R)
    assert np.allclose(to_right, np.broadcast_to(across, to_right.shape), atol=1e-3)


def test_rows_of_a_corridor_to_the_north_run_eastwards() -> None:
    crater = Crater(1, "A", 20, 10, 50e3)
    places = Corridor.between(crater, Chip(0.0, 500e3, 100e3)).places(crater, R, (64, 16))
    x, y = azimuthal_forward(*places, 20, 10, R)
    assert (np.diff(x, axis=0) > 0).all()
    assert (np.diff(y, axis=1) > 0).all()
