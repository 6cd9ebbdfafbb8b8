"""From a simulated planet to its judged map by the commands alone, for both methods."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio

from ejectamap import cli
from ejectamap.mapping.run import map_project
from ejectamap.project.folder import Project

TINY = [
    "views.chip_px=32",
    "views.corridor_px=[64, 16]",
    "views.polar_px=[64, 128]",
    "views.tile_km=600",
    "views.overlap=0.25",
    "connection.architecture=test_resnet",
    "connection.members=2",
    "segmentation.encoder=tu-test_resnet",
    "segmentation.decoder_channels=[32, 16, 16, 8, 8]",
    "context.encoder=tu-test_resnet",
    "context.decoder_channels=[32, 16, 16, 8, 8]",
    *(f"{kind}.pretrained=false" for kind in ("connection", "segmentation", "context")),
    *(f"{kind}.precision=full" for kind in ("connection", "segmentation", "context")),
    *(f"{kind}.max_epochs=1" for kind in ("connection", "segmentation", "context")),
    "training.start_from=none",
    "map.threshold=0.5",
]
NETWORKS = {"two-stage": {"connection": 2, "segmentation": 1}, "polar": {"context": 1}}


@pytest.fixture
def ejectamap(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Run a command that succeeds and says nothing on standard error; give its output."""

    def run(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["ejectamap", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        assert not ended.value.code, err
        assert err == ""
        return out

    return run


def map_bytes(folder: Path) -> dict[str, bytes]:
    """The files of a map that other programs read."""
    kinds = {".tif", ".gpkg", ".parquet"}
    found = (path for path in folder.iterdir() if path.suffix in kinds)
    return {path.name: path.read_bytes() for path in found}


@pytest.mark.parametrize("method", NETWORKS)
def test_from_a_planet_to_its_judged_map(
    tmp_path: Path, planet_files: Path, ejectamap: Callable[..., str], method: str
) -> None:
    folder = tmp_path / "project"
    inputs = [
        *("--mosaic", planet_files / "mosaic.tif", "--craters", planet_files / "craters.csv"),
        *("--labels", planet_files / "labels", "--seed", "3"),
    ]
    changes = [part for change in [f"method={method}", *TINY] for part in ("--set", change)]
    assert f"ejectamap check {folder}" in ejectamap("new", folder, *inputs, *changes)
    assert f"next: ejectamap train {folder}" in ejectamap("check", folder)
    ejectamap("train", folder, "--max-minutes", "1")
    assert_trained(folder, NETWORKS[method])
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    ejectamap("map", folder)
    assert_mapped(folder, method)
    map_project(Project.open(copy))
    assert map_bytes(copy / "map") == map_bytes(folder / "map")
    assert "Precision" in ejectamap("evaluate", folder)
    printed = json.loads(ejectamap("evaluate", folder, "--json"))
    assert printed == json.loads((folder / "evaluation.json").read_text())
    assert_judged(printed)
    assert f"next: ejectamap evaluate {folder}" in ejectamap("check", folder)


def assert_trained(folder: Path, networks: dict[str, int]) -> None:
    for kind, count in networks.items():
        bundles = sorted((folder / "models" / kind).iterdir())
        assert [path.name for path in bundles] == [f"member-{k:02d}" for k in range(count)]
        for bundle in bundles:
            files = sorted(path.name for path in bundle.iterdir())
            assert files == ["bundle.json", "weights.safetensors"]
            assert json.loads((bundle / "bundle.json").read_text())["kind"] == kind
    assert set(pd.read_csv(folder / "split.csv")["split"]) == {"train", "test"}


def assert_mapped(folder: Path, method: str) -> None:
    project = Project.open(folder)
    maps, grid = folder / "map", project.mosaic.grid
    for crater in project.craters:
        with rasterio.open(maps / f"crater_{crater.crater_id}_probability.tif") as source:
            assert source.dtypes == ("uint8",)
            assert source.nodata == 255
            assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            stored, placed = source.read(1), source.transform
        with rasterio.open(maps / f"crater_{crater.crater_id}_mask.tif") as source:
            assert np.array_equal(source.read(1) == 1, (stored > 125) & (stored < 255))
            assert source.transform == placed
        assert (stored < 255).any()
    with rasterio.open(maps / "origin.tif") as source:
        assert source.shape == grid.shape
        assert set(np.unique(source.read(1))) <= {0, *(c.crater_id + 1 for c in project.craters)}
        assert source.colormap(1)
    polygons = gpd.read_file(maps / "ejecta.gpkg", layer="ejecta")
    columns = ["crater_id", "name", "area_km2", "mean_probability"]
    assert list(polygons.columns)[:4] == columns
    connections = pd.read_parquet(maps / "connections.parquet")
    assert list(connections) == ["crater_id", "tile", "distance_m", "score", "votes", "connected"]
    assert (len(connections) > 0) == (method == "two-stage")
    provenance = json.loads((folder / "provenance.json").read_text())
    assert provenance["craters"] == [crater.crater_id for crater in project.craters]
    pictures = {path.name for path in maps.glob("*.png")}
    assert "global.png" in pictures
    assert len(pictures) > 1


def assert_judged(evaluation: dict[str, dict[str, dict[str, Any]]]) -> None:
    for subset in ("all", "test"):
        for what in ("pixel", "tile", "area_km2"):
            figures = evaluation[subset][what]
            tp, fp, fn = (figures[name] for name in ("tp", "fp", "fn"))
            assert tp + fn > 0
            assert figures["f1"] == pytest.approx(2 * tp / (2 * tp + fp + fn))
            assert figures["iou"] == pytest.approx(tp / (tp + fp + fn))
            assert figures["recall"] == pytest.approx(tp / (tp + fn))
            assert figures["precision"] == (pytest.approx(tp / (tp + fp)) if tp + fp else None)
