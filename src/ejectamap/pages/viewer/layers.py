"""What the tiles show: the mosaic, one crater's probability, mask or label, and whose ejecta every pixel is."""

import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio.windows
from PIL import Image
from rasterio.enums import Resampling
from rasterio.io import DatasetReader
from scipy.ndimage import binary_erosion

from ejectamap.errors import MosaicError, OutputError
from ejectamap.mapping.colours import crater_colour
from ejectamap.mapping.export import NO_DATA
from ejectamap.pages.viewer.tiles import TILE_PX, MapTile, fill_tile, raster_window
from ejectamap.world.georeference import open_raster
from ejectamap.world.grid import Grid
from ejectamap.world.labels import Labels

Bytes = npt.NDArray[np.uint8]

_STRETCH = 0.5, 99.5  # percentiles of the whole mosaic shown black and white
_THUMBNAIL_PX = 1024
_EDGE_PX = 2  # width of a label's outline


def png(picture: Bytes, compress: int = 1) -> bytes:
    """A PNG of a picture: (row, col) in grey, or (row, col, 3 or 4) in colour.

    It goes no farther than this machine's browser: little effort is spent on its size (`compress`, 0 to 9).
    """
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=compress)
    return buffer.getvalue()


@dataclass(frozen=True)
class MosaicLayer:
    """The mosaic's first three bands in colour, or its first in grey.

    Attributes
    ----------
    path : Path
        A raster with overviews.
    grid : Grid
    """

    path: Path
    grid: Grid

    def tile(self, tile: MapTile) -> bytes:
        """PNG of a tile, transparent where there is no data."""
        with open_raster(self.path, MosaicError) as source:
            bands = _shown_bands(source)

            def read(window: rasterio.windows.Window, shape: tuple[int, int]) -> Bytes:
                part = {"window": window, "out_shape": (len(bands), *shape)}
                values = source.read(bands, resampling=Resampling.bilinear, **part)
                alpha = _valid(source, bands, **part)
                return np.concatenate([self._to_bytes(values), np.uint8(255) * alpha[None]])

            out = np.zeros((len(bands) + 1, TILE_PX, TILE_PX), np.uint8)
            fill_tile(tile, self.grid, raster_window(source, self.grid), read, out)
        colour = out if len(out) == 4 else out[[0, 0, 0, 1]]
        shown = colour[:3] if out[-1].all() else colour
        return png(np.ascontiguousarray(np.moveaxis(shown, 0, -1)), compress=0)

    @cached_property
    def stretch(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Values shown black and white, of each shown band."""
        with open_raster(self.path, MosaicError) as source:
            bands = _shown_bands(source)
            scale = min(1.0, _THUMBNAIL_PX / source.width)
            shape = len(bands), max(1, int(source.height * scale)), int(source.width * scale)
            values = source.read(bands, out_shape=shape)
            valid = _valid(source, bands, out_shape=shape)
        ends = np.percentile(values[:, valid], _STRETCH, axis=1) if valid.any() else np.eye(2, 1)
        low, high = ends.astype(np.float32)
        return low, np.maximum(high, low + np.float32(1e-9))

    def _to_bytes(self, values: npt.NDArray[np.generic]) -> Bytes:
        low, high = (end[:, None, None] for end in self.stretch)
        share = (values.astype(np.float32) - low) * (np.float32(255) / (high - low))
        return np.clip(share, 0, 255).astype(np.uint8)


def _shown_bands(source: DatasetReader) -> list[int]:
    return [1, 2, 3] if source.count >= 3 else [1]


def _valid(source: DatasetReader, bands: list[int], **part: object) -> npt.NDArray[np.bool_]:
    """Where there is data, as `world.mosaic` sees it: with no-data 0, where any band has some."""
    masks = source.read_masks(bands, **part) > 0
    return np.asarray(masks.any(axis=0) if source.nodata == 0 else masks.all(axis=0))


def probability_tile(path: Path, grid: Grid, tile: MapTile) -> bytes:
    """Grey PNG of a tile of one crater's map: 250 times the probability, 255 where unknown."""
    return png(_stored(path, grid, tile, Resampling.average, NO_DATA))


def mask_tile(path: Path, grid: Grid, tile: MapTile) -> bytes:
    """Grey PNG of a tile of one crater's mask: 255 on ejecta, else 0."""
    return png(np.uint8(255) * (_stored(path, grid, tile, Resampling.nearest, 0) == 1))


def origin_tile(path: Path, grid: Grid, tile: MapTile) -> bytes:
    """PNG of a tile of the origin map, each crater's ejecta in its colour."""
    owners = _stored(path, grid, tile, Resampling.nearest, 0, np.uint16)
    found, index = np.unique(owners, return_inverse=True)
    colours = np.zeros((len(found), 4), np.uint8)
    for k, owner in enumerate(found.tolist()):
        if owner > 0:
            colours[k] = (*crater_colour(owner - 1), 255)
    return png(colours[index.reshape(owners.shape)])


def label_tile(labels: Labels, crater_id: int, tile: MapTile) -> bytes:
    """Grey PNG of a tile of what people drew of a crater: 255 on the edge of ejecta, 128 within, else 0."""
    drawn = labels.sample(crater_id, tile.lons()[None, :], tile.lats()[:, None])
    within = binary_erosion(drawn, iterations=_EDGE_PX, border_value=1)
    return png(np.where(within, 128, 255 * drawn).astype(np.uint8))


def _stored(
    path: Path,
    grid: Grid,
    tile: MapTile,
    reducing: Resampling,
    elsewhere: int,
    dtype: type[np.unsignedinteger] = np.uint8,
) -> Bytes:
    """Values (row, col) of a raster of the map; `elsewhere` outside it. `reducing`: how several pixels become one."""
    resampling = reducing if tile.reduction(grid) > 1 else Resampling.nearest
    out = np.full((1, TILE_PX, TILE_PX), elsewhere, dtype)
    with open_raster(path, OutputError) as source:

        def read(window: rasterio.windows.Window, shape: tuple[int, int]) -> Bytes:
            values: Bytes = source.read(
                [1], window=window, out_shape=(1, *shape), resampling=resampling
            )
            return values

        fill_tile(tile, grid, raster_window(source, grid), read, out)
    return np.asarray(out[0])
