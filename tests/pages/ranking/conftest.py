"""A project with two maps of four craters (the labels, and the same with holes), and a server for the pages."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from starlette.types import ASGIApp

from ejectamap.maps.files import write_cog
from ejectamap.maps.state import crater_path
from ejectamap.project.folder import Project
from ejectamap.world.grid import Grid

HTML_NAME = "<img src=x onerror=alert(1)> & $x$"


@pytest.fixture
def project(tmp_path: Path, planet_files: Path, make_project: Callable[..., Project]) -> Project:
    """A project whose craters have names with HTML and mathematics."""
    files = shutil.copytree(planet_files, tmp_path / "files")
    lines = (files / "craters.csv").read_text().splitlines()
    lines = [lines[0], *(line.replace(line.split(",")[1], HTML_NAME) for line in lines[1:])]
    (files / "craters.csv").write_text("\n".join(lines) + "\n")
    return make_project(files=files)


def save_mask(path: Path, grid: Grid, mask: np.ndarray) -> None:
    strips = [(grid.whole, mask.astype(np.uint8))]
    options = {"description": "1 = ejecta", "nodata": None, "resampling": "mode"}
    write_cog(path, strips, grid, grid.whole, **options)


@pytest.fixture
def maps(tmp_path: Path, project: Project) -> dict[str, Path]:
    """Folders of maps, by name; both have the same map of the last of four craters."""
    rng = np.random.default_rng(0)
    grid = project.mosaic.grid
    folders = {name: tmp_path / name for name in ("secretly whole", "secretly holed")}
    for folder in folders.values():
        folder.mkdir()
    for crater_id in list(project.labels.masks)[:4]:
        whole = project.labels.read(crater_id, grid.whole)
        holed = whole & (rng.random(whole.shape) < (1 if crater_id == 3 else 0.6))
        for folder, mask in zip(folders.values(), (whole, holed), strict=True):
            save_mask(crater_path(folder, crater_id, "mask"), grid, mask)
    return folders


@pytest.fixture(scope="session")
def served() -> Callable[[ASGIApp], AbstractContextManager[str]]:
    """Context manager that serves an application on a free port, and gives its address."""

    @contextmanager
    def serve(app: ASGIApp) -> Iterator[str]:
        settings = uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=1)
        server = uvicorn.Server(settings)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            thread.join(0.05)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join()

    return serve
