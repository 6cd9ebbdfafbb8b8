"""Memory and time of `map` with networks that cost nothing, against the planet's size and the number of craters.

    python benchmarks/memory.py [WIDTH_PX ...] [--two-stage] [--workers N]

By the polar method or, with `--two-stage`, by the published one as preset `poster` has it. Each map is made in a
process of its own, whose peak resident memory the system counts; with more workers the clock is all that is read.
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
from planets import free_networks, noise_planet

from ejectamap.mapping import map_project
from ejectamap.project import Project
from ejectamap.views.tiling import ChipGrid

FEW, MANY = 10, 119
WIDTHS_PX = (2048, 8192)


def map_and_tell(folder: Path, craters: int, workers: int) -> None:
    """Map some craters of a planet from scratch; print what that took."""
    free_networks()
    dask.config.set({"distributed.worker.preload": ["planets"]})  # frees the workers' networks
    project = noise_planet(folder, 0, MANY)
    shutil.rmtree(project.maps, ignore_errors=True)
    started, processor = time.perf_counter(), time.process_time()
    map_project(project, [c.crater_id for c in project.craters[:craters]], workers)
    told = {
        "peak_mib": peak_mib(),
        "cpu_s": time.process_time() - processor,
        "wall_s": time.perf_counter() - started,
        "mosaic_mib": sum(a.nbytes for a in (*project.mosaic.levels, *project.mosaic.masks))
        / 2**20,
    }
    print(json.dumps(told))


def pairs(project: Project, craters: int) -> int:
    """Chips that lie within the reaches of the first craters: pairs of a crater and a tile, whatever the method."""
    tile_m = project.tile_side_m
    overlap, radius_m = project.settings.views.overlap, project.grid.radius_m
    chosen = project.craters[:craters]
    return sum(len(ChipGrid.around(c.reach_m(radius_m), tile_m, overlap)) for c in chosen)


def peak_mib() -> float:
    """Peak resident memory; what getrusage says of a new process may still be its parent's."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024


def in_a_process(folder: Path, craters: int, workers: int = 1) -> dict[str, float]:
    command = [sys.executable, __file__, "--map", str(folder), str(craters), str(workers)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(told.splitlines()[-1])


def rows() -> list[tuple[str, str, str]]:
    return growth(WIDTHS_PX, "laptop")


def growth(widths_px: Sequence[int], preset: str) -> list[tuple[str, str, str]]:
    """Memory and time for few craters and for many; the first few are those that reach furthest.

    The polar method looks at craters, the published one at pairs: that is what its time is held against.
    """
    found = []
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
        found += [
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
    return found


def clock(widths_px: Sequence[int], preset: str, workers: int) -> list[tuple[str, str, str]]:
    found = []
    for width in widths_px:
        with tempfile.TemporaryDirectory() as folder:
            noise_planet(Path(folder), width, MANY, preset)
            wall_s = in_a_process(Path(folder), MANY, workers)["wall_s"]
        what = f"{width} x {width // 2} px, {MANY} craters, {workers} workers: from start to end"
        found.append((what, f"{wall_s:.0f} s", f"{wall_s / 60:.1f} min"))
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("widths_px", type=int, nargs="*", default=WIDTHS_PX)
    parser.add_argument("--two-stage", action="store_true")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--map", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    preset = "poster" if asked.two_stage else "laptop"
    if asked.map:
        map_and_tell(Path(asked.map[0]), *map(int, asked.map[1:]))
    else:
        many = asked.workers > 1
        told = (
            clock(asked.widths_px, preset, asked.workers)
            if many
            else growth(asked.widths_px, preset)
        )
        for row in told:
            print(*row, sep="  |  ")
