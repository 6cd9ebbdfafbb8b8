"""Overview of the measurements: blanket and reach against radius, areas, where projectiles came from."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from ejectamap.show.furniture import save

_KEPT, _ASIDE = "#0072B2", "#999999"


def plot_analysis(path: Path, table: pd.DataFrame) -> None:
    """Draw four panels of analysis.csv; craters that are set aside are grey."""
    figure = Figure(figsize=(9.0, 7.6), dpi=130, layout="constrained")
    blanket, reach, area = (figure.add_subplot(2, 2, k) for k in (1, 2, 3))
    _scatter(blanket, table, "radius_km", "blanket_radius_km")
    blanket.set(xlabel="Crater radius, km", ylabel="Blanket radius, km")
    _scatter(reach, table, "radius_km", "max_distance_km")
    reach.set(xlabel="Crater radius, km", ylabel="Farthest ejecta, km")
    _scatter(area, table, "blanket_area_km2", "ray_area_km2")
    area.set(xlabel="Blanket area, km²", ylabel="Ray area, km²")
    handles, labels = blanket.get_legend_handles_labels()
    blanket.legend(handles, labels, frameon=False, loc="upper left")
    _rose(figure.add_subplot(2, 2, 4, projection="polar"), table)
    save(figure, path)


def _scatter(axes: Axes, table: pd.DataFrame, x: str, y: str) -> None:
    """Craters in the plane of two columns, both logarithmic; those without a value are left out."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    for aside, colour, label in ((False, _KEPT, "measured"), (True, _ASIDE, "set aside")):
        chosen = table[(table["set_aside"] == aside) & (table[x] > 0) & (table[y] > 0)]
        axes.scatter(chosen[x], chosen[y], s=22, color=colour, linewidths=0, label=label)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
    axes.grid(which="major", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.margins(0.09)


def _rose(axes: Axes, table: pd.DataFrame) -> None:
    """Number of oblique impacts by the direction that the projectile came from, north up."""
    came = table["missing_bearing_deg"].dropna().to_numpy(np.float64)
    counts, _ = np.histogram(came, bins=np.linspace(0, 360, 13))
    middles = np.radians(np.arange(15, 360, 30))
    axes.bar(middles, counts, width=np.radians(28), color=_KEPT)
    axes.set_theta_zero_location("N")  # type: ignore[attr-defined]
    axes.set_theta_direction(-1)  # type: ignore[attr-defined]
    axes.set_yticks(
        range(0, int(counts.max(initial=0)) + 2, max(1, int(counts.max(initial=0)) // 3))
    )
    axes.set_title(f"Projectiles came from (craters: {came.size} of {len(table)})", fontsize=10)
