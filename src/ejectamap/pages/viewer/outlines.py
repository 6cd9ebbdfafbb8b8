"""Outlines on the map, as rings of places: windows of the mosaic, and a crater's chips."""

from typing import Any

import numpy as np

from ejectamap.errors import ProjectError
from ejectamap.maps.connections import read_connections
from ejectamap.project.folder import Project
from ejectamap.views.chip import Chip
from ejectamap.views.tiling import ChipGrid
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.sphere import Array, azimuthal_inverse

Outline = list[tuple[float, float]]
"""A closed ring of (lon, lat), in degrees; longitudes are continuous and may exceed 180."""

_POINTS_PER_SIDE = 8  # straight sides on the ground are curves on the map


def outline_window(grid: Grid, window: Window) -> Outline:
    """Outline of a window of the mosaic."""
    west = grid.lon_west + window.col * 360.0 / grid.width
    north = grid.lat_north - window.row * grid.span_deg / grid.height
    east = west + window.width * 360.0 / grid.width
    south = north - window.height * grid.span_deg / grid.height
    s = np.linspace(0.0, 1.0, _POINTS_PER_SIDE, endpoint=False)
    zero, one = np.zeros_like(s), np.ones_like(s)
    across, down = np.concatenate([s, one, 1 - s, zero]), np.concatenate([zero, s, one, 1 - s])
    return _close_ring(west + across * (east - west), north + down * (south - north))


def outline_chip(crater: Crater, chip: Chip, radius_m: float) -> Outline:
    """Outline of a chip in a crater's azimuthal frame, on a body of radius `radius_m`."""
    s = np.linspace(-0.5, 0.5, _POINTS_PER_SIDE, endpoint=False) * chip.side_m
    half = np.full_like(s, chip.side_m / 2)
    x_m, y_m = np.concatenate([s, half, -s, -half]), np.concatenate([half, -s, -half, s])
    places = azimuthal_inverse(chip.x_m + x_m, chip.y_m + y_m, crater.lon, crater.lat, radius_m)
    return _close_ring(*places)


def outline_connections(project: Project, crater: Crater, chips: ChipGrid) -> list[dict[str, Any]]:
    """Outline of each of a crater's chips, and whether the chip is connected to the crater.

    Raises
    ------
    ProjectError
        If map/connections.parquet was made with other chips.
    """
    path = project.maps / "connections.parquet"
    table = read_connections(path, f"run ejectamap map {project.folder} again")
    table = table[table["crater_id"] == crater.crater_id]
    if len(table) and (len(table) != len(chips) or table["tile"].max() >= len(chips)):
        raise ProjectError(f"{path}: made with other networks: map crater {crater.crater_id} again")
    radius_m = project.grid.radius_m
    return [
        {
            "outline": outline_chip(crater, chips.chip(int(index)), radius_m),
            "connected": bool(connected),
        }
        for index, connected in zip(table["tile"], table["connected"], strict=True)
    ]


def _close_ring(lon: Array, lat: Array) -> Outline:
    """Close a ring and make its longitudes continuous."""
    lon = np.unwrap(np.append(lon, lon[0]), period=360.0)
    points = zip(lon, np.append(lat, lat[0]), strict=True)
    return [(round(float(x), 5), round(float(y), 5)) for x, y in points]
