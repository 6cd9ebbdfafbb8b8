"""Map and mosaic around one crater: in its azimuthal equidistant frame, and by range and azimuth."""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from ejectamap.api.arrays import NO_DATA, with_crs
from ejectamap.errors import ArgumentError
from ejectamap.maps.reader import MapReader
from ejectamap.views.polar import PolarView
from ejectamap.world.body import azimuthal_crs
from ejectamap.world.craters import Crater
from ejectamap.world.mosaic import Floats, Mosaic
from ejectamap.world.sampling_grid import SamplingGrid
from ejectamap.world.sphere import Array, azimuthal_inverse, distance

_MARGIN = 1.1  # of what is shown beyond the farthest ejecta
_LEAST_RADII = 12.0  # of the crater
_MOST_PX = 2048  # a side, by default
_LEAST_COLS, _MOST_COLS = 360, 4096


def default_extent_m(reader: MapReader, crater: Crater) -> float:
    """Range that shows all of a crater's ejecta, in metres: a little beyond the farthest ones, at most its reach."""
    grid = reader.grid
    window, mask = reader.as_labels(crater.crater_id).masks[crater.crater_id]
    rows, cols = np.nonzero(mask)
    places = grid.to_lonlat(cols + window.col + 0.5, rows + window.row + 0.5)
    farthest_m = distance(crater.lon, crater.lat, *places, grid.radius_m).max(initial=0.0)
    wanted_m = max(_MARGIN * float(farthest_m), _LEAST_RADII * crater.radius_m)
    return min(wanted_m, crater.reach_m(grid.radius_m))


def azimuthal_dataset(
    mosaic: Mosaic,
    reader: MapReader,
    crater: Crater,
    half_m: float | None,
    spacing_m: float | None,
) -> xr.Dataset:
    """See `EjectaMap.azimuthal`."""
    limit_m = np.pi * mosaic.grid.radius_m
    extent_m = _extent_m(reader, crater, "half_m", half_m)
    side_m = _spacing_m(mosaic, extent_m, spacing_m)
    size = max(2, round(2 * extent_m / side_m))
    x_m = np.asarray((np.arange(size) + 0.5 - size / 2) * side_m, np.float64)
    points = SamplingGrid.azimuthal(crater.lon, crater.lat, x_m, -x_m, side_m)
    values, valid = mosaic.sample_on_grid(points)
    east, north = np.meshgrid(x_m, -x_m)
    places = azimuthal_inverse(east, north, crater.lon, crater.lat, mosaic.grid.radius_m)
    probability = reader.sample(crater.crater_id, *places, side_m)
    # Beyond half the circumference there is no ground that is not nearer in the opposite direction.
    exists = np.hypot(east, north) <= limit_m
    coords = {"y": ("y", -x_m), "x": ("x", x_m)}
    data = _dataset(mosaic, crater, np.where(exists, probability, np.nan), values, valid & exists)
    placed = data.rename(down="y", across="x").assign_coords(coords)
    dataset: xr.Dataset = with_crs(
        placed, azimuthal_crs(crater.lon, crater.lat, mosaic.grid.radius_m)
    )
    return dataset


def polar_dataset(
    mosaic: Mosaic,
    reader: MapReader,
    crater: Crater,
    range_m: float | None,
    spacing_m: float | None,
) -> xr.Dataset:
    """See `EjectaMap.polar`."""
    radius_m = mosaic.grid.radius_m
    extent_m = _extent_m(reader, crater, "range_m", range_m)
    depth_m = _spacing_m(mosaic, extent_m, spacing_m)
    rows = max(1, round((extent_m - 0.5 * crater.radius_m) / depth_m))
    widest_m = radius_m * np.sin(min(extent_m / radius_m, np.pi / 2))
    cols = int(np.clip(np.ceil(2 * np.pi * widest_m / depth_m), _LEAST_COLS, _MOST_COLS))
    view = PolarView(crater, radius_m, extent_m, rows, cols, power=1.0)
    lon, lat = view.places()
    values, valid = mosaic.sample(lon, lat, view.cell_spacing_m())
    probability = reader.sample(crater.crater_id, lon, lat, depth_m)
    degrees = {"units": "degrees"}
    data = _dataset(mosaic, crater, probability, values, valid)
    return data.rename(down="range", across="azimuth").assign_coords(
        {
            "range": ("range", view.row_ranges_m(), {"units": "m"}),
            "azimuth": ("azimuth", view.column_bearings_deg(), degrees),
            "lon": (("range", "azimuth"), lon, degrees),
            "lat": (("range", "azimuth"), lat, degrees),
        }
    )


def _dataset(
    mosaic: Mosaic, crater: Crater, probability: Array | Floats, values: Floats, valid: Any
) -> xr.Dataset:
    """Probability (down, across) and mosaic (band, down, across), nan where unknown, without coordinates."""
    known: npt.NDArray[np.float32] = np.where(valid, values, np.float32(np.nan))
    names = {"long_name": f"probability of ejecta of {crater.name}"}
    return xr.Dataset(
        {
            "probability": (
                ("down", "across"),
                np.asarray(probability, np.float32),
                names,
                NO_DATA,
            ),
            "mosaic": (("band", "down", "across"), known, {"long_name": "mosaic"}, NO_DATA),
        },
        coords={"band": list(mosaic.band_names)},
        attrs={"crater_id": crater.crater_id, "crater": crater.name},
    )


def _extent_m(reader: MapReader, crater: Crater, name: str, wanted_m: float | None) -> float:
    """How far from the crater the arrays go: as wanted, or by default to its farthest ejecta."""
    if wanted_m is None:
        return default_extent_m(reader, crater)
    limit_m = np.pi * reader.grid.radius_m
    if not crater.radius_m < wanted_m <= limit_m:
        raise ArgumentError(
            f"{name}: {wanted_m:g} m: give a length between the crater's radius ({crater.radius_m:.6g} m) and half the"
            f" circumference ({limit_m:.6g} m)"
        )
    return float(wanted_m)


def _spacing_m(mosaic: Mosaic, extent_m: float, wanted_m: float | None) -> float:
    """Side of a pixel: as wanted, or by default that of the mosaic, if there are not too many pixels then."""
    if wanted_m is None:
        return max(mosaic.grid.pixel_m, 2 * extent_m / _MOST_PX)
    if not 0 < wanted_m <= extent_m:
        raise ArgumentError(
            f"spacing_m: {wanted_m:g} m: give a length above 0, and at most {extent_m:.6g} m"
        )
    return float(wanted_m)
