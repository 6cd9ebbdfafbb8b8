"""The viewer's page in a browser without a window: what a person would do first."""

import io
import re
import shutil
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import uvicorn
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from ejectamap.pages.viewer.app import Viewer
from ejectamap.project import Project

CHROMIUM = shutil.which("chromium")
FLAGS = ["--headless=new", "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader"]
FLAGS += ["--enable-unsafe-swiftshader"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@pytest.fixture(scope="module")
def address(mapped: Project) -> Iterator[str]:
    """The viewer, served; nothing is corrected yet."""
    shutil.rmtree(mapped.folder / "corrections", ignore_errors=True)
    settings = uvicorn.Config(Viewer(mapped).app(), port=0, log_level="warning")
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Viewed:
    """An open page, and what it asked for and complained of."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._listen)
        page.goto(address)
        page.locator("#craters li").first.wait_for()
        self.settle()

    def _listen(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def settle(self) -> None:
        """Wait until the flat map has arrived and shows all that it should."""
        self.page.evaluate(
            """() => new Promise((done, fail) => {
                setTimeout(() => fail(new Error("the map does not settle")), 20000);
                const { map } = window.viewer;
                const look = () => {
                    if (map.getView().getAnimating()) return setTimeout(look, 20);
                    map.once("rendercomplete", done);
                    map.render();
                };
                look();
            })"""
        )

    def picture(self) -> np.ndarray:
        """What the middle of the page shows."""
        shot = self.page.locator("main").screenshot()
        return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB")).astype(int)


@pytest.fixture(scope="module")
def viewed(browser: Browser, address: str) -> Iterator[Viewed]:
    page = browser.new_page(viewport={"width": 800, "height": 560})
    viewed = Viewed(page, address)
    yield viewed
    page.close()
    assert viewed.complaints == []  # whatever the tests did
    assert all(url.startswith((address, "blob:", "data:")) for url in viewed.requests)


@pytest.fixture
def page(viewed: Viewed) -> Page:
    return viewed.page


def choose(page: Page, text: str) -> None:
    page.get_by_role("searchbox").fill(text)
    page.get_by_role("searchbox").press("Enter")


def test_the_mosaic_is_shown(viewed: Viewed, page: Page, mapped: Project) -> None:
    expect(page.locator("#planet-name")).to_have_text("planet")
    expect(page.locator("#craters li")).to_have_count(len(mapped.craters))
    middle = viewed.picture()[200:240, 200:400]
    assert middle.std() > 5
    assert any("/tiles/mosaic/" in url for url in viewed.requests)


def test_names_are_only_text(page: Page, mapped: Project) -> None:
    names = page.locator("#craters .name").all_text_contents()
    assert sorted(names) == sorted(crater.name for crater in mapped.craters)
    assert page.locator("#craters img, #craters b, #craters script").count() == 0
    assert page.title() == "planet – ejectamap"


def test_a_search_finds_a_name_without_its_accents_and_flies_there(
    viewed: Viewed, page: Page, mapped: Project
) -> None:
    choose(page, "basho")
    viewed.settle()
    expect(page.locator("#craters li:visible")).to_have_count(1)
    expect(page.locator("#current")).to_have_text("Bashō")
    centre = page.evaluate("window.viewer.map.getView().getCenter()")
    assert centre == pytest.approx([mapped.craters[0].lon, mapped.craters[0].lat], abs=1e-6)
    page.get_by_role("searchbox").fill("no such crater")
    expect(page.locator("#no-craters")).to_be_visible()


def test_a_threshold_redraws_without_a_request(viewed: Viewed, page: Page) -> None:
    choose(page, "basho")
    viewed.settle()
    page.locator("#layer-origin").uncheck()
    viewed.settle()
    high, before = viewed.picture(), len(viewed.requests)
    page.locator("#threshold").fill("0.1")
    viewed.settle()
    low = viewed.picture()
    assert viewed.requests[before:] == []
    assert (np.abs(low - high).max(axis=-1) > 20).mean() > 0.2  # a probability of 0.2 shows now
    page.locator("#threshold").fill("0.5")
    viewed.settle()
    assert np.abs(viewed.picture() - high).max() < 30


@pytest.mark.parametrize("layer", ["origin", "mask", "labels"])
def test_a_layer_is_switched_on_and_off(viewed: Viewed, page: Page, layer: str) -> None:
    choose(page, "basho")
    viewed.settle()
    for other in ("probability", "origin", "mask", "labels"):
        page.locator(f"#layer-{other}").uncheck()
    viewed.settle()
    without = viewed.picture()
    page.locator(f"#layer-{layer}").check()
    viewed.settle()
    changed = np.abs(viewed.picture() - without).max(axis=-1) > 20
    assert 0.01 < changed.mean() < 0.9
    page.locator(f"#layer-{layer}").uncheck()
    viewed.settle()
    assert np.abs(viewed.picture() - without).max() < 30
    page.locator("#layer-probability").check()


def test_a_click_says_whose_ejecta_these_are(viewed: Viewed, page: Page) -> None:
    choose(page, "basho")
    viewed.settle()
    box = page.locator("#map").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    claim = page.locator("#place .claims li").first
    expect(claim).to_contain_text("Bashō")
    expect(claim).to_contain_text("100 %")
    picture = page.locator("#place figure img")
    expect(picture).to_be_visible(timeout=30_000)
    assert picture.evaluate("image => image.naturalWidth") > 100
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#place")).to_be_hidden()


def test_corrections_are_drawn_and_taken_back(viewed: Viewed, page: Page, mapped: Project) -> None:
    choose(page, "basho")
    viewed.settle()
    page.get_by_role("button", name="Correct").click()
    state = page.locator("#brush .about .dim")
    expect(state).to_contain_text("as mapped")
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
    expect(state).to_contain_text("as mapped")
    assert not (mapped.folder / "corrections" / "tiles.csv").exists()
    page.get_by_role("button", name="Correct").click()
    expect(page.locator("#brush")).to_be_hidden()


def test_a_pole(viewed: Viewed, page: Page) -> None:
    for layer in ("probability", "origin", "mask", "labels"):  # without a GPU each takes seconds
        page.locator(f"#layer-{layer}").uncheck()
    page.get_by_role("radio", name="South pole").click()
    viewed.settle()
    height, width, _ = viewed.picture().shape
    assert viewed.picture()[height // 3 : height // 2, width // 3 : width // 2].std() > 5
    main = page.locator("main").bounding_box()
    assert main is not None
    page.mouse.move(main["x"] + main["width"] / 2 + 1, main["y"] + main["height"] / 2 + 1)
    expect(page.locator("#pointer")).to_have_text(re.compile("^(89|90).* S"))
    page.get_by_role("radio", name="Map").click()


def test_the_globe(viewed: Viewed, page: Page) -> None:
    page.get_by_role("radio", name="Globe").click()
    expect(page.locator("#globe")).to_be_visible()
    page.wait_for_timeout(500)
    assert viewed.picture()[5, 5].max() < 30  # the sky
    choose(page, "basho")
    page.wait_for_timeout(1200)  # the flight
    seen = viewed.picture()
    height, width, _ = seen.shape
    middle = seen[height // 2 - 100 : height // 2 + 100, width // 2 - 100 : width // 2 + 100]
    assert middle.std() > 5
    expect(page.locator("#globe-names .chosen")).to_have_text("Bashō")
    box = page.locator("#globe").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator("#place .claims li").first).to_contain_text("Bashō")
    page.get_by_role("radio", name="Map").click()
