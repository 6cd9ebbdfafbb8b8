"""The whole planet in one picture: a cylindrical panel without its stretched ends, and the poles."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from ejectamap.mapping.colours import crater_colour
from ejectamap.show.furniture import Name, add_axes, place_names, printable, save
from ejectamap.show.ground import Image, Origin, grey_ground, owner_colours, paint, to_bytes
from ejectamap.show.panels import CUT_DEG, Cylinder, Panel, Pole
from ejectamap.world.craters import Crater
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import destination

_DPI = 144
_WIDTH_IN, _HEIGHT_IN = 16.0, 11.6
_STANDARD_PARALLEL_DEG = 30.0  # where the cylindrical panel is true to shape
_LEGEND_ROWS, _LEGEND_COLUMNS = 14, 3
_LEAST_RIM_PX = 3.0
_STRIPE_PX = 5
_SUBPIXELS = (-0.25, 0.25)


def global_map(
    path: Path,
    mosaic: Mosaic,
    craters: Sequence[Crater],
    origin: Origin,
    second: Origin | None = None,
) -> None:
    """Draw the whole planet: the mosaic in grey, the ejecta of each crater in its own colour.

    Where the ejecta of two craters overlap, stripes of both colours are drawn.

    Parameters
    ----------
    path : Path
        A PNG.
    mosaic : Mosaic
    craters : sequence of Crater
        The catalogue.
    origin : unsigned int array (row, col)
        Id + 1 of the likeliest crater, 0 for none; the whole globe, at any resolution.
    second : unsigned int array (row, col), optional
        Id + 1 of another crater that has ejecta there too, 0 for none; likewise.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    areas_km2 = owned_areas_km2(origin, mosaic.grid.radius_m)
    ranked = sorted(craters, key=lambda c: (-areas_km2.get(c.crater_id, 0.0), c.crater_id))
    for panel in _panels(mosaic.grid.radius_m):
        axes = add_axes(figure, *panel.box)
        picture = _picture(panel, mosaic, origin, second)
        image = axes.imshow(picture, extent=panel.extent, aspect="auto", interpolation="nearest")
        frame = panel.draw_frame(axes, image)
        _draw_craters(axes, frame, panel, ranked, areas_km2)
    overlaps = second is not None and bool(second.any())
    _legend(figure, [c for c in ranked if c.crater_id in areas_km2], areas_km2, overlaps)
    save(figure, path)


def _panels(radius_m: float) -> tuple[Panel, ...]:
    """Lay out the cylindrical panel above, the two poles below it."""
    width = _WIDTH_IN - 1.0
    height = width * 2 * CUT_DEG / (360 * np.cos(np.radians(_STANDARD_PARALLEL_DEG)))
    side = _HEIGHT_IN - height - 1.45
    return (
        Cylinder((0.6, _HEIGHT_IN - height - 0.35, width, height), _DPI, radius_m),
        Pole((0.6, 0.4, side, side), _DPI, radius_m, 90),
        Pole((_WIDTH_IN - side - 0.4, 0.4, side, side), _DPI, radius_m, -90),
    )


def _picture(
    panel: Panel, mosaic: Mosaic, origin: Origin, second: Origin | None
) -> npt.NDArray[np.uint8]:
    """Picture (row, col, 3); the outlines of the ejecta are smoothed over four places a pixel."""
    ground = grey_ground(mosaic, *panel.pixel_places(0.0, 0.0), panel.pixel_m)
    colour = np.zeros((*ground.shape[:2], 4), np.float32)
    for dx in _SUBPIXELS:
        for dy in _SUBPIXELS:
            places = panel.pixel_places(dx, dy)
            part = owner_colours(origin, mosaic.grid, *places)
            if second is not None:
                other = owner_colours(second, mosaic.grid, *places)
                part = np.where(_stripes(part) & (other[..., 3:] > 0), other, part)
            colour += part / 4
    cover = colour[..., 3]
    tint = (colour[..., :3] / np.maximum(cover, 1e-6)[..., None]).astype(np.float32)
    return to_bytes(paint(ground, tint, cover))


def _stripes(picture: Image) -> npt.NDArray[np.bool_]:
    """Every other diagonal stripe of a picture, (row, col, 1)."""
    rows, cols = np.ogrid[: picture.shape[0], : picture.shape[1]]
    striped: npt.NDArray[np.bool_] = ((rows + cols) // _STRIPE_PX % 2 == 1)[..., None]
    return striped


def _draw_craters(
    axes: Axes,
    frame: Patch,
    panel: Panel,
    ranked: Sequence[Crater],
    areas_km2: Mapping[int, float],
) -> None:
    """Rims and names, those with the most ejecta first."""
    names = []
    for crater in (c for c in ranked if panel.holds(c.lat)):
        mapped = crater.crater_id in areas_km2
        size_px = max(crater.radius_m / panel.pixel_m, _LEAST_RIM_PX)
        bearing_deg = np.arange(0, 361, 10)
        rim = destination(
            crater.lon, crater.lat, bearing_deg, size_px * panel.pixel_m, panel.radius_m
        )
        x, y = (float(value) for value in panel.to_plane(crater.lon, crater.lat))
        rim_x, rim_y = panel.to_plane(*rim)
        # A rim over the dateline would draw a line across the panel.
        rim_x = np.where(np.abs(rim_x - x) > panel.extent[1], np.nan, rim_x)
        axes.plot(rim_x, rim_y, color="#101010", linewidth=2.0, zorder=5)
        axes.plot(rim_x, rim_y, color="white" if mapped else "0.8", linewidth=0.9, zorder=5)
        names.append(Name(printable(crater.name), x, y, size_px, bold=mapped))
    place_names(axes, names, frame, fontsize=8)


def owned_areas_km2(origin: Origin, radius_m: float) -> dict[int, float]:
    """Sum the ground area (km²) that each crater owns on a map of origins of the whole globe, by id."""
    rows, cols = origin.shape
    edges = np.sin(np.radians(np.linspace(90.0, -90.0, rows + 1)))
    pixel_km2 = -np.diff(edges) * radius_m**2 * 2 * np.pi / cols / 1e6
    areas = np.zeros(int(origin.max()) + 1)
    for row, area in zip(origin, pixel_km2, strict=True):
        areas += area * np.bincount(row, minlength=len(areas))
    owners = np.flatnonzero(areas[1:]).tolist()
    return {crater_id: float(areas[crater_id + 1]) for crater_id in owners}


def _legend(
    figure: Figure, ranked: Sequence[Crater], areas_km2: Mapping[int, float], overlaps: bool
) -> None:
    """List the craters with the most ejecta between the poles."""
    axes = add_axes(figure, 5.6, 0.5, _WIDTH_IN - 11.0, 3.7)
    axes.set_axis_off()
    shown = ranked[: _LEGEND_ROWS * _LEGEND_COLUMNS]
    rows = max(1, -(-len(shown) // _LEGEND_COLUMNS))
    middle = (rows - 2) / 2
    axes.set_xlim(0, _LEGEND_COLUMNS)
    axes.set_ylim(middle + _LEGEND_ROWS / 2 + 1.5, middle - _LEGEND_ROWS / 2 - 1.5)
    axes.text(0, -1.4, "Ejecta by crater of origin; area in 1000 km²", fontsize=10)
    for k, crater in enumerate(shown):
        column, row = divmod(k, rows)
        colour = [part / 255 for part in crater_colour(crater.crater_id)]
        axes.add_patch(Rectangle((column, row - 0.32), 0.08, 0.64, color=colour))
        label = printable(crater.name, 16)
        axes.text(column + 0.12, row, label, va="center", fontsize=8.5, parse_math=False)
        area = f"{areas_km2[crater.crater_id] / 1000:,.0f}"
        axes.text(column + 0.9, row, area, va="center", ha="right", fontsize=8.5, color="0.35")
    more = f"and {len(ranked) - len(shown)} more; " if len(shown) < len(ranked) else ""
    stripes = "; stripes: two craters' ejecta" if overlaps else ""
    note = f"{more}thin names: no ejecta mapped{stripes}"
    axes.text(0, rows + 0.3, note, va="center", fontsize=8, color="0.35")
