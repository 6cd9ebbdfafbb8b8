"""The viewer's page in a headless browser: the actions that a user would try first."""

import io
import re
import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from ejectamap.pages.viewer.app import Viewer
from ejectamap.project.folder import Project
from page_clients import served


@pytest.fixture(scope="module")
def address(mapped: Project) -> Iterator[str]:
    """Address of the viewer of a project without corrections."""
    shutil.rmtree(mapped.folder / "corrections", ignore_errors=True)
    with served(Viewer(mapped).app()) as address:
        yield address


class OpenPage:
    """An open page, with its requests and errors."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.requests: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._record)
        page.goto(address)
        page.locator("#craters li").first.wait_for()
        self.settle()

    def _record(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def settle(self) -> None:
        """Wait until the flat map has stopped moving and is drawn completely."""
        self.page.evaluate(
            """() => new Promise((done, fail) => {
                setTimeout(() => fail(new Error("the map does not settle")), 300000);
                const { map } = window.viewer;
                const wait = () => {
                    if (map.getView().getAnimating()) return setTimeout(wait, 20);
                    map.once("rendercomplete", done);
                    map.render();
                };
                wait();
            })"""
        )

    def picture(self) -> np.ndarray:
        """Picture (row, col, 3) of the middle of the page."""
        shot = self.page.locator("main").screenshot()
        return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)


# Resolves when an element has kept its place for five frames.
STILL = """element => new Promise((done) => {
    let last = "", same = 0;
    const look = () => {
        const { x, y } = element.getBoundingClientRect();
        same = `${x} ${y}` === last ? same + 1 : 0;
        last = `${x} ${y}`;
        if (same === 5) done();
        else requestAnimationFrame(look);
    };
    look();
})"""


@pytest.fixture(scope="module")
def open_page(browser: Browser, address: str) -> Iterator[OpenPage]:
    page = browser.new_page(viewport={"width": 800, "height": 560})
    open_page = OpenPage(page, address)
    yield open_page
    page.close()
    assert open_page.errors == []  # after all tests
    assert all(
        url.startswith((address.partition("?")[0], "blob:", "data:")) for url in open_page.requests
    )


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    return open_page.page


def choose(page: Page, text: str) -> None:
    page.get_by_role("searchbox").fill(text)
    page.get_by_role("searchbox").press("Enter")


def test_the_mosaic_is_shown(open_page: OpenPage, page: Page, mapped: Project) -> None:
    expect(page.locator("#planet-name")).to_have_text("planet")
    expect(page.locator("#craters li")).to_have_count(len(mapped.craters))
    middle = open_page.picture()[200:240, 200:400]
    assert middle.std() > 5
    assert any("/tiles/mosaic/" in url for url in open_page.requests)


def test_names_are_not_html(page: Page, mapped: Project) -> None:
    names = page.locator("#craters .name").all_text_contents()
    assert sorted(names) == sorted(crater.name for crater in mapped.craters)
    assert page.locator("#craters img, #craters b, #craters script").count() == 0
    assert page.title() == "planet – ejectamap"


def test_search_ignores_accents_and_moves_to_the_crater(
    open_page: OpenPage, page: Page, mapped: Project
) -> None:
    choose(page, "basho")
    open_page.settle()
    expect(page.locator("#craters li:visible")).to_have_count(1)
    expect(page.locator("#current")).to_have_text("Bashō")
    centre = page.evaluate("window.viewer.map.getView().getCenter()")
    assert centre == pytest.approx([mapped.craters[0].lon, mapped.craters[0].lat], abs=1e-6)
    page.get_by_role("searchbox").fill("no such crater")
    expect(page.locator("#no-craters")).to_be_visible()


def test_threshold_redraws_without_a_request(open_page: OpenPage, page: Page) -> None:
    choose(page, "basho")
    open_page.settle()
    page.locator("#layer-origin").uncheck()
    open_page.settle()
    high, before = open_page.picture(), len(open_page.requests)
    page.locator("#threshold").fill("0.1")
    open_page.settle()
    low = open_page.picture()
    assert open_page.requests[before:] == []
    assert (
        np.abs(low - high).max(axis=-1) > 20
    ).mean() > 0.2  # a probability of 0.2 is visible now
    page.locator("#threshold").fill("0.5")
    open_page.settle()
    assert np.abs(open_page.picture() - high).max() < 30


@pytest.mark.parametrize("layer", ["origin", "mask", "labels"])
def test_a_layer_is_switched_on_and_off(open_page: OpenPage, page: Page, layer: str) -> None:
    choose(page, "basho")
    open_page.settle()
    for other in ("probability", "origin", "mask", "labels"):
        page.locator(f"#layer-{other}").uncheck()
    open_page.settle()
    without = open_page.picture()
    page.locator(f"#layer-{layer}").check()
    open_page.settle()
    changed = np.abs(open_page.picture() - without).max(axis=-1) > 20
    assert 0.01 < changed.mean() < 0.9
    page.locator(f"#layer-{layer}").uncheck()
    open_page.settle()
    assert np.abs(open_page.picture() - without).max() < 30
    page.locator("#layer-probability").check()


def test_click_lists_the_craters_of_origin(open_page: OpenPage, page: Page) -> None:
    choose(page, "basho")
    open_page.settle()
    box = page.locator("#map").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    entry = page.locator("#place .craters li").first
    expect(entry).to_contain_text("Bashō")
    expect(entry).to_contain_text("100 %")
    picture = page.locator("#place figure img")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") > 100
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#place")).to_be_hidden()


def test_corrections_are_made_and_undone(open_page: OpenPage, page: Page, mapped: Project) -> None:
    choose(page, "basho")
    open_page.settle()
    page.get_by_role("button", name="Correct").click()
    state = page.locator("#brush .about .dim")
    expect(state).to_contain_text("not corrected")
    page.get_by_role("button", name="Reject").click()
    expect(state).to_contain_text("corrected and saved: 0 pixels")
    page.get_by_role("button", name="Paint").click()
    box = page.locator("#map").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 10, y)
    page.mouse.down()
    page.mouse.move(x + 10, y, steps=4)
    page.mouse.up()
    expect(state).not_to_contain_text(": 0 pixels")
    assert (mapped.folder / "corrections" / "tiles.csv").exists()
    for _ in range(2):
        page.get_by_role("button", name="Undo").click()
    expect(state).to_contain_text("not corrected")
    assert not (mapped.folder / "corrections" / "tiles.csv").exists()
    page.get_by_role("button", name="Correct").click()
    expect(page.locator("#brush")).to_be_hidden()


def test_a_pole(open_page: OpenPage, page: Page) -> None:
    for layer in (
        "probability",
        "origin",
        "mask",
        "labels",
    ):  # without a GPU, drawing each takes seconds
        page.locator(f"#layer-{layer}").uncheck()
    page.get_by_role("radio", name="South pole").click()
    open_page.settle()
    height, width, _ = open_page.picture().shape
    assert open_page.picture()[height // 3 : height // 2, width // 3 : width // 2].std() > 5
    main = page.locator("main").bounding_box()
    assert main is not None
    page.mouse.move(main["x"] + main["width"] / 2 + 1, main["y"] + main["height"] / 2 + 1)
    expect(page.locator("#pointer")).to_have_text(re.compile("^(89|90).* S"))
    page.get_by_role("radio", name="Map").click()


def test_the_globe(open_page: OpenPage, page: Page) -> None:
    page.get_by_role("radio", name="Globe").click()
    expect(page.locator("#globe")).to_be_visible()
    while open_page.picture()[5, 5].max() >= 30:  # until the globe's background is drawn
        page.wait_for_timeout(100)
    choose(page, "basho")
    page.locator("#globe-names .chosen").evaluate(STILL)
    picture = open_page.picture()
    height, width, _ = picture.shape
    middle = picture[height // 2 - 100 : height // 2 + 100, width // 2 - 100 : width // 2 + 100]
    assert middle.std() > 5
    expect(page.locator("#globe-names .chosen")).to_have_text("Bashō")
    box = page.locator("#globe").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator("#place .craters li").first).to_contain_text("Bashō")
    page.get_by_role("radio", name="Map").click()
