"""What the maps and the labels hold at a place."""

from pathlib import Path
from typing import Any

import numpy as np

from ejectamap.maps.rasters import NO_DATA, STEPS, Bytes, read_part, stored_window
from ejectamap.maps.state import probability_path
from ejectamap.project.folder import Project
from ejectamap.world.grid import Grid, Window
from ejectamap.world.labels import Labels
from ejectamap.world.sphere import distance


def read_window(path: Path, grid: Grid, window: Window, fill: int) -> Bytes:
    """Read stored values (height, width) of a raster of the map over a window of the grid; `fill` outside the raster.

    Neither the window nor the raster may wrap around.

    Raises
    ------
    OutputError
        If the file cannot be read.
    """
    covered = stored_window(path, grid)
    top, left = max(window.row, covered.row), max(window.col, covered.col)
    bottom = min(window.row + window.height, covered.row + covered.height)
    right = min(window.col + window.width, covered.col + covered.width)
    stored = np.full(window.shape, fill, np.uint8)
    if top < bottom and left < right:
        rows = slice(top - window.row, bottom - window.row)
        cols = slice(left - window.col, right - window.col)
        part = Window(top, left, bottom - top, right - left)
        stored[rows, cols] = read_part(path, grid, part)
    return stored


def read_place(project: Project, labels: Labels | None, lon: float, lat: float) -> dict[str, Any]:
    """Read the probabilities at a place (degrees) of all mapped craters within whose reach it is.

    Returns
    -------
    dict
        lon, lat; `craters`: a list, highest probability first, of crater_id, probability (None where unknown),
        labelled (whether the place is labelled as ejecta of the crater; None if the crater is not labelled), and
        distance_m (to the crater's centre).

    Raises
    ------
    OutputError
        If a map cannot be read.
    """
    grid = project.grid
    col, row = grid.to_pixel(lon, lat)
    pixel = Window(min(int(row), grid.height - 1), int(col), 1, 1)
    craters = []
    for crater in project.craters:
        distance_m = float(distance(crater.lon, crater.lat, lon, lat, grid.radius_m))
        path = probability_path(project, crater)
        if distance_m > crater.reach_m(grid.radius_m) or not path.exists():
            continue
        stored = read_window(path, grid, pixel, NO_DATA).item()
        labelled = None
        if labels is not None and crater.crater_id in labels.masks:
            labelled = bool(labels.sample(crater.crater_id, lon, lat))
        craters.append(
            {
                "crater_id": crater.crater_id,
                "probability": None if stored == NO_DATA else stored / STEPS,
                "labelled": labelled,
                "distance_m": distance_m,
            }
        )
    craters.sort(key=lambda entry: (-(entry["probability"] or 0), entry["distance_m"]))
    return {"lon": lon, "lat": lat, "craters": craters}
