"""The demonstration, with small planets and networks."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from ejectamap.demo import run_demo
from ejectamap.errors import ProjectError
from ejectamap.project.folder import Project


def test_the_demonstration_in_small(tmp_path: Path, smallest: tuple[str, ...]) -> None:
    folder, printed = tmp_path / "demo", io.StringIO()
    console = Console(file=printed, width=100)
    run_demo(folder, None, 0, console, width_px=192, craters=4, changes=smallest)
    assert len(list(folder.glob("planet-*/mosaic.tif"))) == 4
    unseen, training = (Project.open(folder / name) for name in ("unseen", "training"))
    assert (unseen.models / "context" / "member-00" / "weights.safetensors").read_bytes() == (
        training.models / "context" / "member-00" / "weights.safetensors"
    ).read_bytes()
    evaluation = json.loads((unseen.outputs / "evaluation.json").read_text())
    ids = [crater.crater_id for crater in unseen.craters]
    provenance = json.loads((unseen.outputs / "provenance.json").read_text())
    assert provenance["craters"] == ids == [0, 1, 2, 3]
    # All of its labels are new to the networks.
    assert evaluation["test"]["pixel"] == evaluation["all"]["pixel"]
    assert evaluation["all"]["pixel"]["tp"] + evaluation["all"]["pixel"]["fn"] > 0
    assert "training on 3 planets" in printed.getvalue()
    report = unseen.outputs / "report.html"
    assert str(report) in printed.getvalue()
    assert all(crater.name in report.read_text() for crater in unseen.craters)
    assert (unseen.outputs / "analysis.png").exists()


def test_the_demonstration_takes_no_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ProjectError, match="is not empty"):
        run_demo(tmp_path, None, 0, Console(file=io.StringIO()))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
