"""Faint far rays: raised around craters where a network misses their level, and nowhere else."""

import numpy as np
import pytest

from ejectamap.networks.faint_rays import raise_faint_rays
from ejectamap.views.polar import PolarView
from ejectamap.world.craters import Crater
from ejectamap.world.mosaic import Floats

R = 2_439_400.0
VIEW = PolarView.of_crater(Crater(1, "A", 20, 10, 50e3, reach=0.5), R, (256, 640), 0.5)
RADII = VIEW.row_ranges_m() / 50e3
FAR = RADII > 10


def predicted(faint: float, clear: bool = False) -> Floats:
    """A blanket to 5 radii, and far out a faint ray in one column of fifty and, if asked for, two clear ones."""
    probability = np.full(VIEW.shape, 0.004, np.float32)
    probability[RADII < 5] = 0.95
    probability[np.ix_(FAR, np.arange(25, VIEW.cols, 50))] = faint
    if clear:
        probability[np.ix_(FAR, np.arange(0, VIEW.cols, 50))] = 0.8
        probability[np.ix_(FAR, np.arange(10, VIEW.cols, 50))] = 0.8
    return probability


def raised(probability: Floats) -> Floats:
    return raise_faint_rays(probability, RADII, VIEW.cell_area_m2())


def test_faint_rays_are_raised_above_the_threshold_where_none_are_clear() -> None:
    before = predicted(faint=0.1)
    after = raised(before)
    is_ray = before == np.float32(0.1)
    assert np.allclose(after[is_ray], 0.36)
    assert np.array_equal(after[~is_ray], before[~is_ray])


def test_nothing_is_raised_where_most_far_rays_are_clear() -> None:
    before = predicted(faint=0.1, clear=True)
    assert np.array_equal(raised(before), before)


def test_even_ground_is_not_raised() -> None:
    before = predicted(faint=0.004)
    before[FAR] = np.random.default_rng(0).uniform(0.1, 0.12, before[FAR].shape)
    assert np.array_equal(raised(before), before)


def test_ground_near_the_crater_is_not_raised() -> None:
    before = predicted(faint=0.004)
    near = (RADII > 6) & (RADII < 9.5)
    before[np.ix_(near, np.arange(25, VIEW.cols, 50))] = 0.1
    assert np.array_equal(raised(before), before)


@pytest.mark.parametrize("faint", [0.06, 0.2, 0.29])
def test_no_probability_falls_and_all_stay_below_the_largest_measured(faint: float) -> None:
    before = predicted(faint)
    after = raised(before)
    assert np.all(after >= before)
    assert after[FAR].max() <= np.float32(0.56)


def test_a_turned_view_gives_the_turned_result() -> None:
    before = predicted(0.1) + np.random.default_rng(1).uniform(0, 0.002, VIEW.shape).astype("f4")
    turned = np.roll(before, 97, axis=1)
    assert np.allclose(raised(turned), np.roll(raised(before), 97, axis=1), atol=1e-6)
