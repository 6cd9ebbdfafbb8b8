"""Elements of maps and plots: printable text, scale bars, north arrows, names without overlap, logarithmic axes."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.patches import Patch
from matplotlib.path import Path as MplPath
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from matplotlib.ticker import LogLocator, NullFormatter
from matplotlib.transforms import Bbox
from PIL import Image

from ejectamap.files import replace_file

HALO = (withStroke(linewidth=2.2, foreground="#101010", alpha=0.85),)
_LONGEST_NAME = 28


@dataclass(frozen=True)
class Name:
    """A name to be written beside a point on the axes.

    Attributes
    ----------
    text : str
    x, y : float
        The point, in data coordinates.
    gap_px : float
        Distance to keep from the point, in pixels: the radius of its mark.
    bold : bool
    """

    text: str
    x: float
    y: float
    gap_px: float
    bold: bool


def printable(text: str, longest: int = _LONGEST_NAME) -> str:
    """Make any text printable: one line of at most `longest` letters; letters that the font lacks become "?"."""
    line = " ".join(text.split())
    line = line if len(line) <= longest else line[: longest - 1].rstrip() + "…"
    known = _code_points(tuple(mpl.rcParams["font.family"]))
    return "".join(letter if ord(letter) in known else "?" for letter in line)


@lru_cache
def _code_points(family: tuple[str, ...]) -> frozenset[int]:
    """Code points that the font has in both weights, normal and bold."""
    fonts = [FontProperties(family=list(family), weight=weight) for weight in ("normal", "bold")]
    regular, bold = (frozenset(get_font(findfont(font)).get_charmap()) for font in fonts)
    return regular & bold


def write_text(axes: Axes, x: float, y: float, text: str, **style: Any) -> Text:
    """Write text with a halo at data coordinates; dollar signs do not start mathematics."""
    defaults: dict[str, Any] = {"color": "white", "fontsize": 8, "path_effects": HALO, "zorder": 6}
    return axes.text(x, y, text, parse_math=False, **(defaults | style))


def place_names(axes: Axes, names: Sequence[Name], frame: Patch, fontsize: float) -> None:
    """Write names beside their points, inside a frame, without overlap.

    Earlier names have priority; a name for which there is no room is left out.
    """
    outline = frame.get_transform().transform_path(frame.get_path())
    points = axes.transData.transform(np.array([(name.x, name.y) for name in names]).reshape(-1, 2))
    marks = [
        Bbox.from_extents(x - name.gap_px, y - name.gap_px, x + name.gap_px, y + name.gap_px)
        for name, (x, y) in zip(names, points, strict=True)
    ]
    taken = [text.get_window_extent() for text in axes.texts]
    to_data = axes.transData.inverted()
    for k, (name, point) in enumerate(zip(names, points, strict=True)):
        weight = "bold" if name.bold else "normal"
        text = write_text(axes, name.x, name.y, name.text, fontsize=fontsize, fontweight=weight)
        size = text.get_window_extent()
        others = taken + marks[:k] + marks[k + 1 :]
        box = _free_box(point, name.gap_px, size.width, size.height, outline, others)
        if box is None:
            text.remove()
            continue
        taken.append(box)
        x, y = to_data.transform((box.x0, (box.y0 + box.y1) / 2)).tolist()
        text.set_position((x, y))
        text.set_verticalalignment("center_baseline")


def _free_box(
    point: Any,
    gap_px: float,
    width_px: float,
    height_px: float,
    frame: MplPath,
    taken: Sequence[Bbox],
) -> Bbox | None:
    """Find a box beside a point, in pixels, that is inside the frame and overlaps nothing."""
    for distance_px in (gap_px + 4, gap_px + 12):
        for angle in np.radians([0, 180, 90, 270, 35, 145, 325, 215]):
            dx, dy = np.cos(angle), np.sin(angle)
            x = point[0] + dx * (distance_px + width_px / 2)
            y = point[1] + dy * (distance_px + height_px / 2)
            box = Bbox.from_extents(
                x - width_px / 2, y - height_px / 2, x + width_px / 2, y + height_px / 2
            )
            inside = frame.contains_points(box.corners()).all()
            if inside and not any(box.overlaps(other) for other in taken):
                return box
    return None


def nice_length(at_most: float) -> float:
    """Find the largest of 1, 2, 5, 10, 20, ... that is not above a length."""
    power = 10.0 ** np.floor(np.log10(at_most))
    return float(max(step * power for step in (1, 2, 5) if step * power <= at_most))


def draw_scale_bar(axes: Axes, metres_per_unit: float, note: str = "") -> None:
    """Draw a scale bar in the lower left corner of axes whose x axis has `metres_per_unit`."""
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    km = nice_length(0.25 * (right - left) * metres_per_unit / 1000)
    x, y = left + 0.03 * (right - left), bottom + 0.04 * (top - bottom)
    length = km * 1000 / metres_per_unit
    for linewidth, colour in ((5.0, "#101010"), (2.5, "white")):
        line = axes.plot([x, x + length], [y, y], color=colour, linewidth=linewidth, zorder=6)[0]
        line.set_solid_capstyle("butt")
    label = f"{km:g} km{note}"
    write_text(axes, x, y + 0.018 * (top - bottom), label, va="bottom", fontsize=8.5)


def draw_north_arrow(axes: Axes) -> None:
    """Draw an arrow to the north in the upper right corner."""
    style: dict[str, Any] = {"arrowstyle": "-|>", "color": "white", "lw": 1.4}
    style["path_effects"] = HALO
    axes.annotate("", (0.95, 0.97), (0.95, 0.885), xycoords="axes fraction", arrowprops=style)
    write_text(axes, 0.95, 0.875, "N", transform=axes.transAxes, ha="center", va="top", fontsize=9)


class _LogTicks(LogLocator):
    """Ticks at 1, 2 and 5 times powers of ten, but fewer on long axes, where their labels would overlap."""

    def tick_values(self, vmin: float, vmax: float) -> Any:
        decades = np.log10(max(vmax / vmin, vmin / vmax))
        self.set_params(subs=(1, 2, 5) if decades < 1.5 else (1, 3) if decades < 2.2 else (1,))
        return super().tick_values(vmin, vmax)


def set_logarithmic(axes: Axes, tick_format: str) -> None:
    """Make both axes logarithmic, with ticks that leave room for their labels, and a light grid below the data.

    To be called before data are plotted: Matplotlib refuses to change the scale of axes without positive values.
    """
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(_LogTicks())
        axis.set_major_formatter(tick_format)
        axis.set_minor_formatter(NullFormatter())
    axes.grid(which="major", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.margins(0.09)


def add_axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Add axes to a figure; position and size are in inches from its lower left corner."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def read_credit(path: Path) -> str | None:
    """Whom a figure that was written by `save_figure` names as to be credited; None if it names nobody."""
    with Image.open(path) as image:
        credit = image.info.get("Copyright")
    return credit if isinstance(credit, str) else None


def save_figure(figure: Figure, path: Path, credit: str | None = None) -> None:
    """Write a figure as a PNG, which says whom to credit for the images in it; the file is whole or absent."""
    buffer = io.BytesIO()
    metadata = {"Software": None, "Copyright": credit} if credit else {"Software": None}
    # Files are hardly larger than at the default level 6, and are written in a third of the time.
    figure.savefig(
        buffer,
        format="png",
        metadata=metadata,
        pil_kwargs={"compress_level": 4},
    )
    replace_file(path, buffer.getbuffer())
