"""How QGIS shows the layers: its own XML for renderers, in the colours of all our pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from ejectamap.mapping.colours import crater_colour
from ejectamap.world.craters import Crater

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Look:
    """How polygons or points are drawn.

    Attributes
    ----------
    outline : tuple of int
        Red, green, blue, 0 to 255.
    fill : tuple of int or None
        None: nothing but the outline.
    dashed : bool
    """

    outline: Colour
    fill: Colour | None = None
    dashed: bool = False


TILES = Look((255, 255, 255))
SUGGESTIONS = Look((255, 210, 60), dashed=True)
CRATERS = Look((20, 20, 20), fill=(255, 255, 255))


def by_crater(craters: Sequence[Crater], filled: bool) -> Element:
    """Renderer that gives each crater's polygons its own colour."""
    renderer = Element(
        "renderer-v2", type="categorizedSymbol", attr="crater_id", symbollevels="0", forceraster="0"
    )
    categories, symbols = SubElement(renderer, "categories"), SubElement(renderer, "symbols")
    for k, crater in enumerate(craters):
        value = {"value": str(crater.crater_id), "type": "long", "label": crater.name}
        SubElement(categories, "category", {"symbol": str(k), "render": "true", **value})
        colour = crater_colour(crater.crater_id)
        symbols.append(_symbol(str(k), Look(colour, colour if filled else None, not filled)))
    return renderer


def all_alike(look: Look, points: bool = False) -> Element:
    """Renderer that draws everything in one way."""
    renderer = Element("renderer-v2", type="singleSymbol", symbollevels="0", forceraster="0")
    SubElement(renderer, "symbols").append(_symbol("0", look, points))
    return renderer


def raster_pipe(bands: int) -> Element:
    """Renderer of the mosaic: its first three bands, or its only one in grey, as they are."""
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
    """A style document with this renderer."""
    document = Element("qgis", version="3.34.0", styleCategories="Symbology")
    document.append(renderer)
    return "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n" + tostring(
        document, encoding="unicode"
    )


def _symbol(name: str, look: Look, points: bool = False) -> Element:
    kind, layer = ("marker", "SimpleMarker") if points else ("fill", "SimpleFill")
    symbol = Element("symbol", type=kind, name=name, alpha="1", clip_to_extent="1")
    drawn = SubElement(
        symbol, "layer", {"class": layer, "enabled": "1", "pass": "0", "locked": "0"}
    )
    options = {
        "outline_color": _colour(look.outline, 255),
        "outline_width": "0.4",
        "outline_width_unit": "MM",
        "outline_style": "dash" if look.dashed else "solid",
        "color": _colour(look.fill or look.outline, 110 if look.fill and not points else 255),
    }
    options |= {"name": "circle", "size": "2"} if points else {}
    options |= {} if points else {"style": "solid" if look.fill else "no"}
    table = SubElement(drawn, "Option", type="Map")
    for key, value in options.items():
        SubElement(table, "Option", type="QString", name=key, value=value)
    return symbol


def _colour(colour: Colour, opacity: int) -> str:
    return ",".join(map(str, (*colour, opacity)))
