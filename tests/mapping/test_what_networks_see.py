"""The map is what the networks see, in upright and in turned chips and whatever device samples them."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from report_networks import REPORTS, VIEWS, R, Report, painted
from torch import Tensor

from ejectamap.mapping.methods import Method
from ejectamap.mapping.registry import METHODS
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.sphere import distance


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("lon", "lat"), [(20, 10), (-179.9, -35), (77, 89.9)])
def test_the_map_is_what_the_networks_see(
    make_grid: Callable[..., Grid], load: Callable[..., Method], method: str, lon: float, lat: float
) -> None:
    grid, crater = make_grid(256), Crater(5, "A", lon, lat, 60e3)
    mosaic, truth = painted(grid, crater)
    result = load(method, mosaic, crater, **REPORTS[method]).predict(crater)
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


@pytest.fixture
def both_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks whose chips are turned and show rivals, as their bundles remember."""
    for kind in ("segmentation", "guided", "distance-only"):
        monkeypatch.setitem(VIEWS, kind, VIEWS[kind] | {"rivals": True, "radial_up": True})


CHIP_METHODS = ("two-stage", "polar-connect", "guided", "distance-only")


@pytest.mark.usefixtures("both_options")
@pytest.mark.parametrize("method", CHIP_METHODS)
@pytest.mark.parametrize(("lon", "lat"), [(20, 10), (-179.9, -35), (77, 89.9)])
def test_the_map_is_what_the_networks_see_in_turned_chips(
    make_grid: Callable[..., Grid], load: Callable[..., Method], method: str, lon: float, lat: float
) -> None:
    test_the_map_is_what_the_networks_see(make_grid, load, method, lon, lat)


@pytest.mark.parametrize("device", ["cpu:0", "cuda"])
@pytest.mark.parametrize("method", METHODS)
def test_pictures_sampled_on_a_device_make_the_same_map(
    make_grid: Callable[..., Grid],
    load: Callable[..., Method],
    method: str,
    device: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By any name but plain "cpu" they are sampled as on a GPU, many at once."""
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    crater = Crater(5, "A", -179.9, -35, 60e3)
    mosaic, _ = painted(make_grid(256), crater)
    expected = load(method, mosaic, crater, **REPORTS[method]).predict(crater)
    probability = expected.probability(expected.window)

    def on_processor(answer: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        return lambda inputs: answer(inputs).cpu()

    monkeypatch.setattr(Report, "device", device)
    reports = {kind: on_processor(given) for kind, given in REPORTS[method].items()}
    found = load(method, mosaic, crater, **reports).predict(crater)
    assert found.connections.drop(columns="score").equals(
        expected.connections.drop(columns="score")
    )
    difference = found.probability(found.window) - probability
    assert np.nanmax(np.abs(difference)) < 1e-3


@pytest.mark.usefixtures("both_options")
@pytest.mark.parametrize("method", CHIP_METHODS)
def test_networks_of_turned_chips_see_rivals_and_the_crater_below(
    make_grid: Callable[..., Grid], load: Callable[..., Method], method: str
) -> None:
    crater, rival = Crater(5, "A", 20, 10, 60e3, reach=0.2), Crater(6, "B", 40, 10, 60e3)
    mosaic, _ = painted(make_grid(128), crater)
    seen: list[Tensor] = []

    def spy(inputs: Tensor) -> Tensor:
        seen.append(inputs.clone())
        return inputs[:, 0].clamp(0, 1)

    outliner = {"polar-connect": "segmentation", "two-stage": "segmentation"}.get(method, method)
    reports = REPORTS[method] | {outliner: spy}
    found = load(method, mosaic, (crater, rival), **reports).predict(crater)
    found.probability(found.window)
    chips = torch.cat(seen)
    assert chips.shape[1] == (5 if method == "guided" else 4)
    range_m, rivalry = 10 ** chips[:, 2], chips[:, 3]
    far = range_m.amin((1, 2)) > 400e3
    assert far.any()
    assert (range_m[far, -1].mean(1) < range_m[far, 0].mean(1)).all()
    assert rivalry.min() < 0 < rivalry.max()
