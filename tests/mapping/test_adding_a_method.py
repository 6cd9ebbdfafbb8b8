"""A method is added by one file (`toy_method.py`) and one line of `project.methods`; everything else follows."""

import io
import re
from collections.abc import Callable

import numpy as np
import pytest
from rich.console import Console

from ejectamap.check import check_project
from ejectamap.compare import compare_methods
from ejectamap.evaluation.run import evaluate_project
from ejectamap.mapping.run import map_project
from ejectamap.maps.mapped import mapped_craters
from ejectamap.maps.provenance import compute_fingerprints
from ejectamap.maps.reader import MapReader
from ejectamap.pages.report.summary import summarise
from ejectamap.pages.viewer.network_inputs import NetworkInputs
from ejectamap.project.folder import Project
from ejectamap.project.methods import METHODS, MethodDescription
from ejectamap.training.run import train
from ejectamap.world.sphere import distance

MakeProject = Callable[..., Project]


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    line = MethodDescription(("context",), "toy_method:Disc", "a disc", ("views.overlap",))
    monkeypatch.setitem(METHODS, "toy", line)


def test_a_toy_method_from_check_to_report(make_project: MakeProject) -> None:
    project = make_project("method=toy")
    console = Console(file=io.StringIO(), width=200)
    check_project(project, console)
    printed = console.file.getvalue()  # type: ignore[attr-defined]
    assert re.search(r"method toy: about \d+ polar views", printed)
    train(project)
    map_project(project)
    assert mapped_craters(project) == list(project.craters)
    grid, crater = project.grid, project.craters[2]
    mask = MapReader(project.maps, grid).mask(crater.crater_id, grid.whole)
    away_m = distance(crater.lon, crater.lat, *grid.centres(grid.whole), grid.radius_m)
    valid = project.mosaic.read_valid(grid.whole)
    assert np.array_equal(mask, (away_m < 3 * crater.radius_m) & valid)
    evaluation = evaluate_project(project)
    assert (
        "toy: a disc"
        in dict(summarise(project, list(project.craters), evaluation.to_dict()))["Method"]
    )
    assert NetworkInputs(project).pictures == ["polar"]


def test_its_map_depends_on_the_settings_that_its_line_names(make_project: MakeProject) -> None:
    one = make_project("method=toy", "views.overlap=0.1", name="one")
    two = make_project("method=toy", "views.overlap=0.2", name="two")
    three = make_project("method=toy", "views.overlap=0.1", "views.chip_px=64", name="three")
    prints = [compute_fingerprints(project).craters for project in (one, two, three)]
    assert prints[0] != prints[1]
    assert prints[0] == prints[2]


def test_it_is_compared_with_others(make_project: MakeProject) -> None:
    rows = compare_methods(make_project(), ["toy", "polar"])
    assert [row.method for row in rows] == ["toy", "polar"]
