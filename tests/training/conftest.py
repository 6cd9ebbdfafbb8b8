"""A small world with two craters whose ejecta are discs."""

from collections.abc import Callable

import numpy as np
import pytest

from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.labels import Labels, Tile
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import distance
from ejectamap.world.world import World

EJECTA_M = 900e3
CRATERS = (
    Crater(1, "A", 20, 10, 100e3),
    Crater(2, "B", 35, 10, 150e3),
    Crater(3, "C", -150, -40, 80e3),
)


@pytest.fixture(scope="session")
def make_world(grid: Grid) -> Callable[..., World]:
    """Craters 1 and 2, neighbours, have ejecta out to 900 km; crater 3 has no mask."""
    lon, lat = grid.centres(grid.whole)
    masks = {}
    for crater in CRATERS[:2]:
        near = distance(crater.lon, crater.lat, lon, lat, grid.radius_m) <= EJECTA_M
        masks[crater.crater_id] = (grid.whole, near)
    values = np.random.default_rng(0).integers(1, 255, (2, *grid.shape)).astype(np.uint8)
    valid = np.ones(grid.shape, bool)
    valid[:4] = False
    mosaic = Mosaic.from_array(values, valid, grid, ("a", "b"))

    def make(tiles: tuple[Tile, ...] | None = None, labelled: bool = True) -> World:
        return World(mosaic, CRATERS, Labels(grid, masks, tiles) if labelled else None)

    return make
