"""Layers of the viewer as map tiles: mosaic, origin map, and each crater's probability, mask and labels."""

import io
from collections.abc import Mapping
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
from ejectamap.maps.colours import UNKNOWN, Colour
from ejectamap.maps.rasters import NO_DATA, Bytes
from ejectamap.pages.viewer.tiles import TILE_PX, MapTile, fill_tile
from ejectamap.world.grid import Grid
from ejectamap.world.labels import Labels
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.raster_files import open_raster

_STRETCH = 0.5, 99.5  # percentiles of the whole mosaic shown black and white
_DEVIATIONS = 2.5  # from the mean, shown black and white where percentiles are not at hand
_THUMBNAIL_PX = 1024
_EDGE_PX = 2  # width of a label's outline


def encode_png(picture: Bytes, compress: int = 1) -> bytes:
    """PNG of a picture: (row, col) in grey, or (row, col, 3 or 4) in colour.

    The compression level (`compress`, 0 to 9) is low, because the browser runs on the same machine.
    """
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=compress)
    return buffer.getvalue()


@dataclass(frozen=True)
class MosaicLayer:
    """The mosaic's first three bands in colour, or its first band in grey.

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
            fill_tile(
                tile, self.grid, self.grid.window_of(source.transform, source.shape), read, out
            )
        colour = out if len(out) == 4 else out[[0, 0, 0, 1]]
        shown = colour[:3] if out[-1].all() else colour
        return encode_png(np.ascontiguousarray(np.moveaxis(shown, 0, -1)), compress=0)

    @cached_property
    def stretch(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Values that are shown black and white; an array (band,) of each."""
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
        scaled = (values.astype(np.float32) - low) * (np.float32(255) / (high - low))
        return np.clip(scaled, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class SampledMosaicLayer:
    """The same for a mosaic whose file is not on the grid, has not the values that are mapped, or is large.

    Attributes
    ----------
    path : Path
        Of the mosaic, a file or a folder.
    mosaic : Mosaic
    """

    path: Path
    mosaic: Mosaic

    def tile(self, tile: MapTile) -> bytes:
        """PNG of a tile, transparent where there is no data."""
        spacing_m = np.pi * self.mosaic.grid.radius_m * tile.side_deg / TILE_PX / 180.0
        places = tile.lons()[None, :], tile.lats()[:, None]
        values, valid = self.mosaic.sample(*places, spacing_m)
        low, high = (end[:, None, None] for end in self.stretch)
        shown = np.clip((values[: len(low)] - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
        colour = shown if len(shown) == 3 else shown[[0, 0, 0]]
        picture = np.concatenate([colour, np.uint8(255) * valid[None]])
        return encode_png(np.ascontiguousarray(np.moveaxis(picture, 0, -1)), compress=0)

    @cached_property
    def stretch(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Values that are shown black and white; an array (band,) of each."""
        shown = slice(0, 3 if self.mosaic.bands >= 3 else 1)
        mean, std = (part[shown].astype(np.float32) for part in self.mosaic.mean_and_std)
        reach = np.maximum(np.float32(_DEVIATIONS) * std, np.float32(1e-9))
        return mean - reach, mean + reach


def _shown_bands(source: DatasetReader) -> list[int]:
    return [1, 2, 3] if source.count >= 3 else [1]


def _valid(source: DatasetReader, bands: list[int], **part: object) -> npt.NDArray[np.bool_]:
    """Mask (row, col) of pixels with data, as `world.mosaic` defines it: in all bands; in any band if no-data is 0."""
    masks = source.read_masks(bands, **part) > 0
    return np.asarray(masks.any(axis=0) if source.nodata == 0 else masks.all(axis=0))


def probability_tile(path: Path, grid: Grid, tile: MapTile) -> bytes:
    """Grey PNG of a tile of one crater's stored probability: `STEPS` times the probability, `NO_DATA` where unknown."""
    return encode_png(_read_tile(path, grid, tile, Resampling.average, NO_DATA))


def mask_tile(path: Path, grid: Grid, tile: MapTile) -> bytes:
    """Grey PNG of a tile of one crater's mask: 255 on ejecta, else 0."""
    return encode_png(np.uint8(255) * (_read_tile(path, grid, tile, Resampling.nearest, 0) == 1))


def origin_tile(
    path: Path, crater_colours: Mapping[int, Colour], grid: Grid, tile: MapTile
) -> bytes:
    """PNG of a tile of the origin map; the ejecta of each crater have its colour, other pixels are transparent."""
    numbers = _read_tile(path, grid, tile, Resampling.nearest, 0, np.uint32)
    distinct, index = np.unique(numbers, return_inverse=True)
    colours = np.zeros((len(distinct), 4), np.uint8)
    for k, number in enumerate(distinct.tolist()):
        if number > 0:
            colours[k] = (*crater_colours.get(number - 1, UNKNOWN), 255)
    return encode_png(colours[index.reshape(numbers.shape)])


def label_tile(labels: Labels, crater_id: int, tile: MapTile) -> bytes:
    """Grey PNG of a tile of a crater's label: 255 on the edge of its ejecta, 128 inside, else 0."""
    labelled = labels.sample(crater_id, tile.lons()[None, :], tile.lats()[:, None])
    interior = binary_erosion(labelled, iterations=_EDGE_PX, border_value=1)
    return encode_png(np.where(interior, 128, 255 * labelled).astype(np.uint8))


def _read_tile(
    path: Path,
    grid: Grid,
    tile: MapTile,
    resampling: Resampling,
    fill: int,
    dtype: type[np.unsignedinteger] = np.uint8,
) -> Bytes:
    """Values (row, col) of a tile of a raster of the map, `fill` outside the raster.

    `resampling` is used where a pixel of the tile covers several of the raster, nearest neighbour elsewhere.
    """
    if tile.reduction(grid) <= 1:
        resampling = Resampling.nearest
    out = np.full((1, TILE_PX, TILE_PX), fill, dtype)
    with open_raster(path, OutputError) as source:

        def read(window: rasterio.windows.Window, shape: tuple[int, int]) -> Bytes:
            values: Bytes = source.read(
                [1], window=window, out_shape=(1, *shape), resampling=resampling
            )
            return values

        fill_tile(tile, grid, grid.window_of(source.transform, source.shape), read, out)
    return np.asarray(out[0])
