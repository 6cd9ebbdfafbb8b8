"""Circular maps of a project's craters, and edits of exported layers as QGIS would make them."""

from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
from shapely.geometry import MultiPolygon

from ejectamap.interop.qgis import EDITED, TILES, tile_box
from ejectamap.maps.crater_map import CraterMap, in_memory
from ejectamap.project.folder import Project
from ejectamap.world.grid import Grid, Window
from ejectamap.world.sphere import distance

Edit = Callable[[gpd.GeoDataFrame], gpd.GeoDataFrame]
IDS = (0, 1, 2, 3)
LABELLED = (1, 2)


def round_mask(project: Project, k: int, range_m: float = 5e5) -> np.ndarray:
    """All ground within a distance of a crater."""
    crater, grid = project.craters[k], project.mosaic.grid
    lon, lat = grid.centres(grid.whole)
    return distance(crater.lon, crater.lat, lon, lat, grid.radius_m) < range_m


def round_map(project: Project, k: int, range_m: float = 5e5) -> CraterMap:
    """A map with probability 1 within a distance of a crater, and 0 elsewhere."""
    whole = project.mosaic.grid.whole
    near = round_mask(project, k, range_m).astype(np.float32)
    return CraterMap(project.craters[k], whole, in_memory(whole, near))


def edit(path: Path, change: Edit, layer: str = EDITED) -> None:
    """Change a layer through OGR."""
    frame = change(gpd.read_file(path, layer=layer))
    kind = "Polygon" if layer == TILES else "MultiPolygon"
    frame.to_file(path, layer=layer, driver="GPKG", geometry_type=kind, index=False)


def contents(folder: Path) -> dict[str, bytes]:
    """Content of each file below a folder, by relative path, without that of the project's lock."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def add_rectangle(k: int, window: Window, grid: Grid) -> Edit:
    """Add a rectangle of whole pixels to a crater's polygon."""

    def change(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        row = frame.index[frame["crater_id"] == k][0]
        joined = frame.geometry[row].union(tile_box(grid, window))
        parts = getattr(joined, "geoms", [joined])
        frame.loc[row, "geometry"] = MultiPolygon(list(parts))
        return frame

    return change


def window_east_of(project: Project, k: int, width: int = 7) -> Window:
    """A window of 4 rows, 8 pixels east of a crater's centre."""
    crater, grid = project.craters[k], project.mosaic.grid
    col, row = (int(v) for v in grid.to_pixel(crater.lon, crater.lat))
    return Window(min(max(row, 2), grid.height - 6), (col + 8) % grid.width, 4, width)
