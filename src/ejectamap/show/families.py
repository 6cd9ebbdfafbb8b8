"""The poster's plot of families: ejecta against crater radius, a colour a family."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from ejectamap.analysis.families import AREA, Families
from ejectamap.show.furniture import printable, save

# Okabe and Ito's colours, told apart by colour-blind readers too; grey is no family.
_COLOURS = {
    "A": "#0072B2",
    "B": "#D55E00",
    "C": "#009E73",
    "D": "#CC79A7",
    "E": "#56B4E9",
    "F": "#E69F00",
}
_MARKERS = {"A": "o", "B": "s", "C": "^", "D": "D", "E": "v", "F": "P"}
_NAMED = 15


def plot_families(path: Path, families: Families) -> None:
    """Draw ejecta against radius, both logarithmic, with the names of the craters with the most ejecta."""
    table = families.table
    table = table[table[families.quantity] > 0]
    figure = Figure(figsize=(7.5, 5.2), dpi=140, layout="constrained")
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.set_yscale("log")
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
    unit = "Mapped ejecta, km²" if families.quantity == AREA else "Connected tiles"
    axes.set_xlabel("Crater radius, km")
    axes.set_ylabel(unit)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:,.0f}")
        axis.set_minor_formatter(NullFormatter())
    axes.grid(which="major", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.margins(0.09)
    if len(table):
        axes.legend(title="Family (craters)", frameon=False, loc="upper left")
        _write_names(figure, axes, families)
    save(figure, path)


def _write_names(figure: Figure, axes: Axes, families: Families) -> None:
    """Write the names of the craters with the most ejecta, each where it hides neither a mark nor another name."""
    table = families.table.sort_values(families.quantity, ascending=False, kind="stable")
    table = table[table[families.quantity] > 0]
    figure.draw_without_rendering()
    places = axes.transData.transform(table[["radius_km", families.quantity]].to_numpy(float))
    taken = [Bbox.from_extents(x - 6, y - 6, x + 6, y + 6) for x, y in places.tolist()]
    legend = axes.get_legend()
    taken += [] if legend is None else [legend.get_window_extent()]
    frame = axes.get_window_extent()
    for row in table.head(_NAMED).to_dict("records"):
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
