"""A correction changes what was changed: pixel for pixel, and every pixel knows where it comes from."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from qgis_edits import Edit, add_rectangle, contents, edit, round_map, round_mask, window_east_of
from rich.console import Console
from shapely.geometry import MultiPolygon

from ejectamap.cli.exchange import labels
from ejectamap.errors import LabelError
from ejectamap.evaluation.run import evaluate_project
from ejectamap.evaluation.tables import print_tables
from ejectamap.interop.import_labels import CORRECTED_LABELS, import_labels
from ejectamap.interop.label_changes import LabelChange, apply_difference
from ejectamap.interop.map_metadata import model_card
from ejectamap.interop.qgis import export_qgis, tile_box
from ejectamap.maps.edits import REMOVED, read_edit
from ejectamap.maps.edits import Edit as MapEdit
from ejectamap.maps.mapped import find_maps
from ejectamap.maps.writing import import_maps
from ejectamap.pages.report.summary import summarise
from ejectamap.project.folder import Project
from ejectamap.show.run import describe_label
from ejectamap.world.grid import Bools, Grid, Window
from ejectamap.world.label_files import load_labels
from ejectamap.world.label_sources import LabelSource, SourceAreas, SourcedMask
from ejectamap.world.labels import crop_to_ones

DRAWN, CORRECTED, ACCEPTED = LabelSource.DRAWN, LabelSource.CORRECTED, LabelSource.ACCEPTED
IMPORTED = LabelSource.IMPORTED


def label_of(project: Project, k: int) -> tuple[Bools, np.ndarray]:
    """A crater's label and its sources over the whole globe, as the project on disk has them."""
    opened = Project.open(project.folder)
    assert opened.labels is not None
    whole = opened.grid.whole
    label = opened.label_sources.label(opened.labels, k).extract(whole, whole.width)
    return label.mask, label.source


def mark(grid: Grid, *windows: Window) -> Bools:
    """Mask of the pixels of some windows."""
    marked = np.zeros(grid.shape, bool)
    for window in windows:
        marked[window.row : window.row + window.height, grid.columns(window)] = True
    return marked


def cut_rectangle(k: int, window: Window, grid: Grid) -> Edit:
    """Remove a rectangle of whole pixels from a crater's polygon."""

    def change(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        row = frame.index[frame["crater_id"] == k][0]
        rest = frame.geometry[row].difference(tile_box(grid, window))
        frame.loc[row, "geometry"] = MultiPolygon(list(getattr(rest, "geoms", [rest])))
        return frame

    return change


def accept(*ids: int) -> Edit:
    return lambda frame: frame.assign(accepted=frame["crater_id"].isin(ids))


def drop(*ids: int) -> Edit:
    return lambda frame: frame[~frame["crater_id"].isin(ids)]


def import_edits(project: Project, package: Path, *edits: Edit) -> dict[int, str]:
    """Export, edit and import; returns what was done to each label."""
    export_qgis(project, package)
    for change in edits:
        edit(package, change)
    changes = import_labels(project, package)
    return {k: change.action for k, change in changes.labels.items()}


def test_a_correction_of_a_labelled_crater_keeps_all_other_pixels(
    project: Project, tmp_path: Path
) -> None:
    grid, before = project.grid, label_of(project, 1)[0]
    hole, addition = window_east_of(project, 1, 3), window_east_of(project, 1, 60)
    edits = (add_rectangle(1, addition, grid), cut_rectangle(1, hole, grid))
    assert import_edits(project, tmp_path / "map.gpkg", *edits) == {1: "corrected"}
    mask, source = label_of(project, 1)
    mapped = round_mask(project, 1)
    expected = (before | (mark(grid, addition) & ~mapped)) & ~(mark(grid, hole) & mapped)
    expected[mark(grid, hole) & ~mapped] = before[mark(grid, hole) & ~mapped]
    np.testing.assert_array_equal(mask, expected)
    np.testing.assert_array_equal(source == CORRECTED, mask != before)
    np.testing.assert_array_equal(source == DRAWN, mask & before)


@pytest.mark.parametrize(
    "delete", [drop(1), lambda f: f.assign(geometry=[MultiPolygon()] * len(f))]
)
def test_all_polygons_deleted_take_only_their_pixels_from_a_label(
    project: Project, tmp_path: Path, delete: Edit
) -> None:
    before, mapped = label_of(project, 1)[0], round_mask(project, 1)
    assert (before & ~mapped).any() and (before & mapped).any()
    import_edits(project, tmp_path / "map.gpkg", delete)
    mask, source = label_of(project, 1)
    np.testing.assert_array_equal(mask, before & ~mapped)
    np.testing.assert_array_equal(source == CORRECTED, before & mapped)


def test_a_crater_without_a_label_starts_from_its_map(project: Project, tmp_path: Path) -> None:
    grid, window, mapped = project.grid, window_east_of(project, 0), round_mask(project, 0)
    edits = add_rectangle(0, window, grid)
    assert import_edits(project, tmp_path / "map.gpkg", edits) == {0: "corrected"}
    mask, source = label_of(project, 0)
    np.testing.assert_array_equal(mask, mapped | mark(grid, window))
    np.testing.assert_array_equal(source == CORRECTED, mask & ~mapped)
    np.testing.assert_array_equal(source == ACCEPTED, mapped)


def test_the_command_says_that_a_map_became_a_label_and_what_comes_next(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package, grid, before = tmp_path / "map.gpkg", project.grid, label_of(project, 1)[0]
    export_qgis(project, package)
    edit(package, cut_rectangle(0, window_east_of(project, 0), grid))
    edit(package, drop(1, 3))
    labels(project.folder, package)
    printed = capsys.readouterr().out.splitlines()
    mask, mapped = label_of(project, 0)[0], round_mask(project, 0)
    assert (
        "crater 0: corrected: it had no label, so that its map was taken as its label:"
        f" {mask.sum():,} px, after 0 px were added and {(mapped & ~mask).sum():,} px removed by hand"
    ) in printed
    removed = round_mask(project, 1) & before
    assert f"crater 1: corrected, {removed.sum():,} px removed" in printed
    assert "inputs.labels is labels-corrected now; the map is unchanged until" in printed[-1]
    assert f"ejectamap train {project.folder}" in printed[-1]
    assert "crater 3: all of its map was deleted, and it has no label: left without one" in printed
    opened = Project.open(project.folder)
    assert opened.labels is not None
    assert set(opened.labels.masks) == {0, 1, 2}


def test_a_change_says_how_much_of_an_edit_the_label_had() -> None:
    window = Window(0, 0, 2, 5)
    label = SourcedMask(window, np.ones((2, 5), bool), np.ones((2, 5), np.uint8))
    change = MapEdit(window, np.array([[1, 1, 1, 0, 0], [2, 2, 2, 2, 0]], np.uint8))
    assert LabelChange(label, "corrected", 3, 1, edit=change).describe() == (
        "corrected, 3 px added, 4 px of the map removed, 1 of them labelled"
    )
    assert LabelChange(label, "corrected", 0, 4, edit=change).describe() == (
        "corrected, 3 px added to the map, 0 of them not labelled before, 4 px removed"
    )


def test_a_map_deleted_as_a_whole_is_pinned_without_a_label(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package = tmp_path / "map.gpkg"
    export_qgis(project, package)
    edit(package, drop(3))
    labels(project.folder, package, pin=True)
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == "no label was changed"
    assert second.startswith("crater 3: all of its map was deleted, and it has no label")
    assert not (project.folder / CORRECTED_LABELS).exists()
    pinned = read_edit(project, 3)
    assert pinned is not None
    assert (pinned.values == REMOVED).sum() == round_mask(project, 3).sum()


def test_an_accepted_map_replaces_the_label_and_its_edits_count(
    project: Project, tmp_path: Path
) -> None:
    window, grid = window_east_of(project, 2), project.grid
    edits = accept(1, 2), cut_rectangle(2, window, grid)
    actions = import_edits(project, tmp_path / "map.gpkg", *edits)
    assert actions == {1: "accepted", 2: "accepted and corrected"}
    mask, source = label_of(project, 1)
    np.testing.assert_array_equal(mask, round_mask(project, 1))
    np.testing.assert_array_equal(source, ACCEPTED * round_mask(project, 1))
    mask, source = label_of(project, 2)
    mapped = round_mask(project, 2)
    np.testing.assert_array_equal(mask, mapped & ~mark(grid, window))
    np.testing.assert_array_equal(source == CORRECTED, mapped & mark(grid, window))


def test_a_crater_drawn_without_a_map_is_drawn(project: Project, tmp_path: Path) -> None:
    window, grid = window_east_of(project, 4), project.grid

    def add_row(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        row = frame.iloc[[0]].assign(
            crater_id=4, accepted=True, geometry=[MultiPolygon([tile_box(grid, window)])]
        )
        return gpd.GeoDataFrame(pd.concat([frame, row], ignore_index=True), crs=frame.crs)

    assert import_edits(project, tmp_path / "map.gpkg", add_row) == {4: "drawn"}
    mask, source = label_of(project, 4)
    np.testing.assert_array_equal(mask, mark(grid, window))
    np.testing.assert_array_equal(source, DRAWN * mask)


def test_a_second_import_of_the_same_file_changes_nothing(project: Project, tmp_path: Path) -> None:
    package, grid = tmp_path / "map.gpkg", project.grid
    edits = (
        cut_rectangle(1, window_east_of(project, 1), grid),
        add_rectangle(0, window_east_of(project, 0), grid),
        drop(2),
        accept(0, 3),
    )
    import_edits(project, package, *edits)
    before = contents(project.folder)
    assert import_labels(Project.open(project.folder), package).is_empty
    assert contents(project.folder) == before


def test_an_import_after_the_map_was_renewed_compares_with_what_was_exported(
    project: Project, tmp_path: Path
) -> None:
    package, before, grid = tmp_path / "map.gpkg", label_of(project, 1)[0], project.grid
    mapped = {k: round_mask(project, k) for k in (0, 1)}
    export_qgis(project, package)
    hole = window_east_of(project, 1)
    for k in (0, 1):
        edit(package, cut_rectangle(k, window_east_of(project, k), grid))
    # The map is now another one.
    import_maps(project, [round_map(project, k, 2e5) for k in (0, 1)])
    import_labels(project, package)
    np.testing.assert_array_equal(label_of(project, 1)[0], before & ~(mark(grid, hole) & mapped[1]))
    hole = window_east_of(project, 0)
    np.testing.assert_array_equal(label_of(project, 0)[0], mapped[0] & ~mark(grid, hole))


def test_imported_labels_keep_the_source_of_pixels_that_agree(
    project: Project, tmp_path: Path
) -> None:
    before = label_of(project, 1)[0]
    layer = gpd.GeoDataFrame(
        {"crater_id": [1]},
        geometry=[tile_box(project.grid, window_east_of(project, 1, 30))],
        crs=project.grid.crs,
    )
    layer.to_file(tmp_path / "other.gpkg", driver="GPKG")
    import_labels(project, tmp_path / "other.gpkg")
    mask, source = label_of(project, 1)
    np.testing.assert_array_equal(mask, mark(project.grid, window_east_of(project, 1, 30)))
    np.testing.assert_array_equal(source == IMPORTED, mask != before)
    np.testing.assert_array_equal(source == DRAWN, mask & before)


def test_labels_of_polygons_are_copied_as_masks(project: Project, tmp_path: Path) -> None:
    grid, window = project.grid, window_east_of(project, 1, 40)
    shapes = [tile_box(grid, window), tile_box(grid, window_east_of(project, 2))]
    layer = gpd.GeoDataFrame({"crater_id": [1, 2]}, geometry=shapes, crs=grid.crs)
    layer.to_file(tmp_path / "polygons.gpkg", driver="GPKG")
    path = project.folder / "project.yaml"
    path.write_text(path.read_text().replace("../drawn", "../polygons.gpkg"))
    opened, hole = Project.open(project.folder), window_east_of(project, 1, 2)
    import_edits(opened, tmp_path / "map.gpkg", cut_rectangle(1, hole, grid))
    mask, source = label_of(project, 1)
    removed = mark(grid, hole) & round_mask(project, 1)
    np.testing.assert_array_equal(mask, mark(grid, window) & ~removed)
    np.testing.assert_array_equal(source == CORRECTED, removed)
    mask, source = label_of(project, 2)
    np.testing.assert_array_equal(mask, mark(grid, window_east_of(project, 2)))
    np.testing.assert_array_equal(source, DRAWN * mask)


def test_files_of_sources_are_no_labels_and_are_copied_with_them(
    project: Project, tmp_path: Path
) -> None:
    import_edits(project, tmp_path / "map.gpkg", accept(3))
    other = tmp_path / "other"
    (project.folder / CORRECTED_LABELS).rename(other)
    assert {path.name[:4] for path in other.iterdir()} == {"mask", "sour"}
    assert set(load_labels(other, project.grid, project.craters).masks) == {1, 2, 3}
    path = project.folder / "project.yaml"
    path.write_text(path.read_text().replace(CORRECTED_LABELS, str(other)))
    opened = Project.open(project.folder)
    import_edits(opened, tmp_path / "again.gpkg", accept(1))
    assert (label_of(project, 3)[1] == ACCEPTED * round_mask(project, 3)).all()


def test_a_damaged_file_of_sources_is_named_with_a_remedy_that_works(
    project: Project, tmp_path: Path
) -> None:
    import_edits(project, tmp_path / "map.gpkg", accept(3))
    path = project.folder / CORRECTED_LABELS / "source_crater_3.tif"
    for content, words in ((b"no", "no file of label sources"), (None, "no label sources")):
        if content is None:
            mosaic = project.mosaic_path.read_bytes()
            path.write_bytes(mosaic)
        else:
            path.write_bytes(content)
        with pytest.raises(LabelError, match=f"source_crater_3.tif: .*{words}"):
            label_of(project, 3)
    path.unlink()
    assert (label_of(project, 3)[1] == DRAWN * round_mask(project, 3)).all()


def test_an_import_that_would_leave_no_ejecta_is_refused(project: Project, tmp_path: Path) -> None:
    import_edits(project, tmp_path / "map.gpkg", accept(1, 2))
    opened = Project.open(project.folder)
    before = contents(project.folder)
    with pytest.raises(LabelError, match="leaves no crater with labelled ejecta"):
        import_edits(opened, tmp_path / "map.gpkg", drop(1, 2))
    assert contents(project.folder) == before


def test_nothing_says_by_hand_of_what_was_accepted_from_a_map(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hole = window_east_of(project, 2, 9)
    import_edits(project, tmp_path / "map.gpkg", accept(1, 2), cut_rectangle(2, hole, project.grid))
    opened = Project.open(project.folder)
    evaluation = evaluate_project(opened)
    content = json.loads((opened.outputs / "evaluation.json").read_text())
    first, second = content["labels"]
    assert (first["crater_id"], second["crater_id"]) == (1, 2)
    area_km2 = round_mask(project, 1).sum(axis=1) @ project.grid.row_area_m2 / 1e6
    assert first["accepted_km2"] == pytest.approx(area_km2)
    assert first["drawn_km2"] == first["corrected_km2"] == first["removed_km2"] == 0
    assert second["removed_km2"] > 0
    print_tables(evaluation, Console(width=80))
    printed = capsys.readouterr().out
    facts = dict(summarise(opened, opened.craters[:4], content))
    texts = [describe_label(opened, opened.craters[k]) or "" for k in (1, 2)]
    texts += [model_card(opened, find_maps(opened)), facts["Labels"], printed]
    for text in texts:
        assert "accepted from a map" in text
        assert "by hand" not in text
    assert "are no independent test of it" in printed
    assert "2 craters: accepted from a map, " in facts["Labels"]
    assert texts[0] == "accepted from a map"
    assert texts[1].startswith("accepted from a map, ")
    assert texts[1].endswith(" % corrected")


@pytest.mark.parametrize(
    ("areas", "text"),
    [
        (SourceAreas(), "labelled: no ejecta"),
        (SourceAreas(drawn_km2=5), "labelled by hand"),
        (
            SourceAreas(drawn_km2=80, corrected_km2=8, removed_km2=12),
            "labelled by hand, 20 % corrected",
        ),
        (SourceAreas(accepted_km2=1e6, corrected_km2=1), "accepted from a map, <1 % corrected"),
        (SourceAreas(corrected_km2=3), "corrected by hand"),
        (
            SourceAreas(drawn_km2=30, accepted_km2=60, imported_km2=10),
            "accepted from a map, 30 % by hand, 10 % imported",
        ),
        (SourceAreas(imported_km2=2), "imported label"),
    ],
)
def test_a_label_is_described_by_its_sources(areas: SourceAreas, text: str) -> None:
    assert areas.describe() == text


masks = arrays(bool, st.tuples(st.just(6), st.just(9)))


@given(
    masks, masks, masks, arrays(np.uint8, (6, 9), elements=st.integers(0, 4)), st.integers(0, 31)
)
def test_the_difference_alone_changes_a_label(
    label: Bools, mapped: Bools, edited: Bools, source: np.ndarray, col: int
) -> None:
    window, width = Window(2, col, 6, 9), 32
    base = SourcedMask(window, label, source)
    parts = [crop_to_ones(window, mask, width) for mask in (mapped, edited)]
    changed = apply_difference(base, *parts, width, CORRECTED).extract(window, width)
    added, removed = edited & ~mapped, mapped & ~edited
    np.testing.assert_array_equal(changed.mask, (label | added) & ~removed)
    kept = changed.mask == label
    np.testing.assert_array_equal(changed.source[kept], source[kept])
    assert (changed.source[~kept] == CORRECTED).all()
    again = apply_difference(changed, *parts, width, CORRECTED).extract(window, width)
    np.testing.assert_array_equal(again.mask, changed.mask)
    np.testing.assert_array_equal(again.source, changed.source)
