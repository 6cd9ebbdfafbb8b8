"""Export, correct as QGIS would, import: the change and nothing else arrives."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pyproj import CRS
from qgis_edits import IDS, LABELLED, Edit, add, beside, contents, edit, round_mask
from shapely.geometry import MultiPolygon

from ejectamap.errors import LabelError, OutputError
from ejectamap.interop.corrections import FOLDER, import_labels
from ejectamap.interop.qgis import EDITED, TILES, export_qgis, tile_box
from ejectamap.mapping.colours import crater_colour
from ejectamap.mapping.outlines import outline_of
from ejectamap.project import Project
from ejectamap.world.grid import Grid, Window
from ejectamap.world.label_files import rasterise


def test_layers_come_with_the_same_colours(project: Project, tmp_path: Path) -> None:
    package = tmp_path / "out" / "map.gpkg"
    view = export_qgis(project, package)
    layers = {str(name) for name, _ in pyogrio.list_layers(package)}
    assert layers == {"tiles", "labels", "mapped", "ejecta", "craters", "layer_styles"}
    ejecta = gpd.read_file(package, layer=EDITED)
    assert list(ejecta["crater_id"]) == list(IDS)
    assert list(ejecta["name"])[:2] == ['<a> & "b"', "Bashō"]
    crs = CRS(ejecta.crs)
    assert crs.name.startswith("Mercury (2015)")
    assert crs.ellipsoid is not None
    assert crs.ellipsoid.semi_major_metre == 2_440_530
    table = pyogrio.read_dataframe(package, layer="layer_styles").set_index("f_table_name")
    assert set(table.index) == layers - {"layer_styles"}
    assert table["useAsDefault"].all()
    styles = [ElementTree.fromstring(table.loc[EDITED, "styleQML"])]
    shown = ElementTree.fromstring(view.read_text(encoding="utf-8"))
    styles += [m for m in shown.iter("maplayer") if m.findtext("layername") == EDITED]
    for style in styles:
        symbols = {c.get("value"): c.get("symbol") for c in style.iter("category")}
        for k in IDS:
            (symbol,) = (s for s in style.iter("symbol") if s.get("name") == symbols[str(k)])
            colour = next(o.get("value") for o in symbol.iter("Option") if o.get("name") == "color")
            assert str(colour).startswith(",".join(map(str, crater_colour(k))) + ",")
    sources = {m.findtext("layername"): m.findtext("datasource") for m in shown.iter("maplayer")}
    assert Path(os.path.normpath(view.parent / str(sources["mosaic"]))).is_file()
    assert sources[EDITED] == "./map.gpkg|layername=ejecta"
    checked = {n.get("name"): n.get("checked") for n in shown.iter("layer-tree-layer")}
    assert checked[EDITED] == "Qt::Checked"
    assert checked["mapped"] == "Qt::Unchecked"


def test_same_map_same_bytes(project: Project, tmp_path: Path) -> None:
    for name in ("a", "b"):
        export_qgis(project, tmp_path / name / "map.gpkg")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_without_a_change_nothing_happens(project: Project, tmp_path: Path) -> None:
    package = tmp_path / "map.gpkg"
    export_qgis(project, package)
    before = contents(project.folder)
    edit(package, lambda frame: frame.sample(frac=1, random_state=0))  # another order of rows
    found = import_labels(project, package)
    assert (found.drawn, found.accepted, found.removed, found.tiles) == ({}, (), (), None)
    assert contents(project.folder) == before


def test_the_change_and_nothing_else_arrives(project: Project, tmp_path: Path) -> None:
    package, grid = tmp_path / "map.gpkg", project.mosaic.grid
    export_qgis(project, package)
    before, drawn = contents(project.folder), contents(tmp_path / "drawn")
    window = beside(project, 0)
    edit(package, add(0, window, grid))
    edit(package, lambda frame: frame.assign(accepted=frame["crater_id"] == 3))
    import_labels(project, package)
    after = contents(project.folder)
    changed = {name for name in after if after[name] != before.get(name)}
    names = {k: f"{FOLDER}/mask_crater_{k}.tif" for k in IDS}
    assert changed == {"project.yaml", *names.values()}
    assert contents(tmp_path / "drawn") == drawn
    # Labels that were there are the same files; the accepted one is the map's own.
    for k in LABELLED:
        assert after[names[k]] == drawn[f"mask_crater_{k}.tif"]
    assert after[names[3]] == before["map/crater_3_mask.tif"]
    expected = round_mask(project, 0)
    expected[window.row : window.row + window.height, grid.columns(window)[:, None].ravel()] = True
    labels = Project.open(project.folder).labels
    assert labels is not None
    assert set(labels.masks) == set(IDS)
    np.testing.assert_array_equal(labels.read(0, grid.whole), expected)
    lines = [(project.folder / "project.yaml").read_text(), before["project.yaml"].decode()]
    new, old = (text.splitlines() for text in lines)
    assert [a.split()[:2] for a, b in zip(new, old, strict=True) if a != b] == [["labels:", FOLDER]]


def test_corrections_add_up(project: Project, tmp_path: Path) -> None:
    package, grid = tmp_path / "map.gpkg", project.mosaic.grid
    export_qgis(project, package)
    edit(package, add(0, beside(project, 0), grid))
    import_labels(project, package)
    first = contents(project.folder / FOLDER)
    again = Project.open(project.folder)
    export_qgis(again, package)
    edit(package, lambda frame: frame[frame["crater_id"] != 2])
    edit(
        package,
        lambda f: f.assign(
            geometry=[
                None if k == 3 else g for k, g in zip(f["crater_id"], f.geometry, strict=True)
            ]
        ),
    )
    found = import_labels(again, package)
    assert found.removed == (2,)
    second = contents(project.folder / FOLDER)
    assert set(second) == {"mask_crater_0.tif", "mask_crater_1.tif", "mask_crater_3.tif"}
    assert all(second[f"mask_crater_{k}.tif"] == first[f"mask_crater_{k}.tif"] for k in (0, 1))
    labels = Project.open(project.folder).labels
    assert labels is not None
    assert labels.masks[3][0].shape == (0, 0)


def test_an_edit_over_the_edge_of_the_mosaic_wraps_around(project: Project, tmp_path: Path) -> None:
    package, grid = tmp_path / "map.gpkg", project.mosaic.grid
    export_qgis(project, package)
    row = int(grid.to_pixel(project.craters[0].lon, project.craters[0].lat)[1])
    window = Window(row, grid.width - 3, 2, 8)
    edit(package, add(0, window, grid))
    import_labels(project, package)
    labels = Project.open(project.folder).labels
    assert labels is not None
    assert labels.read(0, window).all()
    assert not labels.read(0, Window(row, 6, 2, 3)).any() or round_mask(project, 0)[row, 7]


def test_new_tiles_come_back(project: Project, tmp_path: Path) -> None:
    package, grid = tmp_path / "map.gpkg", project.mosaic.grid
    export_qgis(project, package)
    window = Window(20, 30, 16, 24)

    def draw(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        shapes = [tile_box(grid, window).buffer(0.3 * grid.pixel_m, join_style="mitre")]
        return gpd.GeoDataFrame({"tile_id": [None]}, geometry=shapes, crs=frame.crs)

    edit(package, draw, TILES)
    import_labels(project, package)
    labels = Project.open(project.folder).labels
    assert labels is not None
    assert labels.tiles is not None
    assert [(tile.tile_id, tile.window) for tile in labels.tiles] == [(0, window)]


def refuse(project: Project, package: Path, change: Edit, words: str) -> None:
    export_qgis(project, package)
    before = contents(project.folder)
    edit(package, change)
    with pytest.raises(LabelError, match=words):
        import_labels(project, package)
    assert contents(project.folder) == before


def test_refuses_what_cannot_be_used(project: Project, tmp_path: Path) -> None:
    def renumber(value: Any) -> Edit:
        return lambda frame: frame.assign(crater_id=[value, *frame["crater_id"][1:]])

    package, grid = tmp_path / "map.gpkg", project.mosaic.grid
    refuse(project, package, renumber(99), "crater 99 is not in the catalogue")
    refuse(project, package, renumber(None), "has no crater_id")
    far = Window(grid.height - 3, 0, 2, 2)
    refuse(
        project,
        package,
        lambda f: f.assign(geometry=[MultiPolygon([tile_box(grid, far)]), *f.geometry[1:]]),
        "no ejecta within the reach",
    )
    (project.folder / FOLDER).mkdir()
    refuse(project, package, add(0, beside(project, 0), grid), "has earlier corrections")
    with pytest.raises(OutputError, match=r"let it end in \.gpkg"):
        export_qgis(project, tmp_path / "map.shp")
    (tmp_path / "no.gpkg").write_text("no")
    with pytest.raises(LabelError, match="cannot be read"):
        import_labels(project, tmp_path / "no.gpkg")


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))), st.integers(0, 247))
def test_outlines_hold_just_their_pixels(
    make_grid: Callable[..., Grid], mask: np.ndarray, col: int
) -> None:
    grid = make_grid(128)
    window = Window(30, min(col, grid.width - mask.shape[1]), *mask.shape)
    shapes = np.array([outline_of(mask, grid, window)], object)
    found, back = rasterise("x", 1, shapes, CRS.from_wkt(grid.crs), grid)
    whole, expected = np.zeros((2, *grid.shape), bool)
    expected[window.row : window.row + window.height, grid.columns(window)] = mask
    whole[found.row : found.row + found.height, grid.columns(found)] = back
    np.testing.assert_array_equal(whole, expected)
