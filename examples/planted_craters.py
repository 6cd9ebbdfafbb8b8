"""Simulated ejecta on a real mosaic: the ground as it is, and craters whose ejecta are known exactly."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import ndimage

from ejectamap.simulation.deposit import Scene, deposit_ejecta, measure_local_std
from ejectamap.simulation.impacts import Impact, draw_impacts, draw_pattern
from ejectamap.simulation.planet import scale_fresh_contrast
from ejectamap.simulation.planet_style import PlanetStyle, draw_planet_style
from ejectamap.views.ejecta_axes import BLANKET_RADII, SURROUNDINGS_RADII
from ejectamap.world.craters import Crater
from ejectamap.world.labels import Labels
from ejectamap.world.mosaic import Floats, Mosaic
from ejectamap.world.sphere import Array, destination, distance
from ejectamap.world.world import World

_LATENT = 3
_SAMPLED_PIXELS = 400_000


def plant_craters(mosaic: Mosaic, catalogue: Sequence[Crater], seed: int, count: int = 24) -> World:
    """Deposit the ejecta of simulated craters on a mosaic, away from the craters of its catalogue.

    Parameters
    ----------
    mosaic : Mosaic
        Of eight bits and at most three bands; it stays as it is.
    catalogue : sequence of Crater
        The real fresh craters. They stay in the catalogue, without labels: their ejecta are other craters' ejecta.
    seed : int
        The same arguments give the same planet.
    count : int
        Number of simulated craters.

    Returns
    -------
    World
        With exact labels of the simulated craters, whose ids follow the largest of the catalogue's.
    """
    style_rng, impact_rng = np.random.default_rng(seed).spawn(2)
    grid = mosaic.grid
    values, valid = mosaic.read(grid.whole)
    style = _draw_style(mosaic, catalogue, style_rng)
    latent = np.tensordot(
        np.linalg.pinv(style.mix).astype(np.float32),
        values.astype(np.float32) - style.offset.astype(np.float32)[:, None, None],
        1,
    )
    local_std = measure_local_std(latent, grid, style)
    style = scale_fresh_contrast(style, local_std)
    before = latent.copy()
    scene = Scene(grid, style, latent, np.zeros(grid.shape, np.float32), local_std, valid)
    first = 1 + max(crater.crater_id for crater in catalogue)
    impacts = _place_impacts(impact_rng, scene, catalogue, first, count)
    patterns = [draw_pattern(impact_rng, impact, style, grid) for impact in impacts]
    # The youngest first: its ejecta bury those of older impacts.
    order = sorted(range(len(impacts)), key=lambda k: impacts[k].age)
    masks = {first + k: deposit_ejecta(scene, impacts[k], patterns[k]) for k in order}
    change = latent - before
    planted = _add_change(values, change, valid, style)
    return World(
        Mosaic.from_array(planted, valid, grid, mosaic.band_names),
        (*(impact.crater for impact in impacts), *catalogue),
        Labels(grid, {k: masks[k] for k in sorted(masks)}, None),
    )


def _place_impacts(
    rng: np.random.Generator, scene: Scene, catalogue: Sequence[Crater], first: int, count: int
) -> list[Impact]:
    """Draw impacts, and leave out those on the blanket of a crater of the catalogue; ids from `first` on."""
    radius_m = scene.grid.radius_m
    impacts = [
        impact
        for impact in draw_impacts(rng, scene.grid, scene.style, count)
        if all(
            distance(c.lon, c.lat, impact.crater.lon, impact.crater.lat, radius_m)
            > 2.5 * (c.radius_m + impact.crater.radius_m)
            for c in catalogue
        )
    ]
    return [
        replace(impact, crater=replace(impact.crater, crater_id=first + k, name=f"planted {k}"))
        for k, impact in enumerate(impacts)
    ]


def _draw_style(
    mosaic: Mosaic, catalogue: Sequence[Crater], rng: np.random.Generator
) -> PlanetStyle:
    """Draw a style of ejecta that suits a mosaic: its own bands' covariance, its own craters' colour.

    Real rays stand out less than those of most simulated planets, and people trace fainter ones than the simulator
    calls visible, because they see that a ray goes on.
    """
    sampled = _sample_pixels(mosaic)
    variances, axes = np.linalg.eigh(np.atleast_2d(np.cov(sampled.T)))
    main = np.argsort(-variances)[:_LATENT]
    mix = np.zeros((mosaic.bands, _LATENT))
    mix[:, : main.size] = axes[:, main] * np.sqrt(np.maximum(variances[main], 1e-6))
    style = draw_planet_style(rng)
    fresh = np.linalg.pinv(mix) @ _blanket_difference(mosaic, catalogue)
    if not fresh.any():
        fresh = rng.normal(size=_LATENT)
    fresh += 0.4 * np.linalg.norm(fresh) * rng.normal(size=_LATENT)
    return replace(
        style,
        mix=mix,
        offset=sampled.mean(axis=0),
        noise=0.01 * float(mix.std()),
        fresh=fresh / np.linalg.norm(fresh),
        contrast=style.contrast * rng.uniform(0.5, 1.3),
        threshold=rng.uniform(0.4, 0.9),
        polar_gap_deg=(0.0, 0.0),
    )


def _sample_pixels(mosaic: Mosaic) -> Array:
    """Every n-th pixel with data, float64 (n, band)."""
    values, valid = mosaic.read(mosaic.grid.whole)
    step = max(1, round((valid.size / _SAMPLED_PIXELS) ** 0.5))
    return np.asarray(values[:, ::step, ::step][:, valid[::step, ::step]].T, np.float64)


def _blanket_difference(mosaic: Mosaic, catalogue: Sequence[Crater]) -> Array:
    """Median difference between the blankets of a catalogue's craters and the ground around them, (band,)."""
    bearings = np.linspace(0.0, 360.0, 72, endpoint=False)[None, :]

    def ring_mean(crater: Crater, radii: tuple[float, float]) -> Array:
        ranges_m = crater.radius_m * np.linspace(*radii, 12)[:, None]
        places = destination(crater.lon, crater.lat, bearings, ranges_m, mosaic.grid.radius_m)
        values, valid = mosaic.sample(places.lon, places.lat)
        return np.asarray(values.sum(axis=(1, 2)) / max(int(valid.sum()), 1), np.float64)

    differences = [
        ring_mean(crater, BLANKET_RADII) - ring_mean(crater, SURROUNDINGS_RADII)
        for crater in catalogue
    ]
    return np.median(differences, axis=0)


def _add_change(
    values: np.ndarray, change: Floats, valid: np.ndarray, style: PlanetStyle
) -> np.ndarray:
    """Add a change of the latent properties, blurred as by a camera, to a mosaic's values."""
    for latent in change:
        ndimage.gaussian_filter(latent, style.blur_px, mode=("nearest", "wrap"), output=latent)
    bands = values + np.tensordot(style.mix.astype(np.float32), change, 1)
    limits = np.iinfo(values.dtype)
    return np.where(valid, np.clip(np.rint(bands), limits.min + 1, limits.max), 0).astype(
        values.dtype
    )
