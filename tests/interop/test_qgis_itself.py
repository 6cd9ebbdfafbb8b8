"""What QGIS makes of the exported project, where it is installed."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from qgis_edits import round_mask

from ejectamap.interop.corrections import import_labels
from ejectamap.interop.qgis import export_qgis
from ejectamap.project import Project

_SYSTEM_PYTHON = "/usr/bin/python3"
# Run by the Python that QGIS came with: it opens the project, widens crater 1 by a square as a person would, and saves.
_SESSION = """
import json, sys
from qgis.core import QgsApplication, QgsGeometry, QgsProject, QgsRectangle

app = QgsApplication([], False)
app.initQgis()
project = QgsProject.instance()
read = project.read(sys.argv[1])
nodes = project.layerTreeRoot().findLayers()
told = {
    "read": read,
    "crs": project.crs().isValid(),
    "radius_m": float(project.ellipsoid().split(":")[-1]),
    "visible": [n.name() for n in nodes if n.isVisible()],
    "invalid": [n.name() for n in nodes if n.layer() is None or not n.layer().isValid()],
}
ejecta = next(n.layer() for n in nodes if n.name() == "ejecta")
row = next(f for f in ejecta.getFeatures() if f["crater_id"] == 1)
box = row.geometry().boundingBox()
x, y = box.xMaximum(), box.center().y()
told["square"] = [x - 2e5, y - 4e5, x + 2e5, y + 4e5]
ejecta.startEditing()
ejecta.changeGeometry(row.id(), row.geometry().combine(QgsGeometry.fromRect(QgsRectangle(*told["square"]))))
told["saved"] = ejecta.commitChanges()
print(json.dumps(told))
app.exitQgis()
"""


def _run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [_SYSTEM_PYTHON, "-c", script, *arguments],
        env={"QT_QPA_PLATFORM": "offscreen", "PATH": "/usr/bin:/bin", "HOME": "/tmp"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def qgis() -> None:
    """Skip where QGIS's own Python is not at hand."""
    if shutil.which(_SYSTEM_PYTHON) is None or _run("import qgis.core").returncode != 0:
        pytest.skip("QGIS is not installed")


@pytest.mark.usefixtures("qgis")
def test_qgis_shows_the_map_and_its_edit_comes_back(project: Project, tmp_path: Path) -> None:
    view = export_qgis(project, tmp_path / "out" / "map.gpkg")
    done = _run(_SESSION, str(view))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["read"] and told["crs"] and told["saved"]
    assert told["invalid"] == []
    assert told["visible"] == ["craters", "ejecta", "tiles", "mosaic"]
    assert told["radius_m"] == project.mosaic.grid.radius_m
    found = import_labels(project, view.with_suffix(".gpkg"))
    assert (list(found.drawn), found.accepted, found.removed) == ([1], (), ())
    grid, labels = project.mosaic.grid, Project.open(project.folder).labels
    assert labels is not None
    lon, lat = grid.centres(grid.whole)
    x, y = np.broadcast_arrays(np.radians(lon) * grid.radius_m, np.radians(lat) * grid.radius_m)
    west, south, east, north = told["square"]
    square = (x > west) & (x < east) & (y > south) & (y < north)
    assert square.any()
    np.testing.assert_array_equal(labels.read(1, grid.whole), square | round_mask(project, 1))
