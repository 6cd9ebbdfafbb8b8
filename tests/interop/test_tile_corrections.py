"""Corrections that complete within tiles change the labels inside the tiles only."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from qgis_edits import LABELLED, add_rectangle, contents, edit, round_mask, window_east_of

from ejectamap.errors import LabelError
from ejectamap.interop.import_labels import CORRECTED_LABELS, import_labels
from ejectamap.interop.qgis import export_qgis
from ejectamap.maps.state import mask_path
from ejectamap.project.folder import Project
from ejectamap.world.grid import Window


def with_tiles(project: Project, *windows: Window) -> Project:
    """The same project with labels that are complete within some tiles only."""
    rows = [f"{k},{w.row},{w.col},{w.height},{w.width}" for k, w in enumerate(windows)]
    table = "\n".join(["tile_id,row,col,height,width", *rows]) + "\n"
    (project.folder / "tiles.csv").write_text(table)
    path = project.folder / "project.yaml"
    text = path.read_text()
    assert "\n  tiles: " in text
    path.write_text(text.replace("\n  tiles: ", "\n  tiles: tiles.csv "))
    return Project.open(project.folder)


def test_qclassipy_tiles_and_masks_are_imported(project: Project, tmp_path: Path) -> None:
    grid, folder = project.mosaic.grid, tmp_path / "qclassipy"
    folder.mkdir()
    mask = mask_path(project, project.craters[0])
    (folder / "mask_crater_0.tif").write_bytes(mask.read_bytes())
    tiles = [Window(10, 20, 16, 16), window_east_of(project, 0)]
    rows = [f"{w.row},{w.col},{w.height},{w.width},C:\\m\\mask_crater_0.tif,1" for w in tiles]
    table = "\n".join(["y,x,height,width,filename,priority", *rows]) + "\n"
    (folder / "tiles.csv").write_text(table)
    with pytest.raises(LabelError, match="complete within tiles"):
        import_labels(project, folder / "tiles.csv")
    old = Window(60, 60, 8, 8)
    changes = import_labels(with_tiles(project, old), folder / "tiles.csv")
    assert set(changes.labels) == {0}
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


def test_a_crater_without_a_mask_is_labelled_to_have_no_ejecta_in_labelled_tiles(
    project: Project, tmp_path: Path
) -> None:
    grid, tile = project.grid, window_east_of(project, 0, 5)
    addition = Window(tile.row + 1, tile.col + 1, 2, 12)
    opened = with_tiles(project, tile)
    export_qgis(opened, tmp_path / "map.gpkg")
    edit(tmp_path / "map.gpkg", add_rectangle(0, addition, grid))
    import_labels(opened, tmp_path / "map.gpkg")
    labels = Project.open(project.folder).labels
    assert labels is not None
    inside, added = np.zeros((2, *grid.shape), bool)
    inside[tile.row : tile.row + tile.height, grid.columns(tile)] = True
    added[addition.row : addition.row + 2, grid.columns(addition)] = True
    mapped = round_mask(project, 0)
    assert (mapped & inside).any()
    np.testing.assert_array_equal(
        labels.read(0, grid.whole), (mapped & ~inside) | (added & ~mapped)
    )


def test_labels_outside_corrected_tiles_stay(
    project: Project, tmp_path: Path, write_raster: Callable[..., Path]
) -> None:
    folder, grid = tmp_path / "corrections", project.mosaic.grid
    folder.mkdir()
    k = LABELLED[0]
    assert project.labels is not None
    before = project.labels.read(k, grid.whole)
    window = window_east_of(project, k)
    striped, transform = np.zeros(window.shape, np.uint8), grid.window_transform(window)
    striped[:, ::2] = 1
    write_raster(folder / f"mask_crater_{k}.tif", striped, grid, transform=transform)
    row = f"33,{window.row},{window.col},{window.height},{window.width}"
    (folder / "tiles.csv").write_text(f"tile_id,row,col,height,width\n{row}\n")
    opened = with_tiles(project, Window(60, 60, 8, 8))
    assert set(import_labels(opened, folder).labels) == {k}
    labels = Project.open(project.folder).labels
    assert labels is not None
    before[window.row : window.row + window.height, grid.columns(window)] = striped
    np.testing.assert_array_equal(labels.read(k, grid.whole), before)
    other = f"mask_crater_{LABELLED[1]}.tif"
    assert (project.folder / CORRECTED_LABELS / other).read_bytes() == (
        tmp_path / "drawn" / other
    ).read_bytes()
    again = contents(project.folder)
    assert import_labels(Project.open(project.folder), folder).labels == {}
    assert contents(project.folder) == again
