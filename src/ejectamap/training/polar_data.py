"""Training data set of polar views: whole craters, sampled anew from the mosaic in every epoch.

Turn and stretch in range change the sampled points, so a picture is not an interpolation of another one, and no picture
is kept in memory.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from ejectamap.project.settings import Context, PolarAugmentation, Views
from ejectamap.training.augment import drop_bands, jitter_polar
from ejectamap.training.datasets import Sample, SampleKey
from ejectamap.training.sources import Source
from ejectamap.views.ejecta_axes import EjectaAxes
from ejectamap.views.inputs import assemble_polar_input, polar_bands, polar_scaling
from ejectamap.views.polar import PolarView, polar_size
from ejectamap.views.scaling import ChannelScaling
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.mosaic import Floats
from ejectamap.world.sphere import LonLat

_NO_AUGMENTATION = PolarAugmentation(
    flips=False, contrast=0, brightness=0, blur_px=0, turns=False, stretch=1, fewer_bands=0
)


@dataclass(frozen=True)
class LabelledCrater:
    """One crater of a source.

    Attributes
    ----------
    source : Source
    scaling : ChannelScaling or EjectaAxes
        Of the bands of the source's mosaic.
    crater : Crater
    windows : tuple of Window
        Tiles in which the crater's label is known.
    """

    source: Source
    scaling: ChannelScaling | EjectaAxes
    crater: Crater
    windows: tuple[Window, ...]


class PolarDataset(Dataset[Sample]):
    """Polar views: `inputs` (channel, rows, cols), `target` (rows, cols), `mask` (rows, cols).

    The mask is 0 where the label is unknown (outside the pairs' tiles, beyond the reach, no data). Elsewhere it is
    0.2 + 0.8 times the ground area of the cell over the mean area: maps are evaluated by area, but most cells are near
    the crater and small.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        views: Views,
        settings: Context,
        augmented: bool,
        seed: int,
    ) -> None:
        self.craters = [c for source in sources for c in _craters(source, settings.scaling)]
        self.views = views
        self.augment = settings.augment if augmented else _NO_AUGMENTATION
        self.seed = seed

    def __len__(self) -> int:
        return len(self.craters)

    def size(self, index: int) -> tuple[int, int]:
        """Size (rows, cols) of a picture."""
        return polar_size(self.craters[index].crater.reach, *self.views.polar_px)

    def __getitem__(self, key: SampleKey) -> Sample:
        epoch, index = key
        rng = np.random.default_rng((self.seed, epoch, index))
        labelled = self.craters[index]
        # Reduced further than enlarged, because labels are unknown beyond the reach.
        stretch = self.augment.stretch ** rng.uniform(-1, 0.5)
        turn_deg = float(rng.uniform(0, 360)) * self.augment.turns
        view = self.view(index, stretch, turn_deg)
        world = labelled.source.world
        bands, valid = polar_bands(world.mosaic, labelled.scaling, view)
        drop_bands(bands, self.augment.fewer_bands, rng)
        inputs = assemble_polar_input(bands, valid, view, world.craters)
        target, mask = _sample_target(labelled, view)
        mask *= inputs[-1]  # 0 where the mosaic has no data
        inputs = jitter_polar(inputs, len(bands), self.augment, rng)
        if rng.random() < 0.5 and self.augment.flips:
            inputs, target, mask = inputs[..., ::-1], target[..., ::-1], mask[..., ::-1]
        arrays = {"inputs": inputs, "target": target, "mask": mask}
        return {
            name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()
        }

    def view(self, index: int, stretch: float = 1.0, turn_deg: float = 0.0) -> PolarView:
        """A crater's view; its range may be stretched by a factor, and its first column turned from north."""
        crater = self.craters[index].crater
        radius_m = self.craters[index].source.world.mosaic.grid.radius_m
        range_m = min(crater.reach_m(radius_m) * stretch, 0.95 * np.pi * radius_m)
        power = self.views.polar_power
        return PolarView(
            crater, radius_m, range_m, *self.size(index), power=power, turn_deg=turn_deg
        )


def _craters(source: Source, scaling: str) -> list[LabelledCrater]:
    """The craters of a source's pairs, in the order of their first pair."""
    bands = polar_scaling(source.world.mosaic, source.world.craters, scaling)
    windows = defaultdict(list)
    for pair in source.pairs:
        windows[pair.crater].append(pair.window)
    return [
        LabelledCrater(source, bands, crater, tuple(tiles)) for crater, tiles in windows.items()
    ]


def _sample_target(labelled: LabelledCrater, view: PolarView) -> tuple[Floats, Floats]:
    """Label (0 or 1) and weight of each cell, (rows, cols)."""
    world = labelled.source.world
    assert world.labels is not None
    places = view.places()
    target = world.labels.sample(labelled.crater.crater_id, places.lon, places.lat)
    known = _are_inside(places, labelled.windows, world.mosaic.grid)
    if world.tiles is None:  # labels are complete within the reach, and unknown beyond it
        known &= view.row_ranges_m()[:, None] <= labelled.crater.reach_m(view.radius_m)
    area = view.cell_area_m2()
    weight = 0.2 + 0.8 * area / area.mean()
    return target.astype(np.float32), np.where(known, weight, 0).astype(np.float32)


def _are_inside(places: LonLat, windows: Sequence[Window], grid: Grid) -> npt.NDArray[np.bool_]:
    """Whether places lie in any of some windows, by a mask of the grid, because there may be hundreds of windows."""
    mask = np.zeros(grid.shape, bool)
    for window in windows:
        mask[window.row : window.row + window.height, grid.columns(window)] = True
    col, row = grid.to_pixel(*places)
    last_row = grid.height - 1
    return mask[np.minimum(row.astype(np.intp), last_row), col.astype(np.intp) % grid.width]
