"""From the surface to the mosaic: blur, bands, sensor noise, and no-data at the poles."""

import numpy as np
from scipy import ndimage

from ejectamap.simulation.ground import STRIP_PIXELS
from ejectamap.simulation.noise import fractal, octaves_for
from ejectamap.simulation.planet_style import BAND_NAMES, PlanetStyle
from ejectamap.world.grid import Bools, Grid
from ejectamap.world.mosaic import Floats, Mosaic
from ejectamap.world.sphere import unit_vectors


def render_mosaic(
    rng: np.random.Generator, latent: Floats, valid: Bools, grid: Grid, style: PlanetStyle
) -> Mosaic:
    """Turn finished latent properties (3, height, width) into an eight-bit mosaic; blurs them in place."""
    # Colour is blurred more: the images of the colour filters are not perfectly registered.
    for k, factor in enumerate((1.0, 1.6, 1.6)):
        ndimage.gaussian_filter(
            latent[k], style.blur_px * factor, mode=("nearest", "wrap"), output=latent[k]
        )
    values = np.empty((*grid.shape, len(BAND_NAMES)), np.uint8)
    for strip in grid.strips(grid.whole, STRIP_PIXELS):
        rows = slice(strip.row, strip.row + strip.height)
        bands = np.tensordot(style.mix.astype(np.float32), latent[:, rows], 1)
        bands += style.offset[:, None, None].astype(np.float32)
        bands += np.float32(style.noise) * rng.standard_normal(bands.shape, np.float32)
        counts = np.where(valid[rows], np.clip(np.rint(bands), 1, 255), 0)
        values[rows] = np.moveaxis(counts, 0, -1)
    return Mosaic.from_array(np.moveaxis(values, -1, 0), valid, grid, BAND_NAMES)


def draw_valid_mask(rng: np.random.Generator, grid: Grid, style: PlanetStyle) -> Bools:
    """Draw where the mosaic has data: everywhere but in two polar caps with ragged, stepped edges."""
    lon, lat = grid.centres(grid.whole)
    circle = unit_vectors(lon[0], 0.0).T
    octaves = octaves_for(8.0, np.pi / grid.height)
    valid = np.ones(grid.shape, bool)
    for sign, gap in zip((1.0, -1.0), style.polar_gap_deg, strict=True):
        seed = int(rng.integers(2**30))
        ragged = fractal(circle, 8.0, octaves, seed, 0.5)
        blocks = np.rint(1.5 * fractal(circle, 3.0, 2, seed + 50)) / 1.5
        edge = 90.0 - gap * (1.0 + 0.25 * blocks + 0.08 * ragged)
        valid &= sign * lat < edge
    return valid
