"""Worlds to train the context network on: simulated planets, real mosaics with planted craters, and traced craters."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from planted_craters import plant_craters
from renditions import draw_rendition

from ejectamap.project.folder import Project
from ejectamap.simulation.planet import simulate_planet
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.world import World

WIDTHS_PX = (2048, 1536, 2048, 3072, 2048, 1536)
PLANTED_CRATERS = 28
SIMULATED, PLANTED = 0.5, 0.3
"""Fractions of the worlds that are simulated, and real with planted craters; the others are real with their traces."""
FEWER_BANDS = 0.12
"""Fraction of the worlds that have only one or two of their bands."""


def simulated_world(seed: int, width_px: int | None = None) -> World:
    """Simulate a planet; unless a width is given, it depends on the seed."""
    planet = simulate_planet(seed, width_px or WIDTHS_PX[seed % len(WIDTHS_PX)])
    return World(planet.mosaic, planet.craters, planet.truth)


class TrainingWorlds:
    """A world for each seed, in a rendition of its own.

    Parameters
    ----------
    projects : sequence of Path
        Projects with real mosaics of eight bits and with traced craters; without any, all worlds are simulated.
    width_px : int, optional
        Width of simulated mosaics; by default it varies.
    """

    def __init__(self, projects: Sequence[Path] = (), width_px: int | None = None) -> None:
        opened = [Project.open(path) for path in projects]
        self.real = [World(p.mosaic, p.craters, p.labels) for p in opened]
        self.width_px = width_px

    def draw(self, seed: int) -> tuple[World, bool]:
        """Make the world of a seed; the second value says whether its labels are traces, not exact."""
        rng = np.random.default_rng((seed, 7))
        kind = rng.random() if self.real else 0.0
        if kind < SIMULATED:
            return draw_rendition(
                _drop_bands(simulated_world(seed, self.width_px), rng), rng
            ), False
        real = self.real[rng.integers(len(self.real))]
        if kind < SIMULATED + PLANTED:
            planted = plant_craters(real.mosaic, real.craters, seed, PLANTED_CRATERS)
            return draw_rendition(_drop_bands(planted, rng), rng), False
        return draw_rendition(_drop_bands(real, rng), rng), True


def _drop_bands(world: World, rng: np.random.Generator) -> World:
    """Keep one or two bands of some of the worlds, in random order."""
    if rng.random() > FEWER_BANDS or world.mosaic.bands < 2:
        return world
    values, valid = world.mosaic.read(world.mosaic.grid.whole)
    kept = rng.permutation(len(values))[: rng.integers(1, len(values))]
    names = tuple(world.mosaic.band_names[k] for k in kept)
    mosaic = Mosaic.from_array(values[kept].copy(), valid, world.mosaic.grid, names)
    return World(mosaic, world.craters, world.labels)
