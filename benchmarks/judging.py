"""Memory and time of `evaluate` on a finished map of simple shapes, without and with `--structure`.

    python benchmarks/judging.py [WIDTH_PX [CRATERS]]

Labels are crosses within half of the default reach, and maps the same, slightly shifted, in windows of the whole reach,
which is 0.25 but for five craters (0.5 and 0.75). Maps are read and evaluated in a process of their own, whose peak
resident memory the system reports.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from memory import peak_mib

from ejectamap.evaluation.pixels import evaluate
from ejectamap.evaluation.structure import evaluate_structure
from ejectamap.maps.reader import MapReader
from ejectamap.simulation.planet import make_grid
from ejectamap.world.body import BODIES
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.label_files import load_labels

TILE_PX = 512
FAR = {0: 0.5, 1: 0.5, 2: 0.75, 3: 0.75, 4: 0.75}
"""Crater ids whose reach is not the default."""


def catalogue(count: int) -> list[Crater]:
    """Craters at random places from which a label does not run over the raster's edge."""
    rng = np.random.default_rng(0)
    lat = np.degrees(np.arcsin(rng.uniform(-1, 1, count)))
    lon = rng.uniform(-130, 130, count)
    radius_m = rng.uniform(10e3, 40e3, count)
    return [
        Crater(k, f"C{k}", lon[k], lat[k], radius_m[k], reach=FAR.get(k, 0.25))
        for k in range(count)
    ]


def cross(grid: Grid, crater: Crater, window: Window, shift_px: int) -> np.ndarray:
    """Arms of 20 degrees each way and 1 degree half-width, as a mask of a window."""
    degree = grid.width / 360
    col, row = grid.to_pixel(crater.lon, crater.lat)
    col, row = int(col) - window.col + shift_px, int(row) - window.row + shift_px
    arm, half = int(20 * degree), int(degree)
    mask = np.zeros(window.shape, np.uint8)
    for across, along in ((half, arm), (arm, half)):
        rows = slice(max(row - across, 0), max(row + across, 0))
        mask[rows, max(col - along, 0) : max(col + along, 0)] = 1
    return mask


def write(path: Path, grid: Grid, window: Window, values: np.ndarray) -> None:
    profile = {"driver": "GTiff", "height": window.height, "width": window.width, "count": 1}
    profile |= {"dtype": values.dtype, "crs": grid.crs, "compress": "deflate", "zlevel": 1}
    profile |= {"tiled": True, "blockxsize": 512, "blockysize": 512, "BIGTIFF": "IF_SAFER"}
    transform = grid.window_transform(window)
    with rasterio.open(path, "w", **profile, transform=transform) as target:
        target.write(values, 1)


def make_files(folder: Path, grid: Grid, craters: list[Crater]) -> None:
    labels, maps = folder / "labels", folder / "map"
    labels.mkdir()
    maps.mkdir()
    origin = np.zeros(grid.shape, np.uint8)
    for crater in craters:
        half = grid.cap_window(crater.lon, crater.lat, np.radians(45) * grid.radius_m / 2)
        path = labels / f"mask_crater_{crater.crater_id}.tif"
        write(path, grid, half, cross(grid, crater, half, 0))
        window = grid.cap_window(crater.lon, crater.lat, crater.reach_m(grid.radius_m))
        mask = cross(grid, crater, window, 20)
        rows, cols = (
            slice(a, a + n) for a, n in zip((window.row, window.col), mask.shape, strict=True)
        )
        origin[rows, cols][mask == 1] = crater.crater_id + 1
        write(maps / f"crater_{crater.crater_id}_mask.tif", grid, window, mask)
        write(maps / f"crater_{crater.crater_id}_probability.tif", grid, window, 200 * mask)
    write(maps / "origin.tif", grid, grid.whole, origin)


def evaluate_and_print(folder: Path, width_px: int, count: int, structure: bool) -> None:
    """Evaluate the map; print time and memory as JSON."""
    started, processor = time.perf_counter(), time.process_time()
    grid, craters = make_grid(width_px, BODIES["mercury"]), catalogue(count)
    labels, files = load_labels(folder / "labels", grid, craters), MapReader(folder / "map", grid)
    if structure:
        evaluate_structure(labels, craters, files.as_labels)
    else:
        evaluate(
            labels,
            craters,
            files.mask,
            None,
            tile_px=TILE_PX,
            stored=files.stored,
            origin=files.origin,
        )
    figures = {
        "peak_mib": peak_mib(),
        "cpu_s": time.process_time() - processor,
        "wall_s": time.perf_counter() - started,
    }
    print(json.dumps(figures))


def main(width_px: int = 23_040, count: int = 119) -> None:
    with tempfile.TemporaryDirectory() as folder:
        make_files(Path(folder), make_grid(width_px, BODIES["mercury"]), catalogue(count))
        for how in ("pixels", "structure"):
            command = [
                sys.executable,
                __file__,
                "--evaluate",
                folder,
                str(width_px),
                str(count),
                how,
            ]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            figures = json.loads(output.splitlines()[-1])
            print(
                f"{how}, {width_px} px, {count} craters: {figures['peak_mib']:.0f} MiB,"
                f" {figures['cpu_s']:.0f} s of processor time, {figures['wall_s']:.0f} s by the clock",
                flush=True,
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--evaluate"]:
        evaluate_and_print(
            Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5] == "structure"
        )
    else:
        main(*(int(text) for text in sys.argv[1:]))
