"""Memory and time of `map` with networks that take no time, against the planet's size and the number of craters.

    python benchmarks/memory.py [WIDTH_PX ...] [--two-stage] [--workers N]

By method `polar` or, with `--two-stage`, by the published one with preset `poster`. Each map is made in a process of
its own, whose peak resident memory the system reports; with more workers only wall-clock time is measured.
"""

import argparse
import json
import math
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import dask
from planets import noise_planet, use_constant_networks

from ejectamap.mapping.run import map_project
from ejectamap.project.folder import Project
from ejectamap.views.tiling import ChipGrid

FEW, MANY = 10, 119
WIDTHS_PX = (2048, 8192)


def map_and_print(folder: Path, craters: int, workers: int) -> None:
    """Map some craters of a planet from scratch; print time and memory as JSON."""
    use_constant_networks()
    dask.config.set({"distributed.worker.preload": ["planets"]})  # replaces the workers' networks
    project = noise_planet(folder, 0, MANY)
    shutil.rmtree(project.maps, ignore_errors=True)
    started, processor = time.perf_counter(), time.process_time()
    map_project(project, [c.crater_id for c in project.craters[:craters]], workers)
    figures = {
        "peak_mib": peak_mib(),
        "cpu_s": time.process_time() - processor,
        "wall_s": time.perf_counter() - started,
        "mosaic_mib": sum(a.nbytes for a in (*project.mosaic.levels, *project.mosaic.masks))
        / 2**20,
    }
    print(json.dumps(figures))


def pairs(project: Project, craters: int) -> int:
    """Chips within the reaches of the first craters."""
    tile_m = project.tile_side_m
    overlap, radius_m = project.settings.views.overlap, project.grid.radius_m
    chosen = project.craters[:craters]
    return sum(len(ChipGrid.around(c.reach_m(radius_m), tile_m, overlap)) for c in chosen)


def peak_mib() -> float:
    """Peak resident memory; getrusage may report that of the parent for a new process."""
    match = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(match[1]) / 1024


def in_a_process(folder: Path, craters: int, workers: int = 1) -> dict[str, float]:
    command = [sys.executable, __file__, "--map", str(folder), str(craters), str(workers)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])


def rows() -> list[tuple[str, str, str]]:
    return growth(WIDTHS_PX, "laptop")


def growth(widths_px: Sequence[int], preset: str) -> list[tuple[str, str, str]]:
    """Memory and time for few craters and for many; the first few are those of the largest reach.

    Time is compared with the number of craters for method `polar`, and with that of chips for the published one.
    """
    results = []
    for width in widths_px:
        with tempfile.TemporaryDirectory() as folder:
            project = noise_planet(Path(folder), width, MANY, preset)
            in_a_process(Path(folder), 1)  # compiles
            few, many = (in_a_process(Path(folder), count) for count in (FEW, MANY))
            method, counts, of = project.settings.method, (FEW, MANY), "craters"
            if method == "two-stage":
                counts, of = (pairs(project, FEW), pairs(project, MANY)), "pairs"
        exponent = math.log(many["cpu_s"] / few["cpu_s"]) / math.log(counts[1] / counts[0])
        size = f"{method}, {width} x {width // 2} px"
        results += [
            (
                f"peak memory, {size}, {MANY} craters against {FEW}",
                f"{many['peak_mib']:.0f} against {few['peak_mib']:.0f} MiB; mosaic {many['mosaic_mib']:.0f}",
                f"{many['peak_mib'] / few['peak_mib']:.2f}",
            ),
            (
                f"processor time, {size}, {counts[1]} {of} against {counts[0]}",
                f"{many['cpu_s']:.0f} against {few['cpu_s']:.0f} s; {many['wall_s']:.0f} s by the clock",
                f"exponent {exponent:.2f}",
            ),
        ]
    return results


def wall_clock(widths_px: Sequence[int], preset: str, workers: int) -> list[tuple[str, str, str]]:
    results = []
    for width in widths_px:
        with tempfile.TemporaryDirectory() as folder:
            noise_planet(Path(folder), width, MANY, preset)
            wall_s = in_a_process(Path(folder), MANY, workers)["wall_s"]
        what = f"{width} x {width // 2} px, {MANY} craters, {workers} workers: from start to end"
        results.append((what, f"{wall_s:.0f} s", f"{wall_s / 60:.1f} min"))
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("widths_px", type=int, nargs="*", default=WIDTHS_PX)
    parser.add_argument("--two-stage", action="store_true")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--map", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    preset = "poster" if arguments.two_stage else "laptop"
    if arguments.map:
        map_and_print(Path(arguments.map[0]), *map(int, arguments.map[1:]))
    else:
        if arguments.workers > 1:
            results = wall_clock(arguments.widths_px, preset, arguments.workers)
        else:
            results = growth(arguments.widths_px, preset)
        for row in results:
            print(*row, sep="  |  ")
