"""Figure of the page on the method: one crater of the project `mercury` as its network sees it."""

import matplotlib.pyplot as plt

from ejectamap.maps.reader import MapReader
from ejectamap.project.folder import Project
from ejectamap.show.ground import colour_ground
from ejectamap.views.ejecta_axes import EjectaAxes
from ejectamap.views.polar import PolarView

project = Project.open("mercury")
crater = max(project.craters, key=lambda crater: crater.radius_m)
view = PolarView.of_crater(crater, project.grid.radius_m, (256, 640), 0.5)
lon, lat = view.places()
spacing_m = view.cell_spacing_m()
values, valid = project.mosaic.sample(lon, lat, spacing_m)
axis = EjectaAxes.measure(project.mosaic, project.craters).apply(values, valid)[0]
probability = MapReader(project.maps, project.grid).sample(crater.crater_id, lon, lat)

figure, panels = plt.subplots(1, 3, figsize=(11, 3.4), sharey=True, layout="constrained")
panels[0].imshow(colour_ground(project.mosaic, lon, lat, spacing_m), aspect="auto")
shown = panels[1].imshow(axis, aspect="auto", cmap="gray", vmin=-2, vmax=4)
figure.colorbar(shown, ax=panels[1], label="standard deviations")
shown = panels[2].imshow(probability, aspect="auto", cmap="inferno", vmin=0, vmax=1)
figure.colorbar(shown, ax=panels[2], label="probability of ejecta")
titles = "mosaic", "first ejecta axis", "probability"
for panel, title in zip(panels, titles, strict=True):
    panel.set(title=title, xlabel="azimuth, degrees")
    panel.set_xticks([0, 160, 320, 480, 640], ["0", "90", "180", "270", "360"])
rows = [0, 64, 128, 192, 255]
km = view.row_ranges_m()[rows] / 1000
panels[0].set_yticks(rows, [f"{value:,.0f}" for value in km])
panels[0].set_ylabel("range, km")
figure.savefig("polar.png", dpi=130)
