"""What the context network learns from: a crater's surroundings at once, sampled afresh each time.

Every time a crater is seen it is turned, mirrored, stretched in range and lit differently: all of that is sampled
straight from the mosaic, so nothing is kept in memory and no two pictures are alike.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset, Sampler

from ejectamap.project.settings import Views
from ejectamap.training.datasets import Sample
from ejectamap.training.sources import Source
from ejectamap.views.inputs import polar_input
from ejectamap.views.polar import PolarView, polar_size
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Window

Floats = npt.NDArray[np.float32]
_STRETCH = 1.3
_CONTRAST = 0.3
_BRIGHTNESS = 0.3


@dataclass(frozen=True)
class _Scene:
    """One crater of one world and the tiles in which its label counts."""

    source: Source
    crater: Crater
    windows: tuple[Window, ...]


class PolarDataset(Dataset[Sample]):
    """Polar pictures: `inputs` (channel, rows, cols), `target` (rows, cols), `mask` (rows, cols).

    The mask is 0 where the label does not count (outside the pairs' tiles, beyond the reach, no data), and elsewhere
    half even, half the ground area of the cell over the mean: near ground has many small cells, far ground the area.
    """

    def __init__(self, sources: Sequence[Source], views: Views, augment: bool, seed: int) -> None:
        self.scenes = [scene for source in sources for scene in _scenes(source)]
        self.views = views
        self.augment = augment
        self.rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        return len(self.scenes)

    def size(self, index: int) -> tuple[int, int]:
        """Size (rows, cols) of a picture."""
        return polar_size(self.scenes[index].crater.reach, *self.views.polar_px)

    def __getitem__(self, index: int) -> Sample:
        scene = self.scenes[index]
        view = self._view(scene, self.size(index))
        world = scene.source.world
        picture = polar_input(world.mosaic, scene.source.scaling, view, world.craters)
        target, mask = _answer(scene, view)
        mask *= picture[-1]  # 0 where the mosaic has no data
        if self.augment:
            picture = _relight(picture, world.mosaic.bands, self.rng)
            if self.rng.random() < 0.5:
                picture, target, mask = picture[..., ::-1], target[..., ::-1], mask[..., ::-1]
        parts = {"inputs": picture, "target": target, "mask": mask}
        return {name: torch.from_numpy(np.ascontiguousarray(part)) for name, part in parts.items()}

    def _view(self, scene: _Scene, size: tuple[int, int]) -> PolarView:
        radius_m = scene.source.world.mosaic.grid.radius_m
        stretch = _STRETCH ** self.rng.uniform(-1, 0.5) if self.augment else 1.0
        range_m = min(scene.crater.reach_m(radius_m) * stretch, 0.95 * np.pi * radius_m)
        turn = float(self.rng.uniform(0, 360)) if self.augment else 0.0
        return PolarView(
            scene.crater, radius_m, range_m, *size, power=self.views.polar_power, turn_deg=turn
        )


class SizeBatches(Sampler[list[int]]):
    """Batches of pictures of one size each, in an order drawn anew each time, or in the given order."""

    def __init__(self, data: PolarDataset, batch_size: int, shuffle: bool, seed: int) -> None:
        self.by_size = defaultdict(list)
        for index in range(len(data)):
            self.by_size[data.size(index)].append(index)
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        return sum(-(-len(group) // self.batch_size) for group in self.by_size.values())

    def __iter__(self) -> Iterator[list[int]]:
        batches = []
        for group in self.by_size.values():
            order = self.rng.permutation(group).tolist() if self.shuffle else group
            starts = range(0, len(order), self.batch_size)
            batches += [order[start : start + self.batch_size] for start in starts]
        if self.shuffle:
            batches = [batches[k] for k in self.rng.permutation(len(batches))]
        return iter(batches)


def _scenes(source: Source) -> list[_Scene]:
    windows = defaultdict(list)
    for pair in source.pairs:
        windows[pair.crater].append(pair.window)
    return [_Scene(source, crater, tuple(found)) for crater, found in windows.items()]


def _answer(scene: _Scene, view: PolarView) -> tuple[Floats, Floats]:
    """Label of each cell, and how much it counts."""
    world = scene.source.world
    assert world.labels is not None
    places = view.places()
    target = world.labels.sample(scene.crater.crater_id, places.lon, places.lat)
    inside = (world.mosaic.grid.inside(window, *places) for window in scene.windows)
    counts = reduce(np.logical_or, inside)
    if world.tiles is None:  # labels are complete within the reach, and say nothing beyond it
        counts &= view.row_ranges_m()[:, None] <= scene.crater.reach_m(view.radius_m)
    area = view.cell_area_m2()
    weight = 0.5 + 0.5 * area / area.mean()
    return target.astype(np.float32), np.where(counts, weight, 0).astype(np.float32)


def _relight(picture: Floats, bands: int, rng: np.random.Generator) -> Floats:
    """Change contrast and brightness of each band, in the scaled and in the locally normalised copy."""
    picture = picture.copy()
    shape = (2 * bands, 1, 1)
    valid = picture[-1:]
    contrast = 1 + _CONTRAST * rng.uniform(-1, 1, shape)
    brightness = _BRIGHTNESS * rng.uniform(-1, 1, shape)
    brightness[bands:] = 0
    picture[: 2 * bands] = (picture[: 2 * bands] * contrast + brightness) * valid
    return picture
