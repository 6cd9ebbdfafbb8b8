"""Reading labels that are polygons: in any CRS of the body, repaired where they cross themselves or the dateline."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio.features
import shapely
from affine import Affine
from pyproj import CRS
from shapely.geometry.base import BaseGeometry

from ejectamap.errors import LabelError
from ejectamap.world.crater_columns import to_ids
from ejectamap.world.dateline import unwrap
from ejectamap.world.georeference import Projection, cylinder, projection_beside_mosaic
from ejectamap.world.grid import Bools, Grid, Window
from ejectamap.world.labels import crop_to_ones
from ejectamap.world.tables import read_table

_FARTHEST_DEG = 540.0  # longitude of a polygon that begins at 360 and crosses the dateline
_SEGMENTS = (
    2000  # of the outline of polygons in another projection, to find the rows that they cover
)

LabelMask = tuple[str, int, Window, Bools]
"""Name of the file, crater id, window, and mask of the ejecta in it."""


def read_polygons(path: Path, grid: Grid, notes: list[str]) -> Iterator[LabelMask]:
    """Read the mask of each crater in a layer of polygons with a column of crater ids.

    Parameters
    ----------
    path : Path
    grid : Grid
    notes : list of str
        What the user should know is added, one line each.

    Raises
    ------
    LabelError
        If it cannot be read, or a shape cannot be placed on the mosaic.
    """
    table = read_table(path, LabelError)
    ids = np.array(to_ids(table, table.require("crater_id", "crat_fid")))
    if table.geometry is None:
        table.fail("has no polygons: give a GeoPackage or shapefile of them, or a folder of masks")
    crs = table.geometry.crs
    if crs is None:
        table.fail("has no CRS: assign the one that the polygons were drawn in")
    shapes = np.asarray(table.geometry.array)
    for crater_id in np.unique(ids):
        polygons = shapes[ids == crater_id]
        yield (
            str(path),
            int(crater_id),
            *rasterise(path, int(crater_id), polygons, crs, grid, notes),
        )
    notes.extend(note for note in table.notes if note not in notes)


def rasterise(
    name: object,
    crater_id: int,
    polygons: npt.NDArray[np.object_],
    crs: CRS,
    grid: Grid,
    notes: list[str] | None = None,
) -> tuple[Window, Bools]:
    """Rasterise polygons: a pixel is True if its centre is in any of them.

    Parameters
    ----------
    name : object
        Name of the polygons' file, for messages.
    crater_id : int
        The crater whose ejecta they show, for messages.
    polygons : object array
        Shapely geometries in the CRS; None, empty ones and those without area are ignored.
    crs : CRS
    grid : Grid
    notes : list of str, optional
        What was ignored or repaired is added, one line each.

    Returns
    -------
    Window, bool array (height, width)
        The smallest window that holds the mask, and the mask in it. It may wrap around the grid's right edge.

    Raises
    ------
    LabelError
        If a shape has a coordinate that is no number, reaches beyond a pole or far beyond the dateline, or may be meant
        on either side of it.
    """
    projection = projection_beside_mosaic(name, crs, grid.radius_m, LabelError)
    own: list[str] = list(projection.notes)
    title = f"{name}: crater {crater_id}"
    finite = [shape for shape in polygons if _is_usable(title, shape)]
    if len(finite) < len(polygons):
        own.append(f"{title}: {len(polygons) - len(finite)} rows without geometry are ignored")
    if projection.cylinder is None:
        result = _rasterise_places(_areal(title, np.array(finite), own), projection, grid)
    else:
        shapes_px = [
            unwrap(title, _in_pixels(shape, projection, grid), grid.width, grid.height, own)
            for shape in finite
        ]
        result = _rasterise_pixels(title, _areal(title, np.array(shapes_px), own), grid)
    if notes is not None:
        notes.extend(note for note in own if note not in notes)
    return crop_to_ones(*result, grid.width)


def _is_usable(title: str, shape: BaseGeometry | None) -> bool:
    """Whether there is a shape; one with a coordinate that is no number is an error."""
    if shape is None or shape.is_empty:
        return False
    coordinates = shapely.get_coordinates(shape)
    if not np.isfinite(coordinates).all():
        row = int(np.argmin(np.isfinite(coordinates).all(axis=1)))
        raise LabelError(
            f"{title}: a polygon has a coordinate that is no number (vertex {row + 1} of {len(coordinates)}): delete"
            " the vertex, or draw the polygon again"
        )
    return True


def _areal(
    title: str, shapes: npt.NDArray[np.object_], notes: list[str]
) -> npt.NDArray[np.object_]:
    """Shapes with area; those that cross themselves are repaired."""
    crossing = ~np.asarray(shapely.is_valid(shapes), bool)
    if crossing.any():
        reason = shapely.is_valid_reason(shapes[crossing][0])
        notes.append(
            f"{title}: {crossing.sum()} polygons cross themselves and were repaired ({reason.split('[')[0].lower()})"
        )
        shapes = shapes.copy()
        shapes[crossing] = shapely.make_valid(
            shapes[crossing], method="structure", keep_collapsed=False
        )
    areal: npt.NDArray[np.object_] = shapes[np.asarray(shapely.area(shapes)) > 0]
    if len(areal) < len(shapes):
        notes.append(f"{title}: {len(shapes) - len(areal)} shapes without area are ignored")
    return areal


def _in_pixels(shape: BaseGeometry, projection: Projection, grid: Grid) -> BaseGeometry:
    def convert(xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return _to_px(projection, xy.T, grid).T

    moved: BaseGeometry = shapely.transform(shape, convert)
    return moved


def to_mosaic_px(
    name: object, crs: CRS, xy: npt.NDArray[np.float64], grid: Grid
) -> npt.NDArray[np.float64]:
    """Mosaic pixel coordinates (col, row), not wrapped, of coordinates (x, y) in a CRS; shape (2, n).

    `name` is that of the file, for error messages.
    """
    return _to_px(projection_beside_mosaic(name, crs, grid.radius_m, LabelError), xy, grid)


def _to_px(
    projection: Projection, xy: npt.NDArray[np.float64], grid: Grid
) -> npt.NDArray[np.float64]:
    mosaic = cylinder("mosaic", CRS.from_wkt(grid.crs), LabelError)
    return np.stack(~grid.transform @ np.stack(mosaic.from_degrees(*projection.to_lonlat(*xy))))


def _rasterise_pixels(
    title: str, areal: npt.NDArray[np.object_], grid: Grid
) -> tuple[Window, Bools]:
    """Rasterise polygons in pixel coordinates, whose columns may exceed the grid on either side."""
    if areal.size == 0:
        return Window(0, 0, 0, 0), np.zeros((0, 0), bool)
    left, top, right, bottom = shapely.total_bounds(areal)
    if top < -1 or bottom > grid.height + 1:
        raise LabelError(
            f"{title}: its polygons reach beyond a pole: check the layer's CRS, above all its unit"
        )
    lon_west, lon_east = (grid.lon_west + col * 360.0 / grid.width for col in (left, right))
    if lon_west < -_FARTHEST_DEG or lon_east > _FARTHEST_DEG:
        raise LabelError(
            f"{title}: its polygons reach from longitude {lon_west:.10g} to {lon_east:.10g}: give longitudes between"
            " -180 and 360 degrees"
        )
    top, bottom = max(0, int(np.floor(top))), min(grid.height, int(np.ceil(bottom)))
    left, right = int(np.floor(left)), int(np.ceil(right))
    canvas = rasterio.features.rasterize(
        areal,
        out_shape=(bottom - top, right - left),
        transform=Affine.translation(left, top),
        dtype=np.uint8,
    ).astype(bool)
    # A layer may contain polygons on both sides of the dateline, more than a grid width apart.
    for start in range(grid.width, right - left, grid.width):
        wrapped = canvas[:, start : start + grid.width]
        canvas[:, : wrapped.shape[1]] |= wrapped
    canvas = canvas[:, : grid.width]
    return Window(top, left % grid.width, *canvas.shape), canvas


def _rasterise_places(
    areal: npt.NDArray[np.object_], projection: Projection, grid: Grid
) -> tuple[Window, Bools]:
    """Rasterise polygons in another projection, by the places of the pixels' centres in it."""
    if areal.size == 0:
        return Window(0, 0, 0, 0), np.zeros((0, 0), bool)
    union = shapely.union_all(areal)
    shapely.prepare(union)
    window = _covered_rows(union, projection, grid)
    mask = np.zeros(window.shape, bool)
    for strip in grid.strips(window):
        x, y = projection.from_lonlat(*np.broadcast_arrays(*grid.centres(strip)))
        inside = np.isfinite(x) & np.isfinite(y)
        inside[inside] = shapely.contains_xy(union, x[inside], y[inside])
        mask[strip.row - window.row : strip.row - window.row + strip.height] = inside
    return window, mask


def _covered_rows(union: BaseGeometry, projection: Projection, grid: Grid) -> Window:
    """Whole rows of the grid that polygons in another projection may cover, with the rows to a pole that they hold."""
    outline = shapely.segmentize(union, union.length / _SEGMENTS)
    _, lat = projection.to_lonlat(*shapely.get_coordinates(outline).T)
    lat = lat[np.isfinite(lat)]
    poles = np.array([-90.0, 90.0])
    x, y = projection.from_lonlat(np.zeros(2), poles)
    held = poles[np.isfinite(x) & shapely.contains_xy(union, np.nan_to_num(x), np.nan_to_num(y))]
    _, rows = grid.to_pixel(0.0, np.concatenate([lat, held]))
    margin = 2 + grid.height // _SEGMENTS
    top = int(np.clip(rows.min() - margin, 0, grid.height))
    bottom = int(np.clip(rows.max() + margin, 0, grid.height))
    return Window(top, 0, bottom - top, grid.width)
