"""Whole simulated planets whose ejecta are known exactly."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from affine import Affine

from ejectamap.progress import status
from ejectamap.simulation.deposit import Scene, deposit_ejecta, measure_local_std
from ejectamap.simulation.ground import make_ground
from ejectamap.simulation.imaging import draw_valid_mask, render_mosaic
from ejectamap.simulation.impacts import Impact, draw_impacts, draw_pattern
from ejectamap.simulation.planet_style import PlanetStyle, draw_planet_style
from ejectamap.world.body import BODIES, Body
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Bools, Grid, Window
from ejectamap.world.labels import Labels
from ejectamap.world.mosaic import Floats, Mosaic

_MERCURY = BODIES["mercury"]
# Old, nearly invisible ray systems that are not in the catalogue, per catalogued crater.
_OLD_PER_CRATER = 0.15


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
        Where each crater's ejecta are visible, including the crater's interior; complete everywhere.
    impacts : tuple of Impact
        One per crater, in the same order: age, direction, extent.
    """

    mosaic: Mosaic
    craters: tuple[Crater, ...]
    truth: Labels
    impacts: tuple[Impact, ...]


@status("simulating a planet")
def simulate_planet(
    seed: int, width_px: int = 2048, craters: int = 30, body: Body = _MERCURY
) -> Planet:
    """Simulate a planet; the same arguments give the same planet.

    Parameters
    ----------
    seed : int
        Determines the style of the planet as well as its craters.
    width_px : int
        Width of the mosaic, even; the height is half of it. The smallest crater is 6 km or 1.6
        pixels in radius. Memory is about 27 bytes a pixel: 7 GB for the 23 040 px of the full
        Mercury mosaic. Time grows with the number of pixels.
    craters : int
        Number of fresh craters.
    body : Body
        Default: Mercury.
    """
    style_rng, ground_rng, impact_rng, sensor_rng = np.random.default_rng(seed).spawn(4)
    grid = make_grid(width_px, body)
    style = draw_planet_style(style_rng)
    latent = make_ground(ground_rng, grid, style)
    local_std = measure_local_std(latent, grid, style)
    style = scale_fresh_contrast(style, local_std)
    valid = draw_valid_mask(sensor_rng, grid, style)
    scene = Scene(grid, style, latent, np.zeros(grid.shape, np.float32), local_std, valid)

    old = int(impact_rng.poisson(_OLD_PER_CRATER * craters))
    impacts = draw_impacts(impact_rng, grid, style, craters + old)
    masks = _deposit_all(impact_rng, scene, impacts, old)
    fresh = impacts[:craters]
    truth = Labels(grid, {k: masks[k] for k in range(craters)}, None)
    del scene  # frees the memory of `Scene.buried` before the mosaic is rendered
    mosaic = render_mosaic(sensor_rng, latent, valid, grid, style)
    return Planet(mosaic, tuple(i.crater for i in fresh), truth, fresh)


def _deposit_all(
    rng: np.random.Generator, scene: Scene, impacts: Sequence[Impact], old: int
) -> dict[int, tuple[Window, Bools]]:
    """Deposit the ejecta of all impacts on a scene and return where each impact's are visible.

    The last `old` impacts are nearly invisible.
    """
    patterns = [draw_pattern(rng, impact, scene.style, scene.grid) for impact in impacts]
    for k in range(len(impacts) - old, len(impacts)):
        patterns[k] = patterns[k].faded(rng.uniform(0.05, 0.2))
    # The youngest first: its ejecta bury those of older impacts.
    order = sorted(range(len(impacts)), key=lambda k: impacts[k].age)
    return {k: deposit_ejecta(scene, impacts[k], patterns[k]) for k in order}


def make_grid(width_px: int, body: Body) -> Grid:
    """Make a whole-globe grid in the body's equidistant cylindrical CRS, from longitude -180."""
    pixel_m = 2 * np.pi * body.radius_m / width_px
    west_m, north_m = -np.pi * body.radius_m, np.pi * body.radius_m / 2
    transform = Affine(pixel_m, 0.0, west_m, 0.0, -pixel_m, north_m)
    crs = body.cylindrical_crs().to_wkt()
    return Grid(width_px // 2, width_px, body.radius_m, -180.0, crs, transform)


def scale_fresh_contrast(style: PlanetStyle, local_std: Floats) -> PlanetStyle:
    """Scale fresh ejecta so that they have the style's contrast on ground of this planet's median local deviation."""
    median_std = np.median(local_std, axis=(1, 2))
    contrast = np.sqrt(np.mean((style.mix @ style.fresh / median_std) ** 2))
    return replace(style, fresh=style.fresh * style.contrast / contrast)
