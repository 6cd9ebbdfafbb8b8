"""Chips are outlined as the strips need them: once each, few at a time, and with the same map as all at once."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from ejectamap.mapping.from_chips import ChipsOnDemand
from ejectamap.mapping.merge import merge_chips
from ejectamap.views.chip import Chip
from ejectamap.views.tiling import ChipGrid
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window

SIDE_M = 400e3
SIZE_PX = 16
MakeGrid = Callable[..., Grid]


class Outliner:
    """Gives each chip a picture of its own, and remembers which it was asked for."""

    def __init__(self) -> None:
        self.asked: list[Chip] = []

    def __call__(self, chips: Sequence[Chip]) -> Iterator[np.ndarray]:
        """Three at a time."""
        self.asked += chips
        pictures = self.pictures(chips)
        yield from (pictures[k : k + 3] for k in range(0, len(pictures), 3))

    @staticmethod
    def pictures(chips: Sequence[Chip]) -> np.ndarray:
        pictures = np.zeros((len(chips), SIZE_PX, SIZE_PX), np.float32)
        for picture, chip in zip(pictures, chips, strict=True):
            seed = abs(hash((chip.x_m, chip.y_m))) % 2**32
            picture[:] = np.random.default_rng(seed).random(picture.shape)
        return pictures


@pytest.mark.parametrize(
    "place", [(20.0, 10.0), (-179.9, -35.0), (77.0, 89.9)], ids=["plain", "dateline", "pole"]
)
@pytest.mark.parametrize("reach", [0.12, 0.75], ids=["near", "giant"])
@pytest.mark.parametrize("radial_up", [False, True])
def test_strip_by_strip_is_all_at_once(
    make_grid: MakeGrid, place: tuple[float, float], reach: float, radial_up: bool
) -> None:
    grid, crater = make_grid(96), Crater(1, "A", *place, 50e3, reach=reach)
    reach_m = crater.reach_m(grid.radius_m)
    chips = ChipGrid.around(reach_m, SIDE_M, 0.5, radial_up)
    chosen = np.flatnonzero(np.arange(len(chips)) % 3 > 0)
    window = grid.cap_window(*place, reach_m)
    pictures = Outliner.pictures([chips.chip(int(k)) for k in chosen])
    whole = merge_chips(pictures, chosen, chips, crater, grid, window)

    outliner = Outliner()
    on_demand = ChipsOnDemand(crater, grid, chips, chosen, outliner)
    strips = list(grid.strips(window, 4 * window.width))
    held, parts = [], []
    for strip in strips:
        parts.append(on_demand(strip))
        held.append(len(on_demand.held))
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert len(outliner.asked) == len(set(outliner.asked))
    if reach > 0.5:
        assert max(held) < 0.6 * len(chosen)
    # Any other order gives the same.
    again = {strip.row: on_demand(strip) for strip in reversed(strips)}
    backwards = np.concatenate([again[strip.row] for strip in strips])
    np.testing.assert_array_equal(backwards, whole)


def test_where_nothing_is_chosen_nothing_is_asked(make_grid: MakeGrid) -> None:
    grid, crater = make_grid(64), Crater(1, "A", 20, 10, 50e3, reach=0.12)
    chips = ChipGrid.around(crater.reach_m(grid.radius_m), SIDE_M, 0.5)
    outliner = Outliner()
    on_demand = ChipsOnDemand(crater, grid, chips, np.zeros(0, np.int64), outliner)
    found = on_demand(Window(0, 0, *grid.shape))
    assert np.nanmax(found) == 0
    assert not outliner.asked
