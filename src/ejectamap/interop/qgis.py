"""Export a map for correction in QGIS: a GeoPackage with layers and their styles, and a QGIS project that shows them.

The layer `ejecta`, one row per mapped crater, is meant to be edited. The layer `mapped` is an unedited copy, from which
`interop.label_changes` finds out what was changed.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import geopandas as gpd
import pandas as pd
import pyogrio
from pyproj import CRS
from shapely.geometry import MultiPolygon, Point, Polygon, box

from ejectamap.errors import MosaicError, OutputError
from ejectamap.files import replace_file
from ejectamap.interop import qgis_styles as styles
from ejectamap.maps.colours import crater_colours
from ejectamap.maps.mapped import require_mapped
from ejectamap.maps.outlines import fixed_date, outline_of, read_polygons
from ejectamap.outputs import reading
from ejectamap.progress import status
from ejectamap.project.folder import Project, relative_path
from ejectamap.texts import valid_xml
from ejectamap.world.craters import Crater
from ejectamap.world.georeference import cylinder, raster_crs
from ejectamap.world.grid import Bools, Grid, Window
from ejectamap.world.label_files import LABELLED_CRATERS
from ejectamap.world.labels import Labels
from ejectamap.world.mosaic_files import mosaic_rasters
from ejectamap.world.raster_files import open_raster

EDITED, MAPPED, TILES = "ejecta", "mapped", "tiles"
"""Names of the layers that an import reads."""
_COLUMNS = {
    EDITED: {
        "crater_id": "int64",
        "name": "str",
        "area_km2": "float64",
        "mean_probability": "float64",
        "accepted": "bool",
    },
    TILES: {"tile_id": "int64", LABELLED_CRATERS: "str"},
}


@dataclass(frozen=True)
class Layer:
    """A layer of the GeoPackage.

    Attributes
    ----------
    name : str
    frame : GeoDataFrame
    geometry_type : str
        "Point", "Polygon" or "MultiPolygon".
    renderer : Element
        QGIS's XML element that says how the layer is drawn.
    """

    name: str
    frame: gpd.GeoDataFrame
    geometry_type: str
    renderer: Element


@status("writing layers")
def export_qgis(project: Project, path: Path) -> Path:
    """Write a GeoPackage in which a map can be corrected, and a QGIS project of the same name beside it.

    A person changes polygons of the layer `ejecta`, or sets `accepted` where a crater's map needs no change, and adds
    rectangles to the layer `tiles` where the labels are complete.

    Parameters
    ----------
    project : Project
    path : Path
        The GeoPackage to write.

    Returns
    -------
    Path
        The QGIS project.

    Raises
    ------
    ProjectError
        If no crater is mapped.
    OutputError
        If a file cannot be written.
    """
    mapped = require_mapped(project)
    if path.suffix.lower() != ".gpkg":
        raise OutputError(f"{path}: is not the name of a GeoPackage: let it end in .gpkg")
    layers = list(_layers(project, mapped))
    with tempfile.TemporaryDirectory() as folder, fixed_date():
        temporary = Path(folder) / path.name
        for layer in layers:
            layer.frame.to_file(
                temporary,
                layer=layer.name,
                driver="GPKG",
                geometry_type=layer.geometry_type,
                index=False,
            )
        pyogrio.write_dataframe(_style_table(layers), temporary, layer="layer_styles", FID="id")
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, memoryview(temporary.read_bytes()))
    qgis_project = path.with_suffix(".qgs")
    replace_file(qgis_project, memoryview(_project_file(project, layers, path).encode()))
    return qgis_project


def tile_box(grid: Grid, window: Window) -> Polygon:
    """A window as a rectangle in the grid's CRS; it may extend beyond the right edge."""
    transform = grid.window_transform(window)
    left, top = transform @ (0, 0)
    right, bottom = transform @ (window.width, window.height)
    return box(left, bottom, right, top)


def _layers(project: Project, mapped: Sequence[Crater]) -> Iterator[Layer]:
    """All layers, lowest first."""
    grid, labels = project.grid, project.labels
    tiles = () if labels is None else labels.tiles or ()
    tile_rows = [
        (tile.tile_id, " ".join(map(str, sorted(tile.craters or ()))), tile_box(grid, tile.window))
        for tile in tiles
    ]
    yield Layer(TILES, _frame(tile_rows, TILES, grid), "Polygon", styles.single(styles.TILES))
    suggestions = project.folder / "suggestions.csv"
    if suggestions.exists():
        yield _suggestion_layer(suggestions, grid)
    if labels is not None:
        yield _label_layer(project.craters, labels)
    ejecta = _frame(list(_ejecta_rows(project, mapped)), EDITED, grid)
    unedited = ejecta[["crater_id", "name", "geometry"]]
    colours = crater_colours(project.craters)
    yield Layer(MAPPED, unedited, "MultiPolygon", styles.by_crater(mapped, colours, filled=False))
    yield Layer(EDITED, ejecta, "MultiPolygon", styles.by_crater(mapped, colours, filled=True))
    yield _crater_layer(project.craters, grid)


def _label_layer(craters: Sequence[Crater], labels: Labels) -> Layer:
    """Polygons of the present labels."""
    colours = crater_colours(tuple(craters))
    labelled = [crater for crater in craters if crater.crater_id in labels.masks]
    table = {"crater_id": [c.crater_id for c in labelled], "name": [c.name for c in labelled]}
    shapes = []
    for crater in labelled:
        window, mask = _unwrapped(labels, crater.crater_id)
        shapes.append(outline_of(mask, labels.grid, window))
    frame = gpd.GeoDataFrame(table, geometry=shapes, crs=labels.grid.crs)
    return Layer("labels", frame, "MultiPolygon", styles.by_crater(labelled, colours, filled=False))


def _ejecta_rows(project: Project, mapped: Sequence[Crater]) -> Iterator[tuple[object, ...]]:
    """One row per mapped crater, also for a crater without ejecta."""
    table = read_polygons(project).set_index("crater_id")
    for crater in mapped:
        k = crater.crater_id
        if k in table.index:
            row = table.loc[k]
            yield k, crater.name, row["area_km2"], row["mean_probability"], False, row["geometry"]
        else:
            yield k, crater.name, 0.0, float("nan"), False, MultiPolygon()


def _suggestion_layer(path: Path, grid: Grid) -> Layer:
    """Tiles that `ejectamap suggest` ranked."""
    with reading(path, "remove it, or run ejectamap suggest again"):
        table = pd.read_csv(path)
        places = table[["row", "col", "height", "width"]].astype(int).itertuples(index=False)
    boxes = [tile_box(grid, Window(*place)) for place in places]
    frame = gpd.GeoDataFrame(table, geometry=boxes, crs=grid.crs)
    return Layer("suggestions", frame, "Polygon", styles.single(styles.SUGGESTIONS))


def _crater_layer(craters: Sequence[Crater], grid: Grid) -> Layer:
    """Centres of all craters of the catalogue."""
    degrees = cylinder("mosaic", CRS.from_wkt(grid.crs), OutputError)
    table = pd.DataFrame(
        {
            "crater_id": [crater.crater_id for crater in craters],
            "name": [crater.name for crater in craters],
            "radius_m": [crater.radius_m for crater in craters],
        }
    )
    # Longitudes in the mosaic's own range, for example 0 to 360 degrees.
    lon = [grid.lon_west + (crater.lon - grid.lon_west) % 360.0 for crater in craters]
    x, y = degrees.from_degrees(lon, [crater.lat for crater in craters])
    frame = gpd.GeoDataFrame(table, geometry=list(map(Point, x, y)), crs=grid.crs)
    return Layer("craters", frame, "Point", styles.single(styles.CRATERS, points=True))


def _frame(rows: Sequence[tuple[object, ...]], name: str, grid: Grid) -> gpd.GeoDataFrame:
    """Rows as a table with the columns of a layer and their types, which an empty table needs too."""
    columns = _COLUMNS[name]
    table = pd.DataFrame(rows, columns=[*columns, "geometry"]).astype(columns)
    return gpd.GeoDataFrame(table, geometry="geometry", crs=grid.crs)


def _style_table(layers: Sequence[Layer]) -> pd.DataFrame:
    """The table `layer_styles`, from which QGIS reads the styles of a GeoPackage's layers."""
    return pd.DataFrame(
        {
            "f_table_catalog": "",
            "f_table_schema": "",
            "f_table_name": [layer.name for layer in layers],
            "f_geometry_column": "geom",
            "styleName": [layer.name for layer in layers],
            "styleQML": [styles.as_qml(layer.renderer) for layer in layers],
            "styleSLD": "",
            "useAsDefault": True,
            "description": "",
            "owner": "",
        }
    )


def _project_file(project: Project, layers: Sequence[Layer], package: Path) -> str:
    """A QGIS project with the mosaic and the layers above it; paths are relative to the project file."""
    root = Element("qgis", version="3.22.0", projectname=project.folder.resolve().name)
    root.extend(_project_properties(project.grid))
    tree, maps = SubElement(root, "layer-tree-group"), SubElement(root, "projectlayers")
    rasters = {
        _mosaic_layer_name(project, raster): raster
        for raster in mosaic_rasters(project.mosaic_path)
    }
    entries = [
        (
            name,
            relative_path(raster, package.parent),
            "gdal",
            "",
            styles.raster_pipe(project.mosaic.bands),
        )
        for name, raster in rasters.items()
    ]
    for layer in layers:
        source = f"./{package.name}|layername={layer.name}"
        entries.append(
            (layer.name, source, "ogr", layer.geometry_type.removeprefix("Multi"), layer.renderer)
        )
    for name, source, provider, geometry, renderer in reversed(entries):
        checked = "Qt::Unchecked" if name in ("labels", MAPPED) else "Qt::Checked"
        layer_id = f"ejectamap_{name}"  # QGIS ignores ids of ten characters or fewer
        node = {"id": layer_id, "name": name, "checked": checked, "expanded": "0"}
        node |= {"source": source, "providerKey": provider}
        SubElement(tree, "layer-tree-layer", node)
        kind = {"type": "vector", "geometry": geometry} if geometry else {"type": "raster"}
        entry = SubElement(maps, "maplayer", kind)
        for key, text in (("id", layer_id), ("datasource", source), ("layername", name)):
            SubElement(entry, key).text = text
        SubElement(entry, "provider").text = provider
        own = _raster_wkt(rasters[name]) if name in rasters else project.grid.crs
        entry.append(_wrap("srs", _spatial_reference(own)))
        entry.append(renderer)
    indent(root)
    head = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
    return valid_xml(head + tostring(root, encoding="unicode") + "\n")


def _project_properties(grid: Grid) -> Iterator[Element]:
    """Elements of the QGIS project itself: its CRS, the sphere for measurements, and the initial extent."""
    yield _wrap("projectCrs", _spatial_reference(grid.crs))
    settings = {
        # Without this property QGIS ignores the project's CRS.
        "SpatialRefSys": {"ProjectionsEnabled": ("int", "1")},
        "Measure": {"Ellipsoid": ("QString", f"PARAMETER:{grid.radius_m}:{grid.radius_m}")},
        "Measurement": {"DistanceUnits": ("QString", "km"), "AreaUnits": ("QString", "km2")},
    }
    properties = Element("properties")
    for name, values in settings.items():
        group = SubElement(properties, name)
        for key, (kind, value) in values.items():
            SubElement(group, key, type=kind).text = value
    yield properties
    limits = zip(("xmin", "ymin", "xmax", "ymax"), tile_box(grid, grid.whole).bounds, strict=True)
    extent = Element("DefaultViewExtent", {key: repr(value) for key, value in limits})
    extent.append(_spatial_reference(grid.crs))
    yield _wrap("ProjectViewSettings", extent)


def _spatial_reference(wkt: str) -> Element:
    """A CRS as an XML element."""
    element = Element("spatialrefsys")
    SubElement(element, "wkt").text = wkt
    return element


def _mosaic_layer_name(project: Project, raster: Path) -> str:
    """Name of the layer of a raster: the mosaic, or one of its parts."""
    return "mosaic" if raster == project.mosaic_path else f"mosaic {raster.stem}"


def _raster_wkt(path: Path) -> str:
    """CRS of a raster, which may be another than the grid's."""
    with open_raster(path, MosaicError) as source:
        return raster_crs(source, MosaicError).to_wkt()


def _wrap(name: str, child: Element) -> Element:
    """An element with one child."""
    element = Element(name)
    element.append(child)
    return element


def _unwrapped(labels: Labels, crater_id: int) -> tuple[Window, Bools]:
    """A label's window and mask; whole rows if the window wraps around, because polygons cannot."""
    window, mask = labels.masks[crater_id]
    if window.col + window.width <= labels.grid.width:
        return window, mask
    whole = Window(window.row, 0, window.height, labels.grid.width)
    return whole, labels.read(crater_id, whole)
