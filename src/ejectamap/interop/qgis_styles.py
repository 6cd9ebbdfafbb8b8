"""Styles of the exported layers, in QGIS's XML for renderers; a crater has the same colour as in all other figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from ejectamap.maps.colours import Colour
from ejectamap.texts import valid_xml
from ejectamap.world.craters import Crater


@dataclass(frozen=True)
class SymbolStyle:
    """Style of polygons or points.

    Attributes
    ----------
    outline : tuple of int
        Red, green, blue, 0 to 255.
    fill : tuple of int or None
        None: only the outline is drawn.
    dashed : bool
        Whether the outline is dashed.
    """

    outline: Colour
    fill: Colour | None = None
    dashed: bool = False


TILES = SymbolStyle((255, 255, 255))
SUGGESTIONS = SymbolStyle((255, 210, 60), dashed=True)
CRATERS = SymbolStyle((20, 20, 20), fill=(255, 255, 255))


def by_crater(craters: Sequence[Crater], colours: Mapping[int, Colour], filled: bool) -> Element:
    """Renderer that draws each crater's polygons in the crater's own colour."""
    renderer = Element(
        "renderer-v2", type="categorizedSymbol", attr="crater_id", symbollevels="0", forceraster="0"
    )
    categories, symbols = SubElement(renderer, "categories"), SubElement(renderer, "symbols")
    for k, crater in enumerate(craters):
        value = {"value": str(crater.crater_id), "type": "long", "label": crater.name}
        SubElement(categories, "category", {"symbol": str(k), "render": "true", **value})
        colour = colours[crater.crater_id]
        symbols.append(_symbol(str(k), SymbolStyle(colour, colour if filled else None, not filled)))
    return renderer


def single(style: SymbolStyle, points: bool = False) -> Element:
    """Renderer that draws all rows in the same style."""
    renderer = Element("renderer-v2", type="singleSymbol", symbollevels="0", forceraster="0")
    SubElement(renderer, "symbols").append(_symbol("0", style, points))
    return renderer


def raster_pipe(bands: int) -> Element:
    """Renderer of the mosaic without contrast stretch: its first three bands as colours, or its first band in grey."""
    pipe = Element("pipe")
    common = {"opacity": "1", "alphaBand": "-1", "nodataColor": ""}
    if bands >= 3:
        colours = {"redBand": "1", "greenBand": "2", "blueBand": "3"}
        SubElement(pipe, "rasterrenderer", {"type": "multibandcolor", **colours, **common})
    else:
        grey = {"grayBand": "1", "gradient": "BlackToWhite"}
        SubElement(pipe, "rasterrenderer", {"type": "singlebandgray", **grey, **common})
    return pipe


def as_qml(renderer: Element) -> str:
    """A QML style document with this renderer."""
    document = Element("qgis", version="3.34.0", styleCategories="Symbology")
    document.append(renderer)
    head = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
    return valid_xml(head + tostring(document, encoding="unicode"))


def _symbol(name: str, style: SymbolStyle, points: bool = False) -> Element:
    kind, layer = ("marker", "SimpleMarker") if points else ("fill", "SimpleFill")
    symbol = Element("symbol", type=kind, name=name, alpha="1", clip_to_extent="1")
    symbol_layer = SubElement(
        symbol, "layer", {"class": layer, "enabled": "1", "pass": "0", "locked": "0"}
    )
    options = {
        "outline_color": _colour(style.outline, 255),
        "outline_width": "0.4",
        "outline_width_unit": "MM",
        "outline_style": "dash" if style.dashed else "solid",
        "color": _colour(style.fill or style.outline, 110 if style.fill and not points else 255),
    }
    options |= {"name": "circle", "size": "2"} if points else {}
    options |= {} if points else {"style": "solid" if style.fill else "no"}
    table = SubElement(symbol_layer, "Option", type="Map")
    for key, value in options.items():
        SubElement(table, "Option", type="QString", name=key, value=value)
    return symbol


def _colour(colour: Colour, opacity: int) -> str:
    return ",".join(map(str, (*colour, opacity)))
