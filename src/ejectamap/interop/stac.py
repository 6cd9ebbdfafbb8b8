"""A map as a STAC collection: one item per crater, with the solar-system, projection, raster and scientific extensions.

STAC 1.1 (stacspec.org); extensions ssys 1.1, projection 2.0, raster 1.1, scientific 1.0 (stac-extensions.github.io).
"""

import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pystac
from pyproj import CRS
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.raster import DataType, RasterBand, RasterExtension
from shapely import MultiPolygon

from ejectamap.files import link_file, replace_file
from ejectamap.interop.footprints import footprint
from ejectamap.interop.map_metadata import (
    body_class,
    outdated_results,
    write_citation_and_model_card,
)
from ejectamap.maps.mapped import MappedCraters, require_maps
from ejectamap.maps.outlines import read_polygons
from ejectamap.maps.rasters import NO_DATA, STEPS, copy_probability, stored_window
from ejectamap.maps.state import card_path, mask_path, probability_path
from ejectamap.progress import track
from ejectamap.project.folder import Project
from ejectamap.project.products import RECIPE, RECIPE_DOI, how_to_cite, map_title, mapped_body
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window

logger = logging.getLogger(__name__)

SSYS = "https://stac-extensions.github.io/ssys/v1.1.0/schema.json"
_SCIENTIFIC = "https://stac-extensions.github.io/scientific/v1.0.0/schema.json"
_COLLECTION_FILES = {
    "map/origin.tif": (pystac.MediaType.COG, "Id + 1 of the likeliest crater of each pixel"),
    "map/origin.qml": (pystac.MediaType.XML, "Its colours and names, for QGIS"),
    "map/ejecta.gpkg": (pystac.MediaType.GEOPACKAGE, "Outlines of each crater's ejecta"),
    "map/connections.parquet": (pystac.MediaType.PARQUET, "Chips connected with each crater"),
    "map/global.png": (pystac.MediaType.PNG, "The whole planet, one colour for each crater"),
    "analysis.csv": ("text/csv", "Measurements of each crater's ejecta"),
    "analysis-columns.csv": ("text/csv", "Unit and meaning of each measurement"),
    "rays.csv": ("text/csv", "Measurements of each ray"),
    "rays.gpkg": (pystac.MediaType.GEOPACKAGE, "Centre lines of the rays"),
    "rays-columns.csv": ("text/csv", "Unit and meaning of each measurement of a ray"),
    "evaluation.json": (pystac.MediaType.JSON, "Comparison with labels"),
    "provenance.json": (pystac.MediaType.JSON, "Hashes of everything that the map depends on"),
    "report.html": (pystac.MediaType.HTML, "Everything that is known of the map, to look at"),
}


def export_stac(project: Project) -> Path:
    """Write the folder stac: collection.json, a folder for each mapped crater, CITATION.cff and MODEL-CARD.md.

    The folder holds all files that it names, and names them by relative paths: it can be sent alone. Files are
    linked, not stored twice, where the disk can. Results that are older than the map are left out, which is logged.
    The time that STAC requires of an item is the modification time of the crater's map file.

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
    maps = require_maps(project)
    folder = project.outputs / "stac"
    folder.mkdir(exist_ok=True)
    items = list(_items(project, maps, folder))
    _remove_other_items(folder, items)
    collection = _collection(project, items, folder)
    collection.add_items(items)
    collection.normalize_hrefs(str(folder.resolve()))
    for stac_object in (collection, *items):
        path = Path(stac_object.self_href)
        text = json.dumps(
            stac_object.to_dict(include_self_link=False), indent=2, ensure_ascii=False
        )
        replace_file(path, memoryview((text + "\n").encode()))
    write_citation_and_model_card(project, maps, folder)
    return folder / "collection.json"


def _collection(project: Project, items: Sequence[pystac.Item], folder: Path) -> pystac.Collection:
    """The collection, without its items: the map as a whole."""
    times = [item.datetime for item in items if item.datetime is not None]
    extent = pystac.Extent(
        pystac.SpatialExtent([[-180.0, -90.0, 180.0, 90.0]]),
        pystac.TemporalExtent([[min(times), max(times)]]),
    )
    products = project.settings.products
    collection = pystac.Collection(
        id=_identifier(project),
        title=map_title(project),
        description="One map of ejecta for each fresh crater, with a probability for every pixel."
        " Longitudes are east-positive, latitudes planetocentric, in degrees of the target body.",
        extent=extent,
        license=products.licence or "other",
        stac_extensions=[SSYS, _SCIENTIFIC],
        catalog_type=pystac.CatalogType.SELF_CONTAINED,
        providers=_providers(project) or None,
        extra_fields={
            "sci:citation": how_to_cite(project),
            "sci:publications": [{"citation": RECIPE, "doi": RECIPE_DOI}],
        },
    )
    dois = [RECIPE_DOI]
    if products.doi:
        collection.extra_fields["sci:doi"] = products.doi
        dois.insert(0, products.doi)
    collection.add_links([pystac.Link("cite-as", f"https://doi.org/{doi}") for doi in dois])
    for name, value in _target_fields(project).items():
        collection.summaries.add(name, value if isinstance(value, list) else [value])
    _add_collection_files(collection, project, folder)
    return collection


def _providers(project: Project) -> list[pystac.Provider]:
    """Whom the mosaic's images are credited to, and who made the map."""
    products = project.settings.products
    providers = [
        pystac.Provider(name, roles=[pystac.ProviderRole.PROCESSOR]) for name in products.authors
    ]
    if products.credit:
        of_images = [pystac.ProviderRole.PRODUCER]
        text = "Images of the mosaic that the map was made from"
        providers.append(pystac.Provider(products.credit, text, roles=of_images))
    return providers


def _add_collection_files(collection: pystac.Collection, project: Project, folder: Path) -> None:
    """Put the files of the whole map into the export; those older than the map are left out."""
    outdated = outdated_results(project)
    for name, (media, title) in _COLLECTION_FILES.items():
        source, target = project.outputs / name, folder / Path(name).name
        if name in outdated:
            logger.warning(
                f"{source}: is older than the map and was left out: {outdated[name]} renews it"
            )
        if name in outdated or not source.exists():
            target.unlink(missing_ok=True)
            continue
        link_file(source, target)
        asset = pystac.Asset(f"./{target.name}", title=title, media_type=media, roles=["data"])
        collection.add_asset(target.name, asset)


def _remove_other_items(folder: Path, items: Sequence[pystac.Item]) -> None:
    """Remove items of an earlier export whose craters are not on the map any more."""
    present = {item.id for item in items}
    for path in folder.glob("crater-*"):
        if path.name not in present and (path / f"{path.name}.json").exists():
            shutil.rmtree(path)


def _items(project: Project, maps: MappedCraters, folder: Path) -> Iterator[pystac.Item]:
    """One item per crater: probabilities, mask and picture."""
    grid = project.grid
    table = read_polygons(project).set_index("crater_id")
    target = _target_fields(project)
    for crater in track(maps.all, "exporting craters"):
        number, path = crater.crater_id, probability_path(project, crater)
        has_ejecta = number in table.index
        outline = table.geometry[number] if has_ejecta else MultiPolygon()
        bounds, shape = footprint(grid, crater, outline)
        written = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
        item = pystac.Item(
            id=f"crater-{number}",
            geometry=shape,
            bbox=bounds,
            datetime=written,
            properties={
                "title": crater.name,
                "ejectamap:crater_id": number,
                "ejectamap:current": crater not in maps.stale,
                "ejectamap:lon_deg": crater.lon,
                "ejectamap:lat_deg": crater.lat,
                "ejectamap:radius_m": crater.radius_m,
                "ejectamap:threshold": project.settings.map.threshold,
                "ejectamap:area_km2": float(table["area_km2"][number]) if has_ejecta else 0.0,
                "ejectamap:mean_probability": float(table["mean_probability"][number])
                if has_ejecta
                else None,
                **target,
            },
            stac_extensions=[SSYS],
        )
        _add_projection(item, grid, stored_window(path, grid))
        _add_assets(item, project, crater, folder / item.id)
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


def _add_assets(item: pystac.Item, project: Project, crater: Crater, folder: Path) -> None:
    """Put the crater's rasters and, if it was drawn, its picture into the item's folder."""
    folder.mkdir(exist_ok=True)
    probability, mask = probability_path(project, crater), mask_path(project, crater)
    copy_probability(probability, folder / probability.name, project.grid)
    link_file(mask, folder / mask.name)
    stored = RasterBand.create(
        data_type=DataType.UINT8, nodata=NO_DATA, scale=1 / STEPS, offset=0.0, unit="1"
    )
    bands = {
        "probability": (probability, "Probability of ejecta", stored),
        "mask": (mask, "1 = ejecta", RasterBand.create(data_type=DataType.UINT8)),
    }
    for key, (path, title, band) in bands.items():
        asset = pystac.Asset(
            f"./{path.name}", title=title, media_type=pystac.MediaType.COG, roles=["data"]
        )
        item.add_asset(key, asset)
        RasterExtension.ext(asset, add_if_missing=True).bands = [band]
    card = card_path(project, crater)
    if card.exists():
        link_file(card, folder / card.name)
        asset = pystac.Asset(
            f"./{card.name}",
            title="Mosaic and map",
            media_type=pystac.MediaType.PNG,
            roles=["overview"],
        )
        item.add_asset("picture", asset)


def _target_fields(project: Project) -> dict[str, Any]:
    """Fields of the solar-system extension; none for a body without a name."""
    body = mapped_body(project)
    if body is None:
        return {}
    return {"ssys:targets": [body.name], "ssys:target_class": body_class(body).replace(" ", "_")}


def _identifier(project: Project) -> str:
    """Id of the collection: the project's name, every character but ASCII letters and digits replaced by "-"."""
    name = project.folder.resolve().name.lower()
    return "ejecta-" + "".join(
        character if character.isascii() and character.isalnum() else "-" for character in name
    )
