"""Pictures of a map on a caller's own axes: the planet in the mosaic's CRS, or a crater in its azimuthal frame."""

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from ejectamap.maps.colours import crater_colours
from ejectamap.maps.edits import read_edit
from ejectamap.maps.reader import MapReader
from ejectamap.project.folder import Project
from ejectamap.show.card import draw_outline, map_sampler, overlay
from ejectamap.show.graticule import degrees, draw_graticule
from ejectamap.show.ground import grey_ground, origin_colours, paint, square_around, to_bytes
from ejectamap.show.map_elements import draw_scale_bar, printable
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.sphere import Array

_PLANET_PX = 2000  # columns of the picture of the planet
_CRATER_PX = 800
_GRATICULE_DEG = 30


def new_axes(square: bool) -> Axes:
    """Axes of a new figure, for a crater (`square`) or for the planet."""
    _, axes = plt.subplots(figsize=(6.4, 6.4) if square else (11, 5.8), layout="constrained")
    return axes


def draw_planet_on(axes: Axes, project: Project, reader: MapReader) -> None:
    """Draw the mosaic in grey and each crater's ejecta in its colour; x and y are in the mosaic's CRS.

    Raises
    ------
    MosaicError, OutputError
        If mosaic or map cannot be read.
    """
    grid = project.grid
    height = max(1, round(_PLANET_PX * grid.height / grid.width))
    col = (np.arange(_PLANET_PX) + 0.5) * grid.width / _PLANET_PX
    row = (np.arange(height) + 0.5) * grid.height / height
    lon, lat = grid.to_lonlat(col[None, :], row[:, None])
    lat = np.clip(lat, -90.0, 90.0)
    ground = grey_ground(project.mosaic, lon, lat, 2 * np.pi * grid.radius_m / _PLANET_PX)
    colours = crater_colours(tuple(project.craters))
    tint = origin_colours(reader.origin_overview(), colours, grid, lon, lat)
    picture = to_bytes(paint(ground, tint[..., :3], tint[..., 3]))
    (left, right), (top, bottom) = grid.to_xy([0, grid.width], [0, grid.height])
    extent = (left, right, bottom, top)
    axes.imshow(picture, extent=extent, interpolation="nearest", aspect="equal")
    _label_in_degrees(axes, grid)


def draw_crater_on(
    axes: Axes, project: Project, reader: MapReader, crater: Crater, half_m: float
) -> None:
    """Draw a crater's probability over the mosaic, and the outline of its mask, in metres east and north of its centre.

    Raises
    ------
    MosaicError, OutputError
        If mosaic or map cannot be read.
    """
    radius_m = project.grid.radius_m
    places = square_around(crater, radius_m, half_m, _CRATER_PX)
    spacing_m = 2 * half_m / _CRATER_PX
    sample = partial(reader.sample, crater.crater_id)
    edit = read_edit(project, crater.crater_id)
    sample_map = map_sampler(sample, None if edit is None else partial(edit.sample, project.grid))
    ground = grey_ground(project.mosaic, *places, spacing_m)
    picture = to_bytes(overlay(ground, sample(*places, spacing_m)))
    extent = (-half_m, half_m, -half_m, half_m)
    axes.imshow(picture, extent=extent, interpolation="nearest", aspect="equal")
    threshold = project.settings.map.threshold
    draw_outline(axes, sample_map(*places, spacing_m), threshold, half_m, colors="white")
    axes.autoscale(False)
    draw_graticule(axes, crater, half_m, radius_m)
    draw_scale_bar(axes, 1.0)
    axes.set_title(printable(crater.name, 60), parse_math=False)
    for axis, direction in ((axes.xaxis, "east"), (axes.yaxis, "north")):
        axis.set_major_formatter(FuncFormatter(lambda metres, _: f"{metres / 1000:g}"))
        axis.set_label_text(f"{direction} of the centre, km")


def _label_in_degrees(axes: Axes, grid: Grid) -> None:
    """Label axes in the grid's CRS in degrees, with a line at each multiple of 30."""
    lons = _multiples(grid.lon_west, grid.lon_west + 360.0)
    lats = _multiples(-90.0, 90.0)
    cols = (lons - grid.lon_west) * grid.width / 360.0
    rows = (grid.lat_north - lats) * grid.height / grid.span_deg
    x, _ = grid.to_xy(cols, 0.0)
    _, y = grid.to_xy(0.0, rows)
    wrapped = (lons + 180.0) % 360.0 - 180.0
    axes.set_xticks(x, [degrees(float(lon), "EW") for lon in wrapped])
    axes.set_yticks(y, [degrees(float(lat), "NS") for lat in lats])
    axes.set_xlabel("longitude")
    axes.set_ylabel("latitude")
    axes.grid(color="white", alpha=0.28, linewidth=0.6)


def _multiples(low: float, high: float) -> Array:
    """Multiples of the graticule's step between two numbers, in degrees."""
    step = _GRATICULE_DEG
    return np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
