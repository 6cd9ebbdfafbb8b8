"""Export a map, edit it as QGIS would, import it: exactly the edits change the labels."""

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
from qgis_edits import (
    IDS,
    LABELLED,
    Edit,
    add_rectangle,
    contents,
    edit,
    round_mask,
    window_east_of,
)
from shapely.geometry import MultiPolygon

from ejectamap.errors import LabelError, OutputError
from ejectamap.interop.import_labels import CORRECTED_LABELS, import_labels
from ejectamap.interop.qgis import EDITED, TILES, export_qgis, tile_box
from ejectamap.maps.colours import crater_colours
from ejectamap.maps.outlines import outline_of
from ejectamap.project.folder import Project
from ejectamap.world.grid import Grid, Window
from ejectamap.world.label_polygons import rasterise


def test_exported_layers_have_styles_with_the_craters_colours(
    project: Project, tmp_path: Path
) -> None:
    package = tmp_path / "out" / "map.gpkg"
    qgis_project = export_qgis(project, package)
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
    document = ElementTree.fromstring(qgis_project.read_text(encoding="utf-8"))
    styles += [m for m in document.iter("maplayer") if m.findtext("layername") == EDITED]
    colours = crater_colours(project.craters)
    for style in styles:
        symbols = {c.get("value"): c.get("symbol") for c in style.iter("category")}
        for k in IDS:
            (symbol,) = (s for s in style.iter("symbol") if s.get("name") == symbols[str(k)])
            colour = next(o.get("value") for o in symbol.iter("Option") if o.get("name") == "color")
            assert str(colour).startswith(",".join(map(str, colours[k])) + ",")
    sources = {m.findtext("layername"): m.findtext("datasource") for m in document.iter("maplayer")}
    assert Path(os.path.normpath(qgis_project.parent / str(sources["mosaic"]))).is_file()
    assert sources[EDITED] == "./map.gpkg|layername=ejecta"
    checked = {n.get("name"): n.get("checked") for n in document.iter("layer-tree-layer")}
    assert checked[EDITED] == "Qt::Checked"
    assert checked["mapped"] == "Qt::Unchecked"


def test_two_exports_of_a_map_have_equal_bytes(project: Project, tmp_path: Path) -> None:
    for name in ("a", "b"):
        export_qgis(project, tmp_path / name / "map.gpkg")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_import_without_edits_changes_nothing(project: Project, tmp_path: Path) -> None:
    package = tmp_path / "map.gpkg"
    export_qgis(project, package)
    before = contents(project.folder)
    edit(package, lambda frame: frame.sample(frac=1, random_state=0))  # another order of rows
    changes = import_labels(project, package)
    assert (changes.labels, changes.edits, changes.tiles) == ({}, {}, None)
    assert contents(project.folder) == before


def test_import_changes_only_edited_labels(project: Project, tmp_path: Path) -> None:
    package, grid = tmp_path / "map.gpkg", project.mosaic.grid
    export_qgis(project, package)
    before, drawn = contents(project.folder), contents(tmp_path / "drawn")
    window = window_east_of(project, 0)
    edit(package, add_rectangle(0, window, grid))
    edit(package, lambda frame: frame.assign(accepted=frame["crater_id"] == 3))
    import_labels(project, package)
    after = contents(project.folder)
    changed = {name for name in after if after[name] != before.get(name)}
    names = {k: f"{CORRECTED_LABELS}/mask_crater_{k}.tif" for k in IDS}
    sources = {f"{CORRECTED_LABELS}/source_crater_{k}.tif" for k in (0, 3)}
    assert changed == {"project.yaml", *names.values(), *sources}
    assert contents(tmp_path / "drawn") == drawn
    for k in LABELLED:  # unchanged labels are copied
        assert after[names[k]] == drawn[f"mask_crater_{k}.tif"]
    expected = round_mask(project, 0)
    expected[window.row : window.row + window.height, grid.columns(window)[:, None].ravel()] = True
    labels = Project.open(project.folder).labels
    assert labels is not None
    assert set(labels.masks) == set(IDS)
    np.testing.assert_array_equal(labels.read(0, grid.whole), expected)
    np.testing.assert_array_equal(labels.read(3, grid.whole), round_mask(project, 3))
    lines = [(project.folder / "project.yaml").read_text(), before["project.yaml"].decode()]
    new, old = (text.splitlines() for text in lines)
    assert [a.split()[:2] for a, b in zip(new, old, strict=True) if a != b] == [
        ["labels:", CORRECTED_LABELS]
    ]


def test_repeated_corrections_accumulate(project: Project, tmp_path: Path) -> None:
    package, grid = tmp_path / "map.gpkg", project.mosaic.grid
    export_qgis(project, package)
    edit(package, add_rectangle(0, window_east_of(project, 0), grid))
    import_labels(project, package)
    first = contents(project.folder / CORRECTED_LABELS)
    again = Project.open(project.folder)
    export_qgis(again, package)
    edit(
        package,
        lambda f: f.assign(
            geometry=[
                None if k == 2 else g for k, g in zip(f["crater_id"], f.geometry, strict=True)
            ]
        ),
    )
    assert set(import_labels(again, package).labels) == {2}
    second = contents(project.folder / CORRECTED_LABELS)
    assert set(second) == {*first, "source_crater_2.tif"}
    changed = {name for name, content in first.items() if second[name] != content}
    assert changed == {"mask_crater_2.tif"}
    labels = Project.open(project.folder).labels
    assert labels is not None
    assert not (labels.read(2, grid.whole) & round_mask(project, 2)).any()


def test_an_edit_beyond_the_right_edge_wraps_around(project: Project, tmp_path: Path) -> None:
    package, grid = tmp_path / "map.gpkg", project.mosaic.grid
    export_qgis(project, package)
    row = int(grid.to_pixel(project.craters[0].lon, project.craters[0].lat)[1])
    window = Window(row, grid.width - 3, 2, 8)
    edit(package, add_rectangle(0, window, grid))
    import_labels(project, package)
    labels = Project.open(project.folder).labels
    assert labels is not None
    assert labels.read(0, window).all()
    assert not labels.read(0, Window(row, 6, 2, 3)).any() or round_mask(project, 0)[row, 7]


def test_import_reads_new_tiles(project: Project, tmp_path: Path) -> None:
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


def check_refusal(project: Project, package: Path, change: Edit, words: str) -> None:
    export_qgis(project, package)
    before = contents(project.folder)
    edit(package, change)
    with pytest.raises(LabelError, match=words):
        import_labels(project, package)
    assert contents(project.folder) == before


def test_refuses_unusable_edits(project: Project, tmp_path: Path) -> None:
    def renumber(value: Any) -> Edit:
        return lambda frame: frame.assign(crater_id=[value, *frame["crater_id"][1:]])

    package, grid = tmp_path / "map.gpkg", project.mosaic.grid
    check_refusal(project, package, renumber(99), "crater 99 is not in the catalogue")
    check_refusal(project, package, renumber(None), "has no crater_id")
    far = Window(grid.height - 3, 0, 2, 2)
    check_refusal(
        project,
        package,
        lambda f: f.assign(geometry=[MultiPolygon([tile_box(grid, far)]), *f.geometry[1:]]),
        "no ejecta within the reach",
    )
    (project.folder / CORRECTED_LABELS).mkdir()
    check_refusal(
        project,
        package,
        add_rectangle(0, window_east_of(project, 0), grid),
        "has earlier corrections",
    )
    with pytest.raises(OutputError, match=r"let it end in \.gpkg"):
        export_qgis(project, tmp_path / "map.shp")
    (tmp_path / "no.gpkg").write_text("no")
    with pytest.raises(LabelError, match="cannot be read"):
        import_labels(project, tmp_path / "no.gpkg")


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))), st.integers(0, 247))
def test_rasterised_outlines_equal_the_mask(
    make_grid: Callable[..., Grid], mask: np.ndarray, col: int
) -> None:
    grid = make_grid(128)
    window = Window(30, min(col, grid.width - mask.shape[1]), *mask.shape)
    shapes = np.array([outline_of(mask, grid, window)], object)
    rasterised_window, rasterised = rasterise("x", 1, shapes, CRS.from_wkt(grid.crs), grid)
    whole, expected = np.zeros((2, *grid.shape), bool)
    expected[window.row : window.row + window.height, grid.columns(window)] = mask
    rows = slice(rasterised_window.row, rasterised_window.row + rasterised_window.height)
    whole[rows, grid.columns(rasterised_window)] = rasterised
    np.testing.assert_array_equal(whole, expected)
