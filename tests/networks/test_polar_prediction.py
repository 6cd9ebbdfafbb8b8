"""Polar predictions: their interpolation to chips, and the calibration of each network."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from scipy.special import expit, logit

from ejectamap.networks.calibration import RangeCalibration
from ejectamap.networks.ensemble import Ensemble
from ejectamap.networks.polar_prediction import PolarPrediction, PolarPredictor
from ejectamap.project.bundle_views import PolarViews
from ejectamap.views.chip import Chip
from ejectamap.views.polar import PolarView
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import bearing, distance

R = 2_439_400.0
REACH_M = 0.25 * np.pi * R


def sector(lon: float, lat: float, turn_deg: float = 0.0) -> PolarPrediction:
    """Ejecta between the azimuths 40 and 70, from 500 to 1500 km."""
    crater = Crater(1, "A", lon, lat, 40e3)
    view = PolarView(crater, R, REACH_M, 256, 720, turn_deg=turn_deg)
    range_m = view.row_ranges_m()[:, None]
    azimuth = view.column_bearings_deg()[None, :] % 360
    inside = (range_m > 500e3) & (range_m < 1500e3) & (azimuth > 40) & (azimuth < 70)
    return PolarPrediction(view, inside.astype(np.float32))


@pytest.mark.parametrize("turn_deg", [0.0, 55.0, -170.0])
@pytest.mark.parametrize(("lon", "lat"), [(20, 10), (-180, -35), (77, 89.9)])
def test_a_sector_is_interpolated_to_a_chip(lon: float, lat: float, turn_deg: float) -> None:
    """The expected values follow from distance and bearing of the chip's pixels on the sphere."""
    prediction = sector(lon, lat, turn_deg)
    chip = Chip(700e3, 500e3, 900e3)
    probabilities = prediction.in_chip(chip, 90)
    places = chip.places(prediction.view.crater, R, 90)
    distance_m = distance(lon, lat, places.lon, places.lat, R)
    azimuth = bearing(lon, lat, places.lon, places.lat)
    off_edges = np.minimum(abs(azimuth - 40), abs(azimuth - 70)) > 0.6
    off_edges &= np.minimum(abs(distance_m - 500e3), abs(distance_m - 1500e3)) > 10e3
    truth = (distance_m > 500e3) & (distance_m < 1500e3) & (azimuth > 40) & (azimuth < 70)
    assert probabilities.shape == (90, 90)
    assert probabilities.dtype == np.float32
    assert off_edges.mean() > 0.8
    assert 0.2 < truth.mean() < 0.8
    assert np.array_equal(probabilities[off_edges], truth[off_edges].astype(np.float32))


def test_probabilities_beyond_the_reach_are_0() -> None:
    crater = Crater(1, "A", 20, 10, 40e3)
    view = PolarView(crater, R, REACH_M, 32, 64)
    everywhere = PolarPrediction(view, np.ones((32, 64), np.float32))
    chip = Chip(REACH_M, 0.0, 200e3)
    x_m, y_m = chip.pixel_xy(50)
    assert np.array_equal(everywhere.in_chip(chip, 50) == 1, np.hypot(x_m, y_m) <= REACH_M)
    assert everywhere.largest_in(chip) == 1
    assert everywhere.largest_in(Chip(1.2 * REACH_M, 0.0, 200e3)) == 0


def test_the_largest_probability_in_a_chip() -> None:
    prediction = sector(20, 10)
    faint = PolarPrediction(prediction.view, 0.3 * prediction.probability)
    within, across, beside = Chip(700e3, 500e3, 10e3), Chip(300e3, 250e3, 500e3), Chip(0, 0, 400e3)
    assert [faint.largest_in(c) for c in (within, across, beside)] == pytest.approx([0.3, 0.3, 0])


def test_each_network_is_calibrated_before_averaging(grid: Grid) -> None:
    """The first network's 0.3 stays 0.3; the second one's becomes 0.5 at the rim, and more outwards."""
    crater = Crater(1, "A", 20, 10, 100e3)
    mosaic = Mosaic.from_array(
        np.ones((1, *grid.shape), np.uint8), np.ones(grid.shape, bool), grid, ("a",)
    )
    log_odds = float(logit(0.3))
    calibration = RangeCalibration(level=-log_odds, slope=1.0, range_level=1.0, range_slope=0.0)
    networks = SimpleNamespace(
        views=PolarViews(bands=1, scaling="255", polar_px=(64, 128), polar_power=0.5),
        bundles=tuple(
            SimpleNamespace(calibration=each, description=SimpleNamespace(raises_faint_rays=False))
            for each in (None, calibration)
        ),
        probabilities=lambda inputs: torch.full((2, 2, *inputs.shape[-2:]), 0.3),
    )
    prediction = PolarPredictor(cast(Ensemble, networks), mosaic, [crater]).predict(crater)
    log_range = np.log10(prediction.view.row_ranges_m() / crater.radius_m)
    expected = (0.3 + expit(log_range)) / 2
    assert prediction.probability == pytest.approx(np.tile(expected[:, None], (1, 128)), abs=1e-6)
