"""How quickly chips and corridors are sampled: this project against GDAL's warp, torch's grid_sample and pyresample.

    python benchmarks/sampler.py [WIDTH_PX] [CHIPS]

Processor time of a chip of 224 x 224 pixels and 3 bands, and how many times as long the others take. All begin with
a crater and a chip, and with the globe in memory in the form that suits them; this project and torch also say where
there are data, GDAL and pyresample are told of no mask.
"""

import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from pyresample import AreaDefinition
from pyresample.bilinear import NumpyBilinearResampler
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.warp import reproject

from ejectamap.simulation.planet import make_grid
from ejectamap.views.chip import Chip
from ejectamap.views.corridor import Corridor
from ejectamap.views.tiling import ChipGrid
from ejectamap.world.body import BODIES
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import destination

SIZE_PX = 224
CORRIDOR_PX = (448, 112)
Pairs = list[tuple[Crater, Chip]]
Row = tuple[str, str, str]


def noise_mosaic(width_px: int) -> Mosaic:
    """A mosaic of noise, without a pyramid: chips are as fine as the mosaic."""
    grid = make_grid(width_px, BODIES["mercury"])
    values = np.empty((*grid.shape, 3), np.uint8)
    rng = np.random.default_rng(0)
    for row in range(0, grid.height, 256):
        part = values[row : row + 256]
        part[:] = rng.integers(1, 255, part.shape, np.uint8)
    mask = np.full((grid.height, width_px // 8), 255, np.uint8)
    return Mosaic(grid, ("a", "b", "c"), (values,), (mask,))


def random_pairs(grid: Grid, count: int) -> Pairs:
    """Craters up to 60 degrees north and south, and a chip within a quarter of the globe of each."""
    rng = np.random.default_rng(1)
    reach_m = 0.25 * np.pi * grid.radius_m
    pairs = []
    for k in range(count):
        crater = Crater(k, "A", rng.uniform(-180, 180), rng.uniform(-60, 60), 20e3)
        away_m, bearing = reach_m * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
        x_m, y_m = float(away_m * np.sin(bearing)), float(away_m * np.cos(bearing))
        pairs.append((crater, Chip(x_m, y_m, SIZE_PX * grid.pixel_m)))
    return pairs


def own(mosaic: Mosaic, crater: Crater, chip: Chip) -> np.ndarray:
    return mosaic.sample_on_grid(chip.sampling_grid(crater, SIZE_PX))[0]


def gdal(
    planes: np.ndarray, grid: Grid, crater: Crater, chip: Chip, how: Resampling, size_px: int
) -> np.ndarray:
    """Warp three bands of the globe, in memory, to a square of a crater's azimuthal frame."""
    pixel_m = chip.side_m / size_px
    west_m, north_m = chip.x_m - chip.side_m / 2, chip.y_m + chip.side_m / 2
    found = np.zeros((3, size_px, size_px), np.uint8)
    about = {"proj": "aeqd", "lon_0": crater.lon, "lat_0": crater.lat, "R": grid.radius_m}
    reproject(
        planes,
        found,
        src_transform=grid.transform,
        src_crs=CRS.from_wkt(grid.crs),
        dst_transform=Affine(pixel_m, 0, west_m, 0, -pixel_m, north_m),
        dst_crs=CRS.from_dict(about),
        resampling=how,
    )
    return found


def torch_places(
    grid: Grid, crater: Crater, chip: Chip, precision: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    """Column and row of a chip's pixels, by trigonometry."""
    x, y = (torch.from_numpy(a / grid.radius_m).to(precision) for a in chip.pixel_xy(SIZE_PX))
    d = torch.hypot(x, y)
    sinc, up, lat0 = torch.sinc(d / torch.pi), torch.cos(d), np.radians(crater.lat)
    axial = up * np.cos(lat0) - y * sinc * np.sin(lat0)
    polar = up * np.sin(lat0) + y * sinc * np.cos(lat0)
    lon = torch.atan2(x * sinc, axial) + np.radians(crater.lon - grid.lon_west)
    lat = torch.atan2(polar, torch.hypot(x * sinc, axial))
    col = torch.remainder(lon, 2 * torch.pi) * (grid.width / (2 * torch.pi))
    return col, (torch.pi / 2 - lat) * (grid.height / torch.pi)


def grid_sample(
    globe: torch.Tensor,
    good: torch.Tensor,
    grid: Grid,
    crater: Crater,
    chip: Chip,
    precision: torch.dtype,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The window that holds a chip, as float32 with its mask as one more band, and torch's bilinear sampler."""
    col, row = torch_places(grid, crater, chip, precision)
    left, top = max(int(col.min()) - 1, 0), max(int(row.min()) - 1, 0)
    here = np.s_[:, :, top : int(row.max()) + 2, left : int(col.max()) + 2]
    mask = good[here].float()
    window = torch.cat([globe[here].float() * mask, mask], dim=1)
    height, width = window.shape[2:]
    where = torch.stack([(col - left) * (2 / width) - 1, (row - top) * (2 / height) - 1], -1)
    found = torch.nn.functional.grid_sample(window, where[None].float(), align_corners=False)
    weight = found[:, 3:]
    valid = weight >= 0.5
    return torch.where(valid, found[:, :3] / weight.clamp(min=1e-6), 0.0), valid


def pyresample_bilinear(planes: np.ndarray, grid: Grid, crater: Crater, chip: Chip) -> np.ndarray:
    """The window that holds a chip, and pyresample's bilinear sampler (a k-d tree)."""
    about = {"proj": "aeqd", "lon_0": crater.lon, "lat_0": crater.lat, "R": grid.radius_m}
    half_m = chip.side_m / 2
    west_m, east_m, south_m, north_m = (
        centre + side for centre in (chip.x_m, chip.y_m) for side in (-half_m, half_m)
    )
    extent = west_m, south_m, east_m, north_m
    target = AreaDefinition("chip", "", "", about, SIZE_PX, SIZE_PX, extent)
    col, row = grid.to_pixel(*chip.places(crater, grid.radius_m, SIZE_PX))
    left, top = max(int(col.min()) - 3, 0), max(int(row.min()) - 3, 0)
    window = planes[:, top : int(row.max()) + 4, left : int(col.max()) + 4]
    height, width = window.shape[1:]
    corner, opposite = grid.transform * (left, top), grid.transform * (left + width, top + height)
    extent = corner[0], opposite[1], opposite[0], corner[1]
    source = AreaDefinition("window", "", "", grid.crs, width, height, extent)
    reach_m = 3 * grid.pixel_m
    return NumpyBilinearResampler(source, target, reach_m).resample(np.moveaxis(window, 0, -1))


def gdal_corridor(planes: np.ndarray, grid: Grid, crater: Crater, chip: Chip) -> np.ndarray:
    """Average three bands over the pixels of a corridor, in GDAL's frame along a great circle, between two points."""
    corridor = Corridor.between(crater, chip)
    ends = [
        destination(crater.lon, crater.lat, corridor.bearing_deg, away_m, grid.radius_m)
        for away_m in (corridor.start_m, corridor.start_m + corridor.length_m)
    ]
    about: dict[str, str | float] = {"proj": "tpeqd", "R": grid.radius_m}
    for k, end in enumerate(ends, start=1):
        about |= {f"lon_{k}": float(end.lon), f"lat_{k}": float(end.lat)}
    length_px, width_px = CORRIDOR_PX
    pixel_m = corridor.length_m / length_px
    north_west = -corridor.length_m / 2, corridor.width_m / 2
    found = np.zeros((3, width_px, length_px), np.uint8)
    reproject(
        planes,
        found,
        src_transform=grid.transform,
        src_crs=CRS.from_wkt(grid.crs),
        dst_transform=Affine(pixel_m, 0, north_west[0], 0, -pixel_m, north_west[1]),
        dst_crs=CRS.from_dict(about),
        resampling=Resampling.average,
    )
    return found


def cpu_ms(work: Callable[[Crater, Chip], object], pairs: Pairs) -> float:
    """Median CPU milliseconds a chip."""
    work(*pairs[0])
    found = []
    for pair in pairs:
        started = time.process_time()
        work(*pair)
        found.append(1e3 * (time.process_time() - started))
    return float(np.median(found))


def whole_planet(mosaic: Mosaic) -> Row:
    """For one crater: the chips of its reach sampled, and the whole globe brought into its frame by GDAL."""
    grid, planes = mosaic.grid, np.ascontiguousarray(np.moveaxis(mosaic.levels[0], -1, 0))
    crater = Crater(1, "A", 20.0, 30.0, 20e3)
    chips = ChipGrid.around(crater.reach_m(grid.radius_m), SIZE_PX * grid.pixel_m, 0.5).chips()
    started = time.process_time()
    for chip in chips:
        own(mosaic, crater, chip)
    between = time.process_time()
    globe = Chip(0.0, 0.0, 2 * np.pi * grid.radius_m)
    gdal(planes, grid, crater, globe, Resampling.bilinear, 2 * grid.height)
    ours_s, theirs_s = between - started, time.process_time() - between
    what = (
        f"all {len(chips)} chips of a crater from {grid.width} px, against GDAL for the whole globe"
    )
    return what, f"{ours_s:.2f} against {theirs_s:.1f} s", f"{theirs_s / ours_s:.1f} times"


def corridors(mosaic: Mosaic, planes: np.ndarray, pairs: Pairs) -> Row:
    """Corridors, whose pixels are many of the mosaic's."""
    ours = cpu_ms(lambda crater, chip: own_corridor(mosaic, crater, chip), pairs * 10)
    theirs = cpu_ms(lambda *pair: gdal_corridor(planes, mosaic.grid, *pair), pairs)
    length_px, width_px = CORRIDOR_PX
    what = f"a corridor of {length_px} x {width_px} px from {mosaic.grid.width} px, against GDAL average"
    return what, f"{ours:.2f} against {theirs:.0f} ms", f"{theirs / ours:.0f} times"


def own_corridor(mosaic: Mosaic, crater: Crater, chip: Chip) -> np.ndarray:
    corridor = Corridor.between(crater, chip)
    return mosaic.sample_on_grid(corridor.sampling_grid(crater, CORRIDOR_PX))[0]


def rows(width_px: int = 23_040, count: int = 20) -> list[Row]:
    torch.set_num_threads(1)
    planet = noise_mosaic(width_px)
    grid = planet.grid
    planes = np.ascontiguousarray(np.moveaxis(planet.levels[0], -1, 0))
    globe, good = torch.from_numpy(planes)[None], torch.ones((1, 1, *grid.shape), dtype=torch.bool)
    some = random_pairs(grid, count)
    ours = cpu_ms(lambda *pair: own(planet, *pair), some * 10)
    others = {
        "GDAL bilinear": lambda *pair: gdal(planes, grid, *pair, Resampling.bilinear, SIZE_PX),
        "GDAL nearest": lambda *pair: gdal(planes, grid, *pair, Resampling.nearest, SIZE_PX),
        "torch grid_sample": lambda *pair: grid_sample(globe, good, grid, *pair, torch.float64),
        "torch grid_sample, places in float32": lambda *pair: grid_sample(
            globe, good, grid, *pair, torch.float32
        ),
        "pyresample bilinear": lambda *pair: pyresample_bilinear(planes, grid, *pair),
    }
    found = []
    for name, work in others.items():
        theirs = cpu_ms(work, some)
        took = f"{ours:.2f} against {theirs:.2f} ms"
        what = f"sampling a chip from {width_px} px, against {name}"
        found.append((what, took, f"{theirs / ours:.1f} times"))
    layered = Mosaic.from_array(planes, np.ones(grid.shape, bool), grid, planet.band_names)
    return [
        *found,
        corridors(layered, planes, some),
        whole_planet(noise_mosaic(min(width_px, 5760))),
    ]


if __name__ == "__main__":
    for row in rows(*map(int, sys.argv[1:])):
        print(*row, sep="  |  ")
