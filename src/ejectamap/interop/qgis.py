"""A map for correction in QGIS: a GeoPackage whose layers come with their styles, and a QGIS project that shows them.

The layer `ejecta` is there to be edited: one row a mapped crater. `mapped` is the same as it was exported, so that
`interop.corrections` knows what was changed.
"""

import os
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

from ejectamap.errors import OutputError
from ejectamap.interop import qgis_styles as styles
from ejectamap.mapping import require_mapped
from ejectamap.mapping.files import replace_file
from ejectamap.mapping.outlines import fixed_date, outline_of
from ejectamap.project import Project
from ejectamap.world.craters import Crater
from ejectamap.world.georeference import cylinder
from ejectamap.world.grid import Grid, Window
from ejectamap.world.labels import Bools, Labels

EDITED, MAPPED, TILES = "ejecta", "mapped", "tiles"
"""Names of the layers that come back."""
_COLUMNS = {
    EDITED: {
        "crater_id": "int64",
        "name": "str",
        "area_km2": "float64",
        "mean_probability": "float64",
        "accepted": "bool",
    },
    TILES: {"tile_id": "int64"},
}


@dataclass(frozen=True)
class Layer:
    """A layer of the GeoPackage.

    Attributes
    ----------
    name : str
    frame : GeoDataFrame
    kind : str
        Geometry type.
    renderer : Element
        How QGIS draws it.
    """

    name: str
    frame: gpd.GeoDataFrame
    kind: str
    renderer: Element


def export_qgis(project: Project, path: Path) -> Path:
    """Write a GeoPackage to correct a map in, and a QGIS project of the same name beside it.

    In the layer `ejecta` polygons can be changed; a tick in the column `accepted` says that a crater's map is right as
    it is. New rectangles in `tiles` are ground that was labelled completely.

    Parameters
    ----------
    project : Project
    path : Path
        Of the GeoPackage.

    Returns
    -------
    Path
        Of the QGIS project.

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
        made = Path(folder) / path.name
        for layer in layers:
            layer.frame.to_file(
                made, layer=layer.name, driver="GPKG", geometry_type=layer.kind, index=False
            )
        pyogrio.write_dataframe(_style_table(layers), made, layer="layer_styles", FID="id")
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, memoryview(made.read_bytes()))
    view = path.with_suffix(".qgs")
    replace_file(view, memoryview(_project_file(project, layers, path).encode()))
    return view


def tile_box(grid: Grid, window: Window) -> Polygon:
    """A window as a rectangle in the grid's CRS; it may lie over the right edge."""
    transform = grid.window_transform(window)
    left, top = transform @ (0, 0)
    right, bottom = transform @ (window.width, window.height)
    return box(left, bottom, right, top)


def _layers(project: Project, mapped: Sequence[Crater]) -> Iterator[Layer]:
    """All layers, from the lowest to the highest."""
    grid, labels = project.mosaic.grid, project.labels
    drawn_tiles = () if labels is None else labels.tiles or ()
    tiles = [(tile.tile_id, tile_box(grid, tile.window)) for tile in drawn_tiles]
    yield Layer(TILES, _frame(tiles, TILES, grid), "Polygon", styles.all_alike(styles.TILES))
    suggested = project.folder / "suggestions.csv"
    if suggested.exists():
        yield _suggestions(suggested, grid)
    if labels is not None:
        yield _labels(project.craters, labels)
    ejecta = _frame(list(_mapped_rows(project, mapped)), EDITED, grid)
    plain = ejecta[["crater_id", "name", "geometry"]]
    yield Layer(MAPPED, plain, "MultiPolygon", styles.by_crater(mapped, False))
    yield Layer(EDITED, ejecta, "MultiPolygon", styles.by_crater(mapped, True))
    yield _craters(project.craters, grid)


def _labels(craters: Sequence[Crater], labels: Labels) -> Layer:
    """What people drew so far."""
    drawn = [crater for crater in craters if crater.crater_id in labels.masks]
    table = {"crater_id": [c.crater_id for c in drawn], "name": [c.name for c in drawn]}
    shapes = []
    for crater in drawn:
        window, mask = _unwrapped(labels, crater.crater_id)
        shapes.append(outline_of(mask, labels.grid, window))
    frame = gpd.GeoDataFrame(table, geometry=shapes, crs=labels.grid.crs)
    return Layer("labels", frame, "MultiPolygon", styles.by_crater(drawn, False))


def _mapped_rows(project: Project, mapped: Sequence[Crater]) -> Iterator[tuple[object, ...]]:
    """A row a mapped crater, be it without ejecta."""
    table = gpd.read_file(project.maps / "ejecta.gpkg").set_index("crater_id")
    for crater in mapped:
        k = crater.crater_id
        if k in table.index:
            row = table.loc[k]
            yield k, crater.name, row["area_km2"], row["mean_probability"], False, row["geometry"]
        else:
            yield k, crater.name, 0.0, float("nan"), False, MultiPolygon()


def _suggestions(path: Path, grid: Grid) -> Layer:
    """Tiles that would teach most."""
    table = pd.read_csv(path)
    places = table[["row", "col", "height", "width"]].astype(int).itertuples(index=False)
    boxes = [tile_box(grid, Window(*place)) for place in places]
    frame = gpd.GeoDataFrame(table, geometry=boxes, crs=grid.crs)
    return Layer("suggestions", frame, "Polygon", styles.all_alike(styles.SUGGESTIONS))


def _craters(craters: Sequence[Crater], grid: Grid) -> Layer:
    """Centres of all craters of the catalogue."""
    degrees = cylinder("mosaic", CRS.from_wkt(grid.crs), OutputError)
    table = pd.DataFrame(
        {
            "crater_id": [crater.crater_id for crater in craters],
            "name": [crater.name for crater in craters],
            "radius_m": [crater.radius_m for crater in craters],
        }
    )
    # Where the mosaic begins at longitude 0, as on the mosaic.
    lon = [grid.lon_west + (crater.lon - grid.lon_west) % 360.0 for crater in craters]
    x, y = degrees.from_degrees(lon, [crater.lat for crater in craters])
    frame = gpd.GeoDataFrame(table, geometry=list(map(Point, x, y)), crs=grid.crs)
    return Layer("craters", frame, "Point", styles.all_alike(styles.CRATERS, points=True))


def _frame(rows: Sequence[tuple[object, ...]], name: str, grid: Grid) -> gpd.GeoDataFrame:
    columns = _COLUMNS[name]
    table = pd.DataFrame(rows, columns=[*columns, "geometry"]).astype(columns)
    return gpd.GeoDataFrame(table, geometry="geometry", crs=grid.crs)


def _style_table(layers: Sequence[Layer]) -> pd.DataFrame:
    """The table that QGIS looks for styles in (its data provider's `layer_styles`)."""
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
    """A QGIS project with the mosaic and, over it, the layers; paths are relative to it."""
    root = Element("qgis", version="3.22.0", projectname=project.folder.resolve().name)
    root.extend(_view(project.mosaic.grid))
    tree, maps = SubElement(root, "layer-tree-group"), SubElement(root, "projectlayers")
    mosaic = project.input_path(project.settings.inputs.mosaic)
    relative = Path(os.path.relpath(mosaic, package.parent.resolve())).as_posix()
    entries = [("mosaic", relative, "gdal", "", styles.raster_pipe(project.mosaic.bands))]
    for layer in layers:
        source = f"./{package.name}|layername={layer.name}"
        entries.append(
            (layer.name, source, "ogr", layer.kind.removeprefix("Multi"), layer.renderer)
        )
    for name, source, provider, geometry, looks in reversed(entries):
        shown = "Qt::Unchecked" if name in ("labels", MAPPED) else "Qt::Checked"
        layer_id = f"ejectamap_{name}"  # QGIS passes over ids of ten characters or fewer
        seen = {"id": layer_id, "name": name, "checked": shown, "expanded": "0"}
        seen |= {"source": source, "providerKey": provider}
        SubElement(tree, "layer-tree-layer", seen)
        shape = {"type": "vector", "geometry": geometry} if geometry else {"type": "raster"}
        entry = SubElement(maps, "maplayer", shape)
        for key, text in (("id", layer_id), ("datasource", source), ("layername", name)):
            SubElement(entry, key).text = text
        SubElement(entry, "provider").text = provider
        entry.append(_around("srs", _spatial_reference(project.mosaic.grid)))
        entry.append(looks)
    indent(root)
    head = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
    return head + tostring(root, encoding="unicode") + "\n"


def _view(grid: Grid) -> Iterator[Element]:
    """What the project itself has: its CRS, the body that its lengths are measured on, and the whole globe in sight."""
    yield _around("projectCrs", _spatial_reference(grid))
    settings = {
        # Without it QGIS passes over the project's CRS.
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
    extent.append(_spatial_reference(grid))
    yield _around("ProjectViewSettings", extent)


def _spatial_reference(grid: Grid) -> Element:
    """The mosaic's CRS."""
    element = Element("spatialrefsys")
    SubElement(element, "wkt").text = grid.crs
    return element


def _around(name: str, child: Element) -> Element:
    """An element that holds another."""
    element = Element(name)
    element.append(child)
    return element


def _unwrapped(labels: Labels, crater_id: int) -> tuple[Window, Bools]:
    """A label's window and mask; whole rows where the window wraps around, as shapes cannot."""
    window, mask = labels.masks[crater_id]
    if window.col + window.width <= labels.grid.width:
        return window, mask
    whole = Window(window.row, 0, window.height, labels.grid.width)
    return whole, labels.read(crater_id, whole)
