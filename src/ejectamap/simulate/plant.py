"""Simulated ejecta on a real mosaic: the ground as it is, and craters whose ejecta are known exactly.

A network that learns from them meets the ground that it will be asked about - its texture, its noise, its other
craters - and far rays whose every pixel is known, which nobody can draw by hand.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import ndimage

from ejectamap.simulate.deposit import STRIP_PIXELS, Scene, local_spread
from ejectamap.simulate.impacts import draw_impacts
from ejectamap.simulate.look import Array, Look, draw_look
from ejectamap.simulate.noise import Floats
from ejectamap.simulate.planet import Planet, throw_out, with_visible_ejecta
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid
from ejectamap.world.labels import Labels
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import destination

_LATENTS = 3
_SOME_PIXELS = 400_000


def plant_craters(
    mosaic: Mosaic, catalogue: Sequence[Crater], seed: int, craters: int = 30
) -> Planet:
    """Put simulated fresh craters on a mosaic, away from those of its catalogue.

    Their ejecta differ from the ground in about the way the blankets of the catalogue's craters do.

    Parameters
    ----------
    mosaic : Mosaic
        Of any number of bands; it stays as it is. Memory is about 40 bytes a pixel.
    catalogue : sequence of Crater
        The real fresh craters.
    seed : int
        The same arguments give the same planet.
    craters : int
        How many to plant.

    Returns
    -------
    Planet
        Whose mosaic has the data type of the given one. `craters` are the planted ones, whose ids follow the highest
        of the catalogue's, and then the catalogue's: without labels, but rivals all the same.
    """
    style, events = np.random.default_rng(seed).spawn(2)
    grid = mosaic.grid
    values, valid = mosaic.read(grid.whole)
    look = _look_of(mosaic, catalogue, style)
    latent = _to_latent(values, grid, look)
    spread = local_spread(latent, grid, look)
    look = with_visible_ejecta(look, spread)
    before = latent.copy()
    scene = Scene(grid, look, latent, np.zeros(grid.shape, np.float32), spread, valid)

    first = 1 + max((c.crater_id for c in catalogue), default=-1)
    impacts = tuple(
        replace(impact, crater=replace(impact.crater, crater_id=first + k))
        for k, impact in enumerate(draw_impacts(events, grid, look, craters, catalogue))
    )
    masks = throw_out(events, scene, impacts)
    truth = Labels(grid, {first + k: mask for k, mask in masks.items()}, None)
    np.subtract(latent, before, out=latent)
    planted = Mosaic.from_array(
        _with_change(values, latent, grid, look), valid, grid, mosaic.band_names
    )
    everyone = (*(impact.crater for impact in impacts), *catalogue)
    return Planet(planted, everyone, truth, impacts)


def _look_of(mosaic: Mosaic, catalogue: Sequence[Crater], rng: np.random.Generator) -> Look:
    """Draw a style of ejecta that suits a mosaic: its own bands' covariance, its own craters' colour."""
    values, valid = mosaic.levels[0], mosaic.read_valid(mosaic.grid.whole)
    step = max(1, round((valid.size / _SOME_PIXELS) ** 0.5))
    some = values[::step, ::step][valid[::step, ::step]].astype(np.float64)
    variances, axes = np.linalg.eigh(np.atleast_2d(np.cov(some.T)))
    main = np.argsort(-variances)[:_LATENTS]
    mix = np.zeros((mosaic.bands, _LATENTS))
    mix[:, : main.size] = axes[:, main] * np.sqrt(np.maximum(variances[main], 1e-6))
    look = draw_look(rng)
    # Real ejecta stand out less than those that a blank planet needs to be seen on.
    contrast = look.contrast * rng.uniform(0.3, 1.0)
    offset, noise = some.mean(axis=0), 0.01 * float(mix.std())
    look = replace(look, mix=mix, offset=offset, noise=noise, contrast=contrast)
    colour = np.linalg.pinv(mix) @ _blanket_colour(mosaic, catalogue)
    if not colour.any():  # nobody knows what fresh ejecta look like here
        colour = rng.normal(size=_LATENTS)
    colour += 0.4 * np.linalg.norm(colour) * rng.normal(size=_LATENTS)
    return replace(look, fresh=colour / np.linalg.norm(colour))


def _blanket_colour(mosaic: Mosaic, catalogue: Sequence[Crater]) -> Array:
    """By how much the blankets of the catalogue's craters differ from the ground around them, per band; the median."""
    bearings = np.linspace(0.0, 360.0, 72, endpoint=False)[None, :]

    def mean_between(crater: Crater, inner: float, outer: float) -> Array:
        ranges_m = crater.radius_m * np.linspace(inner, outer, 12)[:, None]
        places = destination(crater.lon, crater.lat, bearings, ranges_m, mosaic.grid.radius_m)
        values, valid = mosaic.sample(places.lon, places.lat)
        return np.asarray(values.sum(axis=(1, 2)) / max(int(valid.sum()), 1), np.float64)

    steps = [mean_between(c, 1.1, 2.2) - mean_between(c, 6.0, 12.0) for c in catalogue]
    return np.median(steps, axis=0) if steps else np.zeros(mosaic.bands)


def _to_latent(values: np.ndarray, grid: Grid, look: Look) -> Floats:
    """Latent properties of a mosaic's ground, float32 (3, height, width)."""
    back = np.linalg.pinv(look.mix).astype(np.float32)
    latent = np.empty((_LATENTS, *values.shape[1:]), np.float32)
    for strip in grid.strips(grid.whole, STRIP_PIXELS):
        rows = slice(strip.row, strip.row + strip.height)
        centred = values[:, rows].astype(np.float32) - look.offset.astype(np.float32)[:, None, None]
        latent[:, rows] = np.tensordot(back, centred, 1)
    return latent


def _with_change(values: np.ndarray, change: Floats, grid: Grid, look: Look) -> np.ndarray:
    """Add a change of the latent properties, blurred as the camera would, to a mosaic's values."""
    for k in range(_LATENTS):
        change[k] = ndimage.gaussian_filter(change[k], look.blur_px, mode=("nearest", "wrap"))
    planted = np.empty_like(values)
    for strip in grid.strips(grid.whole, STRIP_PIXELS):
        rows = slice(strip.row, strip.row + strip.height)
        bands = values[:, rows] + np.tensordot(look.mix.astype(np.float32), change[:, rows], 1)
        if np.issubdtype(values.dtype, np.integer):
            limits = np.iinfo(values.dtype)
            bands = np.clip(np.rint(bands), limits.min + 1, limits.max)
        planted[:, rows] = bands
    return planted
