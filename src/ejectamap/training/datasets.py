"""What the networks learn from: pictures and answers, sampled once and kept in memory.

A sample is asked for by epoch and index, `data[epoch, index]`: the two and the seed are all that its random changes
depend on, so that an interrupted training sees the same pictures again. Corridors are kept in half precision; chips are
fewer, and a logarithm of distance needs the full one.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.progress import track
from torch.utils.data import Dataset

from ejectamap.project.fitting import Connection, Segmentation
from ejectamap.project.settings import Views
from ejectamap.training.augment import augment_chip, augment_corridor
from ejectamap.training.pairs import Pair
from ejectamap.training.sources import Source
from ejectamap.training.weights import connection_weights, share_weight
from ejectamap.views.chip import Chip, largest_chip
from ejectamap.views.inputs import BandScaling, crater_metadata
from ejectamap.views.sight import chip_sight, corridor_sight
from ejectamap.world.labels import Bools, Labels
from ejectamap.world.sphere import LonLat

Draw = tuple[int, int]
"""Epoch and index of a sample."""
Sample = dict[str, torch.Tensor]
Picture = npt.NDArray[np.floating[Any]]


def _sample_all(
    sources: Sequence[Source],
    scaling: str,
    look: Callable[[Source, BandScaling, Pair, Chip], Picture],
    what: str,
    radial_up: bool,
) -> list[Picture]:
    """Look at every pair of every source, on threads: sampling releases the interpreter."""
    scaled = [(source, BandScaling.for_mosaic(source.world.mosaic, scaling)) for source in sources]
    jobs = [(source, bands, pair) for source, bands in scaled for pair in source.pairs]

    def look_at(job: tuple[Source, BandScaling, Pair]) -> Picture:
        source, bands, pair = job
        chip = largest_chip(pair.crater, pair.window, source.world.mosaic.grid, radial_up)
        return look(source, bands, pair, chip)

    with ThreadPoolExecutor() as pool:
        pictures = pool.map(look_at, jobs)
        return list(track(pictures, f"sampling {what}", total=len(jobs), transient=True))


class CorridorDataset(Dataset[Sample]):
    """Corridors and whether they are connected: `inputs` (band + 1, width, length); scalars `target`, `weight`."""

    def __init__(
        self,
        sources: Sequence[Source],
        views: Views,
        settings: Connection,
        augmented: bool,
        seed: int,
    ) -> None:
        def look(source: Source, scaling: BandScaling, pair: Pair, chip: Chip) -> Picture:
            picture = corridor_sight(
                source.world.mosaic, scaling, pair.crater, views.corridor_px
            ).look(chip)
            return picture.astype(np.float16)

        pairs = [pair for source in sources for pair in source.pairs]
        self.augment = settings.augment if augmented else None
        self.seed = seed
        self.pictures = _sample_all(sources, settings.scaling, look, "corridors", views.radial_up)
        self.targets = [float(pair.connected) for pair in pairs]
        self.weights = connection_weights(pairs, settings)

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, draw: Draw) -> Sample:
        epoch, index = draw
        picture = self.pictures[index].astype(np.float32)
        if self.augment is not None:
            rng = np.random.default_rng((self.seed, epoch, index))
            picture = augment_corridor(picture, self.augment, rng)
        return {
            "inputs": torch.from_numpy(picture),
            "target": torch.tensor(self.targets[index]),
            "weight": torch.tensor(self.weights[index]),
        }


class ChipDataset(Dataset[Sample]):
    """Chips and their crater's ejecta: `inputs` (band + 1, n, n), `metadata`, `target` (n, n), `weight` scalar.

    With `views.rivals` the inputs have one more channel.
    """

    kept = 2  # last channels of a kept picture, the label among them, whose values never change; rivals come on top

    def __init__(
        self,
        sources: Sequence[Source],
        views: Views,
        settings: Segmentation,
        augmented: bool,
        seed: int,
    ) -> None:
        def look(source: Source, scaling: BandScaling, pair: Pair, chip: Chip) -> Picture:
            picture = self._picture(source, scaling, pair, chip, views)
            places = chip.places(pair.crater, source.world.mosaic.grid.radius_m, views.chip_px)
            assert source.world.labels is not None
            truth = self._truth(source.world.labels, pair, places)
            return np.concatenate([picture, truth[None].astype(np.float32)])

        augment = settings.augment
        if views.radial_up:  # what was up would not stay up
            augment = augment.model_copy(update={"quarter_turns": False})
        self.augment = augment if augmented else None
        self.kept = self.kept + views.rivals
        self.seed = seed
        self.pictures = _sample_all(sources, settings.scaling, look, "chips", views.radial_up)
        self.weights = [
            share_weight(pair.share) if settings.share_weights else 1.0
            for source in sources
            for pair in source.pairs
        ]
        self.metadata = [
            about for source in sources for about in _crater_numbers(source, views, settings)
        ]

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, draw: Draw) -> Sample:
        epoch, index = draw
        picture = self.pictures[index].astype(np.float32)
        if self.augment is not None:
            rng = np.random.default_rng((self.seed, epoch, index))
            picture = augment_chip(picture, self.augment, rng, self.kept)
        return {
            "inputs": torch.from_numpy(picture[:-1]),
            "metadata": torch.from_numpy(self.metadata[index]),
            "target": torch.from_numpy(picture[-1]),
            "weight": torch.tensor(self.weights[index]),
        }

    @staticmethod
    def _picture(
        source: Source, scaling: BandScaling, pair: Pair, chip: Chip, views: Views
    ) -> Picture:
        rivals = source.world.craters if views.rivals else None
        how = (views.chip_px, views.distance, views.log_distance, rivals)
        return chip_sight(source.world.mosaic, scaling, pair.crater, *how).look(chip)

    @staticmethod
    def _truth(labels: Labels, pair: Pair, places: LonLat) -> Bools:
        return labels.sample(pair.crater.crater_id, *places)


class AnyEjectaDataset(ChipDataset):
    """Chips and any crater's ejecta in them: as `ChipDataset`, but `inputs` (band, n, n) without the distance."""

    def __getitem__(self, draw: Draw) -> Sample:
        sample = super().__getitem__(draw)
        return sample | {"inputs": sample["inputs"][:-1]}

    @staticmethod
    def _truth(labels: Labels, pair: Pair, places: LonLat) -> Bools:
        return labels.sample_any(*places)


def _crater_numbers(
    source: Source, views: Views, settings: Segmentation
) -> list[npt.NDArray[np.float32]]:
    """The metadata of each pair's crater."""
    mosaic = source.world.mosaic
    scaling = BandScaling.for_mosaic(mosaic, settings.scaling)
    craters = {pair.crater for pair in source.pairs}
    about = {c: crater_metadata(mosaic, scaling, c, views.annulus_radii) for c in craters}
    return [about[pair.crater] for pair in source.pairs]
