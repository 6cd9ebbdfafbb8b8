"""Small rasters of any type, no-data value, place and CRS, as labels and as mosaics: read right, or refused."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasterio.errors import NotGeoreferencedWarning

from ejectamap.world.grid import Grid
from ejectamap.world.label_masks import read_mask
from ejectamap.world.labels import extract_window
from ejectamap.world.mosaic import Mosaic
from fuzzing import examples, read_or_refuse

TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64", "complex64")
CRSS = (
    None,
    "EPSG:4326",
    "EPSG:3857",
    "IAU_2015:19900",
    "IAU_2015:19910",
    "IAU_2015:30100",
    "+proj=eqc +R=2439400 +lon_0=180",
    "+proj=stere +lat_0=90 +R=2439400",
    "+proj=ortho +R=2439400",
    "+proj=longlat +a=2440530 +b=2438260",
)
SPECIAL = (0.0, 1.0, -1.0, 0.5, 255.0, 1e-6, 119743.76748698346, -7663601.12, 1e12, 1e300, np.nan)
NUMBERS = st.sampled_from(SPECIAL) | st.floats(-1e7, 1e7)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rasters") / "mask_crater_1.tif"


def save(path: Path, values: np.ndarray, **profile: Any) -> bool:
    """Write a GeoTIFF (band, row, col); False if none can have this profile."""
    count, height, width = values.shape
    path.unlink(missing_ok=True)  # GDAL looks into a file that it replaces
    size = {"count": count, "height": height, "width": width, "dtype": values.dtype}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, "w", driver="GTiff", **size, **profile) as target:
                target.write(values)
    except (ValueError, TypeError, OverflowError, rasterio.errors.RasterioError):
        return False
    return True


def values_of(dtype: str, shape: tuple[int, ...]) -> st.SearchStrategy[np.ndarray]:
    few = st.sampled_from([0, 1, 2, 100]).map(np.dtype(dtype).type)
    return arrays(dtype, shape, elements=few) | arrays(dtype, shape)


@given(data=st.data(), dtype=st.sampled_from(TYPES), nodata=st.none() | NUMBERS)
@examples
def test_a_label_with_pixels_of_the_grid_is_read_right_or_refused(
    file: Path, grid: Grid, data: st.DataObject, dtype: str, nodata: float | None
) -> None:
    height, width = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 20))
    row, col = data.draw(st.integers(0, 64 - height)), data.draw(st.integers(-128, 128))
    values = data.draw(values_of(dtype, (1, height, width)))
    transform = grid.transform @ Affine.translation(col, row)
    if not save(file, values, crs=grid.crs, transform=transform, nodata=nodata):
        return
    read = read_or_refuse(lambda: read_mask(file, grid))
    if read is not None:
        expected = np.zeros(grid.shape, bool)
        columns = np.arange(col, col + width) % grid.width
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a no-data value outside the type
            empty = values[0] == (0 if nodata is None else nodata)
        empty |= (values[0] == 0) | np.isnan(values[0])
        expected[row : row + height, columns] = ~empty
        window, mask = read
        np.testing.assert_array_equal(
            extract_window(window, mask, grid.whole, grid.width), expected
        )


@given(
    values=st.sampled_from(TYPES).flatmap(lambda dtype: values_of(dtype, (1, 5, 8))),
    crs=st.sampled_from(CRSS),
    transform=st.tuples(*[NUMBERS] * 6),
    nodata=st.none() | NUMBERS,
)
@examples
def test_a_label_at_any_place_is_read_or_refused(
    file: Path,
    grid: Grid,
    values: np.ndarray,
    crs: str | None,
    transform: tuple[float, ...],
    nodata: float | None,
) -> None:
    if save(file, values, crs=crs, transform=Affine(*transform), nodata=nodata):
        read = read_or_refuse(lambda: read_mask(file, grid))
        if read is not None:
            window, mask = read
            assert mask.shape == (window.height, window.width)
            assert 0 <= window.row <= window.row + window.height <= grid.height


@given(
    values=st.sampled_from(TYPES).flatmap(lambda dtype: values_of(dtype, (2, 6, 12))),
    crs=st.sampled_from(CRSS),
    pixel=st.sampled_from([30.0, 15.0, -30.0, 1.0, 1.3e6, 1e5]) | NUMBERS,
    corner=st.tuples(NUMBERS, NUMBERS) | st.sampled_from([(-180.0, 90.0), (0.0, 90.0)]),
    nodata=st.none() | NUMBERS,
)
@examples
def test_a_mosaic_at_any_place_is_read_or_refused(
    file: Path,
    values: np.ndarray,
    crs: str | None,
    pixel: float,
    corner: tuple[float, float],
    nodata: float | None,
) -> None:
    transform = Affine(pixel, 0, corner[0], 0, -pixel, corner[1])
    if save(file, values, crs=crs, transform=transform, nodata=nodata):
        mosaic = read_or_refuse(lambda: Mosaic.open(file))
        if mosaic is not None:
            read, valid = mosaic.read(mosaic.grid.whole)
            assert read.shape == (2, *mosaic.grid.shape)
            assert np.isfinite(read[:, valid]).all()


@given(start=st.integers(0, 400), other=st.binary(max_size=8), end=st.none() | st.integers(0, 800))
@examples
def test_a_damaged_raster_is_read_or_refused(
    file: Path, grid: Grid, start: int, other: bytes, end: int | None
) -> None:
    values = np.eye(8, 16, dtype=np.uint8)[None]
    assert save(file, values, crs=grid.crs, transform=grid.transform, compress="deflate")
    content = file.read_bytes()
    file.write_bytes((content[:start] + other + content[start + len(other) :])[:end])
    read_or_refuse(lambda: read_mask(file, grid))
    read_or_refuse(lambda: Mosaic.open(file))
