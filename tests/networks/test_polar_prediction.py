"""What was said of a crater's surroundings arrives where it belongs."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from scipy.special import expit, logit

from ejectamap.networks.calibration import RangeCalibration
from ejectamap.networks.ensemble import Ensemble
from ejectamap.networks.polar_answer import PolarAnswer, PolarSurvey
from ejectamap.views.chip import Chip
from ejectamap.views.polar import PolarView
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import bearing, distance

R = 2_439_400.0
REACH_M = 0.25 * np.pi * R


def sector(lon: float, lat: float, turn_deg: float = 0.0) -> PolarAnswer:
    """Ejecta between the azimuths 40 and 70, from 500 to 1500 km."""
    crater = Crater(1, "A", lon, lat, 40e3)
    view = PolarView(crater, R, REACH_M, 256, 720, turn_deg=turn_deg)
    range_m = view.row_ranges_m()[:, None]
    azimuth = view.column_bearings_deg()[None, :] % 360
    inside = (range_m > 500e3) & (range_m < 1500e3) & (azimuth > 40) & (azimuth < 70)
    return PolarAnswer(view, inside.astype(np.float32))


@pytest.mark.parametrize("turn_deg", [0.0, 55.0, -170.0])
@pytest.mark.parametrize(("lon", "lat"), [(20, 10), (-180, -35), (77, 89.9)])
def test_a_sector_arrives_in_the_chip(lon: float, lat: float, turn_deg: float) -> None:
    """Distance and bearing of a chip's pixels on the sphere say what the sector is there."""
    answer = sector(lon, lat, turn_deg)
    chip = Chip(700e3, 500e3, 900e3)
    seen = answer.in_chip(chip, 90)
    places = chip.places(answer.view.crater, R, 90)
    away_m = distance(lon, lat, places.lon, places.lat, R)
    azimuth = bearing(lon, lat, places.lon, places.lat)
    sure = np.minimum(abs(azimuth - 40), abs(azimuth - 70)) > 0.6
    sure &= np.minimum(abs(away_m - 500e3), abs(away_m - 1500e3)) > 10e3
    truth = (away_m > 500e3) & (away_m < 1500e3) & (azimuth > 40) & (azimuth < 70)
    assert seen.shape == (90, 90)
    assert seen.dtype == np.float32
    assert sure.mean() > 0.8
    assert 0.2 < truth.mean() < 0.8
    assert np.array_equal(seen[sure], truth[sure].astype(np.float32))


def test_beyond_the_reach_there_is_nothing() -> None:
    crater = Crater(1, "A", 20, 10, 40e3)
    everywhere = PolarAnswer(PolarView(crater, R, REACH_M, 32, 64), np.ones((32, 64), np.float32))
    chip = Chip(REACH_M, 0.0, 200e3)
    x_m, y_m = chip.pixel_xy(50)
    assert np.array_equal(everywhere.in_chip(chip, 50) == 1, np.hypot(x_m, y_m) <= REACH_M)
    assert everywhere.largest_in(chip) == 1
    assert everywhere.largest_in(Chip(1.2 * REACH_M, 0.0, 200e3)) == 0


def test_the_largest_probability_in_a_chip() -> None:
    answer = sector(20, 10)
    faint = PolarAnswer(answer.view, 0.3 * answer.probability)
    within, across, beside = Chip(700e3, 500e3, 10e3), Chip(300e3, 250e3, 500e3), Chip(0, 0, 400e3)
    assert [faint.largest_in(c) for c in (within, across, beside)] == pytest.approx([0.3, 0.3, 0])


def test_each_network_is_taken_at_what_its_word_is_worth(grid: Grid) -> None:
    """One network's 0.3 counts as 0.3; another's as 0.5 at the rim, and as more outwards."""
    crater = Crater(1, "A", 20, 10, 100e3)
    mosaic = Mosaic.from_array(
        np.ones((1, *grid.shape), np.uint8), np.ones(grid.shape, bool), grid, ("a",)
    )
    odds = float(logit(0.3))
    worth = RangeCalibration(level=-odds, slope=1.0, range_level=1.0, range_slope=0.0)
    networks = SimpleNamespace(
        views={"polar_px": (64, 128), "polar_power": 0.5, "scaling": "255"},
        calibrations=(None, worth),
        probabilities=lambda inputs: torch.full((2, 2, *inputs.shape[-2:]), 0.3),
    )
    answer = PolarSurvey(cast(Ensemble, networks), mosaic, [crater]).ask(crater)
    log_range = np.log10(answer.view.row_ranges_m() / crater.radius_m)
    expected = (0.3 + expit(log_range)) / 2
    assert answer.probability == pytest.approx(np.tile(expected[:, None], (1, 128)), abs=1e-6)
