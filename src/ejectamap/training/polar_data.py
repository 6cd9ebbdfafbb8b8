"""What the context network learns from: a crater's surroundings at once, sampled afresh each time.

Every time a crater is seen it is turned, mirrored, stretched in range and lit differently, as far as the settings say:
all of that is sampled straight from the mosaic, so nothing is kept in memory and no two pictures are alike.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import gaussian_filter
from torch.utils.data import Dataset

from ejectamap.project.settings import Context, PolarAugmentation, Views
from ejectamap.training.datasets import Sample, SampleKey
from ejectamap.training.sources import Source
from ejectamap.views.ejecta_axes import EjectaAxes
from ejectamap.views.inputs import assemble_polar_input, polar_bands, polar_scaling
from ejectamap.views.polar import PolarView, polar_size
from ejectamap.views.scaling import ChannelScaling
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.sphere import LonLat

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Scene:
    """One crater of one world and the tiles in which its label counts."""

    source: Source
    scaling: ChannelScaling | EjectaAxes
    crater: Crater
    windows: tuple[Window, ...]


class PolarDataset(Dataset[Sample]):
    """Polar pictures: `inputs` (channel, rows, cols), `target` (rows, cols), `mask` (rows, cols).

    The mask is 0 where the label does not count (outside the pairs' tiles, beyond the reach, no data), and elsewhere
    a fifth even, the rest the ground area of the cell over the mean: near ground has many small cells, far ground the
    area, which is what maps are judged by.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        views: Views,
        settings: Context,
        augmented: bool,
        seed: int,
    ) -> None:
        self.scenes = [s for source in sources for s in _scenes(source, settings.scaling)]
        self.views = views
        self.augment = settings.augment if augmented else PolarAugmentation()
        self.seed = seed

    def __len__(self) -> int:
        return len(self.scenes)

    def size(self, index: int) -> tuple[int, int]:
        """Size (rows, cols) of a picture."""
        return polar_size(self.scenes[index].crater.reach, *self.views.polar_px)

    def __getitem__(self, key: SampleKey) -> Sample:
        epoch, index = key
        rng = np.random.default_rng((self.seed, epoch, index))
        scene = self.scenes[index]
        view = self._view(scene, self.size(index), rng)
        world = scene.source.world
        bands, valid = polar_bands(world.mosaic, scene.scaling, view)
        _drop_bands(bands, self.augment.fewer_bands, rng)
        picture = assemble_polar_input(bands, valid, view, world.craters)
        target, mask = _answer(scene, view)
        mask *= picture[-1]  # 0 where the mosaic has no data
        picture = _relight(picture, len(bands), self.augment, rng)
        if rng.random() < 0.5 and self.augment.flips:
            picture, target, mask = picture[..., ::-1], target[..., ::-1], mask[..., ::-1]
        parts = {"inputs": picture, "target": target, "mask": mask}
        return {name: torch.from_numpy(np.ascontiguousarray(part)) for name, part in parts.items()}

    def _view(self, scene: _Scene, size: tuple[int, int], rng: np.random.Generator) -> PolarView:
        radius_m = scene.source.world.mosaic.grid.radius_m
        # Rather nearer than farther: beyond the reach labels say nothing.
        stretch = self.augment.stretch ** rng.uniform(-1, 0.5)
        range_m = min(scene.crater.reach_m(radius_m) * stretch, 0.95 * np.pi * radius_m)
        turn = float(rng.uniform(0, 360)) * self.augment.turns
        return PolarView(
            scene.crater, radius_m, range_m, *size, power=self.views.polar_power, turn_deg=turn
        )


def _scenes(source: Source, scaling: str) -> list[_Scene]:
    bands = polar_scaling(source.world.mosaic, source.world.craters, scaling)
    windows = defaultdict(list)
    for pair in source.pairs:
        windows[pair.crater].append(pair.window)
    return [_Scene(source, bands, crater, tuple(found)) for crater, found in windows.items()]


def _answer(scene: _Scene, view: PolarView) -> tuple[Floats, Floats]:
    """Label of each cell, and how much it counts."""
    world = scene.source.world
    assert world.labels is not None
    places = view.places()
    target = world.labels.sample(scene.crater.crater_id, places.lon, places.lat)
    counts = _labelled(places, scene.windows, world.mosaic.grid)
    if world.tiles is None:  # labels are complete within the reach, and say nothing beyond it
        counts &= view.row_ranges_m()[:, None] <= scene.crater.reach_m(view.radius_m)
    area = view.cell_area_m2()
    weight = 0.2 + 0.8 * area / area.mean()
    return target.astype(np.float32), np.where(counts, weight, 0).astype(np.float32)


def _labelled(places: LonLat, windows: Sequence[Window], grid: Grid) -> npt.NDArray[np.bool_]:
    """Whether places lie in any of some windows, of which there may be hundreds."""
    inside = np.zeros(grid.shape, bool)
    for window in windows:
        inside[window.row : window.row + window.height, grid.columns(window)] = True
    col, row = grid.to_pixel(*places)
    last_row = grid.height - 1
    return inside[np.minimum(row.astype(np.intp), last_row), col.astype(np.intp) % grid.width]


def _drop_bands(bands: Floats, share: float, rng: np.random.Generator) -> None:
    """Leave a share of the pictures with fewer bands, in place: the last ones are 0."""
    if share and rng.random() < share:
        bands[rng.integers(1, len(bands) + 1) :] = 0


def _relight(
    picture: Floats, bands: int, how: PolarAugmentation, rng: np.random.Generator
) -> Floats:
    """Change contrast, brightness and sharpness of each band, in the scaled and in the locally normalised copy."""
    shape = (2 * bands, 1, 1)
    valid = picture[-1:]
    contrast = 1 + how.contrast * rng.uniform(-1, 1, shape)
    brightness = how.brightness * rng.uniform(-1, 1, shape)
    brightness[bands:] = 0
    sigma_px = how.blur_px * rng.random()
    lit = picture.copy()
    seen = picture[: 2 * bands] * contrast + brightness
    if sigma_px > 0:
        seen = gaussian_filter(seen, (0, sigma_px, sigma_px), mode=("nearest", "nearest", "wrap"))
    lit[: 2 * bands] = seen * valid
    return lit
