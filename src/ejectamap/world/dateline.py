"""Polygons across the dateline: rings whose longitudes jump from one side of the map to the other are put together."""

import numpy as np
import numpy.typing as npt
import shapely
from shapely import LinearRing, Polygon
from shapely.geometry.base import BaseGeometry

from ejectamap.errors import LabelError

Coordinates = npt.NDArray[np.float64]

_CLEAR_JUMP = 0.75  # an edge over more of the circle than this is meant the other, short way round
_CORNERS_OF_BOX = 4
_ROUNDING_PX = 1e-6


def unwrap(
    title: str, shape: BaseGeometry, width: float, height: float, notes: list[str]
) -> BaseGeometry:
    """Put polygons together that were drawn across the dateline, from one edge of the map to the other.

    An edge over more than three quarters of the circle goes the short way round, beyond the dateline; a ring that goes
    around a pole is closed at the pole. Outlines of pixels and boxes all around the globe stay as they are.

    Parameters
    ----------
    title : str
        Of the shape, at the beginning of messages.
    shape : BaseGeometry
        In pixels of a raster of the globe: x eastwards, of which `width` is the whole circle; y southwards.
    width, height : float
        Of the globe, in pixels.
    notes : list of str
        A note is added where the shape is changed.

    Raises
    ------
    LabelError
        If an edge is over more than half of the circle, but not over three quarters: it may be meant either way.
    """
    parts = shapely.get_parts(shape)
    if not any(_jumps(part, width).any() for part in parts):
        return shape
    unwrapped = [_unwrap_polygon(title, part, width, height) for part in parts]
    if all(new is old for new, old in zip(unwrapped, parts, strict=True)):
        return shape
    notes.append(
        f"{title}: a polygon whose longitudes jump over the dateline is read the short way"
    )
    return shapely.union_all(unwrapped) if len(unwrapped) > 1 else unwrapped[0]


def _jumps(part: BaseGeometry, width: float) -> npt.NDArray[np.bool_]:
    """Which edges of a polygon are over more than half of the circle."""
    if not isinstance(part, Polygon):
        return np.zeros(1, bool)
    return np.concatenate([_steps(ring, width) > 0.5 for ring in (part.exterior, *part.interiors)])


def _steps(ring: LinearRing, width: float) -> Coordinates:
    """Lengths of a ring's edges in longitude, as fractions of the circle."""
    steps: Coordinates = np.abs(np.diff(shapely.get_coordinates(ring)[:, 0])) / width
    return steps - _ROUNDING_PX


def _unwrap_polygon(title: str, part: BaseGeometry, width: float, height: float) -> BaseGeometry:
    if not _jumps(part, width).any() or _is_as_drawn(part, width, height):
        return part
    assert isinstance(part, Polygon)
    if any(((steps > 0.5) & (steps <= _CLEAR_JUMP)).any() for steps in _all_steps(part, width)):
        raise LabelError(
            f"{title}: an edge of a polygon is over more than 180 degrees of longitude, and may be meant either way:"
            " add vertices between its ends, or divide the polygon at the dateline"
        )
    outer = _unwrap_ring(shapely.get_coordinates(part.exterior), width, height)
    middle = (outer[:, 0].min() + outer[:, 0].max()) / 2
    inner = []
    for ring in part.interiors:
        hole = _unwrap_ring(shapely.get_coordinates(ring), width, height)
        offset = middle - (hole[:, 0].min() + hole[:, 0].max()) / 2
        inner.append(hole + np.array([width * np.round(offset / width), 0.0]))
    return Polygon(outer, inner)


def _all_steps(part: Polygon, width: float) -> list[Coordinates]:
    return [_steps(ring, width) for ring in (part.exterior, *part.interiors)]


def _is_as_drawn(part: BaseGeometry, width: float, height: float) -> bool:
    """Whether a polygon is an outline of pixels, or a box all around the globe or at a pole."""
    assert isinstance(part, Polygon)
    rows = shapely.get_coordinates(part)[:, 1]
    at_pole = rows.min() <= _ROUNDING_PX or rows.max() >= height - _ROUNDING_PX
    edges = np.abs(np.diff(shapely.get_coordinates(part.exterior), axis=0))
    has_right_angles = bool((edges.min(axis=1) <= _ROUNDING_PX).all())
    all_around = bool((edges[:, 0] >= width * (1 - _ROUNDING_PX)).any())
    upright = edges[:, 0] <= _ROUNDING_PX
    corners = int((upright != np.roll(upright, 1)).sum())
    return all_around or (has_right_angles and (at_pole or corners > _CORNERS_OF_BOX))


def _unwrap_ring(ring: Coordinates, width: float, height: float) -> Coordinates:
    """Follow a ring the short way; one around a pole is closed there."""
    step = np.diff(ring[:, 0])
    turns = np.where(np.abs(step) > width / 2, -np.sign(step), 0.0)
    ring = ring + np.stack(
        [width * np.concatenate([[0.0], np.cumsum(turns)]), np.zeros(len(ring))], axis=1
    )
    if turns.sum() == 0:
        return ring
    pole = 0.0 if ring[:, 1].mean() < height / 2 else height
    corners = [[ring[-1, 0], pole], [ring[0, 0], pole], ring[0]]
    return np.concatenate([ring, corners])
