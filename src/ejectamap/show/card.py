"""A crater's card: the mosaic around it, and beside that the probability of its ejecta over the mosaic."""

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from ejectamap.maps.edits import ADDED, REMOVED
from ejectamap.show.graticule import draw_graticule
from ejectamap.show.ground import (
    Image,
    colour_ground,
    grey_ground,
    half_side_m,
    square_around,
    to_bytes,
)
from ejectamap.show.map_elements import (
    add_axes,
    draw_north_arrow,
    draw_scale_bar,
    printable,
    save_figure,
    write_text,
)
from ejectamap.world.coverage import NEARLY_ALL, ground_share
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Bools
from ejectamap.world.mosaic import Floats, Mosaic

SampleProbability = Callable[[npt.ArrayLike, npt.ArrayLike, float], Floats]
SampleLabels = Callable[[npt.ArrayLike, npt.ArrayLike], Bools]
SampleEdit = Callable[[npt.ArrayLike, npt.ArrayLike], npt.NDArray[np.uint8]]

_DPI = 140
_PANEL_IN = 5.0
_PANEL_PX = round(_PANEL_IN * _DPI)
_BELOW_IN, _ABOVE_IN = 0.75, 0.45
_WIDTH_IN, _HEIGHT_IN = 2 * _PANEL_IN + 0.3, _PANEL_IN + _BELOW_IN + _ABOVE_IN
_RINGS = (3, 10)  # crater radii
_OPACITY, _FULL_AT = np.float32(0.65), np.float32(0.6)  # highest opacity; its least probability
_LINE_WIDTH = 0.9
_LEGEND_LETTERS = 31  # of a line of the legend
_LABELS = "#00b8d4"
_BLANKET = "#ffe08a"
_COLOURS = colormaps["plasma"]


def plot_crater_card(
    path: Path,
    mosaic: Mosaic,
    crater: Crater,
    sample_probability: SampleProbability,
    threshold: float,
    sample_labels: SampleLabels | None = None,
    blanket_m: float | None = None,
    *,
    label_text: str = "labelled by hand",
    sample_edit: SampleEdit | None = None,
    credit: str | None = None,
) -> None:
    """Draw a crater's surroundings in its azimuthal frame, out to its farthest ejecta.

    The left panel shows the mosaic, the right one the probability of ejecta over it, outlined where the map
    has ejecta: at its threshold, but for what people edited.

    Parameters
    ----------
    path : Path
        A PNG.
    mosaic : Mosaic
    crater : Crater
    sample_probability : callable
        From places (lon, lat, degrees) and their spacing (metres) to probabilities, nan where unknown.
    threshold : float
        Probability above which the map's mask is ejecta.
    sample_labels : callable, optional
        From places to whether they are labelled as this crater's ejecta; outlined with dashes.
    blanket_m : float, optional
        Measured radius of the blanket, in metres, drawn as a circle.
    label_text : str
        Where the label comes from, for the legend.
    sample_edit : callable, optional
        From places to the map's edit: `maps.edits.ADDED`, `REMOVED` or 0.
    credit : str, optional
        Whom the mosaic's images are credited to.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    radius_m = mosaic.grid.radius_m
    sample_map = map_sampler(sample_probability, sample_edit)
    sample_ejecta = _ejecta_sampler(sample_map, sample_labels, threshold)
    half_m = half_side_m(crater, sample_ejecta, radius_m)
    places = square_around(crater, radius_m, half_m, _PANEL_PX)
    spacing_m = 2 * half_m / _PANEL_PX
    figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN), dpi=_DPI, facecolor="white")
    left = _add_panel(figure, 0.1, colour_ground(mosaic, *places, spacing_m), half_m)
    probability = sample_probability(*places, spacing_m)
    ground = grey_ground(mosaic, *places, spacing_m)
    right = _add_panel(figure, _PANEL_IN + 0.2, overlay(ground, probability), half_m)
    draw_outline(right, sample_map(*places, spacing_m), threshold, half_m, colors="white")
    if sample_labels is not None:
        mask = sample_labels(*places).astype(np.float32)
        draw_outline(right, mask, 0.5, half_m, colors=_LABELS, linestyles="dashed")
    for axes in (left, right):
        draw_graticule(axes, crater, half_m, radius_m)
        _draw_marks(axes, crater, crater.reach_m(radius_m), half_m, blanket_m)
    _write_title(figure, mosaic, crater)
    _write_notes(figure, mosaic, credit)
    edited = "" if sample_edit is None else ", edited by hand"
    lines = [("white", "solid", f"probability {threshold:g}{edited}: the map")]
    lines += [(_LABELS, "dashed", label_text)] * (sample_labels is not None)
    _draw_legend(figure, lines)
    save_figure(figure, path, credit)


def panel_boxes() -> tuple[tuple[int, int, int, int], tuple[int, int, int, int]]:
    """Left, upper, right and lower pixel of a card's two halves, without the title; the right one with the legend."""
    above, middle = round(_ABOVE_IN * _DPI), round(_WIDTH_IN * _DPI / 2)
    left = (0, above, middle, above + _PANEL_PX)
    return left, (middle, above, 2 * middle, round(_HEIGHT_IN * _DPI))


def map_sampler(
    sample_probability: SampleProbability, sample_edit: SampleEdit | None
) -> SampleProbability:
    """Function from places and their spacing to probabilities, but 1 and 0 where people added and removed ejecta."""

    def sample(lon: npt.ArrayLike, lat: npt.ArrayLike, spacing_m: float) -> Floats:
        probability = np.nan_to_num(sample_probability(lon, lat, spacing_m))
        if sample_edit is not None:
            edit = sample_edit(lon, lat)
            probability[edit == ADDED] = 1
            probability[edit == REMOVED] = 0
        return probability

    return sample


def _ejecta_sampler(
    sample_probability: SampleProbability, sample_labels: SampleLabels | None, threshold: float
) -> Callable[[npt.ArrayLike, npt.ArrayLike, float], Bools]:
    """Function from places and their spacing to whether ejecta are mapped or labelled there."""

    def sample(lon: npt.ArrayLike, lat: npt.ArrayLike, spacing_m: float) -> Bools:
        mapped = sample_probability(lon, lat, spacing_m) > threshold
        return mapped if sample_labels is None else mapped | sample_labels(lon, lat)

    return sample


def _add_panel(figure: Figure, left_in: float, picture: Image, half_m: float) -> Axes:
    """Add axes in metres east and north of the crater, without ticks, that show a picture."""
    axes = add_axes(figure, left_in, _BELOW_IN, _PANEL_IN, _PANEL_IN)
    axes.imshow(
        to_bytes(picture), extent=(-half_m, half_m, -half_m, half_m), interpolation="nearest"
    )
    axes.autoscale(False)  # circles may be larger than the picture
    axes.set_axis_off()
    return axes


def overlay(ground: Image, probability: Floats) -> Image:
    """Lay the colours of probabilities (row, col) over the ground (row, col, 3); opacity grows with probability."""
    known = np.nan_to_num(probability)
    alpha = (np.minimum(known / _FULL_AT, 1) * _OPACITY)[..., None]
    tint = _COLOURS(known)[..., :3].astype(np.float32)
    picture: Image = (1 - alpha) * ground + alpha * np.minimum(tint * (0.5 + ground), 1)
    return picture


def draw_outline(axes: Axes, values: Floats, level: float, half_m: float, **style: Any) -> None:
    """Draw the contour of values (row, col), row 0 north, at a level, if they cross it."""
    if values.min() < level < values.max():
        extent = (-half_m, half_m, half_m, -half_m)
        axes.contour(values, levels=[level], extent=extent, linewidths=_LINE_WIDTH, **style)


def _draw_marks(
    axes: Axes, crater: Crater, reach_m: float, half_m: float, blanket_m: float | None
) -> None:
    """Draw the rings, the edge of the blanket if it was measured, a scale bar and a north arrow."""
    _draw_rings(axes, crater, reach_m, half_m)
    if blanket_m:
        _draw_blanket(axes, blanket_m)
    draw_scale_bar(axes, 1.0)
    draw_north_arrow(axes)


def _draw_rings(axes: Axes, crater: Crater, reach_m: float, half_m: float) -> None:
    """Draw circles at the rim, at some radii and at the reach, if they are in view."""
    circles = [(k * crater.radius_m, f"{k} radii") for k in _RINGS] + [(reach_m, "reach")]
    _draw_circle(axes, crater.radius_m, "solid")
    for radius_m, label in circles:
        if 0.07 * half_m < radius_m < 1.3 * half_m:
            _draw_circle(axes, radius_m, (0, (4, 4)))
            x_m = radius_m * np.sqrt(0.5)
            if x_m < 0.9 * half_m:
                write_text(axes, x_m, -x_m, label, ha="center", va="center", fontsize=7)


def _draw_blanket(axes: Axes, blanket_m: float) -> None:
    """Draw a circle at the measured edge of the blanket; its label is opposite those of the rings."""
    _draw_circle(axes, blanket_m, "solid", _BLANKET)
    x_m = blanket_m * np.sqrt(0.5)
    if x_m < 0.9 * axes.get_xlim()[1]:
        write_text(axes, -x_m, x_m, "blanket", ha="center", va="center", fontsize=7, color=_BLANKET)


def _draw_circle(axes: Axes, radius_m: float, dashes: Any, colour: str = "white") -> None:
    """Draw a circle around the crater that is visible on bright and on dark ground."""
    below = Circle((0, 0), radius_m, fill=False, ec="#101010", lw=1.8, alpha=0.6, zorder=4)
    above = Circle((0, 0), radius_m, fill=False, ec=colour, lw=0.9, ls=dashes, zorder=4)
    axes.add_patch(below)
    axes.add_patch(above)


def _write_title(figure: Figure, mosaic: Mosaic, crater: Crater) -> None:
    """Write the crater's name, place and radius above the panels, and what its mosaic does not show."""
    left, right, y = 0.1 / _WIDTH_IN, 1 - 0.1 / _WIDTH_IN, 1 - 0.3 / _HEIGHT_IN
    title = figure.text(left, y, printable(crater.name, 60), fontsize=12, parse_math=False)
    title.set_fontweight("bold")
    ns, ew = "NS"[crater.lat < 0], "EW"[crater.lon < 0]
    details = (
        f"crater {crater.crater_id} · {abs(crater.lat):.2f}° {ns}, {abs(crater.lon):.2f}° {ew}"
        f" · radius {crater.radius_m / 1000:.4g} km"
    )
    shown = ground_share(mosaic, crater)
    details += f" · {shown:.0%} of its reach in the mosaic" if shown < NEARLY_ALL else ""
    figure.text(right, y, details, fontsize=8.5, ha="right", color="0.3")


def _write_notes(figure: Figure, mosaic: Mosaic, credit: str | None) -> None:
    """Write projection, shown bands and credit below the left panel."""
    names = mosaic.band_names
    bands = f"{', '.join(names[:3])} as red, green, blue" if mosaic.bands >= 3 else names[0]
    lines = ["azimuthal equidistant projection about the crater", f"mosaic: {bands}"]
    lines += [f"images: {credit}"] if credit else []
    for k, line in enumerate(lines):
        y = (_BELOW_IN - 0.17 - 0.2 * k) / _HEIGHT_IN
        text = printable(line, 90)
        figure.text(
            0.1 / _WIDTH_IN, y, text, fontsize=7.5, color="0.3", va="center", parse_math=False
        )


def _draw_legend(figure: Figure, lines: Sequence[tuple[str, str, str]]) -> None:
    """Draw a legend below the right panel: of colours, and of lines by their colour, dashes and meaning."""
    left = _PANEL_IN + 0.2
    ramp = np.linspace(0, 1, 256, dtype=np.float32)[None, :]
    bar = add_axes(figure, left + 0.1, 0.35, 0.45 * _PANEL_IN, 0.13)
    bar.imshow(overlay(np.full((1, 256, 3), 0.5, np.float32), ramp), extent=(0, 1, 0, 1))
    bar.set_aspect("auto")
    bar.set_yticks([])
    bar.set_xticks([0, 0.25, 0.5, 0.75, 1])
    bar.tick_params(labelsize=7.5, length=2.5)
    bar.set_title("probability of ejecta", fontsize=8, loc="left", pad=3)
    legend = add_axes(figure, left + 0.55 * _PANEL_IN, 0.1, 0.45 * _PANEL_IN, 0.55)
    legend.set_axis_off()
    legend.set_xlim(0, 1)
    legend.set_ylim(0, 1)
    for k, (colour, dashes, label) in enumerate(lines):
        y = 0.75 - 0.45 * k
        legend.plot([0, 0.15], [y, y], color="0.3", lw=7, solid_capstyle="butt")
        legend.plot([0, 0.15], [y, y], color=colour, ls=dashes, lw=1.4)
        text = "\n".join(textwrap.wrap(label, _LEGEND_LETTERS))
        legend.text(0.19, y, text, fontsize=8 if len(label) <= _LEGEND_LETTERS else 7, va="center")
