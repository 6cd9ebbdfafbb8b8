"""Footprint of a crater's ejecta for catalogues: a simplified outline in degrees, cut where longitude is 180."""

from typing import Any

import numpy as np
import shapely
from shapely import MultiPolygon, Point, Polygon, box
from shapely.affinity import affine_transform, translate
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid

_DETAIL = 256  # of these parts of the outline's longest side the smallest detail is one
_DEGREES = 1e-4  # to which coordinates are rounded


def footprint(
    grid: Grid, crater: Crater, outline: MultiPolygon
) -> tuple[list[float], dict[str, Any]]:
    """Bounding box and GeoJSON geometry of a crater's ejecta, in degrees.

    Parameters
    ----------
    grid : Grid
        The mosaic's.
    crater : Crater
        A crater without ejecta has its centre as footprint.
    outline : MultiPolygon
        Of its ejecta, in the mosaic's CRS.

    Returns
    -------
    bounds : list of float
        West, south, east, north; west is larger than east where the ejecta lie across longitude 180 (RFC 7946).
    geometry : dict
        Each part on one side of longitude 180; outer rings run anticlockwise.
    """
    if outline.is_empty:
        centre = Point(crater.lon, crater.lat)
        return list(centre.bounds), mapping(centre)
    shape = _simplified(_in_degrees(grid, outline), 360.0 / grid.width)
    parts = shapely.orient_polygons(shapely.set_precision(_cut(shape), _DEGREES))
    return _bounds(parts), mapping(parts)


def _in_degrees(grid: Grid, outline: MultiPolygon) -> BaseGeometry:
    """An outline in longitude and latitude; longitude goes on beyond 180 where the grid does."""
    to_pixel = ~grid.transform
    lon_step, lat_step = 360.0 / grid.width, 180.0 / grid.height
    return affine_transform(
        outline,
        (
            to_pixel.a * lon_step,
            to_pixel.b * lon_step,
            -to_pixel.d * lat_step,
            -to_pixel.e * lat_step,
            grid.lon_west + to_pixel.c * lon_step,
            90.0 - to_pixel.f * lat_step,
        ),
    )


def _simplified(shape: BaseGeometry, pixel_deg: float) -> BaseGeometry:
    """An outline without small gaps and corners; small parts are joined with what is near, or left out."""
    west, south, east, north = shape.bounds
    detail_deg = max(pixel_deg, max(east - west, north - south) / _DETAIL)
    closed = shape.buffer(detail_deg, join_style="mitre").buffer(-detail_deg, join_style="mitre")
    simple = closed.simplify(detail_deg / 2)
    large = [part for part in _polygons(simple) if part.area > detail_deg**2]
    return MultiPolygon(large) if large else MultiPolygon(_polygons(shape))


def _cut(shape: BaseGeometry) -> BaseGeometry:
    """A shape cut where longitude is 180, every part between -180 and 180."""
    parts = []
    for turn in (-360.0, 0.0, 360.0):
        inside = shape.intersection(box(turn - 180.0, -90.0, turn + 180.0, 90.0))
        parts += [translate(part, -turn) for part in _polygons(inside)]
    return shapely.union_all(parts)


def _bounds(shape: BaseGeometry) -> list[float]:
    """West, south, east, north of parts that may lie on both sides of longitude 180."""
    _, south, _, north = shape.bounds
    sides = sorted((part.bounds[0], part.bounds[2]) for part in _polygons(shape))
    starts = np.array([west for west, _ in sides])
    ends = np.maximum.accumulate([east for _, east in sides])
    gaps = np.append(starts[1:], starts[0] + 360.0) - ends
    k = int(gaps.argmax())  # the box begins where the widest gap ends
    if gaps[k] <= gaps[-1]:
        return [float(starts[0]), south, float(ends[-1]), north]
    return [float(starts[k + 1]), south, float(ends[k]), north]


def _polygons(shape: BaseGeometry) -> list[Polygon]:
    """The polygons of a geometry, without points and lines."""
    return [part for part in shapely.get_parts(shape).tolist() if isinstance(part, Polygon)]
