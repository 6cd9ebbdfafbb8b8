"""The viewer's routes under any request: an answer or an error status, no exception, and corrections stay labels."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from ejectamap.pages.viewer.app import Viewer
from ejectamap.project.folder import Project
from ejectamap.world.label_files import load_labels
from fuzzing import examples
from page_clients import HOME, client_of

REFUSED = (400, 403, 404, 405, 409, 413, 422)


@pytest.fixture(scope="module")
def client(mapped: Project) -> Iterator[TestClient]:
    # The client raises exceptions of the application.
    with client_of(Viewer(mapped).app()) as client:
        yield client


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
DEGREES = st.floats(-400, 400) | st.floats() | st.integers()
PLACE = st.tuples(DEGREES, DEGREES)
CHANGES = st.fixed_dictionaries(
    {"action": st.sampled_from(["accept", "reject", "paint", "erase"])},
    optional={
        "line": st.lists(PLACE | JSON, max_size=4),
        "radius_px": st.floats(0.5, 20) | st.floats() | st.integers() | JSON,
        "more": JSON,
    },
)
BODIES = (
    CHANGES.map(lambda change: json.dumps(change).encode())
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=30)
    | st.sampled_from([b"[" * 100_000, b'{"line":' * 50_000, b"1" * 10_000, bytes(2**21)])
)
ADDRESSES = st.sampled_from(["/corrections/undo", "/corrections/at", "/corrections", "/place"]) | (
    st.tuples(st.integers(0, 30), st.integers(0, 8)).map(
        lambda ids: f"/corrections/{ids[0]}/{ids[1]}"
    )
)


@given(
    address=ADDRESSES, body=BODIES, origin=st.none() | st.sampled_from([HOME, "http://a.example"])
)
@examples
def test_any_change_is_made_or_refused(
    client: TestClient, mapped: Project, address: str, body: bytes, origin: str | None
) -> None:
    headers = {} if origin is None else {"Origin": origin}
    status = client.post(address, content=body, headers=headers).status_code
    assert status == 200 or status in REFUSED, status
    if status == 200 and address != "/corrections/undo":
        folder = mapped.folder / "corrections"
        tiles = folder / "tiles.csv"
        labels = load_labels(folder, mapped.grid, mapped.craters, tiles, may_be_empty=True)
        assert labels.tiles


LAYERS = ["mosaic", "origin", "probability/0", "mask/1", "labels/0", "corrections/0", "x"]
NUMBER = st.integers(-1, 4).map(str) | st.sampled_from(["00", "1e1", "999999999", "%00", "+1"])


@given(
    layer=st.sampled_from(LAYERS),
    tile=st.tuples(NUMBER, NUMBER, NUMBER),
    method=st.sampled_from(["GET", "HEAD", "PUT", "DELETE"]),
    host=st.sampled_from(["127.0.0.1", "localhost", "a.example", "", "127.0.0.1:99999"]),
)
@examples
def test_any_tile_is_a_picture_or_refused(
    client: TestClient, layer: str, tile: tuple[str, str, str], method: str, host: str
) -> None:
    address = f"/tiles/{layer}/{'/'.join(tile)}.png"
    answer = client.request(method, address, headers={"Host": host})
    assert answer.status_code == 200 or answer.status_code in REFUSED
    if answer.status_code == 200:
        assert answer.headers["content-type"] == "image/png"
        assert host != "a.example"
