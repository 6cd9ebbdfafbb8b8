"""A crater on the dateline or at a pole looks just like the same crater elsewhere."""

from collections.abc import Callable

import numpy as np
import pytest

from ejectamap.views.chip import Chip
from ejectamap.views.inputs import (
    BandScaling,
    crater_metadata,
    polar_input,
)
from ejectamap.views.polar import PolarView
from ejectamap.views.sight import chip_sight, corridor_sight

R = 2_439_400.0
SCALING = BandScaling((0.0, 0.0), (1.0, 1.0))
ELSEWHERE = [(180.0, 5.0), (-179.95, -60.0), (40.0, 89.9), (0.0, -90.0)]
# Values run from -1 to 1. The error is that of bilinear sampling on pixels of 0.7 degrees, or twice that.
TOLERANCE = 3e-3


@pytest.mark.parametrize("place", ELSEWHERE)
@pytest.mark.parametrize(
    "chip",
    [Chip(50e3, -20e3, 149e3), Chip(-1.2e6, 900e3, 300e3), Chip(-1.2e6, 900e3, 300e3, 306.9)],
)
def test_chips_and_corridors(
    turned_planet: Callable, place: tuple[float, float], chip: Chip
) -> None:
    here, there = turned_planet(20.0, 10.0), turned_planet(*place)
    for look, size in ((chip_sight, 48), (corridor_sight, (128, 32))):
        seen, same = (look(w.mosaic, SCALING, w.crater, size).look(chip) for w in (here, there))
        assert np.ptp(seen[0]) > 0.05
        assert np.abs(seen - same).max() < TOLERANCE


@pytest.mark.parametrize("place", ELSEWHERE)
def test_polar_views_and_metadata(turned_planet: Callable, place: tuple[float, float]) -> None:
    pictures, about = [], []
    for world in (turned_planet(20.0, 10.0), turned_planet(*place)):
        view = PolarView(world.crater, R, 0.25 * np.pi * R, 96, 192)
        pictures.append(polar_input(world.mosaic, SCALING, view, [world.crater]))
        about.append(crater_metadata(world.mosaic, SCALING, world.crater, (2.0, 3.0)))
    assert np.abs(pictures[0][:2] - pictures[1][:2]).max() < TOLERANCE
    # Contrast, and likeness made of it, divide by a spread of a few hundredths on this smooth ground.
    assert np.abs(pictures[0][2:5] - pictures[1][2:5]).max() < 20 * TOLERANCE
    assert np.abs(pictures[0][5:] - pictures[1][5:]).max() < 1e-4
    assert np.abs(about[0] - about[1]).max() < TOLERANCE
