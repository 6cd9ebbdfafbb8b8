"""The views of a crater on the dateline or at a pole equal those of the same crater elsewhere."""

from collections.abc import Callable

import numpy as np
import pytest

from ejectamap.views.chip import Chip
from ejectamap.views.chip_sampler import chip_sampler, corridor_sampler
from ejectamap.views.inputs import crater_metadata, polar_input
from ejectamap.views.polar import PolarView
from ejectamap.views.scaling import ChannelScaling

R = 2_439_400.0
SCALING = ChannelScaling((0.0, 0.0), (1.0, 1.0))
ELSEWHERE = [(180.0, 5.0), (-179.95, -60.0), (40.0, 89.9), (0.0, -90.0)]
# Values run from -1 to 1. The error is that of bilinear sampling on pixels of 0.7 degrees, or twice that.
TOLERANCE = 3e-3


@pytest.mark.parametrize("place", ELSEWHERE)
@pytest.mark.parametrize("chip", [Chip(50e3, -20e3, 149e3), Chip(-1.2e6, 900e3, 300e3)])
def test_chips_and_corridors(
    turned_planet: Callable, place: tuple[float, float], chip: Chip
) -> None:
    planets = turned_planet(20.0, 10.0), turned_planet(*place)
    for sampler, size in ((chip_sampler, 48), (corridor_sampler, (128, 32))):
        first, second = (sampler(p.mosaic, SCALING, p.crater, size).read(chip) for p in planets)
        assert np.ptp(first[0]) > 0.05
        assert np.abs(first - second).max() < TOLERANCE


@pytest.mark.parametrize("place", ELSEWHERE)
def test_polar_views_and_metadata(turned_planet: Callable, place: tuple[float, float]) -> None:
    pictures, metadata = [], []
    for world in (turned_planet(20.0, 10.0), turned_planet(*place)):
        view = PolarView(world.crater, R, 0.25 * np.pi * R, 96, 192)
        pictures.append(polar_input(world.mosaic, SCALING, view, [world.crater]))
        metadata.append(crater_metadata(world.mosaic, SCALING, world.crater, (2.0, 3.0)))
    assert np.abs(pictures[0][:2] - pictures[1][:2]).max() < TOLERANCE
    # Local contrast and blanket similarity divide by a standard deviation of a few hundredths on this smooth ground.
    assert np.abs(pictures[0][2:5] - pictures[1][2:5]).max() < 20 * TOLERANCE
    assert np.abs(pictures[0][5:] - pictures[1][5:]).max() < 1e-4
    assert np.abs(metadata[0] - metadata[1]).max() < TOLERANCE
