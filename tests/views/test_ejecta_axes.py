"""Ejecta axes do not depend on the order, scale and sign of the bands."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ejectamap.views.ejecta_axes import EjectaAxes
from ejectamap.views.inputs import polar_channels, polar_input, polar_scaling
from ejectamap.views.polar import PolarView
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import distance

R = 2_439_400.0
CRATERS = tuple(
    Crater(k, str(k), lon, lat, 200e3)
    for k, (lon, lat) in enumerate([(0, 0), (120, 40), (-90, -50)])
)
FADED = Crater(9, "faded", -160, 20, 200e3)


@pytest.fixture(scope="module")
def bands(make_grid: Callable[..., Grid]) -> np.ndarray:
    """Three bands of noise, the first two correlated; blankets are brighter in the second and darker in the third."""
    grid = make_grid(128)
    lon, lat = grid.centres(grid.whole)
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(3, *grid.shape))
    noise[0] = 0.8 * noise[1] + 0.6 * noise[0]
    near = [distance(c.lon, c.lat, lon, lat, R) < 2.5 * c.radius_m for c in CRATERS]
    return noise + np.any(near, axis=0) * np.array([0.0, 1.5, -1.0])[:, None, None]


@pytest.fixture(scope="module")
def make(make_grid: Callable[..., Grid]) -> Callable[[np.ndarray], Mosaic]:
    grid = make_grid(128)

    def mosaic(values: np.ndarray) -> Mosaic:
        names = tuple(f"b{k}" for k in range(len(values)))
        return Mosaic.from_array(values.astype(np.float32), np.ones(grid.shape, bool), grid, names)

    return mosaic


def axes_of(mosaic: Mosaic, catalogue: tuple[Crater, ...] = (*CRATERS, FADED)) -> np.ndarray:
    axes = EjectaAxes.measure(mosaic, catalogue)
    values, valid = mosaic.read(mosaic.grid.whole)
    return axes.apply(values, valid)


def test_the_first_axis_is_large_on_fresh_ejecta(
    make: Callable[..., Mosaic], bands: np.ndarray
) -> None:
    axes = axes_of(make(bands))
    assert axes.shape == bands.shape
    assert axes.mean(axis=(1, 2)) == pytest.approx([0, 0, 0], abs=1e-4)
    assert np.cov(axes.reshape(3, -1)) == pytest.approx(np.eye(3), abs=1e-3)
    grid = make(bands).grid
    blanket = distance(0, 0, *grid.centres(grid.whole), R) < 450e3
    # In units of the noise the difference in the two bands is sqrt(1.5^2 / (1 - 0.8^2) + 1).
    assert axes[0][blanket].mean() > 2
    assert np.abs(axes[1:, blanket].mean(axis=1)).max() < 0.7


@settings(max_examples=20)
@given(
    order=st.permutations(range(3)),
    scale=st.lists(
        st.floats(0.1, 30).flatmap(lambda v: st.sampled_from([v, -v])), min_size=3, max_size=3
    ),
    level=st.floats(-100, 100),
)
def test_order_scale_and_offset_of_the_bands_do_not_matter(
    make: Callable[..., Mosaic],
    bands: np.ndarray,
    order: list[int],
    scale: list[float],
    level: float,
) -> None:
    other = bands[order] * np.array(scale)[:, None, None] + level
    assert axes_of(make(other)) == pytest.approx(axes_of(make(bands)), abs=0.02)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_any_number_of_bands_gives_three_axes(
    make: Callable[..., Mosaic], bands: np.ndarray, count: int
) -> None:
    rng = np.random.default_rng(1)
    more = np.concatenate([bands[1:], rng.normal(size=(3, *bands.shape[1:]))])[:count]
    axes = axes_of(make(more))
    assert axes.shape == (3, *bands.shape[1:])
    assert (axes[count:] == 0).all()
    assert axes[:count].std(axis=(1, 2)) == pytest.approx(1, abs=1e-3)


def test_without_craters_the_axes_are_principal_components(
    make: Callable[..., Mosaic], bands: np.ndarray
) -> None:
    axes = axes_of(make(bands), ())
    assert np.cov(axes.reshape(3, -1)) == pytest.approx(np.eye(3), abs=1e-3)


def test_a_constant_band_is_ignored(make: Callable[..., Mosaic], bands: np.ndarray) -> None:
    constant = np.concatenate([bands, np.full_like(bands[:1], 7)])
    both = np.stack([axes_of(make(constant)), axes_of(make(bands))]).reshape(2, 3, -1)
    correlation = np.mean(both[0] * both[1], axis=1)
    assert correlation[0] > 0.999
    # The sign of the other axes is only determined if they differ on blankets.
    assert np.abs(correlation[1:]) == pytest.approx(1, abs=0.01)


def test_the_number_of_polar_channels_does_not_depend_on_the_number_of_bands(
    make: Callable[..., Mosaic], bands: np.ndarray
) -> None:
    view = PolarView(CRATERS[0], R, 0.25 * np.pi * R, 64, 128)
    for count in (1, 3):
        mosaic = make(bands[-count:])
        scaling = polar_scaling(mosaic, CRATERS, "ejecta")
        picture = polar_input(mosaic, scaling, view, CRATERS)
        assert picture.shape == (polar_channels(count, "ejecta"), 64, 128) == (11, 64, 128)
        assert np.isfinite(picture).all()
