from collections.abc import Callable

import numpy as np

from ejectamap.world.grid import Grid
from ejectamap.world.mosaic import Mosaic

MakeMosaic = Callable[..., Mosaic]


def test_a_level_is_the_mean_of_the_valid_pixels(
    make_grid: Callable[..., Grid], make_mosaic: MakeMosaic
) -> None:
    grid = make_grid(128)
    rng = np.random.default_rng(7)
    values = rng.random((2, *grid.shape)).astype(np.float32)
    valid = rng.random(grid.shape) > 0.4
    mosaic = make_mosaic(values, grid, valid)
    blocks = np.where(valid, values, np.nan).reshape(2, 64, 2, 128, 2)
    count = np.isfinite(blocks[0]).sum((1, 3))
    valid_mean = count >= 2
    assert np.array_equal(np.unpackbits(mosaic.masks[1], axis=1, bitorder="little"), valid_mean)
    mean = np.nansum(blocks, (2, 4)) / np.maximum(count, 1)
    assert np.allclose(np.moveaxis(mosaic.levels[1], -1, 0)[:, valid_mean], mean[:, valid_mean])


def test_integer_means_are_rounded(make_grid: Callable[..., Grid], make_mosaic: MakeMosaic) -> None:
    values = np.full((1, 128, 256), 10, np.uint8)
    values[:, ::2] = 11
    values[:, 1::2, ::2] = 11
    assert (make_mosaic(values, make_grid(128)).levels[1] == 11).all()


def test_a_coarse_view_does_not_alias(
    make_grid: Callable[..., Grid], make_mosaic: MakeMosaic
) -> None:
    grid = make_grid(256)
    stripes = np.zeros((1, *grid.shape), np.uint8)
    stripes[:, :, ::2] = 200
    lon = np.linspace(-90, 90, 400)
    fine, _ = make_mosaic(stripes, grid).sample(lon, 0.0)
    coarse, _ = make_mosaic(stripes, grid).sample(lon, 0.0, 4 * grid.pixel_m)
    assert np.ptp(fine) > 100
    assert np.allclose(coarse, 100)


def test_a_grid_of_odd_size_is_sampled_to_its_edges(
    make_grid: Callable[..., Grid], make_mosaic: MakeMosaic
) -> None:
    grid = make_grid(131)
    _, lat = grid.centres(grid.whole)
    sines = np.broadcast_to(np.sin(np.radians(lat)), (1, *grid.shape)).astype(np.float32)
    mosaic = make_mosaic(sines, grid)
    places = np.random.default_rng(8).uniform(-1, 1, (2, 3000)) * [[180], [89]]
    for level in (0, 1, 2):
        sampled, valid = mosaic.sample(*places, 2**level * grid.pixel_m)
        assert valid.all()
        assert np.abs(sampled[0] - np.sin(np.radians(places[1]))).max() < 0.05
