"""Draw the polygons of a map on a plain graticule of the whole globe, for a paper.

    python examples/figure_of_polygons.py mercury figure.png

Nothing of the mosaic is in the figure: it can be published whatever the mosaic's licence says.
"""

import sys

import geopandas as gpd
import matplotlib.pyplot as plt
import numpy as np
from shapely import LineString, box

project, picture = sys.argv[1:]
ejecta = gpd.read_file(f"{project}/map/ejecta.gpkg")
radius = ejecta.crs.ellipsoid.semi_major_metre
degrees = f"+proj=longlat +R={radius} +type=crs"
flat = f"+proj=robin +R={radius} +type=crs"


def projected(shapes):
    """Shapes in degrees, on the map; straight lines become curves."""
    return gpd.GeoSeries(shapes, crs=degrees).segmentize(1).to_crs(flat)


figure, axes = plt.subplots(figsize=(10, 5.4), layout="constrained")
projected([box(-180, -90, 180, 90)]).plot(ax=axes, color="#f4f2ee", edgecolor="#555555")
meridians = [LineString([(lon, -90), (lon, 90)]) for lon in range(-150, 180, 30)]
parallels = [LineString([(-180, lat), (180, lat)]) for lat in range(-60, 90, 30)]
projected(meridians + parallels).plot(ax=axes, color="#c9c5bd", linewidth=0.6)

outlines = projected(ejecta.to_crs(degrees).geometry)
# Colours of craters beside each other in the list are far apart.
colours = plt.colormaps["turbo"](np.arange(len(ejecta)) * 0.618 % 0.9 + 0.05)
# The largest first, so that none hides a smaller one; paler where the ejecta are less probable.
for row in ejecta.sort_values("area_km2", ascending=False).itertuples():
    gpd.GeoSeries(outlines[row.Index]).plot(
        ax=axes, color=colours[row.Index], alpha=0.3 + 0.6 * row.mean_probability
    )
for row in ejecta.nlargest(20, "area_km2").itertuples():
    blanket = max(
        getattr(outlines[row.Index], "geoms", [outlines[row.Index]]), key=lambda part: part.area
    )
    place = blanket.centroid.x, blanket.bounds[3]
    axes.annotate(row.name, place, fontsize=7, ha="center", va="bottom")
axes.set_axis_off()
figure.savefig(picture, dpi=200)
