"""A crater well inside a part of a mosaic gets the map that the whole mosaic gives it."""

from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import CRS
from rasterio.warp import reproject

from ejectamap.errors import MosaicError
from ejectamap.networks.ensemble import Ensemble
from ejectamap.networks.polar_prediction import PolarPredictor
from ejectamap.simulation.planet import Planet
from ejectamap.world.coverage import ground_share
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.mosaic import Mosaic

Save = Callable[..., Path]
THRESHOLD = 0.3


@pytest.fixture(scope="module")
def networks(planet: Planet) -> Ensemble:
    folder = Path(str(resources.files("ejectamap") / "weights" / "context"))
    return Ensemble.load(folder, planet.mosaic.bands)


def cut(planet: Planet, path: Path, window: Window, save: Save) -> Path:
    grid = planet.mosaic.grid
    values, valid = planet.mosaic.read(window)
    assert not values[:, ~valid].any()
    return save(path, values, grid, transform=grid.window_transform(window), nodata=0)


def polar_cap(planet: Planet, path: Path, save: Save) -> Path:
    """North of latitude 10, in polar stereographic projection."""
    grid = planet.mosaic.grid
    crs = CRS.from_dict({"proj": "stere", "lat_0": 90, "R": grid.radius_m})
    half_m = 2 * grid.radius_m * np.tan(np.radians(40))
    size = int(2 * half_m / (0.5 * grid.pixel_m))
    transform = Affine(2 * half_m / size, 0, -half_m, 0, -2 * half_m / size, half_m)
    values, _ = planet.mosaic.read(grid.whole)
    warped = np.zeros((len(values), size, size), values.dtype)
    reproject(
        values, warped, src_transform=grid.transform, src_crs=grid.crs, src_nodata=0, dst_nodata=0,
        dst_transform=transform, dst_crs=crs.to_wkt(), resampling=rasterio.enums.Resampling.bilinear,
    )  # fmt: skip
    return save(path, warped, grid, crs=crs.to_wkt(), transform=transform, nodata=0)


def f1(first: np.ndarray, second: np.ndarray) -> float:
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


@pytest.mark.parametrize("part", ["band", "quadrangle", "polar cap"])
def test_maps_of_a_part_and_the_whole_agree(
    tmp_path: Path, planet: Planet, networks: Ensemble, write_raster: Save, part: str
) -> None:
    grid, path = planet.mosaic.grid, tmp_path / "part.tif"
    north, south = (round((90 - lat) * grid.height / 180) for lat in (60, -60))
    lat = 75.0 if part == "polar cap" else 0.0
    crater = replace(min(planet.craters, key=lambda c: abs(c.lat - lat)), reach=0.15)
    if part == "band":
        cut(planet, path, Window(north, 0, south - north, grid.width), write_raster)
    elif part == "quadrangle":
        col, row = (int(v) for v in grid.to_pixel(crater.lon - 50, crater.lat + 50))
        side = round(100 * grid.height / 180)
        cut(planet, path, Window(max(row, 0), col, side, side), write_raster)
    else:
        polar_cap(planet, path, write_raster)
    opened = Mosaic.open(path).as_part_of(planet.mosaic)
    assert ground_share(opened, crater) > 0.9
    masks = [
        PolarPredictor(networks, mosaic, planet.craters).predict(crater).probability > THRESHOLD
        for mosaic in (planet.mosaic, opened)
    ]
    assert masks[0].sum() > 100
    assert f1(*masks) >= 0.97


def test_a_part_has_the_bands_and_the_radius_of_the_whole(
    planet: Planet, grid: Grid, make_mosaic: Callable[..., Mosaic]
) -> None:
    other = make_mosaic(np.ones((1, *grid.shape), np.uint8), grid)
    with pytest.raises(MosaicError, match=r"inputs\.part_of.*bands on a sphere"):
        planet.mosaic.as_part_of(other)


def test_share_of_ground(grid: Grid, make_mosaic: Callable[..., Mosaic]) -> None:
    valid = np.zeros(grid.shape, bool)
    valid[:32] = True
    mosaic = make_mosaic(np.ones((1, *grid.shape), np.uint8), grid, valid)
    crater = Crater(1, "A", 20.0, 0.0, 1e5)
    shares = [ground_share(mosaic, replace(crater, lat=lat)) for lat in (50.0, 0.0, -60.0)]
    assert shares == pytest.approx([1.0, 0.5, 0.0], abs=0.02)
