"""Picture of the difference between two maps of the whole planet."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ejectamap.evaluation.difference import Difference
from ejectamap.maps.reader import MapReader
from ejectamap.project.folder import Project
from ejectamap.show.globe import draw_planet, legend_axes, origin_areas_km2
from ejectamap.show.ground import Image, Origin
from ejectamap.show.map_elements import printable, save_figure
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.mosaic import Mosaic

KEPT, OTHER_ORIGIN, GAINED, LOST = 1, 2, 3, 4
# Told apart with every kind of colour vision (Machado et al. 2009): any two, and each from grey ground, differ by at
# least 23 (CIEDE2000). What both maps share is drawn palest.
COLOURS = {
    KEPT: (245, 240, 170),
    OTHER_ORIGIN: (110, 0, 150),
    GAINED: (0, 150, 255),
    LOST: (225, 80, 0),
}
"""Colour (red, green, blue), 0 to 255, of each class of ground."""
_LABELS = {
    KEPT: "ejecta on both maps, of the same origin",
    OTHER_ORIGIN: "ejecta on both maps, but of another crater",
    GAINED: "gained: ejecta after, not before",
    LOST: "lost: ejecta before, not after",
}


def draw_difference(project: Project, difference: Difference, path: Path) -> None:
    """Draw the difference between two maps of a project; see `plot_difference`."""
    runs = difference.before, difference.after
    before, after = (MapReader(run.maps, project.grid).origin_overview() for run in runs)
    names = runs[0].name, runs[1].name
    plot_difference(path, project.mosaic, project.craters, before, after, names)


def plot_difference(
    path: Path,
    mosaic: Mosaic,
    craters: Sequence[Crater],
    before: Origin,
    after: Origin,
    names: tuple[str, str],
) -> None:
    """Draw the whole planet: ejecta that two maps share, and what the later one gained and lost.

    Parameters
    ----------
    path : Path
        A PNG.
    mosaic : Mosaic
    craters : sequence of Crater
        The catalogue.
    before, after : unsigned int array (row, col)
        Origins of the two maps, id + 1 of the likeliest crater, 0 for none; the whole globe, at any resolution.
    names : tuple of str
        Of the two maps.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    classes = classify(before, after)
    areas_km2 = origin_areas_km2(classes, mosaic.grid.radius_m)
    of_class = {number: areas_km2.get(number - 1, 0.0) for number in COLOURS}
    changed = np.where(classes > KEPT, np.maximum(before, after), 0)
    changed_km2 = origin_areas_km2(changed, mosaic.grid.radius_m)
    by_change = sorted(craters, key=lambda c: (-changed_km2.get(c.crater_id, 0.0), c.crater_id))
    mapped = {int(k) - 1 for origin in (before, after) for k in np.unique(origin) if k > 0}

    def colours_at(lon: npt.ArrayLike, lat: npt.ArrayLike) -> Image:
        return _colours(classes, mosaic.grid, lon, lat)

    figure = draw_planet(mosaic, colours_at, by_change, mapped)
    _draw_legend(figure, of_class, names)
    save_figure(figure, path)


def classify(before: Origin, after: Origin) -> npt.NDArray[np.uint8]:
    """Class of each pixel: a key of `COLOURS`, or 0 without ejecta on either map; same shape."""
    first, second = before > 0, after > 0
    both = first & second
    conditions = [both & (before == after), both, second, first]
    return np.select(conditions, [KEPT, OTHER_ORIGIN, GAINED, LOST], 0).astype(np.uint8)


def _colours(
    classes: npt.NDArray[np.uint8], grid: Grid, lon: npt.ArrayLike, lat: npt.ArrayLike
) -> Image:
    """Colour and cover (row, col, 4), 0 to 1, at places; the common ground is drawn fainter than what changed."""
    rows, cols = classes.shape
    col, row = np.broadcast_arrays(*grid.to_pixel(lon, lat))
    r = np.minimum((row * (rows / grid.height)).astype(np.intp), rows - 1)
    c = np.minimum((col * (cols / grid.width)).astype(np.intp), cols - 1)
    table = np.zeros((len(COLOURS) + 1, 4), np.float32)
    for number, colour in COLOURS.items():
        table[number] = (*(value / 255 for value in colour), 1.0)
    colours: Image = table[classes[r, c]]
    return colours


def _draw_legend(figure: Figure, areas_km2: Mapping[int, float], names: tuple[str, str]) -> None:
    """Name the maps and the colours, with the area of each class, between the polar panels."""
    axes = legend_axes(figure)
    axes.set_xlim(0, 1)
    axes.set_ylim(9.5, -1.5)
    first, second = (printable(name, 40) for name in names)
    for row, text in enumerate((f"Before: {first}", f"After: {second}")):
        axes.text(0, row - 0.7, text, va="center", fontsize=10, parse_math=False)
    axes.text(1, 1.4, "Area, 1000 km²", va="center", ha="right", fontsize=8.5, color="0.35")
    for row, (number, colour) in enumerate(COLOURS.items(), start=2):
        swatch = [value / 255 for value in colour]
        axes.add_patch(
            Rectangle((0, row + 0.18), 0.05, 0.64, facecolor=swatch, edgecolor="0.5", lw=0.6)
        )
        axes.text(0.07, row + 0.5, _LABELS[number], va="center", fontsize=9.5)
        area = f"{areas_km2[number] / 1000:,.1f}"
        axes.text(1, row + 0.5, area, va="center", ha="right", fontsize=9.5, color="0.35")
    note = "Names of the craters with the most changed ground come first; thin names: no ejecta"
    axes.text(0, 7.4, note, va="center", fontsize=8, color="0.35")
