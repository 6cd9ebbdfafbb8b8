"""Properties of the map of every method, with stand-ins for its networks."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from stand_in_networks import STAND_INS, VIEWS, R, first_band, painted
from torch import Tensor

from ejectamap.errors import BundleError
from ejectamap.mapping.methods import Method, load_method
from ejectamap.maps.connections import no_connections
from ejectamap.maps.crater_map import CraterMap
from ejectamap.networks.bundle import Bundle
from ejectamap.networks.ensemble import Ensemble
from ejectamap.project.bundle_views import ChipViews
from ejectamap.project.bundles import BundleDescription
from ejectamap.project.folder import Project
from ejectamap.project.methods import METHODS
from ejectamap.views.scaling import ChannelScaling
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import azimuthal_inverse

MakeProject = Callable[..., Project]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("place", [(180.0, 5.0), (40.0, 89.9)])
def test_a_turned_planet_has_the_turned_map(
    turned_planet: Callable[..., Any],
    load: Callable[..., Method],
    method: str,
    place: tuple[float, float],
) -> None:
    """The same places, in the crater's own frame, have the same probability on the dateline and at the pole."""
    rng = np.random.default_rng(0)
    bearing, range_m = rng.uniform(0, 2 * np.pi, 3000), 0.24 * np.pi * R * np.sqrt(rng.random(3000))
    x, y = range_m * np.sin(bearing), range_m * np.cos(bearing)

    def half_bright(inputs: Tensor) -> Tensor:
        return (inputs[:, 0].mean(dim=(1, 2)) > 0).float()

    def soft(inputs: Tensor) -> Tensor:
        return (2 * inputs[:, 0] * 255).sigmoid()

    stand_ins = {"connection": half_bright, **dict.fromkeys(list(VIEWS)[1:], soft)}
    found, tables = [], []
    for lon, lat in ((20.0, 10.0), place):
        world = turned_planet(lon, lat)
        result = load(method, world.mosaic, world.crater, **stand_ins).predict(world.crater)
        window = result.window
        values = np.full((1, *world.mosaic.grid.shape), np.nan, np.float32)
        here = np.s_[
            0, window.row : window.row + window.height, window.col : window.col + window.width
        ]
        values[here] = result.probability(result.window)
        whole = Mosaic.from_array(
            np.nan_to_num(values), np.isfinite(values[0]), world.mosaic.grid, ("p",)
        )
        found.append(whole.sample(*azimuthal_inverse(x, y, lon, lat, R))[0][0])
        tables.append(result.connections)
    assert np.ptp(found[0]) > 0.5
    # Where a connected chip ends, so does the map: a place in its last pixel may fall on the other side.
    ends = 0.03 if method == "two-stage" else 0.0
    assert (np.abs(found[0] - found[1]) > 0.02).mean() <= ends
    if method == "two-stage":
        # A chip on the verge may fall on the other side.
        agree = tables[0]["connected"].to_numpy() == tables[1]["connected"].to_numpy()
        assert agree.all()
        assert 0.2 < tables[0]["connected"].mean() < 0.8


@pytest.mark.parametrize("method", METHODS)
def test_no_data_stays_unknown(
    make_grid: Callable[..., Grid], load: Callable[..., Method], method: str
) -> None:
    grid, crater = make_grid(128), Crater(5, "A", 20, 10, 60e3)
    valid = np.ones(grid.shape, bool)
    valid[50:60, 130:150] = False
    mosaic, _ = painted(grid, crater, valid)
    result = load(method, mosaic, crater, **STAND_INS[method]).predict(crater)
    window = result.window
    known = np.isfinite(result.probability(result.window))
    hole = valid[window.row : window.row + window.height, window.col : window.col + window.width]
    assert not known[~hole].any()
    assert (~hole).sum() == 200
    assert known[hole].mean() > 0.7


def test_the_mirrored_prediction_is_mirrored_back(
    make_grid: Callable[..., Grid], load: Callable[..., Method]
) -> None:
    """A network whose output is shifted by a column is corrected by its mirrored prediction."""
    grid, crater = make_grid(256), Crater(5, "A", 20, 10, 60e3)
    mosaic, _ = painted(grid, crater)
    off = load("polar", mosaic, crater, context=lambda x: first_band(x).roll(1, -1)).predict(crater)
    straight = load("polar", mosaic, crater, context=first_band).predict(crater)
    assert (
        np.nanmax(np.abs(off.probability(off.window) - straight.probability(straight.window))) < 0.1
    )
    assert np.nansum(off.probability(off.window)) == pytest.approx(
        np.nansum(straight.probability(straight.window)), rel=0.01
    )


def test_networks_run_on_one_thread() -> None:
    """On two the last bits differ, and with them the map."""
    seen = []

    class Spy(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(torch.get_num_threads())
            return x[:, 0]

    description = BundleDescription(
        kind="agnostic",
        network={"in_channels": 1},
        views=ChipViews(bands=1, scaling="255", chip_px=2, tile_m=1e3),
        normalisation=ChannelScaling((1.0,), (2.0,)),
        metadata_normalisation=None,
        training={},
        versions={},
    )
    bundle = Bundle(description, Spy())
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        both, pictures = Ensemble((bundle, bundle)), torch.full((3, 1, 2, 2), 1.0)
        answer = both.probabilities(pictures)
        assert torch.equal(both.mean(pictures), answer.mean(1))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen == [1, 1, 1, 1]
    assert answer.shape == (3, 2, 2, 2)
    assert (answer == 0.5).all()


@pytest.mark.parametrize("method", METHODS)
def test_without_networks_nothing_is_mapped(make_project: MakeProject, method: str) -> None:
    with pytest.raises(BundleError, match="ejectamap train"):
        load_method(make_project(f"method={method}"))


def test_a_map_is_empty_of_connections_by_default() -> None:
    window = Grid(4, 8, R, -180.0, "", None).whole  # type: ignore[arg-type]
    bare = CraterMap(Crater(1, "A", 0, 0, 1e4), window, np.zeros)
    assert tuple(bare.connections) == tuple(no_connections())
    assert len(bare.connections) == 0
