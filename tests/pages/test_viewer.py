"""The viewer's addresses: what is known of a place, and nothing else, whatever is asked."""

import io
import re
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.testclient import TestClient

from ejectamap.mapping import map_project
from ejectamap.pages.viewer.app import STATIC, Viewer
from ejectamap.pages.viewer.place import _chip_outline
from ejectamap.project import Project
from ejectamap.views.tiling import ChipGrid
from ejectamap.world.craters import Crater
from ejectamap.world.sphere import distance

HOME = "http://127.0.0.1"


@pytest.fixture(scope="module")
def client(mapped: Project) -> Iterator[TestClient]:
    with TestClient(Viewer(mapped).app(), base_url=HOME) as client:
        yield client


def test_the_planet_is_described(client: TestClient, mapped: Project) -> None:
    about = client.get("/planet").json()
    assert about["radius_m"] == mapped.grid.radius_m
    names = [crater["name"] for crater in about["craters"]]
    assert names == [crater.name for crater in mapped.craters]
    assert [crater["map"] is not None for crater in about["craters"]] == [True] * (
        len(names) - 1
    ) + [False]
    assert str(mapped.folder.parent) not in client.get("/planet").text


def test_the_page_asks_for_all_its_modules_at_once(client: TestClient) -> None:
    page = client.get("/").text
    modules = {path.name for path in STATIC.glob("*.js")} - {"main.js"}
    later = {name for name in modules if name.startswith("globe")}
    preloaded = set(re.findall(r'modulepreload" href="/static/([a-z]+\.js)"', page))
    assert preloaded == modules - later


def test_a_place_is_claimed_by_the_craters_that_reach_it(
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
    assert crater.crater_id not in [claim["crater_id"] for claim in far["craters"]]


def test_labels(client: TestClient, mapped: Project) -> None:
    assert mapped.labels is not None
    assert client.get("/labels").json()["craters"] == sorted(mapped.labels.masks)
    crater = mapped.craters[0].crater_id
    pictures = [client.get(f"/tiles/labels/{crater}/0/{x}/0.png").content for x in (0, 1)]
    shares = [(np.asarray(Image.open(io.BytesIO(picture))) > 0).mean() for picture in pictures]
    drawn = mapped.labels.read(crater, mapped.grid.whole).mean()
    assert np.mean(shares) == pytest.approx(drawn, rel=0.05)


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
        "/craters/0/seen/..%2f..%2fsecret.png?lon=0&lat=0",
        "/project.yaml",
        "/static/app.py",
        "/vendor/../server.py",
    ],
)
def test_what_is_not_there_is_not_found(client: TestClient, path: str) -> None:
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
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nonsense_is_answered_politely(
    client: TestClient, start: str, parts: list[str], query: dict[str, str]
) -> None:
    # The client raises what the application raises: a traceback fails this test.
    for path in (f"/{'/'.join([start, *parts])}", f"/{'/'.join([start, *parts])}.png", "/place"):
        try:
            request = client.build_request("GET", path, params=query)
        except Exception:  # an address that no client can send
            continue
        assert client.send(request).status_code in (200, 307, 400, 404)


@pytest.mark.parametrize(
    "query", ["", "lon=1", "lon=a&lat=1", "lon=nan&lat=0", "lon=inf&lat=0", "lon=0&lat=91"]
)
def test_a_place_that_is_none(client: TestClient, query: str) -> None:
    answer = client.get(f"/place?{query}")
    assert answer.status_code == 400
    assert answer.text.startswith("lon and lat must be")


def test_the_polar_view_is_shown_with_the_place_marked(client: TestClient, mapped: Project) -> None:
    crater = mapped.craters[0]
    address = f"/craters/{crater.crater_id}/seen/polar.png?lon={{}}&lat={crater.lat}"
    one, other = (client.get(address.format(crater.lon + east)) for east in (3, -3))
    assert one.status_code == 200
    pictures = [np.asarray(Image.open(io.BytesIO(found.content))) for found in (one, other)]
    changed = np.flatnonzero((pictures[0] != pictures[1]).any(axis=(0, 2)))
    width = pictures[0].shape[1]
    assert width / 8 < changed.min() < 3 * width / 8  # azimuth 90 degrees
    assert 5 * width / 8 < changed.max() < 7 * width / 8  # azimuth 270 degrees
    assert client.get(f"/craters/{crater.crater_id}/seen/chip.png?lon=0&lat=0").status_code == 404


@pytest.mark.parametrize("radial_up", ["false", "true"])
def test_chips_and_corridors_where_the_method_has_them(
    make_ready: Callable[..., Project], radial_up: str
) -> None:
    project = make_ready("method=two-stage", "views.overlap=0.5", f"views.radial_up={radial_up}")
    map_project(project, [project.craters[0].crater_id])
    crater = project.craters[0]
    with TestClient(Viewer(project).app(), base_url=HOME) as client:
        assert client.get("/planet").json()["views"] == ["chip", "corridor"]
        votes = client.get(f"/craters/{crater.crater_id}/connections").json()
        assert votes
        first = min(votes, key=lambda vote: abs(vote["outline"][0][1] - crater.lat))
        assert first["outline"][0] == first["outline"][-1]
        where = f"lon={crater.lon + 1}&lat={crater.lat}"
        for kind in ("chip", "corridor"):
            answer = client.get(f"/craters/{crater.crater_id}/seen/{kind}.png?{where}")
            picture = Image.open(io.BytesIO(answer.content))
            assert picture.width == (4 * picture.height if kind == "corridor" else picture.height)


@pytest.mark.parametrize("radial_up", [False, True])
def test_a_chip_is_outlined_where_it_is_sampled(radial_up: bool) -> None:
    """The corners of the outline are just beyond the corner pixels of a fine picture."""
    crater, radius_m = Crater(1, "A", 20, 10, 50e3), 2_439_400.0
    chips = ChipGrid.around(600e3, 300e3, 0.5, radial_up)
    for tile in range(len(chips)):
        lon, lat = np.array(_chip_outline(crater, chips, tile, radius_m)).T
        places = chips.chip(tile).places(crater, radius_m, 500)
        for r, c in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
            gap_m = distance(places.lon[r, c], places.lat[r, c], lon, lat, radius_m).min()
            assert gap_m < 500
