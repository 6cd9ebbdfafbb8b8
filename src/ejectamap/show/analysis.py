"""Overview of the measurements: blanket radius and farthest ejecta against crater radius, areas, impact directions."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ejectamap.show.map_elements import save_figure, set_logarithmic

_MEASURED, _SET_ASIDE = "#0072B2", "#999999"


def plot_analysis(path: Path, table: pd.DataFrame) -> None:
    """Draw four panels of analysis.csv; craters that are set aside are grey."""
    figure = Figure(figsize=(9.0, 7.6), dpi=130, layout="constrained")
    blanket, farthest, area = (figure.add_subplot(2, 2, k) for k in (1, 2, 3))
    _draw_scatter(blanket, table, "radius_km", "blanket_radius_km")
    blanket.set(xlabel="Crater radius, km", ylabel="Blanket radius, km")
    _draw_scatter(farthest, table, "radius_km", "max_distance_km")
    farthest.set(xlabel="Crater radius, km", ylabel="Farthest ejecta, km")
    _draw_scatter(area, table, "blanket_area_km2", "ray_area_km2")
    area.set(xlabel="Blanket area, km²", ylabel="Ray area, km²")
    handles, labels = blanket.get_legend_handles_labels()
    blanket.legend(handles, labels, frameon=False, loc="upper left")
    _draw_rose(figure.add_subplot(2, 2, 4, projection="polar"), table)
    save_figure(figure, path)


def _draw_scatter(axes: Axes, table: pd.DataFrame, x: str, y: str) -> None:
    """Draw craters in the plane of two columns, both logarithmic; those without a positive value are left out."""
    set_logarithmic(axes, "{x:,.7g}")
    styles = ((False, _MEASURED, "measured"), (True, _SET_ASIDE, "set aside"))
    for set_aside, colour, label in styles:
        rows = table[(table["set_aside"] == set_aside) & (table[x] > 0) & (table[y] > 0)]
        axes.scatter(rows[x], rows[y], s=22, color=colour, linewidths=0, label=label)


def _draw_rose(axes: Axes, table: pd.DataFrame) -> None:
    """Draw the number of oblique impacts by the direction that the projectile came from, north up."""
    bearings_deg = table["missing_bearing_deg"].dropna().to_numpy(np.float64)
    counts, _ = np.histogram(bearings_deg, bins=np.linspace(0, 360, 13))
    bin_centres = np.radians(np.arange(15, 360, 30))
    axes.bar(bin_centres, counts, width=np.radians(28), color=_MEASURED)
    axes.set_theta_zero_location("N")  # type: ignore[attr-defined]
    axes.set_theta_direction(-1)  # type: ignore[attr-defined]
    most = int(counts.max(initial=0))
    axes.set_yticks(range(0, most + 2, max(1, most // 3)))
    title = f"Projectiles came from (craters: {bearings_deg.size} of {len(table)})"
    axes.set_title(title, fontsize=10, pad=14)
