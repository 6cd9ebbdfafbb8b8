"""Other renditions of the same planet: stretched, blurred, compressed, with seams and gaps, mirrored.

Published mosaics of a body differ in all of these. Ejecta stay where they are.
"""

from dataclasses import replace
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from ejectamap.world.grid import Grid, Window
from ejectamap.world.labels import Labels
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.world import World

Counts = npt.NDArray[np.uint8]


def draw_rendition(world: World, rng: np.random.Generator, probability: float = 0.65) -> World:
    """Draw another rendition of a world, of eight bits; with the rest of the probability its values stay.

    Half of the worlds are mirrored, east for west, in either case.
    """
    if rng.random() < 0.5:
        world = mirror(world)
    if rng.random() > probability:
        return world
    mosaic = world.mosaic
    values, valid = mosaic.read(mosaic.grid.whole)
    bands = values.astype(np.float32)
    for change, chance in (
        (_stretch, 0.6),
        (_blur, 0.4),
        (_add_seams, 0.3),
        (_add_grey_gap, 0.25),
        (_add_noise, 0.3),
    ):
        if rng.random() < chance:
            bands = change(bands, rng)
    counts = np.clip(np.rint(bands), 1, 255).astype(np.uint8)
    if rng.random() < 0.4:
        counts = np.maximum(_compress(counts, rng), 1)
    counts = np.where(valid, counts, 0).astype(np.uint8)
    return World(
        Mosaic.from_array(counts, valid, mosaic.grid, mosaic.band_names),
        world.craters,
        world.labels,
    )


def mirror(world: World) -> World:
    """Swap east and west; the mosaic must cover the globe from longitude -180 on."""
    mosaic, grid = world.mosaic, world.mosaic.grid
    values, valid = mosaic.read(grid.whole)
    craters = tuple(replace(c, lon=-c.lon if c.lon > -180 else c.lon) for c in world.craters)
    labels = world.labels
    if labels is not None:
        labels = Labels(grid, {k: _mirror_mask(*labels.masks[k], grid) for k in labels.masks}, None)
    mirrored = Mosaic.from_array(
        values[:, :, ::-1].copy(), valid[:, ::-1].copy(), grid, mosaic.band_names
    )
    return World(mirrored, craters, labels)


def _mirror_mask(
    window: Window, mask: npt.NDArray[np.bool_], grid: Grid
) -> tuple[Window, npt.NDArray[np.bool_]]:
    col = (grid.width - window.col - window.width) % grid.width
    return Window(window.row, col, window.height, window.width), mask[:, ::-1].copy()


def _stretch(bands: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change gain, gamma and limits of each band."""
    out = np.empty_like(bands)
    common = rng.random() < 0.5
    for k, band in enumerate(bands):
        if k == 0 or not common:
            gamma = np.exp(rng.normal(0.0, 0.35))
            low, high = np.percentile(band[::8, ::8], (rng.uniform(0, 2), 100 - rng.uniform(0, 4)))
            bottom, top = rng.uniform(1, 60), rng.uniform(190, 256)
        scaled = np.clip((band - low) / max(high - low, 1.0), 0, 1)
        out[k] = bottom + (top - bottom) * scaled**gamma
    return out


def _blur(bands: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur by up to 1.6 pixels, colour more than brightness in half of the cases."""
    sigma_px = rng.uniform(0.3, 1.6)
    colour = rng.choice([1.0, 1.8])
    return np.stack(
        [
            ndimage.gaussian_filter(
                band, sigma_px * (colour if k else 1.0), mode=("nearest", "wrap")
            )
            for k, band in enumerate(bands)
        ]
    )


def _add_seams(bands: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Give rectangles of the map slightly different gains and offsets."""
    _, height, width = bands.shape
    out = bands.copy()
    for _ in range(rng.integers(4, 30)):
        h, w = int(height * rng.uniform(0.05, 0.4)), int(width * rng.uniform(0.02, 0.2))
        top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)
        part = np.s_[:, top : top + h, left : left + w]
        out[part] = out[part] * rng.normal(1, 0.03) + rng.normal(0, 4, (len(bands), 1, 1))
    return out


def _add_grey_gap(bands: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Fill a polar cap or a strip with ground that is even, as where another source filled a gap."""
    _, height, width = bands.shape
    out = bands.copy()
    if rng.random() < 0.6:
        rows = int(height * rng.uniform(0.03, 0.14))
        part = np.s_[:, :rows] if rng.random() < 0.5 else np.s_[:, height - rows :]
    else:
        h, w = int(height * rng.uniform(0.1, 0.3)), int(width * rng.uniform(0.01, 0.05))
        top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)
        part = np.s_[:, top : top + h, left : left + w]
    mean = out[part].mean(axis=(1, 2), keepdims=True)
    out[part] = mean + rng.uniform(0, 0.4) * (ndimage.gaussian_filter(out[part], (0, 3, 3)) - mean)
    return out


def _add_noise(bands: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return bands + np.float32(rng.uniform(0.5, 7)) * rng.standard_normal(bands.shape, np.float32)


def _compress(counts: Counts, rng: np.random.Generator) -> Counts:
    """JPEG, with colour at full or half resolution; other numbers of bands than three one by one."""
    quality = int(rng.integers(60, 96))

    def jpeg(pixels: Counts, **options: int) -> Counts:
        with BytesIO() as file:
            Image.fromarray(pixels).save(file, "JPEG", quality=quality, **options)
            return np.asarray(Image.open(file))

    if len(counts) == 3:
        subsampling = 2 * int(rng.integers(2))
        return np.moveaxis(
            jpeg(np.ascontiguousarray(np.moveaxis(counts, 0, -1)), subsampling=subsampling), -1, 0
        )
    return np.stack([jpeg(np.ascontiguousarray(band)) for band in counts])
