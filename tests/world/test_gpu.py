"""Pictures sampled many at once by torch, on a GPU too where there is one, are those that are sampled singly."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from ejectamap.views.chip import Chip
from ejectamap.views.corridor import Corridor
from ejectamap.world.craters import Crater
from ejectamap.world.gpu import on_device
from ejectamap.world.grid import Grid
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.picture import Picture

MakeGrid = Callable[..., Grid]
PLACES = [(20, 10), (-179.99, -35), (0.01, 71), (77, 89.9), (-120, -90)]
CHIPS = [
    Chip(0.0, 0.0, 149e3),
    Chip(-700e3, 900e3, 149e3, 40.0),
    Chip(4e6, -3e6, 600e3),
    Chip(0.0, -7.2e6, 1200e3),
]


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> str:
    """Every device that this machine may have."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    return str(request.param)


def noise(grid: Grid, dtype: str) -> Mosaic:
    """Smooth noise of two bands with holes in it."""
    rng = np.random.default_rng(0)
    rows, cols = np.mgrid[: grid.height, : grid.width]
    waves = [np.sin(cols / 5 + k) * np.cos(rows / 7 - k) for k in range(2)]
    values = (100 + 80 * np.stack(waves)).astype(dtype)
    return Mosaic.from_array(values, rng.random(grid.shape) > 0.1, grid, ("a", "b"))


def pictures(kind: str) -> list[Picture]:
    """All chips of craters all over the globe, or all corridors to them."""
    found = []
    for place in PLACES:
        crater = Crater(1, "A", *place, 30e3)
        for chip in CHIPS:
            corridor = Corridor.between(crater, chip)
            seen = chip.picture(crater, 40), corridor.picture(crater, (64, 16))
            found.append(seen[kind == "corridor"])
    return found


@pytest.mark.parametrize("kind", ["chip", "corridor"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_many_pictures_are_the_single_ones(
    make_grid: MakeGrid, device: str, kind: str, dtype: str
) -> None:
    mosaic = noise(make_grid(720, 0.0), dtype)
    values, valid = (
        found.cpu().numpy() for found in on_device(mosaic, device).sample(pictures(kind))
    )
    assert values.dtype == np.float32
    for k, picture in enumerate(pictures(kind)):
        expected, good = mosaic.sample_picture(picture)
        # Half of the weight is on data, or not: a hundredth of a pixel decides.
        assert (good == valid[k]).mean() > 0.99
        same = good & valid[k]
        assert np.abs(values[k] - expected)[:, same].max() < 1.0
        assert (values[k][:, ~valid[k]] == 0).all()


def test_places_are_right_within_a_hundredth_of_a_pixel(make_grid: MakeGrid, device: str) -> None:
    """On a mosaic whose values are its own rows, at full resolution."""
    grid = make_grid(2048)
    rows = np.broadcast_to(np.arange(grid.height, dtype=np.float32)[:, None], grid.shape)
    mosaic = Mosaic.from_array(rows[None], np.ones(grid.shape, bool), grid, ("row",))
    some = [replace(picture, spacing_m=0.0) for picture in pictures("chip")]
    values, valid = (found.cpu().numpy() for found in on_device(mosaic, device).sample(some))
    assert valid.all()
    for k, picture in enumerate(some):
        assert np.abs(values[k] - mosaic.sample_picture(picture)[0]).max() < 0.02
