"""A map in the browser: polygons of ejecta on a plain graticule, without the Earth's tiles."""

import json
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import shapely

from ejectamap.errors import ArgumentError
from ejectamap.maps.colours import crater_colours
from ejectamap.project.folder import Project
from ejectamap.show.graticule import degrees
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid

if TYPE_CHECKING:
    from folium import Map

_STEP_DEG = 30
_HEIGHT_PX = 520
_SIMPLIFIED_PX = 0.75  # by how much outlines may be off, so that the page is small
_PAPER, _INK = "#f4f2ee", "#b9b4aa"


def explore_polygons(
    polygons: gpd.GeoDataFrame, craters: Sequence[Crater], project: Project
) -> "Map":
    """See `EjectaMap.explore`."""
    try:
        import folium
    except ImportError:
        raise ArgumentError(
            'explore: needs folium, which is not installed: pip install "ejectamap[notebook]"'
        ) from None
    west = project.grid.lon_west
    page = folium.Map(
        location=(0, west + 180),
        zoom_start=1,
        min_zoom=0,
        tiles=None,
        crs="EPSG4326",  # degrees as they are; of no planet in particular
        height=_HEIGHT_PX,
        attribution_control=False,
    )
    root: Any = page.get_root()
    background = f"<style>.leaflet-container {{background: {_PAPER}}}</style>"
    root.header.add_child(folium.Element(background))
    folium.GeoJson(
        _graticule(west),
        style_function=lambda _: {"color": _INK, "weight": 1},
        tooltip=folium.GeoJsonTooltip(["place"], labels=False),
    ).add_to(page)
    colours = crater_colours(tuple(project.craters))
    for row in _in_degrees(polygons, project.grid).itertuples():
        colour = "#{:02x}{:02x}{:02x}".format(*colours[row.crater_id])
        tooltip = (
            f"{row.name} ({row.crater_id}): {row.area_km2:,.0f} km², mean probability"
            f" {row.mean_probability:.2f}"
        )
        shape = json.loads(shapely.to_geojson(row.geometry))
        style: dict[str, Any] = {"color": colour, "weight": 1, "fillOpacity": 0.45}
        folium.GeoJson(
            shape,
            style_function=lambda _, style=style: style,
            tooltip=folium.Tooltip(_text(tooltip)),
        ).add_to(page)
    for crater in craters:
        lon = west + (crater.lon - west) % 360.0
        text = _text(f"{crater.name} ({crater.crater_id})")
        folium.CircleMarker(
            (crater.lat, lon), radius=2.5, color="#202020", weight=1, fill=True, tooltip=text
        ).add_to(page)
    return page


def _in_degrees(polygons: gpd.GeoDataFrame, grid: Grid) -> gpd.GeoDataFrame:
    """Polygons with longitude and latitude as coordinates; longitudes go on from the mosaic's left edge."""

    def to_degrees(xy: Any) -> Any:
        col, row = ~grid.transform @ (xy[:, 0], xy[:, 1])
        lon = grid.lon_west + col * 360.0 / grid.width
        return np.stack([lon, grid.lat_north - row * grid.span_deg / grid.height], axis=1)

    coarse = polygons.geometry.simplify(_SIMPLIFIED_PX * abs(grid.transform.a))
    return polygons.set_geometry(shapely.transform(coarse.to_numpy(), to_degrees), crs=None)


def _graticule(west: float) -> dict[str, Any]:
    """Meridians and parallels, and the name of each, as GeoJSON."""
    meridians = np.arange(np.ceil(west / _STEP_DEG), (west + 360) // _STEP_DEG + 1) * _STEP_DEG
    lines = [
        (degrees(float((lon + 180) % 360 - 180), "EW"), [[lon, -90], [lon, 90]])
        for lon in meridians.tolist()
    ]
    parallels = range(-90, 91, _STEP_DEG)
    lines += [(degrees(lat, "NS"), [[west, lat], [west + 360, lat]]) for lat in parallels]
    features = [
        {
            "type": "Feature",
            "properties": {"place": name},
            "geometry": {"type": "LineString", "coordinates": line},
        }
        for name, line in lines
    ]
    return {"type": "FeatureCollection", "features": features}


def _text(text: str) -> str:
    """Text that a page shows as it is, whatever letters a name has."""
    return escape(text).replace("{", "&#123;").replace("`", "&#96;")
