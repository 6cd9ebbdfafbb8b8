"""The report is one file that shows everything, says what is missing, and survives any name."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from ejectamap.analysis.measure import analyze_project
from ejectamap.errors import ProjectError
from ejectamap.evaluation import evaluate_project
from ejectamap.mapping.methods import CraterMap, in_memory
from ejectamap.mapping.run import bring_in
from ejectamap.pages.report import write_report
from ejectamap.pages.report.sections import (
    connections_section,
    evaluation_section,
    learning_section,
    measurements_section,
)
from ejectamap.pages.report.summary import changed_settings
from ejectamap.project import Project
from ejectamap.world.craters import Crater
from ejectamap.world.sphere import distance

CHROMIUM = shutil.which("chromium")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu")
NAMES = (
    "\"Quotes\" & 'more'",
    "<script>alert(1)</script>",
    "Bartók Óhúŋ Χαλκίς 漢字",
    "x" * 200,
)


class Links(HTMLParser):
    """All that a page refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag != "script"
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "srcset")]


def blob(project: Project, crater: Crater) -> CraterMap:
    """A round patch of ejecta, wide enough to reach a neighbour's."""
    grid = project.mosaic.grid
    distance_m = distance(crater.lon, crater.lat, *grid.centres(grid.whole), grid.radius_m)
    faded = np.clip(1.5 - distance_m / 1.2e6, 0, 1).astype(np.float32)
    tiles = {"tile": [0, 1], "distance_m": [1e5, 9e5], "score": [0.9, 0.1], "votes": [1, 0]}
    connections = pd.DataFrame({"crater_id": crater.crater_id, **tiles, "connected": [True, False]})
    return CraterMap(crater, grid.whole, in_memory(grid.whole, faded), connections)


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory, planet_files: Path) -> Iterator[Project]:
    """A project with maps of craters of difficult names; nothing was trained. Its globe is small."""
    folder = tmp_path_factory.mktemp("report")
    table = pd.read_csv(planet_files / "craters.csv").head(len(NAMES))
    table["name"] = NAMES
    table.to_csv(folder / "craters.csv", index=False)
    (folder / "labels").mkdir()
    for crater_id in table["crater_id"]:
        shutil.copy(planet_files / "labels" / f"mask_crater_{crater_id}.tif", folder / "labels")
    inputs = planet_files / "mosaic.tif", folder / "craters.csv", folder / "labels"
    project = Project.create(folder / "<p> & q", *inputs, changes=["map.threshold=0.45"])
    bring_in(project, (blob(project, crater) for crater in project.craters))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ejectamap.show.globe._DPI", 50)
        yield project


@pytest.fixture(scope="module")
def page(mapped: Project) -> str:
    """The report of a map that was only mapped."""
    return write_report(mapped).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def full_page(mapped: Project, page: str) -> str:
    """The report of the same map once it was measured and judged."""
    analyze_project(mapped)
    evaluate_project(mapped)
    return write_report(mapped).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))


def test_refuses_without_a_map(make_project: Callable[..., Project]) -> None:
    with pytest.raises(ProjectError, match="ejectamap map"):
        write_report(make_project(labels=False))


def test_what_is_missing_is_said_with_its_command(page: str) -> None:
    said = re.findall(r'<p class="missing">(.*?) Run <code>ejectamap (\w+)', page)
    assert [verb for _, verb in said] == ["evaluate", "analyze", "families", "train"]
    assert "&lt;p&gt; &amp; q" in page
    assert "preset laptop, with 1 setting changed" in page


def test_needs_nothing_else(full_page: str) -> None:
    links = Links(full_page).found
    assert all(link.startswith(("data:", "#")) for link in links)
    assert sum(link.startswith("data:image/jpeg") for link in links) == 1 + 2 * len(NAMES)
    assert not re.search(r"https?:", full_page)


def test_names_are_escaped(full_page: str) -> None:
    assert "<script" not in full_page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in full_page
    assert all(name in full_page for name in NAMES[2:])


def test_shows_measurements_and_evaluation(full_page: str, mapped: Project) -> None:
    judged = json.loads((mapped.folder / "evaluation.json").read_text())
    assert f"pixel F1 {judged['all']['pixel']['f1']:.3f}" in full_page
    for words in ("Blanket radius", "near and far", "Each crater", "What a probability is worth"):
        assert words in full_page
    assert "Ejecta that go to a wrong crater" in full_page
    assert "not judged yet" not in full_page
    assert "not measured yet" not in full_page


def test_same_inputs_same_bytes(full_page: str, mapped: Project) -> None:
    for picture in mapped.maps.glob("*.png"):
        picture.unlink()
    assert write_report(mapped).read_text(encoding="utf-8") == full_page


def test_says_what_is_older_than_the_map(full_page: str, mapped: Project) -> None:
    path = mapped.maps / "crater_0_mask.tif"
    later = (mapped.folder / "evaluation.json").stat().st_mtime + 100
    before = path.stat()
    os.utime(path, (later, later))
    try:
        sections = evaluation_section(mapped, None), measurements_section(mapped)
    finally:
        os.utime(path, (before.st_atime, before.st_mtime))
    said = " ".join(missing.text for section in sections for missing in section.missing)
    assert "evaluation.json is older" in said
    assert "analysis.csv is older" in said


def test_in_the_browser(browser: Browser, full_page: str, mapped: Project) -> None:
    asked: list[str] = []
    for width in (1280, 360):
        tab = browser.new_page(viewport={"width": width, "height": 740})
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("dialog", lambda dialog: pytest.fail(dialog.message))
        tab.goto((mapped.folder / "report.html").as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        assert tab.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
        shown = tab.locator(".card h3 bdi").all_inner_texts()
        assert shown == list(NAMES)
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    tab.emulate_media(media="print")
    assert tab.locator(".card").first.evaluate("e => getComputedStyle(e).breakInside") == "avoid"
    assert tab.pdf(format="A4").startswith(b"%PDF")


def test_connections_of_each_crater(mapped: Project, page: str) -> None:
    table = pd.read_parquet(mapped.maps / "connections.parquet")
    section = connections_section(mapped, table)
    assert section.tables[0].rows[0][1:] == ("2", "1", "0.90", "100")
    assert len(section.pictures) == 1
    assert "no vote" in connections_section(mapped, table.head(0)).text[0]


def test_learning_of_networks_trained_here(make_project: Callable[..., Project]) -> None:
    project = make_project("method=polar", labels=False)
    folder = project.logs / "context"
    folder.mkdir(parents=True)
    Image.new("RGB", (4, 3), "white").save(folder / "curves.png")
    figures = "samples,validation_samples,epochs,best_epoch,validation_f1,validation_loss,minutes"
    (folder / "members.csv").write_text(
        f"member,seed,{figures}\nmember-00,7,90,10,5,4,0.81,0.2,1\nspread,,,,,,,,\n"
    )
    section = learning_section(project)
    assert section.missing == ()
    assert (section.pictures[0].width, section.pictures[0].height) == (4, 3)
    assert section.tables[0].rows[0][:2] == ("member-00", "7")
    assert section.tables[0].rows[1][1:] == ("", *("–",) * 7)


def test_nearest_preset(make_project: Callable[..., Project]) -> None:
    name, changed = changed_settings(make_project(labels=False))
    assert name == "laptop"
    assert changed["connection.members"][1] == "1"
    assert "seed" not in changed
    assert not any(key.startswith("inputs") for key in changed)
