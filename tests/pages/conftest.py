"""A browser, and a mapped project whose craters have names that are hard to display."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from ejectamap.maps.crater_map import CraterMap, in_memory
from ejectamap.maps.writing import import_maps
from ejectamap.project.folder import Project

NAMES = [
    "Bashō",
    '<img src=x onerror="document.title=1">',
    "\"quoted\" & 'single'",
    "L" * 200,
    "</script><b>bold</b>",
]

# On a busy machine a page may take long; only one that hangs reaches this.
PATIENCE_MS = 300_000
expect.set_options(timeout=PATIENCE_MS)

# WebGL without a GPU.
_FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader"]
_FLAGS += ["--enable-unsafe-swiftshader"]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Headless Chromium, with WebGL."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=_FLAGS, timeout=PATIENCE_MS
        )
        new_page = browser.new_page

        def new_patient_page(**options: Any) -> Page:
            page = new_page(**options)
            page.set_default_timeout(PATIENCE_MS)
            return page

        browser.new_page = new_patient_page  # type: ignore[method-assign]
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def awkward_files(tmp_path_factory: pytest.TempPathFactory, planet_files: Path) -> Path:
    """craters.csv of the simulated planet with other names."""
    folder = tmp_path_factory.mktemp("awkward")
    with (planet_files / "craters.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row, name in zip(rows, NAMES, strict=False):
        row["name"] = name
    with (folder / "craters.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture(scope="session")
def mapped(
    tmp_path_factory: pytest.TempPathFactory, planet_files: Path, awkward_files: Path
) -> Project:
    """A project with the built-in networks, mapped from its labels: probability 1 on labelled ejecta, else 0.2."""
    project = Project.create(
        tmp_path_factory.mktemp("viewed") / "planet",
        planet_files / "mosaic.tif",
        awkward_files / "craters.csv",
        planet_files / "labels",
        changes=["map.threshold=0.5"],
    )
    grid, labels = project.grid, project.labels
    assert labels is not None

    def maps() -> list[CraterMap]:
        crater_maps = []
        for crater in project.craters[:-1]:
            window = grid.cap_window(crater.lon, crater.lat, crater.reach_m(grid.radius_m))
            ejecta = labels.read(crater.crater_id, window)
            values = np.where(ejecta, 1, 0.2).astype(np.float32)
            crater_maps.append(CraterMap(crater, window, in_memory(window, values)))
        return crater_maps

    import_maps(project, maps())
    return project
