"""Make the figures and tables of the page on Mercury, docs/explanation/mercury/, from a project of the planet.

    python examples/mercury_page.py PROJECT

The project has to be mapped and analysed (`ejectamap map`, `ejectamap analyze`). Only what the program made is written:
nothing of the mosaic is in any file.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import ejectamap as em

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "explanation" / "mercury"
POSTER = {
    0: "Hokusai",
    12: "Debussy",
    17: "Kuiper",
    13: "Degas",
    34: "Xiao Zhao",
}  # the craters that it shows
COLUMNS = {
    "name": "crater",
    "radius_km": "radius, km",
    "expected_area_km2": "area, 1000 km²",
    "total_area_km2": "mask, 1000 km²",
    "mean_probability": "mean probability",
    "blanket_radius_km": "blanket, km",
    "max_distance_km": "farthest, km",
    "ray_count": "rays",
    "truncated": "cut off by",
}

PRODUCTS = """![Probability of ejecta of five craters](mercury/craters.png)

*Probability of ejecta of the craters that the poster of Lissoni, Doressoundiram and Besse (2025) shows, each in its own
frame, in which distances from the crater are true; north is up, white is unknown.*

## All craters

Area: sum of probability times ground area beyond the rim, with its standard deviation. Mask: where the probability
exceeds the threshold. Cut off by: where the ejecta end because data or reach do.

{table}

- {{download}}`ejecta.gpkg <mercury/ejecta.gpkg>`: the polygons, in the CRS of the body, with mean probabilities
- {{download}}`analysis.csv <mercury/analysis.csv>`: every measurement;
  {{download}}`analysis-columns.csv <mercury/analysis-columns.csv>` explains each column
"""


def draw_craters(ejecta: em.EjectaMap, path: Path) -> None:
    """Draw the probability of the poster's craters, each in its own frame, with circles of range."""
    figure, panels = plt.subplots(2, 3, figsize=(11, 7.4), layout="constrained")
    panels = panels.ravel()
    table = ejecta.craters.set_index("crater_id")
    for axes, (crater_id, name) in zip(panels, POSTER.items(), strict=False):
        probability = ejecta.azimuthal(crater_id).probability
        half_km = float(probability.x.max()) / 1000
        shown = axes.imshow(
            probability,
            cmap="YlOrRd",
            vmin=0,
            vmax=1,
            extent=(-half_km, half_km, -half_km, half_km),
        )
        step_km = 1000 if half_km > 1500 else 500 if half_km > 700 else 200
        angle = np.radians(np.arange(361))
        for km in np.arange(step_km, 1.42 * half_km, step_km):
            axes.plot(km * np.sin(angle), km * np.cos(angle), color="#888888", linewidth=0.5)
        radius_km = table.loc[crater_id, "radius_m"] / 1000
        axes.plot(radius_km * np.sin(angle), radius_km * np.cos(angle), color="k", linewidth=0.8)
        axes.set(
            title=f"{name}: circles every {step_km} km",
            xlim=(-half_km, half_km),
            ylim=(-half_km, half_km),
            xticks=[],
            yticks=[],
        )
    panels[-1].set_axis_off()
    bar = figure.colorbar(shown, ax=panels[-1], orientation="horizontal", fraction=0.08, aspect=16)
    bar.set_label("probability of ejecta")
    figure.savefig(path, dpi=130)


def write_table(ejecta: em.EjectaMap, project: Path, path: Path) -> None:
    """Write what the page includes: the figure of the craters, and a table of all, the largest ejecta first."""
    measured = pd.read_csv(project / "analysis.csv")
    polygons = ejecta.polygons()[["crater_id", "mean_probability"]]
    if "mean_probability" not in measured:
        measured = measured.merge(polygons, on="crater_id", how="left")
    if "radius_km" not in measured:
        radius = ejecta.craters[["crater_id", "radius_m"]].assign(
            radius_km=lambda t: t.radius_m / 1000
        )
        measured = measured.merge(radius[["crater_id", "radius_km"]], on="crater_id")
    lines = [f"| {' | '.join(COLUMNS.values())} |", "|---" + "|---:" * (len(COLUMNS) - 2) + "|---|"]
    for row in measured.sort_values("expected_area_km2", ascending=False).to_dict("records"):
        area, sd = row["expected_area_km2"] / 1000, row["expected_area_sd_km2"] / 1000
        cells = [
            row["name"],
            f"{row['radius_km']:.1f}",
            f"{area:,.1f} ± {sd:,.1f}",
            f"{row['total_area_km2'] / 1000:,.1f}",
            f"{row['mean_probability']:.2f}",
            *(f"{row[key]:,.0f}" for key in ("blanket_radius_km", "max_distance_km", "ray_count")),
            str(row["truncated"]),
        ]
        lines.append("| " + " | ".join("" if cell == "nan" else cell for cell in cells) + " |")
    path.write_text(PRODUCTS.format(table="\n".join(lines)))


def main() -> None:
    """Write the page's files."""
    project = Path(sys.argv[1])
    PAGE.mkdir(parents=True, exist_ok=True)
    ejecta = em.EjectaMap(project)
    script = ROOT / "examples" / "figure_of_polygons.py"
    subprocess.run([sys.executable, str(script), str(project), str(PAGE / "map.png")], check=True)
    draw_craters(ejecta, PAGE / "craters.png")
    write_table(ejecta, project, PAGE / "products.part.md")
    for name in ("map/ejecta.gpkg", "analysis.csv", "analysis-columns.csv"):
        shutil.copy(project / name, PAGE)


if __name__ == "__main__":
    main()
