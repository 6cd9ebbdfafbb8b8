"""Method `guided`, from end to end."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from ejectamap.mapping.guided import connect_chips
from ejectamap.mapping.run import map_project
from ejectamap.maps.connections import no_connections
from ejectamap.maps.rasters import probabilities, read_stored
from ejectamap.networks.bundle import load_bundle
from ejectamap.networks.polar_prediction import GUIDE_THRESHOLD, PolarPrediction
from ejectamap.project.folder import Project
from ejectamap.training.run import train
from ejectamap.views.polar import PolarView
from ejectamap.views.tiling import ChipGrid
from ejectamap.world.craters import Crater

MakeProject = Callable[..., Project]
R = 2_439_400.0
REACH_M = 0.25 * np.pi * R


def test_two_runs_give_the_same_bytes(make_project: MakeProject) -> None:
    one, two = (make_project("method=guided", name=name) for name in "ab")
    for project in (one, two):
        train(project)
        map_project(project)
    files = ["guided/member-00/weights.safetensors", "context/member-00/weights.safetensors"]
    for name in files:
        assert (one.models / name).read_bytes() == (two.models / name).read_bytes()
    written = sorted(
        path.name for path in one.maps.iterdir() if path.suffix in (".tif", ".parquet")
    )
    assert len(written) == 2 * len(one.craters) + 2
    for name in written:
        assert (one.maps / name).read_bytes() == (two.maps / name).read_bytes()
    assert load_bundle(one.models / "guided/member-00").description.network["in_channels"] == 5
    table = pd.read_parquet(one.maps / "connections.parquet")
    assert set(table["crater_id"]) == {crater.crater_id for crater in one.craters}
    assert np.array_equal(table["connected"], table["score"] > GUIDE_THRESHOLD)
    for crater in one.craters:
        path = one.maps / f"crater_{crater.crater_id}_probability.tif"
        probability = probabilities(read_stored(path, one.mosaic.grid)[1])
        connected = table["connected"][table["crater_id"] == crater.crater_id].any()
        assert (np.nanmax(probability) > 0) == connected


@pytest.mark.parametrize("overlap", [0.0, 0.5])
def test_chips_with_faint_polar_probabilities_are_connected(overlap: float) -> None:
    """Probabilities are 0.9 in the northern half of the polar view and 0.05 in the southern one."""
    view = PolarView(Crater(7, "A", 20, 10, 40e3), R, REACH_M, 128, 320)
    north = np.cos(np.radians(view.column_bearings_deg())) > 0
    probability = np.broadcast_to(np.where(north, 0.9, 0.05), view.shape).astype(np.float32)
    chips = ChipGrid.around(REACH_M, 200e3, overlap)
    table = connect_chips(PolarPrediction(view, probability), chips)
    top_m = np.array([chip.y_m + chip.side_m / 2 for chip in chips.chips()])
    assert tuple(table) == tuple(no_connections())
    assert (table["crater_id"] == 7).all()
    assert table["tile"].tolist() == list(range(len(chips)))
    assert table["score"].dtype == np.float32
    off_the_seam = top_m != 0  # where interpolation mixes the two halves
    assert set(table["score"][off_the_seam].round(2)) == {np.float32(0.05), np.float32(0.9)}
    assert np.array_equal(table["connected"][off_the_seam], (top_m > 0)[off_the_seam])
    assert np.array_equal(table["votes"], table["connected"].astype(int))
    faintest = PolarPrediction(view, np.full_like(probability, 1.01 * GUIDE_THRESHOLD))
    assert connect_chips(faintest, chips)["connected"].all()
    below = PolarPrediction(view, np.full_like(probability, 0.99 * GUIDE_THRESHOLD))
    assert not connect_chips(below, chips)["connected"].any()
