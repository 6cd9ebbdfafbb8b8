"""QGIS itself opens the exported project and edits it, if QGIS is installed."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from qgis_edits import round_mask

from ejectamap.interop.import_labels import import_labels
from ejectamap.interop.qgis import export_qgis
from ejectamap.project.folder import Project

_SYSTEM_PYTHON = "/usr/bin/python3"
# Run by QGIS's own Python: opens the project, adds a square to the polygon of crater 1, and saves.
_SESSION = """
import json, sys
from qgis.core import QgsApplication, QgsGeometry, QgsProject, QgsRectangle

app = QgsApplication([], False)
app.initQgis()
project = QgsProject.instance()
read = project.read(sys.argv[1])
nodes = project.layerTreeRoot().findLayers()
result = {
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
result["square"] = [x - 2e5, y - 4e5, x + 2e5, y + 4e5]
ejecta.startEditing()
ejecta.changeGeometry(row.id(), row.geometry().combine(QgsGeometry.fromRect(QgsRectangle(*result["square"]))))
result["saved"] = ejecta.commitChanges()
print(json.dumps(result))
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
    """Skip if QGIS's own Python is not installed."""
    if shutil.which(_SYSTEM_PYTHON) is None or _run("import qgis.core").returncode != 0:
        pytest.skip("needs QGIS: apt-get install python3-qgis")


@pytest.mark.usefixtures("qgis")
def test_qgis_shows_the_map_and_its_edit_is_imported(project: Project, tmp_path: Path) -> None:
    qgis_project = export_qgis(project, tmp_path / "out" / "map.gpkg")
    done = _run(_SESSION, str(qgis_project))
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["read"] and result["crs"] and result["saved"]
    assert result["invalid"] == []
    assert result["visible"] == ["craters", "ejecta", "tiles", "mosaic"]
    assert result["radius_m"] == project.mosaic.grid.radius_m
    changes = import_labels(project, qgis_project.with_suffix(".gpkg"))
    assert {k: change.action for k, change in changes.labels.items()} == {1: "corrected"}
    grid, labels = project.mosaic.grid, Project.open(project.folder).labels
    assert labels is not None
    lon, lat = grid.centres(grid.whole)
    x, y = np.broadcast_arrays(np.radians(lon) * grid.radius_m, np.radians(lat) * grid.radius_m)
    west, south, east, north = result["square"]
    square = (x > west) & (x < east) & (y > south) & (y < north)
    assert square.any()
    assert project.labels is not None
    added = square & ~round_mask(project, 1)
    before = project.labels.read(1, grid.whole)
    np.testing.assert_array_equal(labels.read(1, grid.whole), before | added)
