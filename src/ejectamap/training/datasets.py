"""Training data sets of corridors and chips: inputs and targets, sampled once and kept in memory.

The key of a sample is its epoch and index, `data[epoch, index]`. Its augmentation depends only on these two and the
seed, so that a resumed training gets the same pictures. Corridors are stored as float16; chips are fewer, and the
logarithm of the distance needs float32.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from ejectamap.progress import track
from ejectamap.project.methods import NETWORK_KINDS
from ejectamap.project.pairs import Pair
from ejectamap.project.settings import Connection, Segmentation, Views
from ejectamap.training.augment import augment_chip, augment_corridor
from ejectamap.training.sources import Source
from ejectamap.views.chip import Chip, largest_chip
from ejectamap.views.chip_sampler import ChipSampler, chip_sampler, corridor_sampler
from ejectamap.views.inputs import crater_metadata
from ejectamap.views.scaling import ChannelScaling
from ejectamap.world.grid import Bools
from ejectamap.world.labels import Labels
from ejectamap.world.sphere import LonLat

SampleKey = tuple[int, int]
"""Epoch and index of a sample."""
Sample = dict[str, torch.Tensor]
InputArray = npt.NDArray[np.floating[Any]]


def ejecta_ratio_weight(ratio: float) -> float:
    """Weight of a chip by its `Pair.ejecta_ratio`; larger if only a small part of the tile's ejecta is of this crater.

    As published, the weight is 0.95 at a ratio of 10 and approaches 1.
    """
    return float(1.0 / (1.0 + np.exp(-0.294 * ratio)))


def connection_weights(pairs: Sequence[Pair], settings: Connection) -> list[float]:
    """Weight of each corridor in the loss: the product of two factors that the settings switch on.

    `balance_weights`: number of all pairs over twice the number in the pair's class, so that both classes have the same
    total weight. `distance_weight` w: 1 at the crater, 1 + w at the largest distance of any pair, linear in between.
    """
    weights = np.ones(len(pairs))
    if settings.balance_weights:
        connected = np.array([pair.connected for pair in pairs], bool)
        counts = np.where(connected, connected.sum(), (~connected).sum())
        weights *= len(pairs) / (2 * counts)
    if settings.distance_weight > 0 and len(pairs):
        distances_m = np.array([pair.distance_m for pair in pairs])
        weights *= 1 + settings.distance_weight * distances_m / distances_m.max()
    return [float(weight) for weight in weights]


class CorridorDataset(Dataset[Sample]):
    """Corridors: `inputs` (band + 1, width, length) and the scalars `target` (1 is connected) and `weight`."""

    def __init__(
        self,
        sources: Sequence[Source],
        views: Views,
        settings: Connection,
        augmented: bool,
        seed: int,
    ) -> None:
        def read(source: Source, scaling: ChannelScaling, pair: Pair, chip: Chip) -> InputArray:
            mosaic = source.world.mosaic
            sampler = corridor_sampler(mosaic, scaling, pair.crater, views.corridor_px)
            return sampler.read(chip).astype(np.float16)

        pairs = [pair for source in sources for pair in source.pairs]
        self.augment = settings.augment if augmented else None
        self.seed = seed
        self.inputs = _read_pairs(sources, settings.scaling, read, "sampling corridors")
        self.targets = [float(pair.connected) for pair in pairs]
        self.weights = connection_weights(pairs, settings)

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, key: SampleKey) -> Sample:
        epoch, index = key
        inputs = self.inputs[index].astype(np.float32)
        if self.augment is not None:
            rng = np.random.default_rng((self.seed, epoch, index))
            inputs = augment_corridor(inputs, self.augment, rng)
        return {
            "inputs": torch.from_numpy(inputs),
            "target": torch.tensor(self.targets[index]),
            "weight": torch.tensor(self.weights[index]),
        }


class ChipDataset(Dataset[Sample]):
    """Chips: `inputs` (channel, n, n), `metadata` (m,), `target` (n, n; 1 is the crater's ejecta), `weight` scalar.

    Channels are those of the kind of network; metadata are included for every kind.
    """

    kind = "segmentation"

    def __init__(
        self,
        sources: Sequence[Source],
        views: Views,
        settings: Segmentation,
        augmented: bool,
        seed: int,
    ) -> None:
        def read(source: Source, scaling: ChannelScaling, pair: Pair, chip: Chip) -> InputArray:
            inputs = self._sampler(source, scaling, pair, views.chip_px).read(chip)
            places = chip.places(pair.crater, source.world.mosaic.grid.radius_m, views.chip_px)
            assert source.world.labels is not None
            target = self._target(source.world.labels, pair, places)
            return np.concatenate([inputs, target[None].astype(np.float32)])

        self.augment = settings.augment if augmented else None
        self.seed = seed
        # Inputs, with the target as last channel.
        self.arrays = _read_pairs(sources, settings.scaling, read, "sampling chips")
        self.weights = [
            ejecta_ratio_weight(pair.ejecta_ratio) if settings.ejecta_ratio_weights else 1.0
            for source in sources
            for pair in source.pairs
        ]
        self.metadata = [
            metadata for source in sources for metadata in _pair_metadata(source, views, settings)
        ]

    def __len__(self) -> int:
        return len(self.arrays)

    def __getitem__(self, key: SampleKey) -> Sample:
        epoch, index = key
        array = self.arrays[index].astype(np.float32)
        if self.augment is not None:
            rng = np.random.default_rng((self.seed, epoch, index))
            unchanged = len(NETWORK_KINDS[self.kind].channels) + 1
            array = augment_chip(array, self.augment, rng, unchanged)
        return {
            "inputs": torch.from_numpy(array[:-1]),
            "metadata": torch.from_numpy(self.metadata[index]),
            "target": torch.from_numpy(array[-1]),
            "weight": torch.tensor(self.weights[index]),
        }

    def _sampler(
        self, source: Source, scaling: ChannelScaling, pair: Pair, size_px: int
    ) -> ChipSampler:
        channels = NETWORK_KINDS[self.kind].channels
        return chip_sampler(source.world.mosaic, scaling, pair.crater, size_px, channels)

    def _target(self, labels: Labels, pair: Pair, places: LonLat) -> Bools:
        return labels.sample(pair.crater.crater_id, *places)


class DistanceOnlyDataset(ChipDataset):
    """Chips for the kind "distance-only"."""

    kind = "distance-only"


class AgnosticDataset(ChipDataset):
    """Chips for the kind "agnostic", whose target is any crater's ejecta."""

    kind = "agnostic"

    def _target(self, labels: Labels, pair: Pair, places: LonLat) -> Bools:
        return labels.sample_any(*places)


def _read_pairs(
    sources: Sequence[Source],
    scaling: str,
    read: Callable[[Source, ChannelScaling, Pair, Chip], InputArray],
    title: str,
) -> list[InputArray]:
    """Read every pair of every source, on several threads, because sampling releases the global interpreter lock."""
    scalings = [ChannelScaling.of_bands(source.world.mosaic, scaling) for source in sources]
    jobs = [
        (source, bands, pair)
        for source, bands in zip(sources, scalings, strict=True)
        for pair in source.pairs
    ]

    def read_job(job: tuple[Source, ChannelScaling, Pair]) -> InputArray:
        source, bands, pair = job
        chip = largest_chip(pair.crater, pair.window, source.world.mosaic.grid)
        return read(source, bands, pair, chip)

    with ThreadPoolExecutor() as pool:
        arrays = pool.map(read_job, jobs)
        return list(track(arrays, title, total=len(jobs)))


def _pair_metadata(
    source: Source, views: Views, settings: Segmentation
) -> list[npt.NDArray[np.float32]]:
    """Metadata of each pair's crater."""
    mosaic = source.world.mosaic
    scaling = ChannelScaling.of_bands(mosaic, settings.scaling)
    craters = {pair.crater for pair in source.pairs}
    metadata = {c: crater_metadata(mosaic, scaling, c, views.annulus_radii) for c in craters}
    return [metadata[pair.crater] for pair in source.pairs]
