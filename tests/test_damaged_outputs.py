"""A damaged output is one line, which names the file and what to do, whatever reads it; never a traceback."""

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ejectamap.analysis.families import suggest_families
from ejectamap.analysis.measure import analyze_project
from ejectamap.errors import EjectamapError
from ejectamap.evaluation.run import evaluate_project
from ejectamap.evaluation.stored import read_evaluation
from ejectamap.interop.map_metadata import model_card
from ejectamap.interop.pds4 import export_pds4
from ejectamap.interop.qgis import export_qgis
from ejectamap.interop.stac import export_stac
from ejectamap.mapping.run import map_project
from ejectamap.maps.mapped import find_maps
from ejectamap.maps.reader import MapReader
from ejectamap.pages.report.cards import CraterRows, build_card
from ejectamap.pages.report.sections import learning_section, provenance_section
from ejectamap.pages.viewer.network_inputs import NetworkInputs
from ejectamap.pages.viewer.outlines import outline_connections
from ejectamap.project.folder import Project
from ejectamap.show.run import draw_card, mask_areas_km2
from ejectamap.training.summary import summarise

Reader = Callable[[Project], object]

METRICS = "epoch,train_loss,val_loss,val_f1\n0,0.5,0.4,0.1\n1,0.4,0.3,0.2\n"
MEMBERS = "member,seed,samples,validation_f1\n00,1,20,0.25\nmean,,20,0.25\n"
SUGGESTIONS = "tile_id,row,col,height,width,crater_ids,score,reason\n1,0,0,32,32,0,0.5,unsure\n"


def card(project: Project) -> object:
    return build_card(project, project.craters[0], CraterRows.read(project))


def rows(project: Project) -> object:
    return CraterRows.read(project)


def remap(project: Project) -> None:
    map_project(project, [0])


READERS: dict[str, list[Reader]] = {
    "map/.done/outline_0.parquet": [remap],
    "map/.done/connections_0.parquet": [remap],
    "map/.done/crater_0.json": [find_maps],
    "map/.done/trained_on.json": [evaluate_project],
    "map/connections.parquet": [
        rows,
        suggest_families,
        lambda p: outline_connections(p, p.craters[0], NetworkInputs(p).chips(p.craters[0])),
    ],
    "map/ejecta.gpkg": [
        rows,
        mask_areas_km2,
        export_stac,
    ],
    "map/origin.tif": [
        evaluate_project,
        lambda p: MapReader(p.maps, p.grid).origin_overview(),
        lambda p: export_pds4(p, "none", "urn:nasa:pds:test:data"),
    ],
    "map/crater_0_mask.tif": [
        evaluate_project,
        analyze_project,
        lambda p: MapReader(p.maps, p.grid).overlaps_overview([0]),
    ],
    "map/crater_0_probability.tif": [
        remap,
        analyze_project,
    ],
    "map/crater_0.png": [card],
    "provenance.json": [evaluate_project, provenance_section],
    "evaluation.json": [read_evaluation, rows, lambda p: model_card(p, find_maps(p))],
    "analysis.csv": [rows],
    "suggestions.csv": [lambda p: export_qgis(p, p.folder / "map.gpkg")],
    "logs/segmentation/members.csv": [learning_section],
    "logs/segmentation/member-00/metrics.csv": [summarise],
    "models/segmentation/member-00/bundle.json": [remap, NetworkInputs, summarise],
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the project that the first test makes, for all others."""
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def project(make_ready: Callable[..., Project], kept: Path, planet_files: Path) -> Project:
    """A project with one mapped crater and all outputs."""
    if not (kept / "project").exists():
        made = make_ready("method=two-stage", "map.threshold=0.1")
        map_project(made, [0], after_crater=draw_card)
        evaluate_project(made)
        analyze_project(made)
        log = made.logs / "segmentation"
        (log / "member-00").mkdir(parents=True)
        (log / "curves.png").write_bytes((made.maps / "crater_0.png").read_bytes())
        (log / "members.csv").write_text(MEMBERS)
        (log / "member-00" / "metrics.csv").write_text(METRICS)
        (made.folder / "suggestions.csv").write_text(SUGGESTIONS)
        shutil.move(made.folder, kept / "project")
        text = (kept / "project" / "project.yaml").read_text()
        for name in ("mosaic", "craters", "labels"):
            line = next(x for x in text.splitlines() if x.startswith(f"  {name}: "))
            file = planet_files / {"mosaic": "mosaic.tif", "craters": "craters.csv"}.get(name, name)
            text = text.replace(line, f"  {name}: {file}")
        (kept / "project" / "project.yaml").write_text(text)
    return Project.open(kept / "project")


def damages(path: Path) -> Iterator[tuple[str, bytes]]:
    """Ways in which a file may be damaged."""
    content = path.read_bytes()
    yield "half", content[: len(content) // 2]
    if path.suffix == ".json":
        yield from ((text, text.encode()) for text in ("{}", "[]", '{"craters": 1}'))
        return
    yield "other", b"nonsense\x00\xff\n" * 20
    if path.suffix == ".csv":
        return
    third = len(content) // 3
    flipped = bytes(byte ^ 0x5A for byte in content[third : third + 40])
    yield "flipped", content[:third] + flipped + content[third + 40 :]


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_output_is_one_line_or_made_again(
    project: Project, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = project.folder / name
    for reader in READERS[name]:
        reader(Project.open(project.folder))
    intact = path.read_bytes()
    failures, refused = [], 0
    for what, content in damages(path):
        for number, reader in enumerate(READERS[name]):
            path.write_bytes(content)
            capfd.readouterr()
            try:
                reader(Project.open(project.folder))
            except EjectamapError as error:
                refused += 1
                if (
                    "\n" in str(error)
                    or path.name not in str(error)
                    or "ejectamap" not in str(error)
                ):
                    failures.append((what, number, str(error)))
            except Exception as error:
                failures.append((what, number, repr(error)[:300]))
            if capfd.readouterr().err:
                failures.append((what, number, "writes on the terminal"))
            path.write_bytes(intact)
    assert not failures, json.dumps(failures, indent=1)
    assert refused or name.startswith("map/.done/")


@contextmanager
def pipe_in_place(path: Path) -> Iterator[None]:
    """A pipe in place of a file; who reads it gets its end, instead of waiting, so that no test hangs."""
    kept = path.rename(path.with_name(f"{path.name}.kept"))
    os.mkfifo(path)
    over = threading.Event()

    def end_reading() -> None:
        while not over.wait(0.01):
            with suppress(OSError):  # nobody reads
                os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
                read.append(path)

    read: list[Path] = []
    thread = threading.Thread(target=end_reading)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        kept.replace(path)
    assert not read, f"{path.name} is read although it is a pipe"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("name", READERS)
def test_a_pipe_in_place_of_an_output_is_not_waited_for(project: Project, name: str) -> None:
    for reader in READERS[name]:
        # Commands print both in one line.
        with pipe_in_place(project.folder / name), suppress(EjectamapError, OSError):
            reader(Project.open(project.folder))
