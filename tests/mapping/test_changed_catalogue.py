"""A catalogue that changes keeps the map: nothing vanishes, and what is of the older catalogue is said to be."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio

from ejectamap.analysis.measure import analyze_project
from ejectamap.errors import ProjectError
from ejectamap.evaluation.run import evaluate_project
from ejectamap.interop.map_metadata import model_card
from ejectamap.interop.qgis import export_qgis
from ejectamap.interop.stac import export_stac
from ejectamap.mapping.run import map_project
from ejectamap.maps.mapped import find_maps, require_mapped
from ejectamap.pages.report.page import write_report
from ejectamap.project.folder import Project
from ejectamap.world.label_files import label_path

MakeReady = Callable[..., Project]
OLD = {0: 7, 2: 302, 4: 1_000_000}
"""Ids of three of the planet's craters, and how these tests number them."""
NEW = 70_000
STALE_NOTE = r"3 maps are of an older catalogue: ejectamap map \S+ renews them"


@pytest.fixture
def files(planet_files: Path, tmp_path: Path) -> Path:
    """The small planet with three of its craters, and scattered ids."""
    folder = tmp_path / "files"
    shutil.copytree(planet_files, folder)
    table = pd.read_csv(folder / "craters.csv")
    for path in (folder / "labels").iterdir():
        path.unlink()
    for old, new in OLD.items():
        label = label_path(planet_files / "labels", old)
        shutil.copy(label, label_path(folder / "labels", new))
    table = table[table["crater_id"].isin(OLD)]
    table["crater_id"] = table["crater_id"].map(OLD)
    table.to_csv(folder / "craters.csv", index=False)
    return folder


@pytest.fixture
def grown(make_ready: MakeReady, files: Path) -> Project:
    """A mapped project to whose catalogue a crater was added, which alone was mapped then."""
    project = make_ready("method=polar", files=files)
    map_project(project)
    table = pd.read_csv(files / "craters.csv")
    new = table.iloc[[0]].assign(crater_id=NEW, name="New", lon=table["lon"].iloc[0] / 2 + 40)
    pd.concat([table, new]).to_csv(files / "craters.csv", index=False)
    project = Project.open(project.folder)
    map_project(project, [NEW])
    return Project.open(project.folder)


def test_every_crater_with_a_map_is_in_the_global_files(grown: Project) -> None:
    polygons = gpd.read_file(grown.maps / "ejecta.gpkg").set_index("crater_id")
    drawn = {k for k in (*OLD.values(), NEW) if mask_of(grown, k).any()}
    assert set(polygons.index) == drawn
    assert len(drawn & set(OLD.values())) > 1
    assert {k for k, current in polygons["current"].items() if current} == drawn & {NEW}
    with rasterio.open(grown.maps / "origin.tif") as source:
        origin = source.read(1)
    assert origin.dtype == np.uint32
    masks = [mask_of(grown, k) for k in (*OLD.values(), NEW)]
    assert np.array_equal(origin > 0, np.any(masks, axis=0))
    assert set(np.unique(origin)) - {0} <= {k + 1 for k in drawn}
    provenance = json.loads((grown.folder / "provenance.json").read_text())
    assert provenance["craters"] == sorted([*OLD.values(), NEW])
    assert provenance["stale"] == sorted(OLD.values())


def test_all_readers_work_with_stale_maps_and_say_so(
    grown: Project, caplog: pytest.LogCaptureFixture
) -> None:
    ids = sorted([*OLD.values(), NEW])
    read = {
        "evaluate": lambda: [row.crater_id for row in evaluate_project(grown).craters],
        "analyze": lambda: list(analyze_project(grown)["crater_id"]),
        "qgis": lambda: list(
            gpd.read_file(
                export_qgis(grown, grown.folder / "map.gpkg").with_suffix(".gpkg"), layer="ejecta"
            )["crater_id"]
        ),
        "stac": lambda: sorted(
            json.loads(item.read_text())["properties"]["ejectamap:crater_id"]
            for item in export_stac(grown).parent.glob("crater-*/*.json")
        ),
    }
    for name, ids_of in read.items():
        caplog.clear()
        found = ids_of()
        assert found == (sorted(grown.labels.masks) if name == "evaluate" else ids)
        assert any(pd.Series(caplog.messages).str.fullmatch(STALE_NOTE)), name
    report = write_report(grown).read_text()
    assert "3 maps are of an older catalogue" in report
    assert "3 maps are of an older catalogue" in model_card(grown, find_maps(grown))
    assert (grown.maps / "global.png").exists()


def test_map_renews_them(
    grown: Project, make_ready: MakeReady, files: Path, caplog: pytest.LogCaptureFixture
) -> None:
    map_project(grown)
    assert not caplog.messages
    maps = find_maps(grown)
    assert (len(maps.current), len(maps.stale)) == (4, 0)
    whole = make_ready("method=polar", name="whole", files=files)
    map_project(whole)
    for name in ("origin.tif", "ejecta.gpkg", "connections.parquet"):
        assert (grown.maps / name).read_bytes() == (whole.maps / name).read_bytes()


def test_a_removed_crater_leaves_the_global_files_only(
    make_ready: MakeReady, files: Path, caplog: pytest.LogCaptureFixture
) -> None:
    project = make_ready("method=two-stage", files=files)
    map_project(project)
    table = pd.read_csv(files / "craters.csv")
    table[table["crater_id"] != 302].to_csv(files / "craters.csv", index=False)
    for path in files.glob("labels/mask_crater_302*"):
        path.unlink()
    reduced = Project.open(project.folder)
    map_project(reduced)
    assert caplog.messages == [
        "1 map is of craters that are not in the catalogue (id 302): the files stay in the map folder,"
        " but nothing shows them"
    ]
    assert (project.maps / "crater_302_mask.tif").exists()
    assert 302 not in set(gpd.read_file(project.maps / "ejecta.gpkg")["crater_id"])
    connections = pd.read_parquet(project.maps / "connections.parquet")
    assert set(connections["crater_id"]) == set(OLD.values()) - {302}
    assert len(require_mapped(reduced)) == 2


def test_what_else_makes_a_map_stale_is_named(
    make_ready: MakeReady, caplog: pytest.LogCaptureFixture
) -> None:
    project = make_ready("method=polar")
    map_project(project)
    bundle = project.models / "context" / "member-00" / "bundle.json"
    content = json.loads(bundle.read_text())
    content["training"]["samples"] = 77
    bundle.write_text(json.dumps(content))
    project = Project.open(project.folder)
    with pytest.raises(ProjectError, match="run ejectamap map"):
        require_mapped(project)
    map_project(project, [3])
    assert len(require_mapped(project)) == 6
    (message,) = set(caplog.messages)
    assert message.startswith("5 maps are of other networks: ejectamap map ")


def mask_of(project: Project, crater_id: int) -> np.ndarray:
    """A crater's mask on the whole globe."""
    whole = np.zeros(project.grid.shape, bool)
    with rasterio.open(project.maps / f"crater_{crater_id}_mask.tif") as source:
        window = project.grid.window_of(source.transform, source.shape)
        mask = source.read(1) == 1
    whole[window.row : window.row + window.height, window.col : window.col + window.width] = mask
    return whole
