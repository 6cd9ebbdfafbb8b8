"""Corrected ground that is pinned to a map stays so in mask, polygons and origin, whatever is predicted later."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from qgis_edits import add_rectangle, edit, window_east_of
from shapely.geometry import MultiPolygon

from ejectamap import cli
from ejectamap.errors import LabelError, OutputError
from ejectamap.interop.import_labels import import_labels
from ejectamap.interop.qgis import export_qgis, tile_box
from ejectamap.mapping import run as map_run
from ejectamap.mapping.run import map_project
from ejectamap.maps.edits import CERTAIN, Edit, add_edit, edit_path, read_edit
from ejectamap.maps.mapped import mapped_craters
from ejectamap.maps.provenance import compute_fingerprints
from ejectamap.maps.rasters import NO_DATA, STEPS, exceeds
from ejectamap.maps.reader import MapReader
from ejectamap.maps.state import mask_path, probability_path
from ejectamap.maps.writing import rewrite_masks, write_global_files
from ejectamap.project.folder import Project
from ejectamap.world.grid import Bools, Window


def command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run a command in this process; returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["ejectamap", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return int(end.value.code or 0)


def masks_of(project: Project, k: int) -> tuple[Bools, Bools]:
    """A crater's mask on disk, and the mask of its stored probabilities, over the whole globe."""
    files, whole = MapReader(project.maps, project.grid), project.grid.whole
    threshold = project.settings.map.threshold
    return files.mask(k, whole), exceeds(files.stored(k, whole), threshold)


def polygon_row(project: Project, k: int) -> gpd.GeoDataFrame:
    return gpd.read_file(project.maps / "ejecta.gpkg").set_index("crater_id").loc[k]


def correct_and_pin(project: Project, package: Path) -> tuple[Bools, Bools]:
    """Correct crater 0 in QGIS's layer and pin that by the command line; where ejecta were added and removed."""
    export_qgis(project, package)
    grid, before = project.grid, masks_of(project, 0)[0]
    hole = window_east_of(project, 0, 5)
    addition = Window(hole.row + 6, hole.col, 4, 6)

    def cut(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        row = frame.index[frame["crater_id"] == 0][0]
        rest = frame.geometry[row].difference(tile_box(grid, hole))
        frame.loc[row, "geometry"] = MultiPolygon(list(getattr(rest, "geoms", [rest])))
        return frame

    edit(package, cut)
    edit(package, add_rectangle(0, addition, grid))
    added, removed = np.zeros((2, *grid.shape), bool)
    added[addition.row : addition.row + 4, grid.columns(addition)] = True
    removed[hole.row : hole.row + 4, grid.columns(hole)] = True
    return added & ~before, removed & before


def renew(project: Project) -> None:
    """Do what `map` does once everything is predicted."""
    rewrite_masks(project)
    write_global_files(project, compute_fingerprints(project))


@pytest.fixture
def pinned(project: Project, tmp_path: Path) -> tuple[Project, Bools, Bools]:
    """A mapped project with a pinned correction of crater 0, and where ejecta were added and removed."""
    added, removed = correct_and_pin(project, tmp_path / "map.gpkg")
    import_labels(project, tmp_path / "map.gpkg", pin=True)
    return Project.open(project.folder), added, removed


def test_pinned_ground_stays_as_corrected_whatever_is_predicted(
    make_ready: Callable[..., Project], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_ready("method=polar", "map.threshold=0.4")
    map_project(project)
    added, removed = correct_and_pin(project, tmp_path / "map.gpkg")
    assert added.any() or removed.any()
    assert (
        command(monkeypatch, "import", "labels", project.folder, tmp_path / "map.gpkg", "--pin")
        == 0
    )
    project = Project.open(project.folder)
    probabilities = probability_path(project, project.craters[0]).read_bytes()
    assert 0 not in {crater.crater_id for crater in mapped_craters(project)}  # its mask is stale
    with monkeypatch.context() as patched:
        patched.setattr(map_run, "load_method", None)  # would fail if networks were loaded
        map_project(project)
    assert probability_path(project, project.craters[0]).read_bytes() == probabilities

    def check() -> None:
        mask, predicted = masks_of(project, 0)
        np.testing.assert_array_equal(mask, (predicted | added) & ~removed)
        origin = MapReader(project.maps, project.grid).origin(project.grid.whole)
        assert (origin[added] == 1).all()
        assert not (origin[removed] == 1).any()
        area_km2 = mask.sum(axis=1) @ project.grid.row_area_m2 / 1e6
        row = polygon_row(project, 0)
        assert row["area_km2"] == pytest.approx(area_km2)
        edited_km2 = (added | removed).sum(axis=1) @ project.grid.row_area_m2 / 1e6
        assert row["edited_km2"] == pytest.approx(edited_km2)
        assert polygon_row(project, 1)["edited_km2"] == 0
        with rasterio.open(mask_path(project, project.craters[0])) as source:
            assert "edited by hand" in source.descriptions[0]
            assert float(source.tags()["EDITED_KM2"]) == pytest.approx(edited_km2, rel=1e-5)

    check()
    provenance = json.loads((project.outputs / "provenance.json").read_text())
    assert set(provenance["edits"]) == {"0"}
    higher = (
        (project.folder / "project.yaml").read_text().replace("threshold: 0.4 ", "threshold: 0.6 ")
    )
    (project.folder / "project.yaml").write_text(higher)
    project = Project.open(project.folder)
    map_project(project)
    check()


def test_without_the_file_the_map_is_the_networks_own_again(
    pinned: tuple[Project, Bools, Bools],
) -> None:
    project, added, removed = pinned
    renew(project)
    mask, predicted = masks_of(project, 0)
    np.testing.assert_array_equal(mask != predicted, added | removed)
    edit_path(project, 0).unlink()
    renew(project)
    mask, predicted = masks_of(project, 0)
    np.testing.assert_array_equal(mask, predicted)
    assert polygon_row(project, 0)["edited_km2"] == 0
    with rasterio.open(mask_path(project, project.craters[0])) as source:
        assert "EDITED_KM2" not in source.tags()


def test_an_evaluation_scores_the_networks_own_map(
    pinned: tuple[Project, Bools, Bools], monkeypatch: pytest.MonkeyPatch
) -> None:
    project, *_ = pinned
    figures = []
    for pin in (True, False):
        if not pin:
            edit_path(project, 0).unlink()
        renew(project)
        assert command(monkeypatch, "evaluate", project.folder, "--structure") == 0
        figures.append(json.loads((project.outputs / "evaluation.json").read_text()))
    edited = [content.pop("edited_km2") for content in figures]
    assert edited[0]["0"] > 0
    assert edited[1] == {}
    assert {row["crater_id"]: row["corrected_km2"] > 0 for row in figures[0]["labels"]} == {
        0: True,
        1: False,
        2: False,
    }
    assert figures[0] == figures[1]


def test_later_edits_of_the_same_ground_replace_earlier_ones(
    pinned: tuple[Project, Bools, Bools],
) -> None:
    project, added, removed = pinned
    whole = project.grid.whole
    first = read_edit(project, 0)
    assert first is not None
    values = np.zeros(project.grid.shape, np.uint8)
    values[removed] = 1
    add_edit(project, 0, Edit(whole, values))
    joined = read_edit(project, 0)
    assert joined is not None
    strip = np.full(project.grid.shape, 7, np.uint8)
    shown = joined.apply(whole, strip, whole.width)
    np.testing.assert_array_equal(shown == CERTAIN, added | removed)
    assert (shown[~(added | removed)] == 7).all()
    assert STEPS < CERTAIN < NO_DATA


def test_what_cannot_be_pinned_is_refused_and_nothing_is_written(
    project: Project, tmp_path: Path
) -> None:
    package, grid = tmp_path / "map.gpkg", project.grid
    export_qgis(project, package)
    with pytest.raises(LabelError, match="has no corrections of a map to pin"):
        import_labels(project, package, pin=True)
    labels = project.input_path(str(project.settings.inputs.labels))
    with pytest.raises(LabelError, match="has no corrections of a map to pin"):
        import_labels(project, labels, pin=True)
    edit(package, add_rectangle(0, window_east_of(project, 0), grid))
    probability_path(project, project.craters[0]).unlink()
    with pytest.raises(LabelError, match="crater 0 has no map to pin"):
        import_labels(project, package, pin=True)
    assert not (project.folder / "edits").exists()
    assert not (project.folder / "labels-corrected").exists()


def test_a_damaged_edit_is_named_with_a_remedy(pinned: tuple[Project, Bools, Bools]) -> None:
    project, *_ = pinned
    edit_path(project, 0).write_bytes(b"no")
    with pytest.raises(OutputError, match=r"edit_crater_0\.tif: is no file of edits: remove it"):
        renew(project)
    edit_path(project, 0).unlink()
    renew(project)
