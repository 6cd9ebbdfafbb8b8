"""Plot of the families of craters: amount of ejecta against crater radius, one colour for each family."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from ejectamap.analysis.families import AREA, Families
from ejectamap.show.map_elements import printable, save_figure, set_logarithmic

# Colours of Okabe and Ito (2008), which readers with colour blindness can distinguish as well.
_COLOURS = {
    "A": "#0072B2",
    "B": "#D55E00",
    "C": "#009E73",
    "D": "#CC79A7",
    "E": "#56B4E9",
    "F": "#E69F00",
}
_MARKERS = {"A": "o", "B": "s", "C": "^", "D": "D", "E": "v", "F": "P"}
_NAMES = 15  # craters whose names are written


def plot_families(path: Path, families: Families) -> None:
    """Draw ejecta against radius, both logarithmic, with the names of the craters with the most ejecta."""
    table = families.table
    table = table[table[families.quantity] > 0]
    figure = Figure(figsize=(7.5, 5.2), dpi=140, layout="constrained")
    axes = figure.add_subplot()
    set_logarithmic(axes, "{x:,.0f}")
    for family, group in table.groupby("family"):
        axes.scatter(
            group["radius_km"],
            group[families.quantity],
            s=26,
            color=_COLOURS[str(family)],
            marker=_MARKERS[str(family)],
            linewidths=0,
            label=f"{family} ({len(group)})",
        )
    axes.set_xlabel("Crater radius, km")
    axes.set_ylabel("Mapped ejecta, km²" if families.quantity == AREA else "Connected chips")
    if len(table):
        axes.legend(title="Family (craters)", frameon=False, loc="upper left")
        _write_names(figure, axes, families)
    save_figure(figure, path)


def _write_names(figure: Figure, axes: Axes, families: Families) -> None:
    """Write the names of the craters with the most ejecta, where there is room beside the marks and other names."""
    table = families.table.sort_values(families.quantity, ascending=False, kind="stable")
    table = table[table[families.quantity] > 0]
    figure.draw_without_rendering()
    places = axes.transData.transform(table[["radius_km", families.quantity]].to_numpy(float))
    taken = [Bbox.from_extents(x - 6, y - 6, x + 6, y + 6) for x, y in places.tolist()]
    legend = axes.get_legend()
    taken += [] if legend is None else [legend.get_window_extent()]
    frame = axes.get_window_extent()
    for row in table.head(_NAMES).to_dict("records"):
        for side, offset in (("left", 7), ("right", -7)):
            text = axes.annotate(
                printable(str(row["name"])),
                (row["radius_km"], row[families.quantity]),
                (offset, 0),
                textcoords="offset points",
                fontsize=8,
                ha=side,
                va="center",
                parse_math=False,
            )
            box = text.get_window_extent()
            inside = frame.x0 <= box.x0 and box.x1 <= frame.x1
            if inside and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                break
            text.remove()
