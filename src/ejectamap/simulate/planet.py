"""Whole planets with exactly known truth."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from affine import Affine
from scipy import ndimage

from ejectamap.simulate.ejecta import Cover, cover_at
from ejectamap.simulate.ground import make_ground
from ejectamap.simulate.impacts import Impact, Pattern, draw_impacts, draw_pattern
from ejectamap.simulate.look import BAND_NAMES, Look, draw_look
from ejectamap.simulate.noise import Floats, fractal, octaves_for, unit_vectors
from ejectamap.world.body import BODIES, Body
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.labels import Labels
from ejectamap.world.mosaic import Bools, Mosaic
from ejectamap.world.sphere import azimuthal_forward

_STRIP_PIXELS = 4_000_000
_MERCURY = BODIES["mercury"]


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
        Width of the mosaic, even; the height is half of it. The smallest crater is 6 km or 1.6 pixels in radius.
        Memory is about 20 bytes a pixel: 6 GB for the 23 040 px of the full Mercury mosaic.
    craters : int
        Number of fresh craters.
    body : Body
        Default: Mercury.
    """
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(4)]
    grid = make_grid(width_px, body)
    look = draw_look(streams[0])
    latent = make_ground(streams[1], grid, look)
    spread = _local_spread(latent, grid, look)
    typical = np.median(spread, axis=(1, 2))
    visible = float(np.sqrt(np.mean((look.mix @ look.fresh / typical) ** 2)))
    look = replace(look, fresh=look.fresh * look.contrast / visible)
    impacts = draw_impacts(streams[2], grid, look, craters)
    patterns = [draw_pattern(streams[2], impact, look, grid) for impact in impacts]
    buried = np.zeros(grid.shape, np.float32)
    masks: dict[int, tuple[Window, Bools]] = {}
    # The youngest first: what it covers hides the older ones' ejecta.
    for k in sorted(range(craters), key=lambda k: impacts[k].age):
        masks[impacts[k].crater.crater_id] = _lay_down(
            latent, buried, spread, grid, impacts[k], patterns[k], look
        )
    mosaic = _expose(streams[3], latent, grid, look)
    catalogue = tuple(i.crater for i in impacts)
    return Planet(mosaic, catalogue, Labels(grid, dict(sorted(masks.items())), None), impacts)


def make_grid(width_px: int, body: Body) -> Grid:
    """Whole-globe grid in the body's own equidistant cylindrical CRS, from longitude -180."""
    pixel_m = 2 * np.pi * body.radius_m / width_px
    corner = Affine(pixel_m, 0.0, -np.pi * body.radius_m, 0.0, -pixel_m, np.pi * body.radius_m / 2)
    return Grid(
        width_px // 2, width_px, body.radius_m, -180.0, body.cylindrical_crs().to_wkt(), corner
    )


def _local_spread(latent: Floats, grid: Grid, look: Look) -> Floats:
    """Standard deviation of the bands in windows of about 60 km, in counts; (3, height / step, width / step).

    The contrast that ejecta need to be seen.
    """
    step = min(max(4, round(60e3 / grid.pixel_m)), grid.height // 4)
    rows, cols = grid.height // step, grid.width // step
    blocks = latent[:, : rows * step, : cols * step].reshape(3, rows, step, cols, step)
    bands = np.tensordot(look.mix.astype(np.float32), blocks, 1)
    spread = np.sqrt(bands.var(axis=(2, 4)) + look.noise**2)
    return np.asarray(
        ndimage.gaussian_filter(spread, (0, 1, 1), mode=("nearest", "nearest", "wrap"))
    )


def _lay_down(
    latent: Floats,
    buried: Floats,
    spread: Floats,
    grid: Grid,
    impact: Impact,
    pattern: Pattern,
    look: Look,
) -> tuple[Window, Bools]:
    """Paint one impact's ejecta into the latent image and return where they can be seen."""
    crater = impact.crater
    extent_m = max(impact.longest_ray_m, 3.0 * impact.blanket_m)
    cap = grid.cap_window(crater.lon, crater.lat, extent_m)
    seen = np.zeros(cap.shape, bool)
    for strip in grid.strips(cap, _STRIP_PIXELS):
        lon, lat = grid.centres(strip)
        x_m, y_m = azimuthal_forward(lon, lat, crater.lon, crater.lat, grid.radius_m)
        range_m = np.hypot(x_m, y_m)
        i, j = np.nonzero(range_m <= extent_m)
        rows, cols = i + strip.row, grid.columns(strip)[j]
        azimuth = np.arctan2(x_m[i, j], y_m[i, j]) % (2 * np.pi)
        range_m = range_m[i, j]
        cover = cover_at(impact, pattern, look, range_m, azimuth, grid.radius_m)
        hidden = 1.0 - 0.8 * buried[rows, cols]
        ground = latent[:, rows, cols]
        fine, smooth = (
            _change(c * hidden, ground, range_m / crater.radius_m, pattern) for c in cover
        )
        contrast = _contrast(smooth, spread, grid, rows, cols, look)
        seen[i + strip.row - cap.row, j] = (contrast > look.threshold) | (range_m < crater.radius_m)
        latent[:, rows, cols] = ground + _with_interior(
            fine, ground, range_m / crater.radius_m, pattern
        )
        buried[rows, cols] = np.maximum(buried[rows, cols], cover.smooth)
    return _crop(cap, seen)


def _change(cover: Floats, ground: Floats, r: npt.NDArray[np.float64], pattern: Pattern) -> Floats:
    """Change of the latent properties (3, n): dug-up material near the crater, stirred-up ground far from it."""
    own = np.clip(1.2 - r / 8.0, 0.0, 0.7)
    change = own * (pattern.colour[:, None] - ground) + (1.0 - own) * pattern.fresh[:, None]
    return np.asarray(cover * change, np.float32)


def _with_interior(
    change: Floats, ground: Floats, r: npt.NDArray[np.float64], pattern: Pattern
) -> Floats:
    """Change with the crater's own floor and rim put in."""
    inside = np.clip((0.95 - r) / 0.15, 0.0, 1.0)
    rim = 0.5 * np.exp(-(((r - 0.95) / 0.12) ** 2))
    change = change * (1.0 - inside) + inside * 0.85 * (pattern.floor[:, None] - ground)
    return np.asarray(change + rim * pattern.fresh[:, None], np.float32)


def _contrast(
    change: Floats,
    spread: Floats,
    grid: Grid,
    rows: npt.NDArray[np.intp],
    cols: npt.NDArray[np.intp],
    look: Look,
) -> Floats:
    """Root mean square over the bands of the change over the local standard deviation, shape (n,)."""
    _, coarse_rows, coarse_cols = spread.shape
    local = spread[:, rows * coarse_rows // grid.height, cols * coarse_cols // grid.width]
    ratio = (look.mix.astype(np.float32) @ change) / local
    return np.asarray(np.sqrt(np.mean(ratio**2, axis=0)))


def _crop(window: Window, seen: Bools) -> tuple[Window, Bools]:
    """Crop a mask to its ones."""
    rows, cols = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    top, left = int(rows[0]), int(cols[0])
    part = seen[top : rows[-1] + 1, left : cols[-1] + 1].copy()
    return Window(window.row + top, window.col + left, *part.shape), part


def _expose(rng: np.random.Generator, latent: Floats, grid: Grid, look: Look) -> Mosaic:
    """Turn the latent properties into an eight-bit mosaic: blur, mixing, noise, no-data at the poles."""
    for k, factor in enumerate((1.0, 1.6, 1.6)):
        latent[k] = ndimage.gaussian_filter(
            latent[k], look.blur_px * factor, mode=("nearest", "wrap")
        )
    valid = _valid(rng, grid, look)
    values = np.empty(latent.shape, np.uint8)
    for strip in grid.strips(grid.whole, _STRIP_PIXELS):
        rows = slice(strip.row, strip.row + strip.height)
        bands = np.tensordot(look.mix.astype(np.float32), latent[:, rows], 1)
        bands += look.offset[:, None, None].astype(np.float32)
        bands += np.float32(look.noise) * rng.standard_normal(bands.shape, np.float32)
        values[:, rows] = np.where(valid[rows], np.clip(np.rint(bands), 1, 255), 0)
    return Mosaic.from_array(values, valid, grid, BAND_NAMES)


def _valid(rng: np.random.Generator, grid: Grid, look: Look) -> Bools:
    """Where the mosaic has data: all but two caps with ragged edges."""
    lon, lat = grid.centres(grid.whole)
    circle = unit_vectors(lon[0], 0.0)
    valid = np.ones(grid.shape, bool)
    for sign, gap in zip((1.0, -1.0), look.polar_gap_deg, strict=True):
        ragged = fractal(
            circle, 2.0, octaves_for(2.0, np.pi / grid.height), int(rng.integers(2**30)), 0.6
        )
        edge = 90.0 - gap * (1.0 + 0.35 * ragged)
        valid &= sign * lat < edge
    return valid
