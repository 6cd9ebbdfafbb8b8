"""What a person draws in QGIS, for the pages of this site: one crater's ejecta, by its map's outline."""

import sys

import geopandas as gpd

layer = gpd.read_file("mercury/map/ejecta.gpkg")[["crater_id", "geometry"]].iloc[[1]]
layer.to_file(sys.argv[1], layer="labels", driver="GPKG")
