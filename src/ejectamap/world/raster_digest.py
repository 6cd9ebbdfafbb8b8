"""Digests of rasters and mosaics: of everything that GDAL reads for them, wherever the files lie.

A virtual raster's sources, a mask or world file beside a raster, a header apart from its pixels: all count, and the
sources of sources. Overviews do not, nor the statistics that other programs leave in `.aux.xml` files.

The digest of a large file takes a second per gigabyte. It is remembered in a cache folder together with the file's
size, number (inode) and times of change, also the one that only the system sets, so that no write to the file leaves
all of these as they were; nor is it remembered while the last change is so recent that another could bear the same
time. A small file is read each time.
"""

import hashlib
import json
import os
import time
from pathlib import Path
from xml.etree import ElementTree

from ejectamap.errors import EjectamapError, MosaicError, OutputError
from ejectamap.files import hash_file, read_text, replace_file
from ejectamap.world.mosaic_files import mosaic_rasters
from ejectamap.world.raster_files import open_raster

_OVERVIEWS, _AUXILIARY = ".ovr", ".aux.xml"
_LARGE_BYTES = 256 * 2**20  # from which on a file's digest is remembered
_CLOCK_S = (
    2.0  # the coarsest clock of a disk: within it, two changes of a file may bear the same time
)


def mosaic_digests(path: Path, cache: Path | None = None) -> tuple[str, ...]:
    """Digests of all that GDAL reads for a mosaic, a raster or a folder of them; just one if it is a single file.

    Parameters
    ----------
    path : Path
    cache : Path, optional
        Folder in which the digests of large files are remembered.

    Raises
    ------
    MosaicError
        If a raster cannot be read, or changes meanwhile.
    """
    digests = []
    for raster in mosaic_rasters(path):
        (_, main), *others = raster_contents(raster, cache)
        digests += [main, *sorted(digest for _, digest in others)]
    return tuple(digests)


def raster_contents(path: Path, cache: Path | None = None) -> list[tuple[str, str]]:
    """Name and digest of a raster's file and of the others that GDAL reads for it, the raster itself first.

    The names are paths from the raster's folder: of two files that change places, the digests alone would not tell.

    Raises
    ------
    MosaicError
        If the raster cannot be read, or changes meanwhile.
    """
    main, *others = raster_files(path)
    digests = [_file_digest(main, cache), *(_content_digest(other, cache) for other in others)]
    names = [Path(os.path.relpath(file, main.parent)).as_posix() for file in (main, *others)]
    pairs = zip(names, digests, strict=True)
    return [(name, digest) for name, digest in pairs if digest is not None]


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


def _file_digest(path: Path, cache: Path | None) -> str:
    """Digest of a file, remembered if it is large and there is a cache folder."""
    identity = _identity(path)
    if cache is None or identity["bytes"] < _LARGE_BYTES:
        return hash_file(path)
    memory = cache / "digests" / f"{_digest(str(path))}.json"
    try:
        known = json.loads(read_text(memory))
        if known["identity"] == identity:
            return str(known["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not remembered, or not readable: it is computed again
    started, digest = time.time(), hash_file(path)
    if _identity(path) != identity:
        raise MosaicError(f"{path}: changed while it was read: run again once it is complete")
    if started - max(identity["modified_ns"], identity["changed_ns"]) / 1e9 > _CLOCK_S:
        content = {"file": str(path), "identity": identity, "digest": digest}
        try:
            memory.parent.mkdir(parents=True, exist_ok=True)
            replace_file(memory, (json.dumps(content, indent=2) + "\n").encode())
        except (OSError, OutputError):
            pass  # a folder that cannot be written: the digest is computed each time
    return digest


def _identity(path: Path) -> dict[str, int]:
    """What the system changes whenever a file's content changes."""
    state = path.stat()
    return {
        "bytes": state.st_size,
        "inode": state.st_ino,
        "modified_ns": state.st_mtime_ns,
        "changed_ns": state.st_ctime_ns,
    }


def _content_digest(path: Path, cache: Path | None) -> str | None:
    """Digest of a file beside a raster; None where it says nothing about the raster's values or place."""
    if not path.name.lower().endswith(_AUXILIARY):
        return _file_digest(path, cache)
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
