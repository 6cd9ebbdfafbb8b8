"""Laying an impact's ejecta on the ground, and telling where an eye can see them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ejectamap.simulate.ejecta import cover_at
from ejectamap.simulate.impacts import Impact, Pattern
from ejectamap.simulate.look import Look
from ejectamap.simulate.noise import Floats
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.mosaic import Bools
from ejectamap.world.sphere import azimuthal_forward

STRIP_PIXELS = 4_000_000
_SPREAD_WINDOW_M = 60e3
Ints = npt.NDArray[np.intp]
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scene:
    """A planet under construction; the arrays are changed in place.

    Attributes
    ----------
    grid : Grid
    look : Look
    latent : float32 array (3, height, width)
        Latent properties of the surface so far.
    buried : float32 array (height, width)
        How much of the ground the ejecta laid down so far hide, 0 to 1.
    spread : float32 array (3, coarse rows, coarse columns)
        Standard deviation of the bands without ejecta, in counts.
    valid : bool array (height, width)
        Where the mosaic will have data.
    """

    grid: Grid
    look: Look
    latent: Floats
    buried: Floats
    spread: Floats
    valid: Bools


def local_spread(latent: Floats, grid: Grid, look: Look) -> Floats:
    """Measure the standard deviation of the bands in windows of about 60 km, in counts.

    What ejecta must stand out from to be seen; shape (3, height / step, width / step).
    """
    step = min(max(4, round(_SPREAD_WINDOW_M / grid.pixel_m)), grid.height // 4)
    rows, cols = grid.height // step, grid.width // step
    variance = np.empty((len(look.mix), rows, cols), np.float32)
    for row in range(rows):  # one row of windows at a time: never a second copy of the planet
        strip = latent[:, row * step : (row + 1) * step, : cols * step]
        bands = np.tensordot(look.mix.astype(np.float32), strip, 1)
        variance[:, row] = bands.reshape(-1, step, cols, step).var(axis=(1, 3))
    spread = np.sqrt(variance + look.noise**2)
    smooth = ndimage.gaussian_filter(spread, (0, 1, 1), mode=("nearest", "nearest", "wrap"))
    return np.asarray(smooth, np.float32)


def lay_down(scene: Scene, impact: Impact, pattern: Pattern) -> tuple[Window, Bools]:
    """Paint one impact's ejecta under those already there and return where they can be seen.

    Returns
    -------
    Window, bool array (height, width)
        The smallest window that holds what can be seen, the crater's interior included.
    """
    grid, crater = scene.grid, impact.crater
    extent_m = max(impact.longest_ray_m, 3.0 * impact.blanket_m)
    extent_m = min(extent_m, crater.reach_m(grid.radius_m))
    cap = _cap_window(grid, crater, extent_m)
    seen = np.zeros(cap.shape, bool)
    for strip in grid.strips(cap, STRIP_PIXELS):
        lon, lat = grid.centres(strip)
        x_m, y_m = azimuthal_forward(lon, lat, crater.lon, crater.lat, grid.radius_m)
        i, j = np.nonzero(np.hypot(x_m, y_m) <= extent_m)
        top = strip.row - cap.row
        rows, cols = i + strip.row, grid.columns(strip)[j]
        seen[i + top, j] = _paint_pixels(scene, impact, pattern, rows, cols, x_m[i, j], y_m[i, j])
    seen &= scene.valid[cap.row : cap.row + cap.height][:, grid.columns(cap)]
    return _crop(cap, seen, grid.width)


def _paint_pixels(
    scene: Scene, impact: Impact, pattern: Pattern, rows: Ints, cols: Ints, x_m: Array, y_m: Array
) -> Bools:
    """Paint the pixels (rows, cols) at places of the azimuthal frame; return where ejecta show."""
    range_m = np.hypot(x_m, y_m)
    azimuth = np.arctan2(x_m, y_m) % (2 * np.pi)
    r = range_m / impact.crater.radius_m
    cover = cover_at(impact, pattern, scene.look, range_m, azimuth, scene.grid.radius_m)
    seen = can_be_seen(scene, impact, pattern, rows, cols, range_m, cover.smooth)
    ground = scene.latent[:, rows, cols]
    change = _change(cover.fine * _unburied(scene, rows, cols), ground, r, pattern)
    scene.latent[:, rows, cols] = ground + _with_interior(change, ground, r, pattern)
    scene.buried[rows, cols] = np.maximum(scene.buried[rows, cols], cover.smooth)
    return seen


def can_be_seen(
    scene: Scene,
    impact: Impact,
    pattern: Pattern,
    rows: Ints,
    cols: Ints,
    range_m: Array,
    cover: Floats,
) -> Bools:
    """Tell where a cover would show on the pixels (rows, cols) as they are, before it is painted; shape (n,).

    The crater's interior always counts.
    """
    r = range_m / impact.crater.radius_m
    ground = scene.latent[:, rows, cols]
    change = _change(cover * _unburied(scene, rows, cols), ground, r, pattern)
    return np.asarray((_contrast(scene, change, rows, cols) > scene.look.threshold) | (r < 1.0))


def _unburied(scene: Scene, rows: Ints, cols: Ints) -> Floats:
    """Share of new ejecta that those of younger craters leave to be seen, shape (n,)."""
    return np.asarray(1.0 - 0.8 * scene.buried[rows, cols])


def _change(cover: Floats, ground: Floats, r: Array, pattern: Pattern) -> Floats:
    """Change of the latent properties (3, n): dug-up material near the crater, stirred-up far."""
    own = np.clip(1.2 - r / 8.0, 0.0, 0.7)
    change = own * (pattern.colour[:, None] - ground) + (1.0 - own) * pattern.fresh[:, None]
    return np.asarray(cover * change, np.float32)


def _with_interior(change: Floats, ground: Floats, r: Array, pattern: Pattern) -> Floats:
    """Change with the crater's own floor and rim put in."""
    inside = np.clip((1.0 - r) / 0.4, 0.0, 1.0)
    rim = 0.5 * pattern.cover * np.exp(-(((r - 0.95) / 0.12) ** 2))
    floor = pattern.cover * (pattern.floor[:, None] - ground)
    total = change * (1.0 - inside) + floor * inside + rim * pattern.fresh[:, None]
    return np.asarray(total, np.float32)


def _contrast(scene: Scene, change: Floats, rows: Ints, cols: Ints) -> Floats:
    """Root mean square over the bands of change over local standard deviation, shape (n,)."""
    _, coarse_rows, coarse_cols = scene.spread.shape
    local = scene.spread[
        :, rows * coarse_rows // scene.grid.height, cols * coarse_cols // scene.grid.width
    ]
    ratio = (scene.look.mix.astype(np.float32) @ change) / local
    return np.asarray(np.sqrt(np.mean(ratio**2, axis=0)))


def _cap_window(grid: Grid, crater: Crater, extent_m: float) -> Window:
    """Window around a crater; at the raster's edge it wraps around rather than take whole rows."""
    middle, _ = grid.to_lonlat(grid.width / 2, 0.0)
    cap = grid.cap_window(float(middle), crater.lat, extent_m)
    if cap.width == grid.width:
        return cap
    shift = int(grid.to_pixel(crater.lon, 0.0)[0]) - grid.width // 2
    # One column more on either side, for the fraction of a pixel that the shift leaves out.
    width = min(grid.width, cap.width + 2)
    return Window(cap.row, (cap.col + shift - 1) % grid.width, cap.height, width)


def _crop(window: Window, seen: Bools, grid_width: int) -> tuple[Window, Bools]:
    """Crop a mask to its ones; an empty one stays 0 x 0."""
    rows, cols = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if rows.size == 0:
        return Window(0, 0, 0, 0), np.zeros((0, 0), bool)
    top, left = int(rows[0]), int(cols[0])
    part = seen[top : rows[-1] + 1, left : cols[-1] + 1].copy()
    return Window(window.row + top, (window.col + left) % grid_width, *part.shape), part
