"""The viewer's routes: valid requests get data of the project, any other request an error status."""

import io
import re
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.testclient import TestClient

from ejectamap.mapping.run import map_project
from ejectamap.pages.viewer.app import STATIC, Viewer
from ejectamap.pages.viewer.outlines import outline_chip
from ejectamap.project.folder import Project
from ejectamap.views.tiling import ChipGrid
from ejectamap.world.craters import Crater
from ejectamap.world.sphere import distance
from page_clients import client_of


@pytest.fixture(scope="module")
def client(mapped: Project) -> Iterator[TestClient]:
    with client_of(Viewer(mapped).app()) as client:
        yield client


def test_planet(client: TestClient, mapped: Project) -> None:
    planet = client.get("/planet").json()
    assert planet["radius_m"] == mapped.grid.radius_m
    names = [crater["name"] for crater in planet["craters"]]
    assert names == [crater.name for crater in mapped.craters]
    assert [crater["map"] is not None for crater in planet["craters"]] == [True] * (
        len(names) - 1
    ) + [False]
    assert str(mapped.folder.parent) not in client.get("/planet").text


def test_page_preloads_all_its_modules(client: TestClient) -> None:
    page = client.get("/").text
    modules = {path.name for path in STATIC.glob("*.js")} - {"main.js"}
    later = {"globe.js"}
    preloaded = set(re.findall(r'modulepreload" href="/static/([a-z]+\.js)"', page))
    assert preloaded == modules - later


def test_place_lists_the_craters_within_whose_reach_it_is(
    client: TestClient, mapped: Project
) -> None:
    crater = mapped.craters[0]
    answer = client.get(f"/place?lon={crater.lon + 360}&lat={crater.lat}").json()
    first = answer["craters"][0]
    assert first["crater_id"] == crater.crater_id
    assert first["probability"] == 1
    assert first["labelled"] is True
    assert first["distance_m"] < 1
    far = client.get(f"/place?lon={crater.lon + 180}&lat={-crater.lat}").json()
    assert crater.crater_id not in [crater["crater_id"] for crater in far["craters"]]


def test_labels(client: TestClient, mapped: Project) -> None:
    assert mapped.labels is not None
    assert client.get("/labels").json()["craters"] == sorted(mapped.labels.masks)
    crater = mapped.craters[0].crater_id
    pictures = [client.get(f"/tiles/labels/{crater}/0/{x}/0.png").content for x in (0, 1)]
    fractions = [(np.asarray(Image.open(io.BytesIO(picture))) > 0).mean() for picture in pictures]
    labelled = mapped.labels.read(crater, mapped.grid.whole).mean()
    assert np.mean(fractions) == pytest.approx(labelled, rel=0.05)


@pytest.mark.parametrize("layer", ["mosaic", "origin", "probability/{}", "mask/{}", "labels/{}"])
def test_tiles_are_pictures(client: TestClient, mapped: Project, layer: str) -> None:
    answer = client.get(f"/tiles/{layer.format(mapped.craters[0].crater_id)}/0/0/0.png")
    assert answer.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).size == (512, 512)


@pytest.mark.parametrize(
    "path",
    [
        "/tiles/mosaic/0/2/0.png",
        "/tiles/mosaic/9/0/0.png",
        "/tiles/mosaic/-1/0/0.png",
        "/tiles/mosaic/0/0/99999999999999999999.png",
        "/tiles/mosaic/0/0/0.5.png",
        "/tiles/nothing/0/0/0.png",
        "/tiles/probability/0/0/0.png",
        "/tiles/probability/99/0/0/0.png",
        "/tiles/../planet/0/0/0/0.png",
        "/craters/99/connections",
        "/craters/0/inputs/..%2f..%2fsecret.png?lon=0&lat=0",
        "/project.yaml",
        "/static/app.py",
        "/vendor/../server.py",
    ],
)
def test_missing_content_is_not_found(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_crater_without_a_map_has_no_tiles(client: TestClient, mapped: Project) -> None:
    last = mapped.craters[-1].crater_id
    assert client.get(f"/tiles/probability/{last}/0/0/0.png").status_code == 404


TEXT = st.text(max_size=30)
NUMBER = st.one_of(st.integers(-5, 20).map(str), st.integers().map(str), st.floats().map(str), TEXT)


@given(
    start=st.sampled_from(
        ["tiles/mosaic", "tiles/probability", "tiles/labels", "craters", "vendor"]
    ),
    parts=st.lists(NUMBER, max_size=5),
    query=st.dictionaries(
        st.one_of(st.sampled_from(["lon", "lat", "v"]), TEXT), NUMBER, max_size=3
    ),
)
@settings(max_examples=150)
def test_invalid_requests_get_an_error_status(
    client: TestClient, start: str, parts: list[str], query: dict[str, str]
) -> None:
    # The client raises exceptions of the application, which fail this test.
    for path in (f"/{'/'.join([start, *parts])}", f"/{'/'.join([start, *parts])}.png", "/place"):
        try:
            request = client.build_request("GET", path, params=query)
        except Exception:  # no client can send this address
            continue
        assert client.send(request).status_code in (200, 307, 400, 404)


@pytest.mark.parametrize(
    "query", ["", "lon=1", "lon=a&lat=1", "lon=nan&lat=0", "lon=inf&lat=0", "lon=0&lat=91"]
)
def test_invalid_place_is_refused(client: TestClient, query: str) -> None:
    answer = client.get(f"/place?{query}")
    assert answer.status_code == 400
    assert answer.text.startswith("lon and lat must be")


def test_polar_view_is_drawn_with_the_place_marked(client: TestClient, mapped: Project) -> None:
    crater = mapped.craters[0]
    address = f"/craters/{crater.crater_id}/inputs/polar.png?lon={{}}&lat={crater.lat}"
    one, other = (client.get(address.format(crater.lon + east)) for east in (3, -3))
    assert one.status_code == 200
    pictures = [np.asarray(Image.open(io.BytesIO(answer.content))) for answer in (one, other)]
    changed = np.flatnonzero((pictures[0] != pictures[1]).any(axis=(0, 2)))
    width = pictures[0].shape[1]
    assert width / 8 < changed.min() < 3 * width / 8  # azimuth 90 degrees
    assert 5 * width / 8 < changed.max() < 7 * width / 8  # azimuth 270 degrees
    assert client.get(f"/craters/{crater.crater_id}/inputs/chip.png?lon=0&lat=0").status_code == 404


def test_chips_and_corridors_where_the_method_has_them(
    make_ready: Callable[..., Project],
) -> None:
    project = make_ready("method=two-stage", "views.overlap=0.5")
    map_project(project, [project.craters[0].crater_id])
    crater = project.craters[0]
    with client_of(Viewer(project).app()) as client:
        assert client.get("/planet").json()["views"] == ["chip", "corridor"]
        chips = client.get(f"/craters/{crater.crater_id}/connections").json()
        assert chips
        first = min(chips, key=lambda chip: abs(chip["outline"][0][1] - crater.lat))
        assert first["outline"][0] == first["outline"][-1]
        where = f"lon={crater.lon + 1}&lat={crater.lat}"
        for kind in ("chip", "corridor"):
            answer = client.get(f"/craters/{crater.crater_id}/inputs/{kind}.png?{where}")
            picture = Image.open(io.BytesIO(answer.content))
            assert picture.width == (4 * picture.height if kind == "corridor" else picture.height)


def test_chip_outline_surrounds_its_pixels() -> None:
    """The corners of the outline are within 500 m of the corner pixels of a fine picture."""
    crater, radius_m = Crater(1, "A", 20, 10, 50e3), 2_439_400.0
    chips = ChipGrid.around(600e3, 300e3, 0.5)
    for chip in chips.chips():
        lon, lat = np.array(outline_chip(crater, chip, radius_m)).T
        places = chip.places(crater, radius_m, 500)
        for r, c in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
            gap_m = distance(places.lon[r, c], places.lat[r, c], lon, lat, radius_m).min()
            assert gap_m < 500
