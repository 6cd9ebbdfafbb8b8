"""What a person does in QGIS, for the pages of this site: move an outline, accept two maps."""

import sys

import geopandas as gpd

path = sys.argv[1]
layer = gpd.read_file(path, layer="ejecta")
layer.loc[0, "geometry"] = layer.geometry[0].buffer(0.02 * layer.geometry[0].length ** 0.5 * 100)
layer.loc[1:2, "accepted"] = True
layer.to_file(path, layer="ejecta", driver="GPKG", mode="w")
