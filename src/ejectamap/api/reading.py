"""Reading a mosaic and a catalogue, of a project or by themselves, as an array and a table of places."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, fields
from functools import cache
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from ejectamap.api.arguments import ProjectLike, as_project, is_project_folder
from ejectamap.api.arrays import lazy_array
from ejectamap.errors import ArgumentError
from ejectamap.project.folder import Project, StrPath
from ejectamap.world.craters import Crater, load_craters
from ejectamap.world.grid import Grid, Window
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.mosaic_files import read_mosaic_grid, read_mosaic_header


def read_mosaic(source: ProjectLike) -> xr.DataArray:
    """Open a mosaic as a lazy array on the pixels of the whole globe.

    The header alone is read at once. The first access to values opens the mosaic as every other command does; each
    access then reads its own window.

    Parameters
    ----------
    source : Project, str or path
        A project, or its folder; or any raster that GDAL can place on a sphere, or a folder of such.

    Returns
    -------
    DataArray (band, y, x)
        In the mosaic's units, NaN where it has no data; float32, or float64 where that is needed. `x` and `y` are
        pixel centres in metres in the CRS of the mosaic's equidistant cylindrical grid, which `spatial_ref` holds;
        rasters in another projection are warped to that grid. `band` has the names of the bands.

    Raises
    ------
    MosaicError
        If it cannot be read, or cannot be placed on a sphere.
    ProjectError, SettingsError
        As `Project.open`.

    Examples
    --------
    >>> mosaic = em.read_mosaic("project")
    >>> mosaic.dims, mosaic.shape
    (('band', 'y', 'x'), (3, 128, 256))
    >>> bool((mosaic.mean() > 0).item())
    True
    """
    if isinstance(source, Project) or is_project_folder(source):
        project = as_project(source)
        return _mosaic_array(project.mosaic_path, lambda: project.mosaic)
    path = Path(source)
    return _mosaic_array(path, cache(lambda: Mosaic.open(path)))


def _mosaic_array(path: Path, open_mosaic: Callable[[], Mosaic]) -> xr.DataArray:
    """Lazy array of the mosaic of a path, which is opened when values are first read."""
    header = read_mosaic_header(path)
    dtype = np.result_type(header.dtype, np.float32)

    def read(window: Window) -> npt.NDArray[Any]:
        values, valid = open_mosaic().read(window)
        return np.where(valid, values, np.nan).astype(dtype)

    attrs = {"long_name": "mosaic"}
    grid = header.grid
    return lazy_array(grid, grid.whole, read, dtype, "mosaic", attrs, header.band_names)


def read_craters(
    source: ProjectLike,
    mosaic: StrPath | None = None,
    columns: Mapping[str, str] | None = None,
) -> gpd.GeoDataFrame:
    """Read a catalogue of fresh craters.

    Parameters
    ----------
    source : Project, str or path
        A project, or its folder; or a catalogue: CSV, GeoPackage or shapefile.
    mosaic : str or path, optional
        The mosaic that a catalogue belongs to: the body's radius and the grid are taken from it. A project has its own.
    columns : mapping of str to str, optional
        Columns of a catalogue that are not found by name, as in `{"lon": "LON_CIRC"}`.

    Returns
    -------
    GeoDataFrame
        A row for each crater, by `crater_id`: `crater_id`, `name`, `lon` and `lat` (degrees, -180 <= lon < 180),
        `radius_m` (of the rim), `reach` (fraction of half the circumference), `family`, and the centre as a point in
        the CRS of the mosaic.

    Raises
    ------
    CraterError
        If the catalogue cannot be used: columns, units, ids, positions.
    ArgumentError
        If a catalogue comes without a mosaic, or a project with a mosaic or columns.

    Examples
    --------
    >>> craters = em.read_craters("project")
    >>> list(craters.columns)
    ['crater_id', 'name', 'lon', 'lat', 'radius_m', 'reach', 'family', 'geometry']
    >>> len(em.read_craters("planet/craters.csv", mosaic="planet/mosaic.tif")) == len(craters)
    True
    """
    if isinstance(source, Project) or is_project_folder(source):
        if mosaic is not None or columns is not None:
            raise ArgumentError(
                "read_craters: a project has a mosaic and columns of its own: leave mosaic and columns out"
            )
        project = as_project(source)
        return craters_table(project.craters, project.grid)
    if mosaic is None:
        raise ArgumentError(
            f"read_craters: {source} is no project: name the mosaic that the craters are on, as in"
            ' mosaic="mosaic.tif"'
        )
    grid = read_mosaic_grid(Path(mosaic))
    return craters_table(load_craters(Path(source), grid, columns), grid)


def craters_table(craters: Sequence[Crater], grid: Grid) -> gpd.GeoDataFrame:
    """Table of craters with their centres as points in the CRS of a grid; see `read_craters`."""
    names = [field.name for field in fields(Crater)]
    table = pd.DataFrame([astuple(crater) for crater in craters], columns=names)
    col, row = grid.to_pixel(table["lon"].to_numpy(), table["lat"].to_numpy())
    x, y = grid.to_xy(col, row)
    return gpd.GeoDataFrame(table, geometry=gpd.points_from_xy(x, y), crs=grid.crs)
