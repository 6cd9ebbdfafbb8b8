"""Rasters of any projection brought to the program's grid by GDAL's warper."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from rasterio.enums import Resampling
from rasterio.warp import reproject

from ejectamap.world.georeference import Projection
from ejectamap.world.grid import Bools, Grid, Window

Floats = npt.NDArray[np.float32]

_FULL = 1e-3  # by which a kernel's weight may miss 1 where all pixels under it have data
_SAMPLES = 48  # places along each side of a raster by which the ground that it covers is found


def ground_covered(
    projection: Projection, transform: Affine, shape: tuple[int, int], grid: Grid
) -> Window:
    """Window of a grid that holds all ground of a raster, in any projection.

    Parameters
    ----------
    projection : Projection
        Of the raster's CRS; see `georeference.read_projection` and `georeference.projection_beside_mosaic`.
    transform : Affine
        From the raster's (col, row) to CRS coordinates.
    shape : tuple of int
        Height and width of the raster.
    grid : Grid
        On a sphere of the same body.

    Returns
    -------
    Window
        It may wrap around the grid's right edge. Its height is 0 if the raster shows no ground.
    """
    top, bottom, first, last = _covered_pixels(projection, transform, shape, grid)
    return Window(top, first % grid.width, max(0, bottom - top), min(last - first, grid.width))


def warp_to_grid(
    values: npt.NDArray[np.generic],
    weight: Floats,
    projection: Projection,
    transform: Affine,
    grid: Grid,
    is_nearest: bool = False,
) -> Iterator[tuple[Window, npt.NDArray[np.generic], Bools]]:
    """Bring a raster to a grid, in strips of whole rows of the window that `ground_covered` returns.

    Parameters
    ----------
    values : array (band, row, col)
        Of the raster, of any type of real numbers; 0 where they are no data.
    weight : float32 array (row, col)
        1 where they are data, 0 elsewhere: such pixels have no influence.
    projection, transform, grid
        As in `ground_covered`.
    is_nearest : bool
        Take the nearest pixel's value, as for labels; else interpolate, cubically but next to pixels without data,
        where bilinearly.

    Yields
    ------
    Window
        A strip of the grid; its columns may wrap around the grid's right edge.
    array (band, height, width)
        Values in it, in the raster's type.
    bool array (height, width)
        Where they are data: where at least half of the weight fell on data.
    """
    shape = values.shape[1:]
    top, bottom, first, last = _covered_pixels(projection, transform, shape, grid)
    covered = Window(top, first % grid.width, bottom - top, min(last - first, grid.width))
    if covered.height <= 0 or covered.width <= 0:
        return
    step = Affine.scale(360.0 / grid.width, -grid.span_deg / grid.height)
    corner = Affine.translation(grid.lon_west, grid.lat_north) @ step
    sampling = (Resampling.nearest,) if is_nearest else (Resampling.cubic, Resampling.bilinear)
    for strip in grid.strips(covered):
        place = corner @ Affine.translation(first, strip.row)
        warped = _Warp(values, weight, projection, transform, place, strip.shape)
        yield strip, *warped.interpolate(*sampling)


@dataclass(frozen=True)
class _Warp:
    """A raster and a rectangle of the grid, whose `place` is the transform from its (col, row) to degrees."""

    values: npt.NDArray[np.generic]
    weight: Floats
    projection: Projection
    transform: Affine
    place: Affine
    shape: tuple[int, int]

    def interpolate(
        self, sharp: Resampling, at_edges: Resampling | None = None
    ) -> tuple[npt.NDArray[np.generic], Bools]:
        """Values and validity, by another kernel where the sharp one meets pixels without data: it would oscillate."""
        means, weight = self._weighted_means(sharp)
        if at_edges is not None and not (is_full := np.abs(weight - 1) < _FULL).all():
            edge_means, weight = self._weighted_means(at_edges)
            means = np.where(is_full, means, edge_means)
        if np.issubdtype(self.values.dtype, np.integer):
            limits = np.iinfo(self.values.dtype.name)
            means = np.clip(np.rint(means), limits.min, limits.max)
        return means.astype(self.values.dtype), weight >= 0.5

    def _weighted_means(self, kernel: Resampling) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Means of the valid pixels (band, row, col) under a kernel, and its weight on them (row, col)."""
        working = np.result_type(self.values.dtype, np.float32)
        weight = self._reproject(self.weight, kernel, np.dtype(np.float32))
        sums = self._reproject(self.values, kernel, working)
        return sums / np.maximum(weight, 0.5).astype(working), weight

    def _reproject(
        self, source: npt.NDArray[Any], kernel: Resampling, dtype: np.dtype[Any]
    ) -> npt.NDArray[Any]:
        out = np.zeros((*source.shape[:-2], *self.shape), dtype)
        reproject(
            source,
            out,
            src_transform=self.transform,
            dst_transform=self.place,
            # Coordinates are transformed by the pipeline; GDAL wants two projected CRS, which differ, in addition.
            src_crs=rasterio.CRS.from_string("+proj=eqc +R=1"),
            dst_crs=rasterio.CRS.from_string("+proj=eqc +R=2"),
            resampling=kernel,
            COORDINATE_OPERATION=self.projection.pipeline,
            # The edges alone may all lie beyond the projection, as for a view of one hemisphere.
            SAMPLE_GRID="YES",
        )
        return out


def _covered_pixels(
    projection: Projection, transform: Affine, shape: tuple[int, int], grid: Grid
) -> tuple[int, int, int, int]:
    """First and last row and column (+ 1) of a grid that a raster covers; columns are not wrapped."""
    rows, cols = (np.linspace(0, size, _SAMPLES + 1) for size in shape)
    x, y = transform @ np.array([a.ravel() for a in np.meshgrid(cols, rows)])
    lon, lat = projection.to_lonlat(x, y)
    known = np.isfinite(lon) & np.isfinite(lat) & (np.abs(lat) <= 90.0 + 1.0)
    if not known.any():
        return 0, 0, 0, 0
    lon, lat = lon[known], lat[known]
    poles = [pole for pole in (90.0, -90.0) if _shows(projection, transform, shape, pole)]
    # Between the sampled places there may be ground a little beyond all of them.
    margin = (lat.max() - lat.min()) / _SAMPLES
    north, south = (
        max([lat.max() + margin, *poles]),
        min([lat.min() - margin, *poles]),
    )
    to_row, to_col = grid.height / grid.span_deg, grid.width / 360.0
    top = max(0, int(np.floor((grid.lat_north - north) * to_row)))
    bottom = min(grid.height, int(np.ceil((grid.lat_north - south) * to_row)))
    if projection.cylinder is not None:
        west, east = lon.min(), lon.max()
    elif poles:
        west, east = grid.lon_west, grid.lon_west + 360.0
    else:
        west, east = _longitude_range(lon)
    first = int(np.floor((west - grid.lon_west) * to_col + 1e-6))
    last = int(np.ceil((east - grid.lon_west) * to_col - 1e-6))
    return top, bottom, first, last


def _shows(projection: Projection, transform: Affine, shape: tuple[int, int], pole: float) -> bool:
    """Whether a pole lies in a raster that is in a projection other than cylindrical."""
    if projection.cylinder is not None:
        return False
    x, y = projection.from_lonlat(np.arange(0.0, 360.0, 90.0), np.full(4, pole))
    known = np.isfinite(x) & np.isfinite(y)
    col, row = ~transform @ np.stack([x[known], y[known]])
    inside = (col >= 0) & (col <= shape[1]) & (row >= 0) & (row <= shape[0])
    return bool(inside.any())


def _longitude_range(lon: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Shortest range of longitude that holds all of these, and a little more."""
    lon = np.sort(np.remainder(lon, 360.0))
    gaps = np.diff(lon, append=lon[0] + 360.0)
    widest = int(np.argmax(gaps))
    if gaps[widest] < 360.0 / _SAMPLES * 2:
        return float(lon[0]), float(lon[0]) + 360.0
    west = float(lon[(widest + 1) % lon.size])
    width = 360.0 - float(gaps[widest])
    margin = min(width / _SAMPLES, float(gaps[widest]) / 2)
    return west - margin, west + width + margin
