"""Chips are predicted when strips need them: once each, few at a time, with the same map as all at once."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from ejectamap.mapping.chip_maps import ChipsOnDemand
from ejectamap.mapping.merge import merge_chips
from ejectamap.views.chip import Chip
from ejectamap.views.tiling import ChipGrid
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window

SIDE_M = 400e3
SIZE_PX = 16
MakeGrid = Callable[..., Grid]


class Predictor:
    """Gives each chip random probabilities of its own, and lists the chips it was called with."""

    def __init__(self) -> None:
        self.calls: list[Chip] = []

    def __call__(self, chips: Sequence[Chip]) -> Iterator[np.ndarray]:
        """Three at a time."""
        self.calls += chips
        values = self.probabilities(chips)
        yield from (values[k : k + 3] for k in range(0, len(values), 3))

    @staticmethod
    def probabilities(chips: Sequence[Chip]) -> np.ndarray:
        values = np.zeros((len(chips), SIZE_PX, SIZE_PX), np.float32)
        for value, chip in zip(values, chips, strict=True):
            seed = abs(hash((chip.x_m, chip.y_m))) % 2**32
            value[:] = np.random.default_rng(seed).random(value.shape)
        return values


@pytest.mark.parametrize(
    "place", [(20.0, 10.0), (-179.9, -35.0), (77.0, 89.9)], ids=["plain", "dateline", "pole"]
)
@pytest.mark.parametrize("reach", [0.12, 0.75], ids=["near", "giant"])
def test_strip_by_strip_is_all_at_once(
    make_grid: MakeGrid, place: tuple[float, float], reach: float
) -> None:
    grid, crater = make_grid(96), Crater(1, "A", *place, 50e3, reach=reach)
    reach_m = crater.reach_m(grid.radius_m)
    chips = ChipGrid.around(reach_m, SIDE_M, 0.5)
    chosen = np.flatnonzero(np.arange(len(chips)) % 3 > 0)
    window = grid.cap_window(*place, reach_m)
    values = Predictor.probabilities([chips.chip(int(k)) for k in chosen])
    whole = merge_chips(values, chosen, chips, crater, grid, window)

    predictor = Predictor()
    on_demand = ChipsOnDemand(crater, grid, chips, chosen, predictor)
    strips = list(grid.strips(window, 4 * window.width))
    held, parts = [], []
    for strip in strips:
        parts.append(on_demand(strip))
        held.append(len(on_demand.loaded))
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert len(predictor.calls) == len(set(predictor.calls))
    if reach > 0.5:
        assert max(held) < 0.6 * len(chosen)
    # Any other order gives the same.
    again = {strip.row: on_demand(strip) for strip in reversed(strips)}
    backwards = np.concatenate([again[strip.row] for strip in strips])
    np.testing.assert_array_equal(backwards, whole)


def test_no_chip_is_predicted_where_none_is_chosen(make_grid: MakeGrid) -> None:
    grid, crater = make_grid(64), Crater(1, "A", 20, 10, 50e3, reach=0.12)
    chips = ChipGrid.around(crater.reach_m(grid.radius_m), SIDE_M, 0.5)
    predictor = Predictor()
    on_demand = ChipsOnDemand(crater, grid, chips, np.zeros(0, np.int64), predictor)
    found = on_demand(Window(0, 0, *grid.shape))
    assert np.nanmax(found) == 0
    assert not predictor.calls
