"""The origin map: which crater the ejecta of every pixel of the globe most likely came from.

It holds id + 1 of the crater, 0 where there is none, in the smallest type that the largest id fits: uint8, uint16 or
uint32. A raster of the first two has a colour table; no GeoTIFF of the third can. Beside any of them stands
`origin.qml`, with which QGIS shows each crater in its colour and by its name.
"""

import shutil
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

import numba
import numpy as np
import numpy.typing as npt

from ejectamap.files import partial_path, replace_file
from ejectamap.maps.colours import Colour
from ejectamap.maps.files import write_cog
from ejectamap.maps.rasters import NO_DATA, STEPS, Bytes
from ejectamap.texts import valid_xml
from ejectamap.world.arrays import ArrayFiles
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window

Origins = npt.NDArray[np.unsignedinteger[Any]]
"""Id + 1 of a crater, 0 for none."""
LARGEST_IN_MEMORY = 2**30
"""Bytes of an origin map up to which it is held in memory while it is made."""


class OriginMap:
    """The likeliest crater of every pixel of the globe, accumulated crater by crater, in any order.

    Takes three bytes a pixel of the whole grid, five where an id is above 65534: in memory, or in temporary files where
    they are more than `LARGEST_IN_MEMORY`.

    Parameters
    ----------
    grid : Grid
        The mosaic's.
    threshold : float
        Probability above which a pixel is a crater's.
    largest_id : int
        Of all craters that will be added, at most `world.crater_columns.LARGEST_ID`.
    folder : Path, optional
        For temporary files; without it all is in memory.
    """

    def __init__(
        self,
        grid: Grid,
        threshold: float = 0.5,
        largest_id: int = 0,
        folder: Path | None = None,
    ) -> None:
        self.grid = grid
        self.threshold = threshold
        dtype = np.uint16 if largest_id < np.iinfo(np.uint16).max else np.uint32
        pixel_bytes = 1 + np.dtype(dtype).itemsize
        is_large = grid.height * grid.width * pixel_bytes > LARGEST_IN_MEMORY
        self._files = _temporary_files(folder) if folder is not None and is_large else None
        # `full`, because pages that `zeros` has not touched yet make the masked writes below forty times slower.
        make = _filled if self._files is None else self._files.create
        self._probability: Bytes = make("probability", grid.shape, np.uint8)
        self._origin: Origins = make("origin", grid.shape, dtype)

    def add(self, crater_id: int, window: Window, stored: Bytes) -> None:
        """Add one crater, or a strip of its map.

        It gets the pixels where its probability exceeds the threshold and that of every other crater; equal
        probabilities go to the smaller id.

        Parameters
        ----------
        crater_id : int
        window : Window
        stored : uint8 array (height, width)
            Its stored probability; see `rasters.quantise`.
        """
        area = np.s_[
            window.row : window.row + window.height, window.col : window.col + window.width
        ]
        if self._files is not None:
            for name in ("probability", "origin"):
                self._files.reserve(name, area[0])
        level = self.threshold * STEPS
        _assign_likelier(self._probability[area], self._origin[area], stored, crater_id + 1, level)

    @property
    def origin(self) -> Origins:
        """Id + 1 of the likeliest crater, 0 where there is none; shape of the grid."""
        return self._origin

    def write(
        self, path: Path, craters: Sequence[Crater], crater_colours: Mapping[int, Colour]
    ) -> None:
        """Write a global COG of id + 1, with a colour table if its type can have one, and its style for QGIS.

        Parameters
        ----------
        path : Path
        craters : sequence of Crater
            All that were added.
        crater_colours : mapping of int to Colour
            By crater id; see `colours.crater_colours`.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        largest = max((crater.crater_id for crater in craters), default=0) + 1
        dtype = np.min_scalar_type(largest).type
        colours = {c.crater_id + 1: crater_colours[c.crater_id] for c in craters}
        has_table = dtype in (np.uint8, np.uint16)
        whole = self.grid.whole
        strips = (
            (s, self._origin[s.row : s.row + s.height].astype(dtype, copy=False))
            for s in self.grid.strips(whole)
        )
        write_cog(
            path,
            strips,
            self.grid,
            whole,
            dtype=dtype,
            description="id of the likeliest crater + 1, 0 = none",
            nodata=0,
            resampling="nearest",
            colours={k: (*c, 255) for k, c in colours.items()} if has_table else None,
        )
        names = {c.crater_id + 1: f"{c.name} ({c.crater_id})" for c in craters}
        replace_file(path.with_suffix(".qml"), _style(colours, names).encode())


def _filled(_: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    return np.full(shape, 0, dtype)


def _temporary_files(folder: Path) -> ArrayFiles:
    """Files in a folder of their own that goes with them."""
    temporary = partial_path(folder / "origin")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    files = ArrayFiles(temporary)
    weakref.finalize(files, shutil.rmtree, temporary, ignore_errors=True)
    return files


def _style(colours: Mapping[int, Colour], names: Mapping[int, str]) -> str:
    """QGIS's style of a raster of values, each with its colour (0 to 255) and name."""
    document = Element("qgis", version="3.34.0", styleCategories="Symbology")
    options = {"type": "paletted", "band": "1", "opacity": "1", "alphaBand": "-1"}
    renderer = SubElement(SubElement(document, "pipe"), "rasterrenderer", options)
    palette = SubElement(renderer, "colorPalette")
    for value, (red, green, blue) in colours.items():
        label = "".join(letter for letter in names[value] if letter.isprintable())
        entry = {"value": str(value), "color": f"#{red:02x}{green:02x}{blue:02x}", "alpha": "255"}
        SubElement(palette, "paletteEntry", entry | {"label": label})
    head = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
    return valid_xml(head + tostring(document, encoding="unicode") + "\n")


@numba.njit(cache=True, nogil=True)
def _assign_likelier(probability, origin, stored, number, level):  # type: ignore[no-untyped-def]
    """Assign the pixels where a crater exceeds a level (see `rasters.exceeds`) and is likelier than any so far."""
    for r in range(stored.shape[0]):
        for c in range(stored.shape[1]):
            p = stored[r, c]
            if level < p < NO_DATA and (
                p > probability[r, c] or (p == probability[r, c] and number < origin[r, c])
            ):
                probability[r, c], origin[r, c] = p, number
