"""Corrections are stored as labels: a project reads exactly what was corrected."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from ejectamap.files import replace_file
from ejectamap.pages.viewer.app import Viewer
from ejectamap.pages.viewer.corrections import Change, Corrections
from ejectamap.project.folder import Project
from ejectamap.world.label_files import load_labels
from ejectamap.world.labels import Labels

HOME = "http://127.0.0.1"


@pytest.fixture
def project(mapped: Project) -> Project:
    """The mapped project, without corrections."""
    folder = mapped.folder / "corrections"
    shutil.rmtree(folder, ignore_errors=True)
    return mapped


@pytest.fixture(scope="module")
def client(mapped: Project) -> Iterator[TestClient]:
    with TestClient(Viewer(mapped).app(), base_url=HOME) as client:
        yield client


def read_corrections(project: Project) -> Labels:
    folder = project.folder / "corrections"
    return load_labels(folder, project.grid, project.craters, folder / "tiles.csv")


def test_accepted_map_becomes_labels_of_all_craters_in_the_tile(project: Project) -> None:
    corrections, crater = Corrections(project), project.craters[0]
    tile = corrections.tile_at(crater.lon, crater.lat)
    corrections.apply(tile.tile_id, crater, Change(action="accept"))
    labels = read_corrections(project)
    assert labels.tiles == (tile,)
    assert project.labels is not None
    for crater_id in labels.masks:  # the maps of this project are its labels
        assert np.array_equal(
            labels.read(crater_id, tile.window), project.labels.read(crater_id, tile.window)
        )
    total = sum(mask.sum() for _, mask in labels.masks.values())
    assert total == sum(labels.read(crater_id, tile.window).sum() for crater_id in labels.masks)
    assert Corrections(project).describe(tile.tile_id) == corrections.describe(tile.tile_id) | {
        "undo": 0
    }


def test_rejected_map_is_empty_and_others_are_kept(project: Project) -> None:
    corrections, crater = Corrections(project), project.craters[0]
    tile = corrections.tile_at(crater.lon, crater.lat)
    before = corrections.describe(tile.tile_id)["ejecta_px"]
    corrections.apply(tile.tile_id, crater, Change(action="reject"))
    after = corrections.describe(tile.tile_id)["ejecta_px"]
    assert before[crater.crater_id] > 0
    assert after == before | {crater.crater_id: 0}


@given(
    east=st.floats(-3, 3),
    north=st.floats(-3, 3),
    radius_px=st.floats(1, 20),
    turns=st.integers(-1, 1),
)
@settings(max_examples=25, deadline=None)
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
    with TestClient(Viewer(project).app(), base_url=HOME) as client:
        tile = client.get(f"/corrections/at?lon={crater.lon}&lat={crater.lat}").json()
        assert not tile["corrected"]
        address = f"/corrections/{tile['tile']}/{crater.crater_id}"
        assert client.post(address, json={"action": "reject"}).json()["corrected"]
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
@settings(max_examples=60, deadline=None)
def test_invalid_changes_are_refused(client: TestClient, mapped: Project, body: bytes) -> None:
    crater = mapped.craters[0]
    tile = client.get(f"/corrections/at?lon={crater.lon}&lat={crater.lat}").json()["tile"]
    assert client.post(f"/corrections/{tile}/0", content=body).status_code in (200, 400, 409)
