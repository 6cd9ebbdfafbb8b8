"""Measurements of simulated planets whose map is the truth, against what the simulator knows.

`python benchmarks/measurements.py 1024 301 302 303` (width in pixels, then seeds) prints a row of a Markdown table for
each planet; docs/results.md says what its columns are. The true blanket radius comes from the simulator's own cover,
told on rings an eighth of a crater radius apart before anything is painted on the mosaic's pixels.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
import pandas as pd

from ejectamap.analysis.measure import analyze_project
from ejectamap.maps.crater_map import CraterMap
from ejectamap.maps.writing import import_maps
from ejectamap.project.folder import Project
from ejectamap.simulation import planet as simulation
from ejectamap.simulation.deposit import Scene, compute_visibility, deposit_ejecta
from ejectamap.simulation.ejecta import compute_blanket_cover, compute_cover
from ejectamap.simulation.files import write_planet
from ejectamap.simulation.impacts import Impact, RayPattern, azimuth_weight
from ejectamap.simulation.planet import Planet, simulate_planet
from ejectamap.world.grid import Bools, Window
from ejectamap.world.sphere import destination

AZIMUTHS = np.radians(np.arange(0.25, 360, 0.5))
STEP = 0.125  # between rings, in crater radii
Radii = dict[int, tuple[float, float, float]]


def rings(scene: Scene, impact: Impact, pattern: RayPattern) -> tuple[float, float, float]:
    """Radius of the continuous ejecta and of the blanket without rays, km; share of the ring covered at the latter.

    Continuous is what can be seen on more than half of the ring, azimuths left out where the impact threw less than
    half of the mean.
    """
    grid, radius_m = scene.grid, impact.crater.radius_m
    azimuth = AZIMUTHS[azimuth_weight(impact, AZIMUTHS) >= 0.5]
    layer_ends, share_there, r = 0.0, 0.0, 1.0
    while True:
        r += STEP
        range_m = np.full(azimuth.size, r * radius_m)
        place = impact.crater.lon, impact.crater.lat, np.degrees(azimuth), range_m, grid.radius_m
        col, row = (x.astype(np.intp) for x in grid.to_pixel(*destination(*place)[:2]))
        pixels = np.minimum(row, grid.height - 1), col
        both = compute_cover(impact, pattern, scene.style, range_m, azimuth, grid.radius_m).smooth
        alone = compute_blanket_cover(impact, pattern, scene.style, range_m / radius_m, azimuth)
        valid = scene.valid[pixels]
        everything, layer = (
            float(compute_visibility(scene, impact, pattern, *pixels, range_m, cover)[valid].mean())
            for cover in (both, alone)
        )
        if layer <= 0.5 and layer_ends == 0.0:
            layer_ends, share_there = r - STEP / 2, everything
        if everything <= 0.5:
            return (r - STEP / 2) * radius_m / 1e3, layer_ends * radius_m / 1e3, share_there


def simulate(seed: int, width_px: int) -> tuple[Planet, Radii]:
    """A planet and the `rings` of each crater."""
    found: Radii = {}

    def watched(scene: Scene, impact: Impact, pattern: RayPattern) -> tuple[Window, Bools]:
        found[impact.crater.crater_id] = rings(scene, impact, pattern)
        return deposit_ejecta(scene, impact, pattern)

    with patch.object(simulation, "deposit_ejecta", watched):
        return simulate_planet(seed, width_px), found


def measure(planet: Planet, folder: Path) -> pd.DataFrame:
    """Analyze a project whose map is a planet's truth; indexed by crater_id."""
    write_planet(planet, folder)
    files = folder / "mosaic.tif", folder / "craters.csv"
    project = Project.create(folder / "project", *files, None)
    grid, truth = planet.mosaic.grid, planet.truth
    maps = (
        CraterMap(c, grid.whole, lambda s, c=c: truth.read(c.crater_id, s).astype("f4"))
        for c in planet.craters
    )
    import_maps(project, maps)
    return analyze_project(project).set_index("crater_id")


def row(seed: int, width_px: int) -> str:
    """One planet: blankets, directions, and steep impacts taken for oblique ones."""
    planet, radii = simulate(seed, width_px)
    with TemporaryDirectory() as folder:
        table = measure(planet, Path(folder))
    continuous, layer, share = np.transpose([radii[k] for k in table.index])
    ratio = table["blanket_radius_km"].to_numpy() / continuous
    low, middle, high = np.quantile(ratio, [0.25, 0.5, 0.75])
    within = np.mean(np.abs(ratio - 1) <= 0.05)
    kinds = {i.crater.crater_id: i for i in planet.impacts}
    came = {k: i.incoming_deg for k, i in kinds.items() if i.incoming_deg is not None}
    came = {k: deg for k, deg in came.items() if not kinds[k].grazing}
    off = np.abs(
        (table.loc[list(came), "missing_bearing_deg"] - list(came.values()) + 180) % 360 - 180
    )
    steep = table.loc[[k for k, i in kinds.items() if i.incoming_deg is None], "symmetry"]
    parts = (
        f"{seed} | {middle:.3f} | {low:.3f} to {high:.3f} | {within:.0%}",
        f"{np.median(continuous / layer):.2f} | {np.median(share):.2f}",
        f"{off.notna().sum()} of {len(off)} | {off.median():.1f} | {off.max():.1f}",
        f"{(steep == 'oblique').sum()} of {len(steep)}",
    )
    return f"| {' | '.join(parts)} |"


if __name__ == "__main__":
    for number in sys.argv[2:]:
        print(row(int(number), int(sys.argv[1])), flush=True)
