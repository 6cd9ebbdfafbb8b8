import numpy as np

from ejectamap.simulation.noise import fractal, octaves_for
from ejectamap.world.sphere import unit_vectors


def test_no_seam_at_the_dateline_and_no_pinch_at_the_pole():
    lat = np.linspace(-90, 90, 31)
    west = fractal(unit_vectors(-180.0, lat).T, 5.0, 4, 1)
    east = fractal(unit_vectors(180.0, lat).T, 5.0, 4, 1)
    assert np.allclose(west, east, atol=1e-5)
    at_pole = fractal(unit_vectors(np.linspace(-180, 180, 9), 90.0).T, 5.0, 4, 1)
    assert np.ptp(at_pole) < 1e-5


def test_zero_mean_and_unit_spread():
    points = np.random.default_rng(0).normal(size=(3, 50_000)) * 40
    for octaves, gain in ((1, 0.5), (6, 0.5), (4, 0.8)):
        values = fractal(points, 1.0, octaves, 9, gain)
        assert abs(values.mean()) < 0.03
        assert abs(values.std() - 1.0) < 0.05


def test_seeds_differ_and_repeat():
    points = unit_vectors(np.linspace(-180, 180, 200), 10.0).T
    assert np.array_equal(fractal(points, 8.0, 3, 1), fractal(points, 8.0, 3, 1))
    correlation = np.corrcoef(fractal(points, 8.0, 3, 1), fractal(points, 8.0, 3, 2))[0, 1]
    assert abs(correlation) < 0.5


def test_octaves_end_at_two_pixels():
    assert octaves_for(1.0, 0.25) == 2
    assert octaves_for(100.0, 0.1) == 2
    assert octaves_for(1.0, 1 / 128) == 7
