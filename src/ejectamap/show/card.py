"""One crater's card: its surroundings as the networks see them, and the map of its ejecta over them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from ejectamap.show.furniture import add_axes, north_arrow, printable, save, scale_bar, write
from ejectamap.show.ground import (
    Image,
    colour_ground,
    grey_ground,
    half_side_m,
    square_about,
    to_bytes,
)
from ejectamap.world.craters import Crater
from ejectamap.world.mosaic import Floats, Mosaic

Bools = npt.NDArray[np.bool_]
ReadProbability = Callable[[npt.ArrayLike, npt.ArrayLike, float], Floats]
ReadTruth = Callable[[npt.ArrayLike, npt.ArrayLike], Bools]

_DPI = 140
_PANEL_IN = 5.0
_PANEL_PX = round(_PANEL_IN * _DPI)
_BELOW_IN, _ABOVE_IN = 0.75, 0.45
_WIDTH_IN, _HEIGHT_IN = 2 * _PANEL_IN + 0.3, _PANEL_IN + _BELOW_IN + _ABOVE_IN
_RINGS = (3, 10)  # crater radii
_OPACITY, _FULL_AT = np.float32(0.65), np.float32(0.6)
_LINE = 0.9
_TRUTH = "#00b8d4"
_BLANKET = "#ffe08a"
_COLOURS = colormaps["plasma"]


def crater_card(
    path: Path,
    mosaic: Mosaic,
    crater: Crater,
    probability: ReadProbability,
    truth: ReadTruth | None = None,
    blanket_m: float | None = None,
    threshold: float = 0.5,
) -> None:
    """Draw a crater's surroundings in its azimuthal frame, out to its farthest ejecta.

    Left the mosaic; right the probability of ejecta over it, outlined where it exceeds the map's threshold.

    Parameters
    ----------
    path : Path
        A PNG.
    mosaic : Mosaic
    crater : Crater
    probability : callable
        Places (lon, lat, degrees) and how far apart they are (metres) to probabilities, nan where unknown.
    truth : callable, optional
        Places to whether they were labelled as this crater's ejecta; outlined with dashes.
    blanket_m : float, optional
        Measured radius of the blanket, in metres; drawn as a circle.
    threshold : float
        Probability above which the map's mask is ejecta.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    radius_m = mosaic.grid.radius_m

    def ejecta(lon: npt.ArrayLike, lat: npt.ArrayLike, spacing_m: float) -> Bools:
        likely = np.nan_to_num(probability(lon, lat, spacing_m)) > threshold
        return likely if truth is None else likely | truth(lon, lat)

    half_m = half_side_m(crater, ejecta, radius_m)
    places = square_about(crater, radius_m, half_m, _PANEL_PX)
    spacing_m = 2 * half_m / _PANEL_PX
    figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN), dpi=_DPI, facecolor="white")
    left = _panel(figure, 0.1, colour_ground(mosaic, *places, spacing_m), half_m)
    chance = probability(*places, spacing_m)
    ground = grey_ground(mosaic, *places, spacing_m)
    right = _panel(figure, _PANEL_IN + 0.2, _tinted(ground, chance), half_m)
    _outline(right, np.nan_to_num(chance), threshold, half_m, colors="white")
    if truth is not None:
        mask = truth(*places).astype(np.float32)
        _outline(right, mask, 0.5, half_m, colors=_TRUTH, linestyles="dashed")
    for axes in (left, right):
        _rings(axes, crater, crater.reach_m(radius_m), half_m)
        if blanket_m:
            _blanket(axes, blanket_m)
        scale_bar(axes, 1.0)
        north_arrow(axes)
    _words(figure, crater)
    _key(figure, threshold, truth is not None)
    save(figure, path)


def panel_boxes() -> tuple[tuple[int, int, int, int], tuple[int, int, int, int]]:
    """Left, upper, right and lower pixel of a card's two halves without its title; the right one with the key."""
    above, middle = round(_ABOVE_IN * _DPI), round(_WIDTH_IN * _DPI / 2)
    left = (0, above, middle, above + _PANEL_PX)
    return left, (middle, above, 2 * middle, round(_HEIGHT_IN * _DPI))


def _panel(figure: Figure, left_in: float, picture: Image, half_m: float) -> Axes:
    """Axes in metres east and north of the crater, without ticks, showing a picture."""
    axes = add_axes(figure, left_in, _BELOW_IN, _PANEL_IN, _PANEL_IN)
    axes.imshow(
        to_bytes(picture), extent=(-half_m, half_m, -half_m, half_m), interpolation="nearest"
    )
    axes.autoscale(False)  # a circle may be larger than the picture
    axes.set_axis_off()
    return axes


def _opacity(chance: Floats) -> Floats:
    """How much a probability hides the ground: nothing at 0, most of it where it is high."""
    opacity: Floats = np.minimum(np.nan_to_num(chance) / _FULL_AT, 1) * _OPACITY
    return opacity


def _tinted(ground: Image, chance: Floats) -> Image:
    """Lay the colours of probabilities (row, col) over the ground (row, col, 3)."""
    alpha = _opacity(chance)[..., None]
    tint = _COLOURS(np.nan_to_num(chance))[..., :3].astype(np.float32)
    tinted: Image = (1 - alpha) * ground + alpha * np.minimum(tint * (0.5 + ground), 1)
    return tinted


def _outline(axes: Axes, values: Floats, level: float, half_m: float, **style: Any) -> None:
    """Draw the line where values (row, col), row 0 north, pass a level; nothing if they do not."""
    if values.min() < level < values.max():
        extent = (-half_m, half_m, half_m, -half_m)
        axes.contour(values, levels=[level], extent=extent, linewidths=_LINE, **style)


def _rings(axes: Axes, crater: Crater, reach_m: float, half_m: float) -> None:
    """Circles at the rim, at some radii and at the reach, as far as they are in view."""
    circles = [(k * crater.radius_m, f"{k} radii") for k in _RINGS] + [(reach_m, "reach")]
    _circle(axes, crater.radius_m, "solid")
    for radius, label in circles:
        if 0.07 * half_m < radius < 1.3 * half_m:
            _circle(axes, radius, (0, (4, 4)))
            x = radius * np.sqrt(0.5)
            if x < 0.9 * half_m:
                write(axes, x, -x, label, ha="center", va="center", fontsize=7)


def _blanket(axes: Axes, radius: float) -> None:
    """Circle at the measured edge of the blanket; its name stands where no ring has its own."""
    _circle(axes, radius, "solid", _BLANKET)
    x = radius * np.sqrt(0.5)
    if x < 0.9 * axes.get_xlim()[1]:
        write(axes, -x, x, "blanket", ha="center", va="center", fontsize=7, color=_BLANKET)


def _circle(axes: Axes, radius: float, dashes: Any, colour: str = "white") -> None:
    """Draw a circle about the crater that shows on bright and on dark ground."""
    below = Circle((0, 0), radius, fill=False, ec="#101010", lw=1.8, alpha=0.6, zorder=4)
    above = Circle((0, 0), radius, fill=False, ec=colour, lw=0.9, ls=dashes, zorder=4)
    axes.add_patch(below)
    axes.add_patch(above)


def _words(figure: Figure, crater: Crater) -> None:
    """Name and place above the panels."""
    left, right, y = 0.1 / _WIDTH_IN, 1 - 0.1 / _WIDTH_IN, 1 - 0.3 / _HEIGHT_IN
    title = figure.text(left, y, printable(crater.name, 60), fontsize=12, parse_math=False)
    title.set_fontweight("bold")
    ns, ew = "NS"[crater.lat < 0], "EW"[crater.lon < 0]
    facts = (
        f"crater {crater.crater_id} · {abs(crater.lat):.2f}° {ns}, {abs(crater.lon):.2f}° {ew}"
        f" · radius {crater.radius_m / 1000:.4g} km"
    )
    figure.text(right, y, facts, fontsize=8.5, ha="right", color="0.3")


def _key(figure: Figure, threshold: float, with_truth: bool) -> None:
    """Below the right panel: what its colours and lines mean."""
    left = _PANEL_IN + 0.2
    ramp = np.linspace(0, 1, 256, dtype=np.float32)[None, :]
    bar = add_axes(figure, left + 0.1, 0.35, 0.45 * _PANEL_IN, 0.13)
    bar.imshow(_tinted(np.full((1, 256, 3), 0.5, np.float32), ramp), extent=(0, 1, 0, 1))
    bar.set_aspect("auto")
    bar.set_yticks([])
    bar.set_xticks([0, 0.25, 0.5, 0.75, 1])
    bar.tick_params(labelsize=7.5, length=2.5)
    bar.set_title("probability of ejecta", fontsize=8, loc="left", pad=3)
    lines = [("white", "solid", f"probability {threshold:g}: the map")]
    lines += [(_TRUTH, "dashed", "labelled by hand")] * with_truth
    key = add_axes(figure, left + 0.55 * _PANEL_IN, 0.1, 0.45 * _PANEL_IN, 0.55)
    key.set_axis_off()
    key.set_xlim(0, 1)
    key.set_ylim(0, 1)
    for k, (colour, dashes, label) in enumerate(lines):
        y = 0.75 - 0.45 * k
        key.plot([0, 0.15], [y, y], color="0.3", lw=7, solid_capstyle="butt")
        key.plot([0, 0.15], [y, y], color=colour, ls=dashes, lw=1.4)
        key.text(0.19, y, label, fontsize=8, va="center")
