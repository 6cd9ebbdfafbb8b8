"""Simulated craters on the project's own mosaic, to learn from beside the labels or in their place."""

from ejectamap.project import Project
from ejectamap.simulate import plant_craters
from ejectamap.world.world import World

# Finer than this a crater's surroundings gain little, and memory and time grow with the square.
_WIDEST_PX = 4096


def planted_world(project: Project) -> World:
    """The project's ground with `training.plant` simulated craters, whose ejecta are labelled completely."""
    settings = project.settings
    mosaic = project.mosaic.reduced(_WIDEST_PX)
    planet = plant_craters(mosaic, project.craters, settings.seed, settings.training.plant)
    return World(planet.mosaic, planet.craters, planet.truth)
