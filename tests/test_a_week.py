"""A scientist's week by the commands alone: map, correct, train, add a crater, compare, cross-validate, hand on."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pystac
import pytest
import rasterio
from shapely.geometry import MultiPolygon

from ejectamap import cli
from ejectamap.project.folder import Project
from ejectamap.world.grid import Grid
from ejectamap.world.label_polygons import rasterise

LABELLED = (0, 1, 2, 3)
ADDED = 1_000_000
SETTINGS = (
    "views.polar_px=[64, 160]",
    "views.tile_km=600",
    "context.max_epochs=1",
    "context.precision=full",
    "map.threshold=0.3",
)

Command = Callable[..., str]


@pytest.fixture
def ejectamap(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Command:
    """Run a command that succeeds; give all that it prints, warnings too, as one line."""

    def run(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["ejectamap", *map(str, arguments)])
        capsys.readouterr()
        caplog.clear()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = " ".join(" ".join([*capsys.readouterr(), *caplog.messages]).split())
        assert not ended.value.code, printed
        return printed

    return run


def label(project: Path, crater_id: int) -> np.ndarray:
    labels = Project.open(project).labels
    assert labels is not None
    return labels.read(crater_id, labels.grid.whole)


def mapped_ids(project: Path) -> set[int]:
    return set(gpd.read_file(project / "map/ejecta.gpkg")["crater_id"])


def origins(project: Path) -> set[int]:
    with rasterio.open(project / "map/origin.tif") as source:
        return set(np.unique(source.read(1)).tolist()) - {0}


def largest_polygon(layer: gpd.GeoDataFrame, crater_id: int, grid: Grid) -> np.ndarray:
    """Pixels of the largest polygon of a crater's ejecta, bool of the grid's shape."""
    (ejecta,) = layer.geometry[layer["crater_id"] == crater_id]
    largest = max(ejecta.geoms, key=lambda polygon: polygon.area)
    assert layer.crs is not None
    window, mask = rasterise("layer", crater_id, np.array([largest], object), layer.crs, grid)
    pixels = np.zeros(grid.shape, bool)
    pixels[window.row : window.row + window.height, grid.columns(window)] = mask
    return pixels


def delete_largest_polygon(package: Path, crater_id: int) -> None:
    """Delete the largest polygon of a crater's ejecta as QGIS would."""
    layer = gpd.read_file(package, layer="ejecta")
    row = layer.index[layer["crater_id"] == crater_id][0]
    smaller = sorted(layer.geometry[row].geoms, key=lambda polygon: polygon.area)[:-1]
    layer.loc[row, "geometry"] = MultiPolygon(smaller)
    layer.to_file(package, layer="ejecta", driver="GPKG", geometry_type="MultiPolygon", index=False)


def add_crater(table: Path) -> None:
    """A seventh crater between the others, with an id that no small integer holds."""
    craters = pd.read_csv(table)
    row = craters.iloc[0].to_dict() | {"crater_id": ADDED, "name": "Added", "lon": 10.0, "lat": 5.0}
    pd.concat([craters, pd.DataFrame([row])]).to_csv(table, index=False)


def test_a_week(tmp_path: Path, planet_files: Path, ejectamap: Command) -> None:
    inputs, folder = tmp_path / "inputs", tmp_path / "planet"
    shutil.copytree(planet_files, inputs)
    for path in (inputs / "labels").iterdir():
        if int(path.stem.rsplit("_", 1)[1]) not in LABELLED:
            path.unlink()
    new = ["--mosaic", inputs / "mosaic.tif", "--craters", inputs / "craters.csv"]
    changes = [part for change in SETTINGS for part in ("--set", change)]
    ejectamap("new", folder, *new, "--labels", inputs / "labels", *changes)
    ejectamap("train", folder)
    ejectamap("map", folder)
    assert mapped_ids(folder) >= set(LABELLED)

    correct(folder, ejectamap)
    train_and_map(folder, ejectamap)
    set_beside_each_other(folder, ejectamap)

    add_crater(inputs / "craters.csv")
    printed = ejectamap("map", folder, "--craters", ADDED)
    assert f"maps are of an older catalogue: ejectamap map {folder} renews them" in printed
    polygons = gpd.read_file(folder / "map/ejecta.gpkg").set_index("crater_id")
    assert mapped_ids(folder) >= {*LABELLED, ADDED}
    assert polygons["current"].to_dict() == {k: k == ADDED for k in polygons.index}
    assert origins(folder) >= {*(k + 1 for k in LABELLED), ADDED + 1}

    cross_validate(folder, ejectamap)
    hand_on(folder, tmp_path / "elsewhere", ejectamap)


def correct(folder: Path, ejectamap: Command) -> None:
    """Delete one polygon of a labelled crater and import: exactly its pixels are gone from the label."""
    package, grid = folder / "qgis/map.gpkg", Project.open(folder).grid
    ejectamap("export", "qgis", folder)
    labels = {k: label(folder, k) for k in LABELLED}
    layer = gpd.read_file(package, layer="ejecta")
    largest = {k: largest_polygon(layer, k, grid) for k in LABELLED}
    corrected = max(LABELLED, key=lambda k: (largest[k] & labels[k]).sum())
    assert (largest[corrected] & labels[corrected]).any()
    delete_largest_polygon(package, corrected)
    ejectamap("import", "labels", folder, package)
    for k in LABELLED:
        expected = labels[k] & ~largest[k] if k == corrected else labels[k]
        assert np.array_equal(label(folder, k), expected)
    present = Project.open(folder).labels
    assert present is not None
    assert set(present.masks) == set(LABELLED)
    assert "no label was changed" in ejectamap("import", "labels", folder, package)


def train_and_map(folder: Path, ejectamap: Command) -> None:
    """After a correction `train` trains, and then has nothing to do."""
    weights = folder / "models/context/member-00/weights.safetensors"
    before = weights.read_bytes()
    assert "labels" in ejectamap("check", folder)
    ejectamap("train", folder)
    corrected = weights.read_bytes()
    assert corrected != before
    ejectamap("train", folder)
    assert weights.read_bytes() == corrected
    ejectamap("map", folder)
    printed = json.loads(ejectamap("evaluate", folder, "--json"))
    assert printed["test"]["pixel"].keys() >= {"f1", "precision", "recall"}


def set_beside_each_other(folder: Path, ejectamap: Command) -> None:
    """The map before the correction was kept, and differs from the present one."""
    (kept,) = [path.name for path in (folder / "runs").iterdir() if path.is_dir()]
    assert kept in ejectamap("runs", folder)
    ejectamap("runs", folder, "--name", kept, "uncorrected")
    assert "uncorrected" in ejectamap("difference", folder, "uncorrected")
    assert list((folder / "differences").rglob("*.png"))


def cross_validate(folder: Path, ejectamap: Command) -> None:
    """Each crater with labelled ejecta has its row, by networks that were not trained on it."""
    with_ejecta = {k for k in LABELLED if label(folder, k).any()}
    printed = ejectamap("cross-validate", folder, "--folds", 2)
    (table,) = (folder / "cross-validation").glob("*.csv")
    assert set(pd.read_csv(table)["crater_id"].dropna().astype(int)) == with_ejecta
    assert "F1" in printed


def hand_on(folder: Path, elsewhere: Path, ejectamap: Command) -> None:
    """Exports that are sent alone open in another folder; probabilities carry their scale."""
    ejectamap("export", "stac", folder)
    ejectamap("export", "pds4", folder)
    ejectamap("analyze", folder)
    ejectamap("report", folder)
    shutil.move(folder / "stac", elsewhere)
    catalogue = pystac.Collection.from_file(str(elsewhere / "collection.json"))
    items = list(catalogue.get_items(recursive=True))
    assert len(items) == len(mapped_ids(folder))
    for item in items:
        for asset in item.get_assets().values():
            assert Path(asset.get_absolute_href() or "").is_file()
        raster = next(a for name, a in item.get_assets().items() if "probability" in name)
        with rasterio.open(raster.get_absolute_href()) as source:
            assert source.scales == (0.004,)
            assert source.nodata == 255
    assert {"rays.csv", "analysis.csv", "report.html"} <= {p.name for p in folder.iterdir()}
