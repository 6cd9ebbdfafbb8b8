"""Writing a simulated planet as the input files of a project, with the truth as its labels."""

import csv
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.errors import RasterioError

from ejectamap.errors import OutputError
from ejectamap.files import move_into_place, partial_path
from ejectamap.progress import status
from ejectamap.simulation.planet import Planet
from ejectamap.world.body import SIMULATED
from ejectamap.world.georeference import one_line
from ejectamap.world.grid import Grid, Window
from ejectamap.world.label_files import label_path
from ejectamap.world.labels import Labels, Tile


@status("writing the planet")
def write_planet(planet: Planet, folder: Path, tiles: Sequence[Tile] = ()) -> None:
    """Write `mosaic.tif`, `craters.csv`, `labels/mask_crater_{id}.tif` and, if given, `tiles.csv`.

    Parameters
    ----------
    planet : Planet
    folder : Path
        New, or empty; it is complete or not there.
    tiles : sequence of Tile, optional
        Windows to declare as labelled. The masks are written whole in any case.

    Raises
    ------
    OutputError
        If the folder holds anything, or cannot be written.
    """
    require_empty(folder)
    partial = partial_path(folder)
    try:
        try:
            _write_files(planet, partial, tiles)
            move_into_place(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except (OSError, RasterioError) as problem:
        reason = one_line(problem.__cause__ or problem)
        raise OutputError(
            f"{folder}: cannot be written ({reason}): free some space, or check the folder, and run again"
        ) from problem


def require_empty(folder: Path) -> None:
    """Raise `OutputError` unless a folder is new or empty."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise OutputError(f"{folder}: exists and is not empty: choose another folder")


def _write_files(planet: Planet, folder: Path, tiles: Sequence[Tile]) -> None:
    """Write all files of a planet into a new folder."""
    (folder / "labels").mkdir(parents=True)
    _write_mosaic(planet, folder / "mosaic.tif")
    for crater_id in planet.truth.masks:
        _write_mask(planet.truth, crater_id, label_path(folder / "labels", crater_id))
    craters = [(c.crater_id, c.name, c.lon, c.lat, c.radius_m, c.reach) for c in planet.craters]
    _write_csv(
        folder / "craters.csv", ("crater_id", "name", "lon", "lat", "radius_m", "reach"), craters
    )
    if tiles:
        rows = [(t.tile_id, t.window.row, t.window.col, *t.window.shape) for t in tiles]
        _write_csv(folder / "tiles.csv", ("tile_id", "row", "col", "height", "width"), rows)


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _write_mosaic(planet: Planet, path: Path) -> None:
    """Write the mosaic as a tiled GeoTIFF with no-data 0."""
    mosaic = planet.mosaic
    grid = mosaic.grid
    with rasterio.open(
        path,
        "w",
        **_georeference(grid, grid.whole),
        count=mosaic.bands,
        dtype=mosaic.dtype,
        nodata=0,
        tiled=True,
        compress="deflate",
        predictor=2,
    ) as target:
        target.descriptions = mosaic.band_names
        target.update_tags(TIFFTAG_IMAGEDESCRIPTION=SIMULATED)
        for top in range(0, grid.height, 256):
            strip = Window(top, 0, min(256, grid.height - top), grid.width)
            values, _ = mosaic.read(strip)
            target.write(values, window=rasterio.windows.Window(0, top, grid.width, strip.height))


def _write_mask(truth: Labels, crater_id: int, path: Path) -> None:
    """Write one crater's mask as a window of the mosaic's grid; whole rows if it wraps around the grid's edge."""
    window, mask = truth.masks[crater_id]
    if window.col + window.width > truth.grid.width:
        window = Window(window.row, 0, window.height, truth.grid.width)
        mask = truth.read(crater_id, window)
    with rasterio.open(
        path,
        "w",
        **_georeference(truth.grid, window),
        count=1,
        dtype="uint8",
        compress="deflate",
    ) as target:
        target.write(mask.astype(np.uint8), 1)


def _georeference(grid: Grid, window: Window) -> dict[str, Any]:
    """Arguments of `rasterio.open` for a GeoTIFF of a window of a grid."""
    return {
        "driver": "GTiff",
        "height": window.height,
        "width": window.width,
        "crs": rasterio.CRS.from_wkt(grid.crs),
        "transform": grid.window_transform(window),
    }
