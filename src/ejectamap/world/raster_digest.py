"""Digests of rasters and mosaics: of everything that GDAL reads for them, wherever the files lie.

A virtual raster's sources, a mask or world file beside a raster, a header apart from its pixels: all count, and the
sources of sources. Overviews do not, nor the statistics that other programs leave in `.aux.xml` files.
"""

import hashlib
from pathlib import Path
from xml.etree import ElementTree

from ejectamap.errors import EjectamapError, MosaicError
from ejectamap.files import hash_file
from ejectamap.world.mosaic_files import mosaic_rasters
from ejectamap.world.raster_files import open_raster

_OVERVIEWS, _AUXILIARY = ".ovr", ".aux.xml"


def mosaic_digests(path: Path) -> tuple[str, ...]:
    """Digests of all that GDAL reads for a mosaic, a raster or a folder of them; just one if it is a single file.

    Raises
    ------
    MosaicError
        If a raster cannot be read.
    """
    digests = [digest for raster in mosaic_rasters(path) for digest in raster_digests(raster)]
    return tuple(digests)


def raster_digests(path: Path) -> list[str]:
    """Digests of a raster's file and of the others that GDAL reads for it, in an order that no path changes.

    Raises
    ------
    MosaicError
        If the raster cannot be read.
    """
    main, *others = raster_files(path)
    digests = (_content_digest(other) for other in others)
    return [hash_file(main), *sorted(digest for digest in digests if digest is not None)]


def raster_files(path: Path) -> list[Path]:
    """All files that GDAL reads for a raster but its overviews, the raster itself first; raises `MosaicError`."""
    found = [path.resolve()]
    with open_raster(path, MosaicError) as source:
        waiting = [Path(name).resolve() for name in source.files]
    while waiting:
        file = waiting.pop(0)
        if file in found or file.suffix.lower() == _OVERVIEWS or not file.is_file():
            continue
        found.append(file)
        try:
            with open_raster(file, MosaicError) as source:
                waiting += [Path(name).resolve() for name in source.files]
        except EjectamapError:  # a file beside a raster that is none itself
            continue
    return found


def _content_digest(path: Path) -> str | None:
    """Digest of a file beside a raster; None where it says nothing about the raster's values or place."""
    if not path.name.lower().endswith(_AUXILIARY):
        return hash_file(path)
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError:
        return hash_file(path)
    for parent in [*root.iter("PAMRasterBand"), root]:
        for child in list(parent):
            if _is_statistics(child) or (child.tag == "PAMRasterBand" and not len(child)):
                parent.remove(child)
    return _digest(ElementTree.canonicalize(ElementTree.tostring(root))) if len(root) else None


def _is_statistics(element: ElementTree.Element) -> bool:
    keys = [item.get("key", "") for item in element]
    return element.tag == "Histograms" or (
        element.tag == "Metadata" and all(key.startswith("STATISTICS_") for key in keys)
    )


def _digest(content: str) -> str:
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()
