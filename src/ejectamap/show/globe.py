"""Picture of the whole planet: a cylindrical panel between two latitudes, and a panel for each pole."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from ejectamap.maps.colours import Colour, crater_colours
from ejectamap.show.ground import Image, Origin, grey_ground, origin_colours, paint, to_bytes
from ejectamap.show.map_elements import Name, add_axes, place_names, printable, save_figure
from ejectamap.show.panels import CUT_DEG, CylindricalPanel, Panel, Pole
from ejectamap.world.craters import Crater
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import destination

ColoursAt = Callable[[npt.ArrayLike, npt.ArrayLike], Image]
"""From places (lon, lat, degrees), each (row, col), to colour and cover (row, col, 4), 0 to 1."""

_DPI = 144
_WIDTH_IN, _HEIGHT_IN = 16.0, 11.6
_STANDARD_PARALLEL_DEG = 30.0  # latitude at which the cylindrical panel does not distort shapes
_LEGEND_ROWS, _LEGEND_COLUMNS = 14, 3
_LEAST_RIM_PX = 3.0
_STRIPE_PX = 5
_SUBPIXELS = (-0.25, 0.25)  # offsets of the samples in a pixel, for anti-aliasing


def plot_global_map(
    path: Path,
    mosaic: Mosaic,
    craters: Sequence[Crater],
    origin: Origin,
    second: Origin | None = None,
    *,
    areas_km2: Mapping[int, float],
    threshold: float,
    credit: str | None = None,
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
        Id + 1 of a further crater that has ejecta there, 0 for none; same shape as `origin`.
    areas_km2 : mapping of int to float
        Area of each crater's mask, by crater id; craters without ejecta are not in it.
    threshold : float
        Probability above which a mask is ejecta.
    credit : str, optional
        Whom the mosaic's images are credited to.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    by_area = sorted(craters, key=lambda c: (-areas_km2.get(c.crater_id, 0.0), c.crater_id))

    crater_colour = crater_colours(tuple(craters))

    def colours_at(lon: npt.ArrayLike, lat: npt.ArrayLike) -> Image:
        colours = origin_colours(origin, crater_colour, mosaic.grid, lon, lat)
        if second is None:
            return colours
        other = origin_colours(second, crater_colour, mosaic.grid, lon, lat)
        return np.where(_stripes(colours) & (other[..., 3:] > 0), other, colours)

    figure = draw_planet(mosaic, colours_at, by_area, areas_km2.keys())
    overlaps = second is not None and bool(second.any())
    mapped = [c for c in by_area if c.crater_id in areas_km2]
    _draw_legend(figure, mapped, crater_colour, areas_km2, overlaps)
    _write_notes(figure, threshold, credit)
    save_figure(figure, path, credit)


def draw_planet(
    mosaic: Mosaic,
    colours_at: ColoursAt,
    craters: Sequence[Crater],
    mapped_ids: Collection[int],
) -> Figure:
    """Draw the whole planet in its three panels, with graticules, rims and names; there is room for `legend_axes`.

    Parameters
    ----------
    mosaic : Mosaic
        Drawn in grey.
    colours_at : callable
        From places (lon, lat, degrees), each (row, col) of a picture, to colour and cover (row, col, 4), 0 to 1.
    craters : sequence of Crater
        Whose rims are drawn, and whose names where there is room; earlier ones come first.
    mapped_ids : collection of int
        Craters with ejecta, whose names are bold.
    """
    figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    for panel in _panels(mosaic.grid.radius_m):
        axes = add_axes(figure, *panel.box)
        picture = _draw_panel(panel, mosaic, colours_at)
        image = axes.imshow(picture, extent=panel.extent, aspect="auto", interpolation="nearest")
        frame = panel.draw_frame(axes, image)
        _draw_craters(axes, frame, panel, craters, mapped_ids)
    return figure


def legend_axes(figure: Figure) -> Axes:
    """Axes without a frame in the space between the polar panels of `draw_planet`."""
    axes = add_axes(figure, 5.6, 0.5, _WIDTH_IN - 11.0, 3.7)
    axes.set_axis_off()
    return axes


def _panels(radius_m: float) -> tuple[Panel, ...]:
    """Lay out the panels: the cylindrical one above, the two poles below it."""
    width = _WIDTH_IN - 1.0
    height = width * 2 * CUT_DEG / (360 * np.cos(np.radians(_STANDARD_PARALLEL_DEG)))
    side = _HEIGHT_IN - height - 1.45
    return (
        CylindricalPanel((0.6, _HEIGHT_IN - height - 0.35, width, height), _DPI, radius_m),
        Pole((0.6, 0.4, side, side), _DPI, radius_m, 90),
        Pole((_WIDTH_IN - side - 0.4, 0.4, side, side), _DPI, radius_m, -90),
    )


def _draw_panel(panel: Panel, mosaic: Mosaic, colours_at: ColoursAt) -> npt.NDArray[np.uint8]:
    """Picture (row, col, 3) of a panel; colours of ejecta are the mean of four samples in each pixel."""
    ground = grey_ground(mosaic, *panel.pixel_places(0.0, 0.0), panel.pixel_m)
    colour = np.zeros((*ground.shape[:2], 4), np.float32)
    for dx in _SUBPIXELS:
        for dy in _SUBPIXELS:
            sample = colours_at(*panel.pixel_places(dx, dy))
            colour += sample / 4
    cover = colour[..., 3]
    tint = (colour[..., :3] / np.maximum(cover, 1e-6)[..., None]).astype(np.float32)
    return to_bytes(paint(ground, tint, cover))


def _stripes(picture: Image) -> npt.NDArray[np.bool_]:
    """Mask (row, col, 1) of every other diagonal stripe of a picture."""
    rows, cols = np.ogrid[: picture.shape[0], : picture.shape[1]]
    striped: npt.NDArray[np.bool_] = ((rows + cols) // _STRIPE_PX % 2 == 1)[..., None]
    return striped


def _draw_craters(
    axes: Axes,
    frame: Patch,
    panel: Panel,
    craters: Sequence[Crater],
    mapped_ids: Collection[int],
) -> None:
    """Draw rims and names; earlier craters have priority."""
    names = []
    for crater in (c for c in craters if panel.contains(c.lat)):
        mapped = crater.crater_id in mapped_ids
        size_px = max(crater.radius_m / panel.pixel_m, _LEAST_RIM_PX)
        bearing_deg = np.arange(0, 361, 10)
        rim = destination(
            crater.lon, crater.lat, bearing_deg, size_px * panel.pixel_m, panel.radius_m
        )
        x, y = (float(value) for value in panel.to_plane(crater.lon, crater.lat))
        rim_x, rim_y = panel.to_plane(*rim)
        # Without nan, a rim that crosses the dateline would be joined by a line across the panel.
        rim_x = np.where(np.abs(rim_x - x) > panel.extent[1], np.nan, rim_x)
        axes.plot(rim_x, rim_y, color="#101010", linewidth=2.0, zorder=5)
        axes.plot(rim_x, rim_y, color="white" if mapped else "0.8", linewidth=0.9, zorder=5)
        names.append(Name(printable(crater.name), x, y, size_px, bold=mapped))
    place_names(axes, names, frame, fontsize=8)


def origin_areas_km2(origin: Origin, radius_m: float) -> dict[int, float]:
    """Ground area (km²) whose origin each crater is, by crater id, on an origin map of the whole globe."""
    rows, cols = origin.shape
    edges = np.sin(np.radians(np.linspace(90.0, -90.0, rows + 1)))
    pixel_km2 = -np.diff(edges) * radius_m**2 * 2 * np.pi / cols / 1e6
    numbers = np.unique(origin)
    areas = np.zeros(len(numbers))
    for row, area in zip(origin, pixel_km2, strict=True):
        areas += area * np.bincount(np.searchsorted(numbers, row), minlength=len(areas))
    return {
        int(number) - 1: float(area) for number, area in zip(numbers, areas, strict=True) if number
    }


def _write_notes(figure: Figure, threshold: float, credit: str | None) -> None:
    """Write threshold, projections and credit below the legend."""
    lines = [
        f"Ejecta: probability above {threshold:g}.",
        f"Above: equidistant cylindrical, true to shape at {_STANDARD_PARALLEL_DEG:g}° N and S."
        " Beside: azimuthal equidistant about the poles.",
    ]
    lines += [f"Images: {credit}."] if credit else []
    for k, line in enumerate(reversed(lines)):
        x, y = 5.6 / _WIDTH_IN, (0.12 + 0.19 * k) / _HEIGHT_IN
        figure.text(x, y, printable(line, 110), fontsize=8, color="0.35", parse_math=False)


def _draw_legend(
    figure: Figure,
    by_area: Sequence[Crater],
    colours: Mapping[int, Colour],
    areas_km2: Mapping[int, float],
    overlaps: bool,
) -> None:
    """List the craters with the most ejecta, in the space between the polar panels."""
    axes = legend_axes(figure)
    shown = by_area[: _LEGEND_ROWS * _LEGEND_COLUMNS]
    rows = max(1, -(-len(shown) // _LEGEND_COLUMNS))
    middle = (rows - 2) / 2
    axes.set_xlim(0, _LEGEND_COLUMNS)
    axes.set_ylim(middle + _LEGEND_ROWS / 2 + 1.5, middle - _LEGEND_ROWS / 2 - 1.5)
    axes.text(0, -1.4, "Ejecta by crater of origin; mask area in 1000 km²", fontsize=10)
    for k, crater in enumerate(shown):
        column, row = divmod(k, rows)
        colour = [value / 255 for value in colours[crater.crater_id]]
        axes.add_patch(Rectangle((column, row - 0.32), 0.08, 0.64, color=colour))
        label = printable(crater.name, 16)
        axes.text(column + 0.12, row, label, va="center", fontsize=8.5, parse_math=False)
        area = f"{areas_km2[crater.crater_id] / 1000:,.0f}"
        axes.text(column + 0.9, row, area, va="center", ha="right", fontsize=8.5, color="0.35")
    more = f"and {len(by_area) - len(shown)} more; " if len(shown) < len(by_area) else ""
    stripes = "; stripes: two craters' ejecta" if overlaps else ""
    note = f"{more}thin names: no ejecta mapped, or not mapped{stripes}"
    axes.text(0, rows + 0.3, note, va="center", fontsize=8, color="0.35")
