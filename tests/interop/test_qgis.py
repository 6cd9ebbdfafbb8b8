"""Export, correct as QGIS would, import: the change and nothing else arrives."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pyproj import CRS
from shapely.geometry import MultiPolygon

from ejectamap.errors import LabelError, OutputError
from ejectamap.interop.corrections import FOLDER, import_labels
from ejectamap.interop.qgis import EDITED, TILES, export_qgis, tile_box
from ejectamap.mapping.colours import crater_colour
from ejectamap.mapping.methods import CraterMap, in_memory
from ejectamap.mapping.outlines import outline_of
from ejectamap.mapping.run import bring_in
from ejectamap.project import Project
from ejectamap.world.grid import Grid, Window
from ejectamap.world.label_files import rasterise
from ejectamap.world.sphere import distance

Edit = Callable[[gpd.GeoDataFrame], gpd.GeoDataFrame]
IDS = (0, 1, 2, 3)
LABELLED = (1, 2)


@pytest.fixture
def project(tmp_path: Path, planet_files: Path) -> Project:
    """Four mapped craters, two of them with labels; one is not mapped."""
    table = pd.read_csv(planet_files / "craters.csv").head(5)
    table["name"] = ['<a> & "b"', "Bashō", "c", "d", "e"]
    table.to_csv(tmp_path / "craters.csv", index=False)
    labels = tmp_path / "drawn"
    labels.mkdir()
    for k in LABELLED:
        name = f"mask_crater_{k}.tif"
        (labels / name).write_bytes((planet_files / "labels" / name).read_bytes())
    inputs = planet_files / "mosaic.tif", tmp_path / "craters.csv", labels
    made = Project.create(tmp_path / "p", *inputs)
    bring_in(made, (round_map(made, k) for k in IDS))
    return made


def round_mask(project: Project, k: int) -> np.ndarray:
    """All ground within 500 km of a crater."""
    crater, grid = project.craters[k], project.mosaic.grid
    lon, lat = grid.centres(grid.whole)
    return distance(crater.lon, crater.lat, lon, lat, grid.radius_m) < 5e5


def round_map(project: Project, k: int) -> CraterMap:
    whole = project.mosaic.grid.whole
    near = round_mask(project, k).astype(np.float32)
    return CraterMap(project.craters[k], whole, in_memory(whole, near))


def edit(path: Path, change: Edit, layer: str = EDITED) -> None:
    """Change a layer through OGR."""
    frame = change(gpd.read_file(path, layer=layer))
    kind = "Polygon" if layer == TILES else "MultiPolygon"
    frame.to_file(path, layer=layer, driver="GPKG", geometry_type=kind, index=False)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def add(k: int, window: Window, grid: Grid) -> Edit:
    """Draw a rectangle of whole pixels that belongs to a crater."""

    def change(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        row = frame.index[frame["crater_id"] == k][0]
        joined = frame.geometry[row].union(tile_box(grid, window))
        parts = getattr(joined, "geoms", [joined])
        frame.loc[row, "geometry"] = MultiPolygon(list(parts))
        return frame

    return change


def beside(project: Project, k: int, width: int = 7) -> Window:
    """A window some pixels east of a crater."""
    crater, grid = project.craters[k], project.mosaic.grid
    col, row = (int(v) for v in grid.to_pixel(crater.lon, crater.lat))
    return Window(min(max(row, 2), grid.height - 6), (col + 8) % grid.width, 4, width)


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


def with_tiles(project: Project, *windows: Window) -> Project:
    """The same project, its labels complete in some tiles alone."""
    rows = [f"{k},{w.row},{w.col},{w.height},{w.width}" for k, w in enumerate(windows)]
    table = "\n".join(["tile_id,row,col,height,width", *rows]) + "\n"
    (project.folder / "tiles.csv").write_text(table)
    path = project.folder / "project.yaml"
    text = path.read_text()
    assert "\n  tiles: " in text
    path.write_text(text.replace("\n  tiles: ", "\n  tiles: tiles.csv "))
    return Project.open(project.folder)


def test_qclassipys_tiles_and_masks(project: Project, tmp_path: Path) -> None:
    grid, folder = project.mosaic.grid, tmp_path / "qclassipy"
    folder.mkdir()
    mask = project.maps / "crater_0_mask.tif"
    (folder / "mask_crater_0.tif").write_bytes(mask.read_bytes())
    tiles = [Window(10, 20, 16, 16), beside(project, 0)]
    rows = [f"{w.row},{w.col},{w.height},{w.width},C:\\m\\mask_crater_0.tif,1" for w in tiles]
    table = "\n".join(["y,x,height,width,filename,priority", *rows]) + "\n"
    (folder / "tiles.csv").write_text(table)
    with pytest.raises(LabelError, match="hold within tiles"):
        import_labels(project, folder / "tiles.csv")
    old = Window(60, 60, 8, 8)
    found = import_labels(with_tiles(project, old), folder / "tiles.csv")
    assert set(found.drawn) == {0}
    labels = Project.open(project.folder).labels
    assert labels is not None
    assert labels.tiles is not None
    assert [(t.tile_id, t.window) for t in labels.tiles] == list(enumerate([old, *tiles]))
    assert set(labels.masks) == {0, *LABELLED}
    inside = np.zeros(grid.shape, bool)
    for window in tiles:
        inside[window.row : window.row + window.height, grid.columns(window)] = True
    np.testing.assert_array_equal(labels.read(0, grid.whole), round_mask(project, 0) & inside)
    (folder / "mask_crater_0.tif").unlink()
    with pytest.raises(LabelError, match="should be beside it"):
        import_labels(Project.open(project.folder), folder / "tiles.csv")


def test_corrections_of_tiles_leave_what_lies_outside(
    project: Project, tmp_path: Path, write_raster: Callable[..., Path]
) -> None:
    folder, grid = tmp_path / "corrections", project.mosaic.grid
    folder.mkdir()
    k = LABELLED[0]
    assert project.labels is not None
    before = project.labels.read(k, grid.whole)
    window = beside(project, k)
    striped, place = np.zeros(window.shape, np.uint8), grid.window_transform(window)
    striped[:, ::2] = 1
    write_raster(folder / f"mask_crater_{k}.tif", striped, grid, transform=place)
    row = f"33,{window.row},{window.col},{window.height},{window.width}"
    (folder / "tiles.csv").write_text(f"tile_id,row,col,height,width\n{row}\n")
    opened = with_tiles(project, Window(60, 60, 8, 8))
    assert set(import_labels(opened, folder).drawn) == {k}
    labels = Project.open(project.folder).labels
    assert labels is not None
    before[window.row : window.row + window.height, grid.columns(window)] = striped
    np.testing.assert_array_equal(labels.read(k, grid.whole), before)
    other = f"mask_crater_{LABELLED[1]}.tif"
    assert (project.folder / FOLDER / other).read_bytes() == (
        tmp_path / "drawn" / other
    ).read_bytes()
    again = contents(project.folder)
    assert import_labels(Project.open(project.folder), folder).drawn == {}
    assert contents(project.folder) == again


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
