"""Painting the ejecta of one impact on a planet under construction, and computing where they are visible."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ejectamap.simulation.ejecta import compute_cover
from ejectamap.simulation.ground import STRIP_PIXELS
from ejectamap.simulation.impacts import Impact, RayPattern
from ejectamap.simulation.planet_style import PlanetStyle
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Bools, Grid, Window
from ejectamap.world.mosaic import Floats
from ejectamap.world.sphere import Array, azimuthal_forward

_STD_WINDOW_M = 60e3
Ints = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Scene:
    """A planet under construction; the arrays are changed in place.

    Attributes
    ----------
    grid : Grid
    style : PlanetStyle
    latent : float32 array (3, height, width)
        Latent properties of the surface so far.
    buried : float32 array (height, width)
        Fraction of each pixel that the ejecta painted so far cover, 0 to 1.
    local_std : float32 array (3, coarse rows, coarse columns)
        Standard deviation of the bands before any ejecta were painted, in counts.
    valid : bool array (height, width)
        Where the mosaic will have data.
    """

    grid: Grid
    style: PlanetStyle
    latent: Floats
    buried: Floats
    local_std: Floats
    valid: Bools


def measure_local_std(latent: Floats, grid: Grid, style: PlanetStyle) -> Floats:
    """Measure the standard deviation of the bands in windows of about 60 km, in counts.

    The contrast of ejecta is measured in units of it. Shape (3, height / step, width / step), with `step` the side of
    a window in pixels.
    """
    step = min(max(4, round(_STD_WINDOW_M / grid.pixel_m)), grid.height // 4)
    rows, cols = grid.height // step, grid.width // step
    variance = np.empty((len(style.mix), rows, cols), np.float32)
    for row in range(rows):  # one row of windows at a time, so that there is no copy of the planet
        strip = latent[:, row * step : (row + 1) * step, : cols * step]
        bands = np.tensordot(style.mix.astype(np.float32), strip, 1)
        variance[:, row] = bands.reshape(-1, step, cols, step).var(axis=(1, 3))
    std = np.sqrt(variance + style.noise**2)
    smooth = ndimage.gaussian_filter(std, (0, 1, 1), mode=("nearest", "nearest", "wrap"))
    return np.asarray(smooth, np.float32)


def deposit_ejecta(scene: Scene, impact: Impact, pattern: RayPattern) -> tuple[Window, Bools]:
    """Paint one impact's ejecta below those painted before, and return where they are visible.

    Returns
    -------
    Window, bool array (height, width)
        The window that holds all visible ejecta, and the mask of the visible ejecta in it. The crater's interior counts
        as visible.
    """
    grid, crater = scene.grid, impact.crater
    extent_m = max(impact.longest_ray_m, 3.0 * impact.blanket_m)
    extent_m = min(extent_m, crater.reach_m(grid.radius_m))
    cap = _cap_window(grid, crater, extent_m)
    visible = np.zeros(cap.shape, bool)
    for strip in grid.strips(cap, STRIP_PIXELS):
        lon, lat = grid.centres(strip)
        x_m, y_m = azimuthal_forward(lon, lat, crater.lon, crater.lat, grid.radius_m)
        i, j = np.nonzero(np.hypot(x_m, y_m) <= extent_m)
        top = strip.row - cap.row
        rows, cols = i + strip.row, grid.columns(strip)[j]
        visible[i + top, j] = _paint_pixels(
            scene, impact, pattern, rows, cols, x_m[i, j], y_m[i, j]
        )
    visible &= scene.valid[cap.row : cap.row + cap.height][:, grid.columns(cap)]
    return _crop_to_ones(cap, visible, grid.width)


def _paint_pixels(
    scene: Scene,
    impact: Impact,
    pattern: RayPattern,
    rows: Ints,
    cols: Ints,
    x_m: Array,
    y_m: Array,
) -> Bools:
    """Paint pixels (rows, cols) given with their azimuthal coordinates; return where ejecta are visible, shape (n,)."""
    range_m = np.hypot(x_m, y_m)
    azimuth = np.arctan2(x_m, y_m) % (2 * np.pi)
    r = range_m / impact.crater.radius_m
    cover = compute_cover(impact, pattern, scene.style, range_m, azimuth, scene.grid.radius_m)
    visible = compute_visibility(scene, impact, pattern, rows, cols, range_m, cover.smooth)
    ground = scene.latent[:, rows, cols]
    change = _latent_change(cover.fine * _unburied_fraction(scene, rows, cols), ground, r, pattern)
    scene.latent[:, rows, cols] = ground + _add_interior(change, ground, r, pattern)
    scene.buried[rows, cols] = np.maximum(scene.buried[rows, cols], cover.smooth)
    return visible


def compute_visibility(
    scene: Scene,
    impact: Impact,
    pattern: RayPattern,
    rows: Ints,
    cols: Ints,
    range_m: Array,
    cover: Floats,
) -> Bools:
    """Compute on which pixels (rows, cols) a cover would be visible if it were painted on the scene as it is.

    Parameters
    ----------
    range_m : array (n,)
        Distance of each pixel from the crater's centre, in metres.
    cover : float32 array (n,)
        Cover of each pixel, 0 to 1.

    Returns
    -------
    bool array (n,)
        Where the contrast of the ejecta exceeds the planet's threshold, and everywhere in the crater's interior.
    """
    r = range_m / impact.crater.radius_m
    ground = scene.latent[:, rows, cols]
    change = _latent_change(cover * _unburied_fraction(scene, rows, cols), ground, r, pattern)
    return np.asarray((_contrast(scene, change, rows, cols) > scene.style.threshold) | (r < 1.0))


def _unburied_fraction(scene: Scene, rows: Ints, cols: Ints) -> Floats:
    """Fraction of new ejecta that the ejecta of younger craters leave visible, shape (n,)."""
    return np.asarray(1.0 - 0.8 * scene.buried[rows, cols])


def _latent_change(cover: Floats, ground: Floats, r: Array, pattern: RayPattern) -> Floats:
    """Change of the latent properties (3, n) by ejecta at r crater radii.

    Near the crater the surface becomes excavated material; far from it the ejecta mix with the ground.
    """
    excavated = np.clip(1.2 - r / 8.0, 0.0, 0.7)
    change = (
        excavated * (pattern.colour[:, None] - ground) + (1.0 - excavated) * pattern.fresh[:, None]
    )
    return np.asarray(cover * change, np.float32)


def _add_interior(change: Floats, ground: Floats, r: Array, pattern: RayPattern) -> Floats:
    """Change of the latent properties (3, n) including that by the crater's own floor and rim."""
    inside = np.clip((1.0 - r) / 0.4, 0.0, 1.0)
    rim = 0.5 * pattern.cover * np.exp(-(((r - 0.95) / 0.12) ** 2))
    floor = pattern.cover * (pattern.floor[:, None] - ground)
    total = change * (1.0 - inside) + floor * inside + rim * pattern.fresh[:, None]
    return np.asarray(total, np.float32)


def _contrast(scene: Scene, change: Floats, rows: Ints, cols: Ints) -> Floats:
    """Root mean square over the bands of change over local standard deviation, shape (n,)."""
    _, coarse_rows, coarse_cols = scene.local_std.shape
    local_std = scene.local_std[
        :, rows * coarse_rows // scene.grid.height, cols * coarse_cols // scene.grid.width
    ]
    ratio = (scene.style.mix.astype(np.float32) @ change) / local_std
    return np.asarray(np.sqrt(np.mean(ratio**2, axis=0)))


def _cap_window(grid: Grid, crater: Crater, extent_m: float) -> Window:
    """Window around a crater; unlike `Grid.cap_window` it wraps around at the grid's edge."""
    middle, _ = grid.to_lonlat(grid.width / 2, 0.0)
    cap = grid.cap_window(float(middle), crater.lat, extent_m)
    if cap.width == grid.width:
        return cap
    shift = int(grid.to_pixel(crater.lon, 0.0)[0]) - grid.width // 2
    # One column more on either side, because the shift is rounded to whole pixels.
    width = min(grid.width, cap.width + 2)
    return Window(cap.row, (cap.col + shift - 1) % grid.width, cap.height, width)


def _crop_to_ones(window: Window, mask: Bools, grid_width: int) -> tuple[Window, Bools]:
    """Crop a mask to its ones, within the columns of its window as they are; 0 x 0 without ones."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return Window(0, 0, 0, 0), np.zeros((0, 0), bool)
    top, left = int(rows[0]), int(cols[0])
    part = mask[top : rows[-1] + 1, left : cols[-1] + 1].copy()
    return Window(window.row + top, (window.col + left) % grid_width, *part.shape), part
