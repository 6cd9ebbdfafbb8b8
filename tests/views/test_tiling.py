from collections.abc import Callable

import numpy as np
import pytest

from ejectamap.views.tiling import ChipGrid, planet_tiles, tiles_in_reach
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.labels import Tile
from ejectamap.world.sphere import distance

R = 2_439_400.0


@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.5, 0.8])
@pytest.mark.parametrize("reach_m", [30e3, 400e3, 1.9e6])
def test_every_place_within_reach_is_in_a_chip(reach_m: float, overlap: float) -> None:
    side_m = 149e3
    chips = ChipGrid.around(reach_m, side_m, overlap)
    rng = np.random.default_rng(0)
    bearing, range_m = rng.uniform(0, 2 * np.pi, 500), reach_m * np.sqrt(rng.random(500))
    range_m[:50] = reach_m
    centres = np.array([(chip.x_m, chip.y_m) for chip in chips.chips()])
    places = np.stack([range_m * np.sin(bearing), range_m * np.cos(bearing)], axis=1)
    offsets = np.abs(places[:, None] - centres).max(axis=2)
    covered = (offsets <= side_m / 2 * (1 + 1e-12)).sum(axis=1)
    assert covered.min() >= 1
    if overlap == 0.5 and reach_m > side_m:
        assert np.median(covered) == 4


@pytest.mark.parametrize("overlap", [0.0, 0.5])
def test_no_chip_lies_beyond_the_reach(overlap: float) -> None:
    chips = ChipGrid.around(600e3, 149e3, overlap)
    for chip in chips.chips():
        nearest = np.maximum(np.abs([chip.x_m, chip.y_m]) - chip.side_m / 2, 0)
        assert np.hypot(*nearest) <= 600e3
    assert len(chips) == len(chips.chips()) == len(np.unique(chips.cells, axis=0))
    assert [0, 0] in chips.cells.tolist()


@pytest.mark.parametrize(
    ("height", "side_px"), [(64, 8), (64, 13), (90, 90), (100, 7), (64, 1000), (64, 1)]
)
def test_planet_tiles_cover_the_globe_without_gaps_and_overlaps(
    make_grid: Callable[..., Grid], height: int, side_px: int
) -> None:
    grid = make_grid(height)
    tiles = planet_tiles(grid, side_px)
    count = np.zeros(grid.shape, int)
    for tile in tiles:
        window = tile.window
        assert min(window.shape) > 0
        count[window.row : window.row + window.height, window.col : window.col + window.width] += 1
    assert (count == 1).all()
    assert [tile.tile_id for tile in tiles] == list(range(len(tiles)))


def test_planet_tiles_are_about_square_on_the_ground(make_grid: Callable[..., Grid]) -> None:
    grid = make_grid(180)
    for tile in planet_tiles(grid, 15):
        middle = 90 - tile.window.row - tile.window.height / 2
        width = tile.window.width * np.cos(np.radians(middle))
        assert 0.7 < width / tile.window.height < 1.4


def test_tiles_in_reach_are_those_whose_centre_is(grid: Grid) -> None:
    tiles = (*planet_tiles(grid, 6), Tile(999, Window(30, 125, 6, 6)))
    for crater in (Crater(1, "A", 179, 3, 1e5), Crater(2, "B", 10, 88, 1e5, reach=0.4)):
        reach_m = crater.reach * np.pi * R
        near = tiles_in_reach(crater, tiles, grid)
        for tile in tiles:
            row = tile.window.row + tile.window.height / 2
            col = tile.window.col + tile.window.width / 2
            lon, lat = -180 + col * 360 / 128, 90 - row * 180 / 64
            distance_m = distance(crater.lon, crater.lat, lon, lat, R)
            assert (tile in near) == (distance_m <= reach_m)
    assert tiles[-1] in tiles_in_reach(Crater(1, "A", 179, 3, 1e5), tiles, grid)
