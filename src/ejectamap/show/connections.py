"""Plot of the connection votes: the score of each chip against its distance from the crater."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ejectamap.show.map_elements import save_figure

_STYLES: dict[bool, dict[str, Any]] = {
    False: {"color": "#999999", "s": 5, "label": "not connected", "zorder": 2},
    True: {"color": "#0072B2", "s": 9, "label": "connected", "zorder": 3},
}


def plot_connections(path: Path, table: pd.DataFrame) -> None:
    """Draw the score of every chip in map/connections.parquet against its distance; connected chips are blue."""
    figure = Figure(figsize=(9.0, 3.8), dpi=130, layout="constrained")
    axes = figure.add_subplot()
    for connected, style in _STYLES.items():
        rows = table[table["connected"] == connected]
        axes.scatter(rows["distance_m"] / 1000, rows["score"], linewidths=0, alpha=0.7, **style)
    axes.set(xlabel="Distance from the crater's centre, km", ylabel="Score", ylim=(-0.03, 1.03))
    axes.set_xlim(left=0)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, markerscale=2, loc="upper right")
    save_figure(figure, path)
