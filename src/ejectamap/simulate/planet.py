"""Whole planets with exactly known truth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from affine import Affine

from ejectamap.simulate.deposit import Scene, lay_down, local_spread
from ejectamap.simulate.exposure import draw_valid, expose
from ejectamap.simulate.ground import make_ground
from ejectamap.simulate.impacts import Impact, draw_impacts, draw_pattern
from ejectamap.simulate.look import Look, draw_look
from ejectamap.simulate.noise import Floats
from ejectamap.world.body import BODIES, Body
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.labels import Labels
from ejectamap.world.mosaic import Bools, Mosaic

_MERCURY = BODIES["mercury"]
# Old ray systems that nobody would put in a catalogue, per catalogued crater.
_GHOSTS = 0.15


@dataclass(frozen=True)
class Planet:
    """A simulated planet.

    Attributes
    ----------
    mosaic : Mosaic
        Three bands uint8; no-data at the poles.
    craters : tuple of Crater
        All fresh craters; `crater_id` counts from 0.
    truth : Labels
        Where each crater's ejecta can be seen, with the interior filled in; complete everywhere.
    impacts : tuple of Impact
        One per crater, in the same order: age, direction, extent.
    """

    mosaic: Mosaic
    craters: tuple[Crater, ...]
    truth: Labels
    impacts: tuple[Impact, ...]


def simulate_planet(
    seed: int, width_px: int = 2048, craters: int = 30, body: Body = _MERCURY
) -> Planet:
    """Simulate a planet; the same arguments give the same planet.

    Parameters
    ----------
    seed : int
        Draws the style of the planet as well as its craters.
    width_px : int
        Width of the mosaic, even; the height is half of it. The smallest crater is 6 km or 1.6
        pixels in radius. Memory is about 27 bytes a pixel: 7 GB for the 23 040 px of the full
        Mercury mosaic. Time grows with the number of pixels.
    craters : int
        Number of fresh craters.
    body : Body
        Default: Mercury.
    """
    style, relief, events, sensor = np.random.default_rng(seed).spawn(4)
    grid = make_grid(width_px, body)
    look = draw_look(style)
    latent = make_ground(relief, grid, look)
    spread = local_spread(latent, grid, look)
    look = with_visible_ejecta(look, spread)
    scene = Scene(
        grid, look, latent, np.zeros(grid.shape, np.float32), spread, draw_valid(sensor, grid, look)
    )

    ghosts = int(events.poisson(_GHOSTS * craters))
    impacts = draw_impacts(events, grid, look, craters + ghosts)
    masks = throw_out(events, scene, impacts, ghosts)
    fresh = impacts[:craters]
    truth = Labels(grid, {k: masks[k] for k in range(craters)}, None)
    valid = scene.valid
    del scene  # what is buried is not needed any more, and large
    mosaic = expose(sensor, latent, valid, grid, look)
    return Planet(mosaic, tuple(i.crater for i in fresh), truth, fresh)


def throw_out(
    rng: np.random.Generator, scene: Scene, impacts: Sequence[Impact], ghosts: int = 0
) -> dict[int, tuple[Window, Bools]]:
    """Lay the ejecta of impacts on a scene, the last `ghosts` of them nearly gone; return what can be seen."""
    patterns = [draw_pattern(rng, impact, scene.look, scene.grid) for impact in impacts]
    for k in range(len(impacts) - ghosts, len(impacts)):
        patterns[k] = patterns[k].faded(rng.uniform(0.05, 0.2))
    # The youngest first: what it covers hides the older ones' ejecta.
    order = sorted(range(len(impacts)), key=lambda k: impacts[k].age)
    return {k: lay_down(scene, impacts[k], patterns[k]) for k in order}


def make_grid(width_px: int, body: Body) -> Grid:
    """Make a whole-globe grid in the body's equidistant cylindrical CRS, from longitude -180."""
    pixel_m = 2 * np.pi * body.radius_m / width_px
    west_m, north_m = -np.pi * body.radius_m, np.pi * body.radius_m / 2
    transform = Affine(pixel_m, 0.0, west_m, 0.0, -pixel_m, north_m)
    crs = body.cylindrical_crs().to_wkt()
    return Grid(width_px // 2, width_px, body.radius_m, -180.0, crs, transform)


def with_visible_ejecta(look: Look, spread: Floats) -> Look:
    """Scale fresh ejecta to the look's contrast with this planet's typical local spread."""
    typical = np.median(spread, axis=(1, 2))
    contrast = np.sqrt(np.mean((look.mix @ look.fresh / typical) ** 2))
    return replace(look, fresh=look.fresh * look.contrast / contrast)
