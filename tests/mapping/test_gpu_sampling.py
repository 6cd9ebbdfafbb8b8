"""Batches of sampling grids, sampled by torch on the processor or a GPU, agree with `Mosaic.sample_on_grid`."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from ejectamap.mapping.gpu_sampling import on_device
from ejectamap.views.chip import Chip
from ejectamap.views.corridor import Corridor
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sampling_grid import SamplingGrid

MakeGrid = Callable[..., Grid]
PLACES = [(20, 10), (-179.99, -35), (0.01, 71), (77, 89.9), (-120, -90)]
CHIPS = [
    Chip(0.0, 0.0, 149e3),
    Chip(-700e3, 900e3, 149e3),
    Chip(4e6, -3e6, 600e3),
    Chip(0.0, -7.2e6, 1200e3),
]


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> str:
    """The processor, and a GPU if there is one."""
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


def sampling_grids(kind: str) -> list[SamplingGrid]:
    """Grids of chips of craters all over the globe, or of the corridors to them."""
    grids = []
    for place in PLACES:
        crater = Crater(1, "A", *place, 30e3)
        for chip in CHIPS:
            corridor = Corridor.between(crater, chip)
            if kind == "corridor":
                grids.append(corridor.sampling_grid(crater, (64, 16)))
            else:
                grids.append(chip.sampling_grid(crater, 40))
    return grids


@pytest.mark.parametrize("kind", ["chip", "corridor"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_batches_agree_with_single_grids(
    make_grid: MakeGrid, device: str, kind: str, dtype: str
) -> None:
    mosaic = noise(make_grid(720, 0.0), dtype)
    values, valid = (
        tensor.cpu().numpy() for tensor in on_device(mosaic, device).sample(sampling_grids(kind))
    )
    assert values.dtype == np.float32
    for k, points in enumerate(sampling_grids(kind)):
        expected, expected_valid = mosaic.sample_on_grid(points)
        # Where half of the weight is valid, a position error of 0.01 pixels decides.
        assert (expected_valid == valid[k]).mean() > 0.99
        both = expected_valid & valid[k]
        assert np.abs(values[k] - expected)[:, both].max() < 1.0
        assert (values[k][:, ~valid[k]] == 0).all()


def test_positions_agree_within_two_hundredths_of_a_pixel(make_grid: MakeGrid, device: str) -> None:
    """On a mosaic whose values are its row numbers, at full resolution."""
    grid = make_grid(2048)
    rows = np.broadcast_to(np.arange(grid.height, dtype=np.float32)[:, None], grid.shape)
    mosaic = Mosaic.from_array(rows[None], np.ones(grid.shape, bool), grid, ("row",))
    grids = [replace(points, spacing_m=0.0) for points in sampling_grids("chip")]
    values, valid = (tensor.cpu().numpy() for tensor in on_device(mosaic, device).sample(grids))
    assert valid.all()
    for k, points in enumerate(grids):
        assert np.abs(values[k] - mosaic.sample_on_grid(points)[0]).max() < 0.02
