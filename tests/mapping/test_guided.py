"""The methods that look twice, from end to end."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from ejectamap.mapping import map_project
from ejectamap.mapping.export import probabilities, read_stored
from ejectamap.networks.bundle import load_bundle
from ejectamap.networks.polar_answer import FAINT
from ejectamap.project import Project
from ejectamap.training import train

MakeProject = Callable[..., Project]


@pytest.mark.parametrize(
    ("method", "kind", "level", "channels"),
    [("polar-connect", "segmentation", 0.5, 4), ("guided", "guided", FAINT, 5)],
)
def test_two_runs_give_the_same_bytes(
    make_project: MakeProject, method: str, kind: str, level: float, channels: int
) -> None:
    one, two = (make_project(f"method={method}", name=name) for name in "ab")
    for project in (one, two):
        train(project)
        map_project(project)
    files = [f"{kind}/member-00/weights.safetensors", "context/member-00/weights.safetensors"]
    for name in files:
        assert (one.models / name).read_bytes() == (two.models / name).read_bytes()
    written = sorted(
        path.name for path in one.maps.iterdir() if path.suffix in (".tif", ".parquet")
    )
    assert len(written) == 2 * len(one.craters) + 2
    for name in written:
        assert (one.maps / name).read_bytes() == (two.maps / name).read_bytes()
    assert load_bundle(one.models / kind / "member-00").network["in_channels"] == channels
    table = pd.read_parquet(one.maps / "connections.parquet")
    assert set(table["crater_id"]) == {crater.crater_id for crater in one.craters}
    assert np.array_equal(table["connected"], table["score"] > level)
    for crater in one.craters:
        path = one.maps / f"crater_{crater.crater_id}_probability.tif"
        probability = probabilities(read_stored(path, one.mosaic.grid)[1])
        connected = table["connected"][table["crater_id"] == crater.crater_id].any()
        assert (np.nanmax(probability) > 0) == connected
