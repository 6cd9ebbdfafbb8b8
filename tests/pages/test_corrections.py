"""Corrections are labels: what was drawn, and nothing else, is what a project reads back."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from ejectamap.mapping.files import replace_file
from ejectamap.pages.viewer.app import Viewer
from ejectamap.pages.viewer.corrections import Change, Corrections
from ejectamap.project import Project
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


def read_back(project: Project) -> Labels:
    folder = project.folder / "corrections"
    return load_labels(folder, project.grid, project.craters, folder / "tiles.csv")


def test_an_accepted_map_becomes_labels_of_all_craters_there(project: Project) -> None:
    work, crater = Corrections(project), project.craters[0]
    tile = work.tile_at(crater.lon, crater.lat)
    work.apply(tile.tile_id, crater, Change(action="accept"))
    found = read_back(project)
    assert found.tiles == (tile,)
    assert project.labels is not None
    for crater_id in found.masks:  # the map is the labels' truth here
        assert np.array_equal(
            found.read(crater_id, tile.window), project.labels.read(crater_id, tile.window)
        )
    total = sum(mask.sum() for _, mask in found.masks.values())
    assert total == sum(found.read(crater_id, tile.window).sum() for crater_id in found.masks)
    assert Corrections(project).describe(tile.tile_id) == work.describe(tile.tile_id) | {"undo": 0}


def test_a_rejected_map_is_empty_and_the_others_stay(project: Project) -> None:
    work, crater = Corrections(project), project.craters[0]
    tile = work.tile_at(crater.lon, crater.lat)
    before = work.describe(tile.tile_id)["ejecta_px"]
    work.apply(tile.tile_id, crater, Change(action="reject"))
    after = work.describe(tile.tile_id)["ejecta_px"]
    assert before[crater.crater_id] > 0
    assert after == before | {crater.crater_id: 0}


@given(
    east=st.floats(-3, 3),
    north=st.floats(-3, 3),
    radius_px=st.floats(1, 20),
    turns=st.integers(-1, 1),
)
@settings(max_examples=25, deadline=None)
def test_a_stroke_touches_what_lies_under_the_brush(
    mapped: Project, east: float, north: float, radius_px: float, turns: int
) -> None:
    shutil.rmtree(mapped.folder / "corrections", ignore_errors=True)
    work, crater = Corrections(mapped), mapped.craters[0]
    tile = work.tile_at(crater.lon, crater.lat)
    work.apply(tile.tile_id, crater, Change(action="reject"))
    place = crater.lon + east + 360 * turns, crater.lat + north
    work.apply(tile.tile_id, crater, Change(action="paint", line=[place], radius_px=radius_px))
    drawn = work.labels(crater.crater_id).read(crater.crater_id, tile.window)
    rows, cols = np.mgrid[: tile.window.height, : tile.window.width] + 0.5
    col, row = mapped.grid.to_pixel(*place)
    away = np.hypot(cols + tile.window.col - col, rows + tile.window.row - row)
    assert drawn[away < radius_px - 0.3].all()
    assert not drawn[away > radius_px + 0.3].any()


def test_undo_goes_back_to_no_file_at_all(project: Project) -> None:
    work, crater = Corrections(project), project.craters[0]
    tile = work.tile_at(crater.lon, crater.lat)
    line = [(crater.lon - 5, crater.lat), (crater.lon + 5, crater.lat)]
    work.apply(tile.tile_id, crater, Change(action="reject"))
    once = work.labels(crater.crater_id).read(crater.crater_id, tile.window)
    work.apply(tile.tile_id, crater, Change(action="paint", line=line, radius_px=3))
    assert not np.array_equal(
        work.labels(crater.crater_id).read(crater.crater_id, tile.window), once
    )
    assert work.undo() == tile.tile_id
    assert np.array_equal(
        Corrections(project).labels(crater.crater_id).read(crater.crater_id, tile.window), once
    )
    assert work.undo() == tile.tile_id
    assert work.undo() is None
    assert list((project.folder / "corrections").iterdir()) == []


def test_what_cannot_be_saved_is_not_done(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, crater = Corrections(project), project.craters[0]
    tile = work.tile_at(crater.lon, crater.lat)
    work.apply(tile.tile_id, crater, Change(action="accept"))
    before = work.describe(tile.tile_id)

    def full(path: Path, content: memoryview) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("ejectamap.mapping.files.replace_file", full)
    with pytest.raises(OSError, match="no space"):
        work.apply(tile.tile_id, crater, Change(action="reject"))
    monkeypatch.setattr("ejectamap.mapping.files.replace_file", replace_file)
    assert work.describe(tile.tile_id) == before
    assert Corrections(project).describe(tile.tile_id) == before | {"undo": 0}


def test_over_http(project: Project) -> None:
    crater = project.craters[0]
    with TestClient(Viewer(project).app(), base_url=HOME) as client:
        tile = client.get(f"/corrections/at?lon={crater.lon}&lat={crater.lat}").json()
        assert not tile["corrected"]
        address = f"/corrections/{tile['tile']}/{crater.crater_id}"
        assert client.post(address, json={"action": "reject"}).json()["corrected"]
        assert [done["tile"] for done in client.get("/corrections").json()] == [tile["tile"]]
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
def test_nonsense_changes_nothing(client: TestClient, mapped: Project, body: bytes) -> None:
    crater = mapped.craters[0]
    tile = client.get(f"/corrections/at?lon={crater.lon}&lat={crater.lat}").json()["tile"]
    assert client.post(f"/corrections/{tile}/0", content=body).status_code in (200, 400, 409)
