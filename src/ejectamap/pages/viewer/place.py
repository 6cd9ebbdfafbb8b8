"""What is known of one place, and where a crater's chips lie."""

from typing import Any

import numpy as np
import pandas as pd
from rasterio.windows import Window as RasterWindow

from ejectamap.errors import OutputError, ProjectError
from ejectamap.mapping.export import NO_DATA
from ejectamap.pages.viewer.tiles import raster_window
from ejectamap.project import Project
from ejectamap.views.tiling import ChipGrid
from ejectamap.world.craters import Crater
from ejectamap.world.georeference import open_raster
from ejectamap.world.grid import Grid, Window
from ejectamap.world.labels import Labels
from ejectamap.world.sphere import azimuthal_inverse, distance, turned

Outline = list[tuple[float, float]]

_EDGE_POINTS = 8  # of an outline's side, so that it bends as the ground does
_STEPS = 250  # a probability of 1 on disk


def claims(project: Project, labels: Labels | None, lon: float, lat: float) -> dict[str, Any]:
    """Which mapped craters may have ejecta at a place, the likeliest first.

    Returns
    -------
    dict
        lon, lat; `craters`: for each crater within whose reach it lies, its id, its probability there (None where
        unknown), whether people drew ejecta of it (None if the crater is not labelled), and how far away it is, in
        metres.
    """
    grid = project.grid
    col, row = grid.to_pixel(lon, lat)
    pixel = min(int(row), grid.height - 1), int(col)
    found = []
    for crater in project.craters:
        away_m = float(distance(crater.lon, crater.lat, lon, lat, grid.radius_m))
        path = project.maps / f"crater_{crater.crater_id}_probability.tif"
        if away_m <= crater.reach_m(grid.radius_m) and path.exists():
            with open_raster(path, OutputError) as source:
                held = raster_window(source, grid)
                r, c = pixel[0] - held.row, (pixel[1] - held.col) % grid.width
                inside = 0 <= r < held.height and c < held.width
                value = (
                    source.read(1, window=RasterWindow(c, r, 1, 1)).item() if inside else NO_DATA
                )
            drawn = None
            if labels is not None and crater.crater_id in labels.masks:
                drawn = bool(labels.sample(crater.crater_id, lon, lat))
            found.append(
                {
                    "crater_id": crater.crater_id,
                    "probability": None if value == NO_DATA else value / _STEPS,
                    "labelled": drawn,
                    "distance_m": away_m,
                }
            )
    found.sort(key=lambda claim: (-(claim["probability"] or 0), claim["distance_m"]))
    return {"lon": lon, "lat": lat, "craters": found}


def connections(project: Project, crater: Crater, chips: ChipGrid) -> list[dict[str, Any]]:
    """A crater's chips: the outline of each, and whether it was connected.

    Raises
    ------
    ProjectError
        If the table was made with other chips.
    """
    path = project.maps / "connections.parquet"
    table = pd.read_parquet(path)
    table = table[table["crater_id"] == crater.crater_id]
    if len(table) and (len(table) != len(chips) or table["tile"].max() >= len(chips)):
        raise ProjectError(f"{path}: made with other networks: map crater {crater.crater_id} again")
    radius_m = project.grid.radius_m
    return [
        {"outline": _chip_outline(crater, chips, int(tile), radius_m), "connected": bool(connected)}
        for tile, connected in zip(table["tile"], table["connected"], strict=True)
    ]


def window_outline(grid: Grid, window: Window) -> Outline:
    """Outline of a window (lon, lat), in degrees; the longitudes go on past 180."""
    west = grid.lon_west + window.col * 360.0 / grid.width
    north = 90.0 - window.row * 180.0 / grid.height
    east = west + window.width * 360.0 / grid.width
    south = north - window.height * 180.0 / grid.height
    s = np.linspace(0.0, 1.0, _EDGE_POINTS, endpoint=False)
    zero, one = np.zeros_like(s), np.ones_like(s)
    across, down = np.concatenate([s, one, 1 - s, zero]), np.concatenate([zero, s, one, 1 - s])
    return _closed(west + across * (east - west), north + down * (south - north))


def _chip_outline(crater: Crater, chips: ChipGrid, tile: int, radius_m: float) -> Outline:
    chip = chips.chip(tile)
    s = np.linspace(-0.5, 0.5, _EDGE_POINTS, endpoint=False) * chip.side_m
    half = np.full_like(s, chip.side_m / 2)
    right_m, up_m = np.concatenate([s, half, -s, -half]), np.concatenate([half, -s, -half, s])
    x_m, y_m = turned(right_m, up_m, -chip.up_deg)
    places = azimuthal_inverse(chip.x_m + x_m, chip.y_m + y_m, crater.lon, crater.lat, radius_m)
    return _closed(*places)


def _closed(lon: Any, lat: Any) -> Outline:
    """Close a ring whose longitudes make no jump."""
    lon = np.unwrap(np.append(lon, lon[0]), period=360.0)
    pairs = zip(lon, np.append(lat, lat[0]), strict=True)
    return [(round(float(x), 5), round(float(y), 5)) for x, y in pairs]
