"""Which chips a polar look connects."""

import numpy as np
import pytest

from ejectamap.mapping.methods import CONNECTION_COLUMNS
from ejectamap.mapping.polar_connect import connect
from ejectamap.networks.polar_answer import PolarAnswer
from ejectamap.views.polar import PolarView
from ejectamap.views.tiling import ChipGrid
from ejectamap.world.craters import Crater

R = 2_439_400.0
REACH_M = 0.25 * np.pi * R


@pytest.mark.parametrize("overlap", [0.0, 0.5])
def test_chips_are_connected_where_the_polar_map_shows_ejecta(overlap: float) -> None:
    """North is certain, the rest of the circle faint: a threshold between the two connects the northern chips."""
    view = PolarView(Crater(7, "A", 20, 10, 40e3), R, REACH_M, 128, 320)
    north = np.cos(np.radians(view.column_bearings_deg())) > 0
    probability = np.broadcast_to(np.where(north, 0.9, 0.2), view.shape).astype(np.float32)
    chips = ChipGrid.around(REACH_M, 200e3, overlap)
    table = connect(PolarAnswer(view, probability), chips, 0.7)
    top_m = np.array([chip.y_m + chip.side_m / 2 for chip in chips.chips()])
    assert tuple(table) == CONNECTION_COLUMNS
    assert (table["crater_id"] == 7).all()
    assert table["tile"].tolist() == list(range(len(chips)))
    assert table["score"].dtype == np.float32
    off_the_seam = table["score"][top_m != 0]
    assert set(off_the_seam.round(2)) == {np.float32(0.2), np.float32(0.9)}
    assert np.array_equal(table["connected"], top_m > 0)
    assert np.array_equal(table["votes"], table["connected"].astype(int))
    assert connect(PolarAnswer(view, probability), chips, 0.1)["connected"].all()
    assert not connect(PolarAnswer(view, probability), chips, 0.95)["connected"].any()
