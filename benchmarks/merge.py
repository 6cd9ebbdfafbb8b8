"""How quickly a crater's chips come together on the mosaic's grid: this project against warping chip by chip with GDAL.

python benchmarks/merge.py [WIDTH_PX]
"""

import sys
import time
from collections.abc import Callable

import numpy as np
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.warp import reproject

from ejectamap.mapping.merge import merge_chips
from ejectamap.simulation.planet import make_grid
from ejectamap.views.tiling import ChipGrid
from ejectamap.world.body import BODIES
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window

SIZE_PX = 224


def chip_by_chip(
    pictures: np.ndarray, chips: ChipGrid, crater: Crater, grid: Grid, window: Window
) -> np.ndarray:
    """Each chip and its weights warped to the window around it, and added up there."""
    total, weights = np.zeros(window.shape, np.float32), np.zeros(window.shape, np.float32)
    side = np.minimum(np.arange(SIZE_PX) + 0.5, SIZE_PX - 0.5 - np.arange(SIZE_PX))
    weight = np.outer(side, side).astype(np.float32)
    about = {"proj": "aeqd", "lon_0": crater.lon, "lat_0": crater.lat, "R": grid.radius_m}
    frame, globe = CRS.from_dict(about), CRS.from_wkt(grid.crs)
    for picture, chip in zip(pictures, chips.chips(), strict=True):
        pixel_m = chip.side_m / SIZE_PX
        place = Affine(
            pixel_m, 0, chip.x_m - chip.side_m / 2, 0, -pixel_m, chip.y_m + chip.side_m / 2
        )
        lon, lat = chip.places(crater, grid.radius_m, SIZE_PX)
        col, row = grid.to_pixel(lon, lat)
        left, right = max(int(col.min()) - window.col, 0), int(col.max()) + 2 - window.col
        top, bottom = max(int(row.min()) - window.row, 0), int(row.max()) + 2 - window.row
        here = np.s_[top:bottom, left:right]
        found = np.zeros((2, *total[here].shape), np.float32)
        reproject(
            np.stack([picture * weight, weight]),
            found,
            src_transform=place,
            src_crs=frame,
            dst_transform=grid.window_transform(window) @ Affine.translation(left, top),
            dst_crs=globe,
            resampling=Resampling.bilinear,
            init_dest_nodata=False,
        )
        total[here] += found[0]
        weights[here] += found[1]
    return total / np.maximum(weights, 1e-6)


def processor_seconds(work: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    started = time.process_time()
    found = work()
    return time.process_time() - started, found


def rows(width_px: int = 23_040) -> list[tuple[str, str, str]]:
    grid = make_grid(width_px, BODIES["mercury"])
    # Off the poles and the dateline, where a chip's window would be the whole row.
    crater = Crater(1, "A", 20.0, 10.0, 20e3, reach=0.05)
    reach_m = crater.reach_m(grid.radius_m)
    chips = ChipGrid.around(reach_m, SIZE_PX * grid.pixel_m, 0.5)
    window = grid.cap_window(crater.lon, crater.lat, reach_m)
    rng = np.random.default_rng(0)
    coarse = rng.random((len(chips), 8, 8), np.float32)
    pictures = np.ascontiguousarray(coarse.repeat(SIZE_PX // 8, 1).repeat(SIZE_PX // 8, 2))
    every = np.arange(len(chips))
    merge_chips(pictures[:1], every[:1], chips, crater, grid, Window(window.row, window.col, 1, 1))
    ours_s, ours = processor_seconds(
        lambda: merge_chips(pictures, every, chips, crater, grid, window)
    )
    theirs_s, theirs = processor_seconds(
        lambda: chip_by_chip(pictures, chips, crater, grid, window)
    )
    apart = float(np.nanquantile(np.abs(ours - theirs), 0.99))
    what = f"merging {len(chips)} chips onto {window.height} x {window.width} px"
    took = f"{ours_s:.2f} against {theirs_s:.2f} s; 99 % of pixels within {apart:.3f}"
    return [(f"{what}, against GDAL chip by chip", took, f"{theirs_s / ours_s:.1f} times")]


if __name__ == "__main__":
    for row in rows(*map(int, sys.argv[1:])):
        print(*row, sep="  |  ")
