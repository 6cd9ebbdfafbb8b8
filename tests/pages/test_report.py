"""The report is one file that shows all results, says what is missing, and displays any name."""

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
from playwright.sync_api import Browser

from ejectamap.analysis.measure import analyze_project
from ejectamap.errors import ProjectError
from ejectamap.evaluation.run import evaluate_project
from ejectamap.maps.crater_map import CraterMap, in_memory
from ejectamap.maps.state import crater_path
from ejectamap.maps.writing import import_maps
from ejectamap.pages.report.page import write_report
from ejectamap.pages.report.sections import (
    connections_section,
    evaluation_section,
    learning_section,
    measurements_section,
)
from ejectamap.pages.report.summary import changed_settings
from ejectamap.project.folder import Project
from ejectamap.world.craters import Crater
from ejectamap.world.sphere import distance

NAMES = (
    "\"Quotes\" & 'more'",
    "<script>alert(1)</script>",
    "Bartók Óhúŋ Χαλκίς 漢字",
    "x" * 200,
)


class Links(HTMLParser):
    """All addresses that a page refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag != "script"
        self.addresses += [
            value or "" for name, value in attrs if name in ("src", "href", "srcset")
        ]


def blob(project: Project, crater: Crater) -> CraterMap:
    """A round patch of ejecta, wide enough to overlap with that of a neighbouring crater."""
    grid = project.mosaic.grid
    distance_m = distance(crater.lon, crater.lat, *grid.centres(grid.whole), grid.radius_m)
    faded = np.clip(1.5 - distance_m / 1.2e6, 0, 1).astype(np.float32)
    chips = {"tile": [0, 1], "distance_m": [1e5, 9e5], "score": [0.9, 0.1], "votes": [1, 0]}
    connections = pd.DataFrame({"crater_id": crater.crater_id, **chips, "connected": [True, False]})
    return CraterMap(crater, grid.whole, in_memory(grid.whole, faded), connections)


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory, planet_files: Path) -> Iterator[Project]:
    """A project with imported maps of craters with hard names; its global picture is small."""
    folder = tmp_path_factory.mktemp("report")
    table = pd.read_csv(planet_files / "craters.csv").head(len(NAMES))
    table["name"] = NAMES
    table.to_csv(folder / "craters.csv", index=False)
    (folder / "labels").mkdir()
    for crater_id in table["crater_id"]:
        shutil.copy(planet_files / "labels" / f"mask_crater_{crater_id}.tif", folder / "labels")
    inputs = planet_files / "mosaic.tif", folder / "craters.csv", folder / "labels"
    project = Project.create(folder / "<p> & q", *inputs, changes=["map.threshold=0.45"])
    import_maps(project, (blob(project, crater) for crater in project.craters))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ejectamap.show.globe._DPI", 50)
        yield project


@pytest.fixture(scope="module")
def page(mapped: Project) -> str:
    """The report of a project that was mapped but not measured or evaluated."""
    return write_report(mapped).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def full_page(mapped: Project, page: str) -> str:
    """The report of the same project after it was measured and evaluated."""
    analyze_project(mapped)
    evaluate_project(mapped)
    return write_report(mapped).read_text(encoding="utf-8")


def test_refuses_without_a_map(make_project: Callable[..., Project]) -> None:
    with pytest.raises(ProjectError, match="ejectamap map"):
        write_report(make_project(labels=False))


def test_missing_results_are_named_with_their_command(page: str) -> None:
    missing = re.findall(r'<p class="missing">(.*?) Run <code>ejectamap (\w+)', page)
    assert [verb for _, verb in missing] == ["evaluate", "analyze", "families"]
    assert "There are no learning curves of the context networks" in page
    assert "ejectamap train" not in page  # a project may be held out of all training
    assert "not in this project: look at the mosaic before you rely on the map" in page
    assert "<h1><bdi>Ejecta of fresh craters on a simulated planet: " in page
    assert "Mercury:" not in page
    assert "&lt;p&gt; &amp; q" in page
    assert "preset laptop, with 1 setting changed" in page


def test_page_loads_no_other_file(full_page: str) -> None:
    links = Links(full_page).addresses
    assert all(link.startswith(("data:", "#")) for link in links)
    assert sum(link.startswith("data:image/jpeg") for link in links) == 1 + 2 * len(NAMES)
    assert not re.search(r"https?:", full_page)


def test_names_are_escaped(full_page: str) -> None:
    assert "<script" not in full_page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in full_page
    assert all(name in full_page for name in NAMES[2:])


def test_shows_measurements_and_evaluation(full_page: str, mapped: Project) -> None:
    evaluation = json.loads((mapped.folder / "evaluation.json").read_text())
    assert f"pixel F1 {evaluation['all']['pixel']['f1']:.3f}" in full_page
    for text in (
        "Blanket radius",
        "by distance",
        "Each crater",
        "Calibration of the probabilities",
        "probabilities above 0.1 are off by",
        "against the probability, above 0.1, by distance",
    ):
        assert text in full_page
    assert "True ejecta with a wrong origin" in full_page
    assert "not evaluated yet" not in full_page
    assert "not measured yet" not in full_page


def test_same_inputs_same_bytes(full_page: str, mapped: Project) -> None:
    for picture in mapped.maps.glob("*.png"):
        picture.unlink()
    assert write_report(mapped).read_text(encoding="utf-8") == full_page


def test_names_results_that_are_older_than_the_map(full_page: str, mapped: Project) -> None:
    path = crater_path(mapped.maps, 0, "mask")
    later = (mapped.folder / "evaluation.json").stat().st_mtime + 100
    before = path.stat()
    os.utime(path, (later, later))
    try:
        sections = evaluation_section(mapped, None), measurements_section(mapped)
    finally:
        os.utime(path, (before.st_atime, before.st_mtime))
    texts = " ".join(missing.text for section in sections for missing in section.missing)
    assert "evaluation.json is older" in texts
    assert "analysis.csv is older" in texts


def test_in_the_browser(browser: Browser, full_page: str, mapped: Project) -> None:
    requests: list[str] = []
    for width in (1280, 360):
        tab = browser.new_page(viewport={"width": width, "height": 740})
        tab.on("request", lambda request: requests.append(request.url))
        tab.on("dialog", lambda dialog: pytest.fail(dialog.message))
        tab.goto((mapped.folder / "report.html").as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        assert tab.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
        names = tab.locator(".card h3 bdi").all_inner_texts()
        assert names == list(NAMES)
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    tab.emulate_media(media="print")
    assert tab.locator(".card").first.evaluate("e => getComputedStyle(e).breakInside") == "avoid"
    assert tab.pdf(format="A4").startswith(b"%PDF")


def test_connections_of_each_crater(mapped: Project, page: str) -> None:
    table = pd.read_parquet(mapped.maps / "connections.parquet")
    section = connections_section(mapped, table)
    assert section.tables[0].rows[0][1:] == ("2", "1", "0.90", "100")
    assert len(section.pictures) == 1
    assert "no vote" in connections_section(mapped, table.head(0)).text[0]


def test_learning_of_networks_trained_in_this_project(make_project: Callable[..., Project]) -> None:
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
    head, rows = section.tables[0].head, section.tables[0].rows
    assert head[:4] == ("Member", "Seed", "Samples", "Validation samples")
    assert head[6:] == ("Validation F1", "Validation loss", "Minutes")
    assert rows[0] == ("member-00", "7", "90", "10", "5", "4", "0.810", "0.200", "1.0")
    assert rows[1][1:] == ("", *("–",) * 7)


def test_nearest_preset(make_project: Callable[..., Project]) -> None:
    name, changed = changed_settings(make_project(labels=False))
    assert name == "laptop"
    assert changed["connection.members"][1] == "1"
    assert "seed" not in changed
    assert not any(key.startswith("inputs") for key in changed)


def test_results_older_than_the_map_are_named_and_left_out(mapped: Project) -> None:
    """Of summary and cards; their sections say so."""
    evaluation = mapped.outputs / "evaluation.json"
    before = evaluation.stat()
    os.utime(evaluation, (0, 0))
    try:
        text = write_report(mapped).read_text(encoding="utf-8")
    finally:
        os.utime(evaluation, (before.st_atime, before.st_mtime))
    assert "evaluation.json is older than the map: its figures are left out" in text
    assert "Pixel scores against its labels" not in text
    assert "This section was made before the present map: evaluation.json is older." in text
