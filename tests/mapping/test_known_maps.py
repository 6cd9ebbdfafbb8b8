"""Maps of stand-in networks, whose probabilities are known, on whatever device their inputs are sampled."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from stand_in_networks import STAND_INS, R, StandIn, painted
from torch import Tensor

from ejectamap.mapping.methods import Method
from ejectamap.project.methods import METHODS
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.sphere import distance


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("lon", "lat"), [(20, 10), (-179.9, -35), (77, 89.9)])
def test_the_map_equals_the_networks_probabilities(
    make_grid: Callable[..., Grid], load: Callable[..., Method], method: str, lon: float, lat: float
) -> None:
    grid, crater = make_grid(256), Crater(5, "A", lon, lat, 60e3)
    mosaic, truth = painted(grid, crater)
    result = load(method, mosaic, crater, **STAND_INS[method]).predict(crater)
    window = result.window
    rows, cols = (
        slice(window.row, window.row + window.height),
        slice(window.col, window.col + window.width),
    )
    places = grid.centres(window)
    within = distance(lon, lat, places.lon, places.lat, R) <= crater.reach_m(R)
    assert result.probability(result.window).dtype == np.float32
    assert np.array_equal(np.isnan(result.probability(result.window)), ~within)
    expected = truth[rows, cols]
    error = np.abs(result.probability(result.window) - expected)[within]
    assert error.max() < 0.12
    assert error.mean() < 0.005
    assert (truth.sum() - expected[within].sum()) < 1e-6 * truth.sum()


@pytest.mark.parametrize("device", ["cpu:0", "cuda"])
@pytest.mark.parametrize("method", METHODS)
def test_inputs_sampled_on_a_device_give_the_same_map(
    make_grid: Callable[..., Grid],
    load: Callable[..., Method],
    method: str,
    device: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On any device name but plain "cpu" inputs are sampled as on a GPU, many at once."""
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    crater = Crater(5, "A", -179.9, -35, 60e3)
    mosaic, _ = painted(make_grid(256), crater)
    expected = load(method, mosaic, crater, **STAND_INS[method]).predict(crater)
    probability = expected.probability(expected.window)

    def on_processor(predict: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        return lambda inputs: predict(inputs).cpu()

    monkeypatch.setattr(StandIn, "device", device)
    stand_ins = {kind: on_processor(given) for kind, given in STAND_INS[method].items()}
    found = load(method, mosaic, crater, **stand_ins).predict(crater)
    assert found.connections.drop(columns="score").equals(
        expected.connections.drop(columns="score")
    )
    difference = found.probability(found.window) - probability
    assert np.nanmax(np.abs(difference)) < 1e-3
