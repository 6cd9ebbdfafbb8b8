"""Corrections are stored as labels: a project reads exactly what was corrected."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from ejectamap.errors import LabelError
from ejectamap.files import replace_file
from ejectamap.interop.import_labels import import_labels
from ejectamap.interop.label_writing import write_label
from ejectamap.maps.edits import read_edit
from ejectamap.pages.viewer.app import Viewer
from ejectamap.pages.viewer.corrections import Change, Corrections
from ejectamap.project.folder import Project
from ejectamap.project.yaml import write_settings
from ejectamap.world.label_files import load_labels
from ejectamap.world.label_sources import LabelSource, LabelSources, SourcedMask
from ejectamap.world.labels import Labels, Tile
from page_clients import client_of


@pytest.fixture
def project(mapped: Project) -> Project:
    """The mapped project, without corrections."""
    folder = mapped.folder / "corrections"
    shutil.rmtree(folder, ignore_errors=True)
    return mapped


@pytest.fixture(scope="module")
def client(mapped: Project) -> Iterator[TestClient]:
    with client_of(Viewer(mapped).app()) as client:
        yield client


def ejecta_px(corrections: Corrections, tile: Tile) -> dict[int, int]:
    return corrections.describe(tile.tile_id)["ejecta_px"]


def sources(project: Project) -> LabelSources:
    return LabelSources(project.folder / "corrections", project.grid)


def with_labels(project: Project, folder: Path) -> Project:
    """The same project and map with other labels."""
    inputs = project.settings.inputs.model_copy(update={"labels": str(folder)})
    return Project(project.folder, project.settings.model_copy(update={"inputs": inputs}))


def read_corrections(project: Project) -> Labels:
    folder = project.folder / "corrections"
    return load_labels(folder, project.grid, project.craters, folder / "tiles.csv")


def test_an_accepted_map_becomes_the_label_of_its_crater_alone(project: Project) -> None:
    corrections, crater = Corrections(project), project.craters[0]
    tile = corrections.tile_at(crater.lon, crater.lat)
    assert sum(k != 0 and px > 0 for k, px in ejecta_px(corrections, tile).items())
    corrections.apply(tile.tile_id, crater, Change(action="accept"))
    labels = read_corrections(project)
    assert labels.tiles == (replace(tile, craters=frozenset({0})),)
    assert set(labels.masks) == {0}
    assert project.labels is not None
    mapped = project.labels.read(0, tile.window)  # the maps of this project are its labels
    np.testing.assert_array_equal(labels.read(0, tile.window), mapped)
    assert (sources(project).read(0, tile.window) == LabelSource.ACCEPTED).all()
    assert Corrections(project).describe(tile.tile_id) == corrections.describe(tile.tile_id) | {
        "undo": 0
    }


def test_a_rejected_map_is_empty_and_others_are_kept(project: Project) -> None:
    corrections, crater = Corrections(project), project.craters[0]
    tile = corrections.tile_at(crater.lon, crater.lat)
    before = ejecta_px(corrections, tile)
    corrections.apply(tile.tile_id, crater, Change(action="reject"))
    assert before[crater.crater_id] > 0
    assert ejecta_px(corrections, tile) == before | {crater.crater_id: 0}
    assert corrections.describe(tile.tile_id)["corrected_craters"] == [0]
    source = sources(project).read(0, tile.window)
    assert (source == LabelSource.CORRECTED).sum() == before[0]


def test_a_correction_of_a_labelled_crater_starts_from_its_label(
    project: Project, tmp_path: Path
) -> None:
    (crater, *_), grid = project.craters, project.grid
    assert project.labels is not None
    path = tmp_path / "labels"
    path.mkdir()
    tile = Corrections(project).tile_at(crater.lon, crater.lat)
    label = project.labels.read(0, tile.window).copy()
    label[::2] = False  # half of what is mapped
    write_label(path, 0, SourcedMask(tile.window, label, np.uint8(4) * label), grid)
    opened = with_labels(project, path)
    corrections = Corrections(opened)
    stroke = Change(action="erase", line=[(crater.lon, crater.lat)], radius_px=4)
    corrections.apply(tile.tile_id, crater, stroke)
    erased = corrections.labels(0).read(0, tile.window) != label
    read = read_corrections(opened)
    assert not (read.read(0, tile.window) & ~label).any()
    assert erased.any()
    assert (sources(opened).read(0, tile.window)[erased] == LabelSource.CORRECTED).all()
    kept = read.read(0, tile.window)
    assert (sources(opened).read(0, tile.window)[kept] == LabelSource.IMPORTED).all()


def test_corrections_change_their_pixels_of_reviewed_craters_when_imported(
    project: Project, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(project.folder, folder, ignore=shutil.ignore_patterns("cache"))
    settings = project.settings.inputs
    paths = {
        name: str(project.input_path(str(getattr(settings, name))))
        for name in ("mosaic", "craters", "labels")
    }
    inputs = settings.model_copy(update=paths)
    write_settings(project.settings.model_copy(update={"inputs": inputs}), folder / "project.yaml")
    opened = Project.open(folder)
    corrections, crater = Corrections(opened), opened.craters[0]
    tile = corrections.tile_at(crater.lon, crater.lat)
    stroke = Change(action="erase", line=[(crater.lon, crater.lat)], radius_px=3)
    corrections.apply(tile.tile_id, crater, stroke)
    changes = import_labels(opened, folder / "corrections", pin=True)
    assert set(changes.labels) == {0}
    assert changes.labels[0].action == "corrected"
    assert changes.labels[0].added_px == 0
    before = opened.labels
    after = Project.open(folder).labels
    assert before is not None
    assert after is not None
    assert after.tiles is None
    erased = before.read(0, opened.grid.whole) & ~after.read(0, opened.grid.whole)
    assert erased.sum() == changes.labels[0].removed_px > 0
    edit = read_edit(opened, 0)
    assert edit is not None
    np.testing.assert_array_equal(
        edit.sample(opened.grid, *opened.grid.centres(opened.grid.whole)), 2 * erased
    )
    assert import_labels(Project.open(folder), folder / "corrections").is_empty


@given(
    east=st.floats(-3, 3),
    north=st.floats(-3, 3),
    radius_px=st.floats(1, 20),
    turns=st.integers(-1, 1),
)
@settings(max_examples=25)
def test_stroke_covers_the_pixels_under_the_brush(
    mapped: Project, east: float, north: float, radius_px: float, turns: int
) -> None:
    shutil.rmtree(mapped.folder / "corrections", ignore_errors=True)
    corrections, crater = Corrections(mapped), mapped.craters[0]
    tile = corrections.tile_at(crater.lon, crater.lat)
    corrections.apply(tile.tile_id, crater, Change(action="reject"))
    place = crater.lon + east + 360 * turns, crater.lat + north
    corrections.apply(
        tile.tile_id, crater, Change(action="paint", line=[place], radius_px=radius_px)
    )
    painted = corrections.labels(crater.crater_id).read(crater.crater_id, tile.window)
    rows, cols = np.mgrid[: tile.window.height, : tile.window.width] + 0.5
    col, row = mapped.grid.to_pixel(*place)
    distance_px = np.hypot(cols + tile.window.col - col, rows + tile.window.row - row)
    assert painted[distance_px < radius_px - 0.3].all()
    assert not painted[distance_px > radius_px + 0.3].any()


def test_undo_of_all_changes_removes_all_files(project: Project) -> None:
    corrections, crater = Corrections(project), project.craters[0]
    tile = corrections.tile_at(crater.lon, crater.lat)
    line = [(crater.lon - 5, crater.lat), (crater.lon + 5, crater.lat)]
    corrections.apply(tile.tile_id, crater, Change(action="reject"))
    rejected = corrections.labels(crater.crater_id).read(crater.crater_id, tile.window)
    corrections.apply(tile.tile_id, crater, Change(action="paint", line=line, radius_px=3))
    assert not np.array_equal(
        corrections.labels(crater.crater_id).read(crater.crater_id, tile.window), rejected
    )
    assert corrections.undo() == tile.tile_id
    assert np.array_equal(
        Corrections(project).labels(crater.crater_id).read(crater.crater_id, tile.window), rejected
    )
    assert corrections.undo() == tile.tile_id
    assert corrections.undo() is None
    assert list((project.folder / "corrections").iterdir()) == []


def test_maps_that_do_not_exist_cannot_be_accepted(project: Project) -> None:
    unmapped, crater = replace(project, results="elsewhere"), project.craters[0]
    corrections = Corrections(unmapped)
    tile = corrections.tile_at(crater.lon, crater.lat)
    with pytest.raises(LabelError, match="no map to accept"):
        corrections.apply(tile.tile_id, crater, Change(action="accept"))


def test_corrections_stay_when_the_labels_suggest_other_tiles(project: Project) -> None:
    corrections, crater = Corrections(project), project.craters[0]
    tile = corrections.tile_at(crater.lon, crater.lat)
    corrections.apply(tile.tile_id, crater, Change(action="reject"))
    views = project.settings.views
    for change in (1, -1):
        tile_km = (project.tile_side_px + change) * project.grid.pixel_m / 1000
        other = views.model_copy(update={"tile_km": tile_km})
        settings = project.settings.model_copy(update={"views": other})
        again = Corrections(Project(project.folder, settings))
        assert again.tiles[tile.tile_id].window == tile.window
        assert again.describe(tile.tile_id)["corrected_craters"] == [0]
    table = project.folder / "corrections" / "tiles.csv"
    table.write_text("tile_id,row,col,height,width\n0,3,3,40,50\n")
    with pytest.raises(LabelError, match="tile 0 is not a tile of the viewer"):
        Corrections(project)


def test_corrections_of_an_earlier_version_are_read(project: Project) -> None:
    corrections, crater = Corrections(project), project.craters[0]
    tile = corrections.tile_at(crater.lon, crater.lat)
    corrections.apply(tile.tile_id, crater, Change(action="accept"))
    (project.folder / "corrections" / "source_crater_0.tif").unlink()
    table = project.folder / "corrections" / "tiles.csv"
    head, row, *_ = table.read_text().splitlines()
    assert head.endswith(",labelled_craters")
    table.write_text(f"{head.rsplit(',', 1)[0]}\n{row.rsplit(',', 1)[0]}\n")
    again = Corrections(project)
    assert again.describe(tile.tile_id)["corrected_craters"] == [0]
    np.testing.assert_array_equal(
        again.labels(0).read(0, tile.window), corrections.labels(0).read(0, tile.window)
    )


def test_change_that_cannot_be_saved_is_not_applied(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    corrections, crater = Corrections(project), project.craters[0]
    tile = corrections.tile_at(crater.lon, crater.lat)
    corrections.apply(tile.tile_id, crater, Change(action="accept"))
    before = corrections.describe(tile.tile_id)

    def fail(path: Path, content: memoryview) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("ejectamap.maps.files.replace_file", fail)
    with pytest.raises(OSError, match="no space"):
        corrections.apply(tile.tile_id, crater, Change(action="reject"))
    monkeypatch.setattr("ejectamap.maps.files.replace_file", replace_file)
    assert corrections.describe(tile.tile_id) == before
    assert Corrections(project).describe(tile.tile_id) == before | {"undo": 0}


def test_over_http(project: Project) -> None:
    crater = project.craters[0]
    with client_of(Viewer(project).app()) as client:
        tile = client.get(f"/corrections/at?lon={crater.lon}&lat={crater.lat}").json()
        assert tile["corrected_craters"] == []
        address = f"/corrections/{tile['tile']}/{crater.crater_id}"
        assert client.post(address, json={"action": "reject"}).json()["corrected_craters"] == [0]
        assert [tile["tile"] for tile in client.get("/corrections").json()] == [tile["tile"]]
        assert client.get(f"/tiles/corrections/{crater.crater_id}/0/0/0.png").status_code == 200
        far = client.get(f"/corrections/at?lon={crater.lon + 180}&lat={-crater.lat}").json()["tile"]
        assert (
            client.post(
                f"/corrections/{far}/{crater.crater_id}", json={"action": "reject"}
            ).status_code
            == 409
        )
        assert client.post("/corrections/99999/0", json={"action": "reject"}).status_code == 404
        assert (
            client.post(
                address, json={"action": "reject"}, headers={"origin": "http://evil"}
            ).status_code
            == 403
        )
        assert client.post("/corrections/undo").json()["tile"] == tile["tile"]
        assert client.post("/corrections/undo").json() is None


@given(
    body=st.one_of(
        st.binary(max_size=50),
        st.fixed_dictionaries(
            {"action": st.sampled_from(["paint", "accept", "burn"])},
            optional={
                "line": st.lists(
                    st.lists(st.one_of(st.floats(), st.text(max_size=3)), max_size=3), max_size=4
                ),
                "radius_px": st.one_of(st.floats(), st.none()),
            },
        ).map(lambda value: json.dumps(value).encode()),
    )
)
@settings(max_examples=60)
def test_invalid_changes_are_refused(client: TestClient, mapped: Project, body: bytes) -> None:
    crater = mapped.craters[0]
    tile = client.get(f"/corrections/at?lon={crater.lon}&lat={crater.lat}").json()["tile"]
    assert client.post(f"/corrections/{tile}/0", content=body).status_code in (200, 400, 409)
