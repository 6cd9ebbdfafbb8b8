"""Input channels of chips, corridors and polar views, and metadata of craters."""

from collections.abc import Callable

import numpy as np
import pytest

from ejectamap.views.chip import Chip
from ejectamap.views.chip_sampler import chip_sampler, corridor_sampler
from ejectamap.views.corridor import Corridor
from ejectamap.views.inputs import (
    blanket_similarity,
    crater_metadata,
    local_contrast,
    polar_channels,
    polar_input,
)
from ejectamap.views.polar import PolarView
from ejectamap.views.scaling import ChannelScaling
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.mosaic import Mosaic

R = 2_439_400.0
CRATER = Crater(1, "A", 20, 10, 50e3)
CHIP = Chip(300e3, -200e3, 149e3)
MakeMosaic = Callable[..., Mosaic]


@pytest.fixture
def mosaic(grid: Grid, make_mosaic: MakeMosaic) -> Mosaic:
    """Three bands of constant 51, 102 and 204 with a strip of no-data at longitudes 60 to 90."""
    values = np.stack([np.full(grid.shape, v, np.uint8) for v in (51, 102, 204)])
    valid = np.ones(grid.shape, bool)
    valid[:, 85:96] = False
    return make_mosaic(values, grid, valid)


def haversine_m(lon: np.ndarray, lat: np.ndarray, crater: Crater) -> np.ndarray:
    lam, phi, lam0, phi0 = (np.radians(v) for v in (lon, lat, crater.lon, crater.lat))
    h = np.sin((phi - phi0) / 2) ** 2 + np.cos(phi) * np.cos(phi0) * np.sin((lam - lam0) / 2) ** 2
    return 2 * R * np.arcsin(np.sqrt(h))


def test_poster_scaling_divides_by_255(mosaic: Mosaic) -> None:
    scaling = ChannelScaling.of_bands(mosaic, "255")
    picture = chip_sampler(mosaic, scaling, CRATER, 224).read(CHIP)
    assert picture.shape == (4, 224, 224)
    assert picture.dtype == np.float32
    for band, value in enumerate((0.2, 0.4, 0.8)):
        assert picture[band] == pytest.approx(value)


def test_mosaic_scaling_standardises_valid_pixels(grid: Grid, make_mosaic: MakeMosaic) -> None:
    rng = np.random.default_rng(0)
    values = np.stack([rng.normal(100, 20, grid.shape), np.full(grid.shape, 7.0)]).astype(
        np.float32
    )
    valid = rng.random(grid.shape) > 0.2
    values[:, ~valid] = -999
    scaling = ChannelScaling.of_bands(make_mosaic(values, grid, valid), "mosaic")
    scaled = scaling.apply(values, valid)
    assert scaled[0][valid].mean() == pytest.approx(0, abs=1e-5)
    assert scaled[0][valid].std() == pytest.approx(1, abs=1e-5)
    assert np.abs(scaled[1]).max() < 1e-5
    assert (scaled[:, ~valid] == 0).all()


def test_corridor_bands_and_marker(mosaic: Mosaic) -> None:
    scaling = ChannelScaling.of_bands(mosaic, "255")
    picture = corridor_sampler(mosaic, scaling, CRATER, (448, 112)).read(CHIP)
    assert picture.shape == (4, 112, 448)
    assert picture.dtype == np.float32
    assert picture[2] == pytest.approx(0.8)
    marker = np.empty((112, 448), np.float32)
    Corridor.between(CRATER, CHIP).write_marker(CRATER, marker)
    assert np.array_equal(picture[3], marker)


def test_chip_distance_is_log10_of_ground_metres(mosaic: Mosaic) -> None:
    scaling = ChannelScaling.of_bands(mosaic, "255")
    distance = chip_sampler(mosaic, scaling, CRATER, 224).read(CHIP)[3]
    places = CHIP.places(CRATER, R, 224)
    assert np.allclose(10**distance, haversine_m(places.lon, places.lat, CRATER), rtol=1e-5)


def test_a_chip_without_the_distance_channel_has_only_the_bands(mosaic: Mosaic) -> None:
    scaling = ChannelScaling.of_bands(mosaic, "255")
    bands = chip_sampler(mosaic, scaling, CRATER, 32, channels=()).read(CHIP)
    assert np.array_equal(bands, chip_sampler(mosaic, scaling, CRATER, 32).read(CHIP)[:3])


def test_an_added_channel_is_the_last(mosaic: Mosaic) -> None:
    sampler = chip_sampler(mosaic, ChannelScaling.of_bands(mosaic, "255"), CRATER, 32)
    more = sampler.with_channel(lambda chip, out: out.fill(chip.side_m))
    inputs = np.full(more.shape(CHIP), np.nan, np.float32)
    more.read_into(inputs, CHIP)
    assert inputs.shape == (5, 32, 32)
    assert np.array_equal(inputs[:4], sampler.read(CHIP))
    assert (inputs[4] == CHIP.side_m).all()
    assert np.array_equal(more.read_channels(CHIP), inputs[3:])


def test_the_distance_channel_is_finite_in_a_chip_over_the_crater(mosaic: Mosaic) -> None:
    chip = Chip(0.0, 0.0, 149e3)
    scaling = ChannelScaling.of_bands(mosaic, "255")
    distance = chip_sampler(mosaic, scaling, CRATER, 225).read(chip)[3]
    assert distance.min() == pytest.approx(np.log10(149e3 / 225))
    assert distance.max() == pytest.approx(np.log10(149e3 / np.sqrt(2)), rel=1e-3)


def test_no_data_is_0_in_every_band(mosaic: Mosaic) -> None:
    scaling = ChannelScaling((50.0,) * 3, (10.0,) * 3)
    crater = Crater(1, "A", 74, 0, 50e3)
    chip = chip_sampler(mosaic, scaling, crater, 16).read(Chip(0.0, 0.0, 149e3))
    corridor = corridor_sampler(mosaic, scaling, crater, (64, 16)).read(Chip(0.0, 500e3, 50e3))
    assert (chip[:3] == 0).all()
    assert (corridor[:3] == 0).all()
    assert np.allclose(chip_sampler(mosaic, scaling, CRATER, 16).read(CHIP)[0], 0.1)


def test_metadata_are_ring_means_and_log_radius(grid: Grid, make_mosaic: MakeMosaic) -> None:
    """The values depend only on the distance, so that the mean over the ring is known."""
    lon, lat = np.broadcast_arrays(*grid.centres(grid.whole))
    crater = Crater(1, "A", 20, 10, 400e3)
    radii = haversine_m(lon, lat, crater) / crater.radius_m
    fine = make_mosaic(np.stack([radii, np.full(grid.shape, 3.0)]).astype(np.float32), grid)
    metadata = crater_metadata(fine, ChannelScaling((0.0, 1.0), (2.0, 1.0)), crater, (2.0, 3.0))
    assert metadata.dtype == np.float32
    # Mean of r over a flat ring from 2 to 3: 2/3 (27 - 8) / (9 - 4).
    assert metadata[0] == pytest.approx(2 / 3 * 19 / 5 / 2, rel=5e-3)
    assert metadata[1] == pytest.approx(2.0)
    assert metadata[2] == pytest.approx(np.log10(400e3))


def test_metadata_ignore_pixels_without_data(mosaic: Mosaic) -> None:
    scaling = ChannelScaling.of_bands(mosaic, "255")
    partial = crater_metadata(mosaic, scaling, Crater(1, "A", 60, 0, 300e3), (2.0, 3.0))
    assert partial[:3] == pytest.approx([0.2, 0.4, 0.8])
    outside = crater_metadata(mosaic, scaling, Crater(2, "B", 75, 0, 20e3), (2.0, 3.0))
    assert outside[:3] == pytest.approx([0, 0, 0])


def test_polar_channels_are_as_documented(mosaic: Mosaic) -> None:
    view = PolarView(CRATER, R, 0.25 * np.pi * R, 64, 128)
    other = Crater(2, "B", 50, 10, 100e3)
    scaling = ChannelScaling.of_bands(mosaic, "255")
    picture = polar_input(mosaic, scaling, view, [CRATER, other])
    assert picture.shape == (polar_channels(3, "255"), 64, 128) == (11, 64, 128)
    assert picture.dtype == np.float32
    assert np.isfinite(picture).all()
    places = view.places()
    range_m = haversine_m(places.lon, places.lat, CRATER)
    assert np.allclose(10 ** picture[8], range_m, rtol=1e-4)
    assert np.allclose(10 ** picture[7], range_m / CRATER.radius_m, rtol=1e-4)
    valid = picture[10] == 1
    assert 0.5 < valid.mean() < 1
    assert picture[1][valid] == pytest.approx(0.4)
    assert (picture[:6, ~valid] == 0).all()
    # The other crater is nearer, in its own radii, exactly where the channel is negative.
    scaled_own = 2 * np.sin(range_m / 2 / R) / CRATER.radius_m
    scaled_other = 2 * np.sin(haversine_m(places.lon, places.lat, other) / 2 / R) / other.radius_m
    ratio = np.clip(np.log10(scaled_other / scaled_own), -2, 2)
    assert np.allclose(picture[9], ratio, atol=1e-3)
    assert (polar_input(mosaic, scaling, view, [CRATER])[9] == 2).all()


def test_local_contrast_wraps_around_and_does_not_depend_on_brightness() -> None:
    rng = np.random.default_rng(0)
    bands = rng.normal(size=(2, 64, 120)).astype(np.float32)
    valid = rng.random((64, 120)) > 0.1
    bands[:, ~valid] = 0
    contrast = local_contrast(bands, valid)
    assert (contrast[:, ~valid] == 0).all()
    assert contrast[:, valid].std() == pytest.approx(1, abs=0.1)
    rolled = local_contrast(np.roll(bands, 17, axis=2), np.roll(valid, 17, axis=1))
    assert np.allclose(rolled, np.roll(contrast, 17, axis=2), atol=1e-4)
    brighter = np.where(valid, 3 * bands + 5, 0).astype(np.float32)
    assert np.allclose(local_contrast(brighter, valid), contrast, atol=0.02)


def rays_on_noise(view: PolarView) -> tuple[np.ndarray, np.ndarray]:
    """Bands of a crater whose blanket and two rays are brighter in the first and darker in the second; mask of rays."""
    bands = np.random.default_rng(0).normal(size=(3, *view.shape)).astype(np.float32)
    radii = view.row_ranges_m() / view.crater.radius_m
    rays = np.zeros(view.shape, bool)
    rays[radii > 3, 20:23] = rays[radii > 3, 70:73] = True
    blanket = np.broadcast_to((radii < 3)[:, None], view.shape)
    step = np.array([2.0, -1.0, 0.0], np.float32)[:, None, None]
    return bands + step * (rays | blanket), rays


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, 1), (-1, -1, -1)])
def test_blanket_similarity_is_large_on_rays_whatever_the_signs_of_bands(
    signs: tuple[int, ...],
) -> None:
    view = PolarView(CRATER, R, 0.25 * np.pi * R, 64, 128)
    bands, rays = rays_on_noise(view)
    bands = (bands * np.array(signs)[:, None, None]).astype(np.float32)
    valid = np.ones(view.shape, bool)
    similarity = blanket_similarity(bands, local_contrast(bands, valid), valid, view)
    assert similarity.std() == pytest.approx(1, abs=0.2)
    ground = ~rays & (view.row_ranges_m() > 4 * CRATER.radius_m)[:, None]
    assert similarity[rays].mean() > similarity[ground].mean() + 1.2


def test_blanket_similarity_is_0_in_a_view_without_surroundings() -> None:
    view = PolarView(CRATER, R, 4 * CRATER.radius_m, 32, 64)
    bands = np.random.default_rng(0).normal(size=(3, 32, 64)).astype(np.float32)
    valid = np.ones(view.shape, bool)
    assert (blanket_similarity(bands, bands, valid, view) == 0).all()
