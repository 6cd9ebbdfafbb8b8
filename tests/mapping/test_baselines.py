"""The earlier methods: what their networks are shown, and whose ejecta anybody's are."""

from collections.abc import Callable

import numpy as np
import torch
from stand_in_networks import R, painted
from torch import Tensor

from ejectamap.mapping.baselines import nearest_in_radii
from ejectamap.mapping.methods import Method
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import distance


def test_the_earlier_networks_see_no_more_than_they_should(
    make_grid: Callable[..., Grid], load: Callable[..., Method]
) -> None:
    grid, crater = make_grid(64), Crater(5, "A", 20, 10, 60e3, reach=0.1)
    mosaic, _ = painted(grid, crater)
    for method, channels in (("distance-only", 3), ("agnostic", 2)):
        shapes = set()

        def spy(inputs: Tensor, shapes: set[int] = shapes) -> Tensor:
            shapes.add(inputs.shape[1])
            return inputs[:, 0]

        found = load(method, mosaic, crater, **{method: spy}).predict(crater)
        found.probability(found.window)
        assert shapes == {channels}


def test_anybody_s_ejecta_go_to_the_nearest_in_radii(
    make_grid: Callable[..., Grid], load: Callable[..., Method]
) -> None:
    """Three craters: a large one, a small one inside its reach, and one whose reach ends before it matters."""
    grid = make_grid(128)
    large, small = Crater(1, "A", 0, 0, 200e3), Crater(2, "B", 20, 0, 40e3)
    short = Crater(3, "C", -20, 5, 300e3, reach=0.05)
    craters = (large, small, short)
    values = np.full((2, *grid.shape), 200, np.float32)
    mosaic = Mosaic.from_array(values, np.ones(grid.shape, bool), grid, ("a", "b"))
    everything = {"agnostic": lambda x: torch.full_like(x[:, 0], 0.8)}
    method = load("agnostic", mosaic, craters, **everything)
    whole = np.zeros((3, *grid.shape), np.float32)
    for k, crater in enumerate(craters):
        found = method.predict(crater)
        w = found.window
        whole[k, w.row : w.row + w.height, w.col : w.col + w.width] = found.probability(
            found.window
        )
        own = nearest_in_radii(crater, [c for c in craters if c != crater], grid, w)
        assert np.array_equal(
            np.nan_to_num(found.probability(found.window)) > 0.5,
            own & ~np.isnan(found.probability(found.window)),
        )
    lon, lat = grid.centres(grid.whole)
    radii = np.stack([distance(c.lon, c.lat, lon, lat, R) / c.radius_m for c in craters])
    within = np.stack([d * c.radius_m <= c.reach_m(R) for d, c in zip(radii, craters, strict=True)])
    expected = np.where(within, radii, np.inf).argmin(axis=0)
    owned = np.nan_to_num(whole) > 0.5
    assert np.array_equal(owned.any(axis=0), within.any(axis=0))
    assert np.array_equal(owned.argmax(axis=0)[within.any(axis=0)], expected[within.any(axis=0)])
    assert [int((owned[k]).sum() > 20) for k in range(3)] == [1, 1, 1]
