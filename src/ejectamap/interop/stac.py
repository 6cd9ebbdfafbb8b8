"""A map as a STAC collection: one item per crater, with the solar-system, projection and raster extensions.

STAC 1.1 (stacspec.org); extensions ssys 1.1, projection 2.0, raster 1.1 (stac-extensions.github.io).
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyogrio
import pystac
from pyproj import CRS
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.raster import DataType, RasterBand, RasterExtension
from shapely.geometry import MultiPolygon, box, mapping

from ejectamap.files import replace_file
from ejectamap.interop.map_metadata import body_class, map_title, write_citation_and_model_card
from ejectamap.maps.mapped import require_mapped
from ejectamap.maps.rasters import NO_DATA, STEPS, stored_window
from ejectamap.maps.state import card_path, mask_path, probability_path
from ejectamap.project.folder import Project
from ejectamap.world.body import body_near
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window

SSYS = "https://stac-extensions.github.io/ssys/v1.1.0/schema.json"
_COLLECTION_FILES = {
    "map/origin.tif": (pystac.MediaType.COG, "Id + 1 of the likeliest crater of each pixel"),
    "map/ejecta.gpkg": (pystac.MediaType.GEOPACKAGE, "Outlines of each crater's ejecta"),
    "map/connections.parquet": (pystac.MediaType.PARQUET, "Which tiles a ray links to a crater"),
    "analysis.csv": ("text/csv", "Measurements of each crater's ejecta"),
    "evaluation.json": (pystac.MediaType.JSON, "Comparison with labels"),
    "provenance.json": (pystac.MediaType.JSON, "Hashes of everything behind the map"),
    "report.html": (pystac.MediaType.HTML, "All of it to look at"),
}


def export_stac(project: Project) -> Path:
    """Write stac/collection.json, an item for each mapped crater below it, CITATION.cff and MODEL-CARD.md.

    The catalogue is self-contained: links and the paths of the map's files are relative, so that the project's results
    can be moved as a whole. The time that STAC requires of an item is the modification time of the crater's map file.

    Returns
    -------
    Path
        The collection's file.

    Raises
    ------
    ProjectError
        If no crater is mapped.
    OutputError
        If a file of the map is damaged, or one cannot be written.
    """
    mapped = require_mapped(project)
    folder = project.outputs / "stac"
    items = list(_items(project, mapped))
    collection = _collection(project, items)
    collection.add_items(items)
    collection.normalize_hrefs(str(folder.resolve()))
    for item in items:
        item.make_asset_hrefs_relative()
    for stac_object in (collection, *items):
        path = Path(stac_object.self_href)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(
            stac_object.to_dict(include_self_link=False), indent=2, ensure_ascii=False
        )
        replace_file(path, memoryview((text + "\n").encode()))
    write_citation_and_model_card(project, mapped, folder)
    return folder / "collection.json"


def _collection(project: Project, items: Sequence[pystac.Item]) -> pystac.Collection:
    """The collection, without its items: the map as a whole."""
    times = [item.datetime for item in items if item.datetime is not None]
    extent = pystac.Extent(
        pystac.SpatialExtent([[-180.0, -90.0, 180.0, 90.0]]),
        pystac.TemporalExtent([[min(times), max(times)]]),
    )
    collection = pystac.Collection(
        id=_identifier(project),
        title=map_title(project),
        description="One map of ejecta for each fresh crater, with a probability for every pixel."
        " Longitudes are east-positive, latitudes planetocentric, in degrees of the target body.",
        extent=extent,
        license="other",
        stac_extensions=[SSYS],
        catalog_type=pystac.CatalogType.SELF_CONTAINED,
    )
    for name, value in _target_fields(project.grid).items():
        collection.summaries.add(name, value if isinstance(value, list) else [value])
    for name, (media, title) in _COLLECTION_FILES.items():
        if (project.outputs / name).exists():
            key = Path(name).name
            collection.add_asset(
                key, pystac.Asset(f"../{name}", title=title, media_type=media, roles=["data"])
            )
    return collection


def _items(project: Project, mapped: Sequence[Crater]) -> Iterator[pystac.Item]:
    """One item per crater: probabilities, mask and picture."""
    grid = project.grid
    table = pyogrio.read_dataframe(project.maps / "ejecta.gpkg", read_geometry=False)
    measurements = {row["crater_id"]: row for row in table.to_dict("records")}
    for crater in mapped:
        path = probability_path(project, crater)
        window = stored_window(path, grid)
        bounds, shape = footprint(grid, window)
        written = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
        row = measurements.get(crater.crater_id, {})
        item = pystac.Item(
            id=f"crater-{crater.crater_id}",
            geometry=shape,
            bbox=bounds,
            datetime=written,
            properties={
                "title": crater.name,
                "ejectamap:crater_id": crater.crater_id,
                "ejectamap:lon_deg": crater.lon,
                "ejectamap:lat_deg": crater.lat,
                "ejectamap:radius_m": crater.radius_m,
                "ejectamap:area_km2": row.get("area_km2", 0.0),
                "ejectamap:mean_probability": row.get("mean_probability"),
                **_target_fields(grid),
            },
            stac_extensions=[SSYS],
        )
        _add_projection(item, grid, window)
        _add_assets(item, project, crater)
        yield item


def _add_projection(item: pystac.Item, grid: Grid, window: Window) -> None:
    """Add CRS, shape and transform of the crater's rasters."""
    authority = CRS.from_wkt(grid.crs).to_authority(min_confidence=100)
    transform = grid.window_transform(window)
    ProjectionExtension.ext(item, add_if_missing=True).apply(
        code=":".join(authority) if authority else None,
        wkt2=None if authority else CRS.from_wkt(grid.crs).to_wkt(),
        shape=list(window.shape),
        transform=list(transform)[:6],
    )


def _add_assets(item: pystac.Item, project: Project, crater: Crater) -> None:
    """Add links to the crater's rasters and, if it was drawn, its picture."""
    bands = {
        "probability": RasterBand.create(
            data_type=DataType.UINT8, nodata=NO_DATA, scale=1 / STEPS, offset=0.0, unit="1"
        ),
        "mask": RasterBand.create(data_type=DataType.UINT8),
    }
    paths = {"probability": probability_path, "mask": mask_path}
    titles = {"probability": "Probability of ejecta", "mask": "1 = ejecta"}
    for key, band in bands.items():
        path = paths[key](project, crater).resolve()
        asset = pystac.Asset(
            str(path), title=titles[key], media_type=pystac.MediaType.COG, roles=["data"]
        )
        item.add_asset(key, asset)
        RasterExtension.ext(asset, add_if_missing=True).bands = [band]
    card = card_path(project, crater)
    if card.exists():
        asset = pystac.Asset(
            str(card.resolve()), title="Mosaic and map", media_type="image/png", roles=["overview"]
        )
        item.add_asset("picture", asset)


def _target_fields(grid: Grid) -> dict[str, Any]:
    """Fields of the solar-system extension."""
    body = body_near(grid.radius_m)
    if body is None:
        return {}
    return {"ssys:targets": [body.name], "ssys:target_class": body_class(body).replace(" ", "_")}


def _identifier(project: Project) -> str:
    """Id of the collection: the project's name, every character but ASCII letters and digits replaced by "-"."""
    name = project.folder.resolve().name.lower()
    return "ejecta-" + "".join(
        character if character.isascii() and character.isalnum() else "-" for character in name
    )


def footprint(grid: Grid, window: Window) -> tuple[list[float], dict[str, Any]]:
    """Bounding box (west, south, east, north) and GeoJSON outline of a window; two polygons across 180 degrees."""
    north = grid.lat_north - window.row * grid.span_deg / grid.height
    south = north - window.height * grid.span_deg / grid.height
    if window.width >= grid.width:
        return [-180.0, south, 180.0, north], mapping(box(-180.0, south, 180.0, north))
    west = (grid.lon_west + window.col * 360.0 / grid.width + 180.0) % 360.0 - 180.0
    east = west + window.width * 360.0 / grid.width
    if east <= 180.0:
        return [west, south, east, north], mapping(box(west, south, east, north))
    halves = [box(west, south, 180.0, north), box(-180.0, south, east - 360.0, north)]
    return [west, south, east - 360.0, north], mapping(MultiPolygon(halves))
