"""What the networks learn from: pictures and answers, sampled once and kept in memory.

Corridors are kept in half precision; chips are fewer, and a logarithm of distance needs the full one.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.progress import track
from torch.utils.data import Dataset

from ejectamap.project.settings import Views
from ejectamap.training.augment import augment_chip, augment_corridor
from ejectamap.training.pairs import Pair, share_weight
from ejectamap.training.sources import Source
from ejectamap.views.chip import Chip, largest_chip
from ejectamap.views.inputs import chip_input, corridor_input, crater_metadata
from ejectamap.world.labels import Bools, Labels
from ejectamap.world.sphere import LonLat

Sample = dict[str, torch.Tensor]
Picture = npt.NDArray[np.floating[Any]]


def _sample_all(
    sources: Sequence[Source], look: Callable[[Source, Pair, Chip], Picture], what: str
) -> list[Picture]:
    """Look at every pair of every source, on threads: sampling releases the interpreter."""
    jobs = [(source, pair) for source in sources for pair in source.pairs]

    def look_at(job: tuple[Source, Pair]) -> Picture:
        source, pair = job
        return look(source, pair, largest_chip(pair.crater, pair.window, source.world.mosaic.grid))

    with ThreadPoolExecutor() as pool:
        pictures = pool.map(look_at, jobs)
        return list(track(pictures, f"sampling {what}", total=len(jobs), transient=True))


class CorridorDataset(Dataset[Sample]):
    """Corridors and whether they are connected: `inputs` (band + 1, width, length); scalars `target`, `weight`."""

    def __init__(self, sources: Sequence[Source], views: Views, augment: bool) -> None:
        def look(source: Source, pair: Pair, chip: Chip) -> Picture:
            picture = corridor_input(
                source.world.mosaic, source.scaling, pair.crater, chip, views.corridor_px
            )
            return picture.astype(np.float16)

        self.augment = augment
        self.pictures = _sample_all(sources, look, "corridors")
        self.targets = [pair.connected for source in sources for pair in source.pairs]

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Sample:
        picture = torch.from_numpy(self.pictures[index]).float()
        if self.augment:
            picture = augment_corridor(picture)
        return {
            "inputs": picture,
            "target": torch.tensor(float(self.targets[index])),
            "weight": torch.tensor(1.0),
        }


class ChipDataset(Dataset[Sample]):
    """Chips and their crater's ejecta: `inputs` (band + 1, n, n), `metadata`, `target` (n, n), `weight` scalar."""

    def __init__(
        self, sources: Sequence[Source], views: Views, share_weights: bool, augment: bool
    ) -> None:
        def look(source: Source, pair: Pair, chip: Chip) -> Picture:
            picture = chip_input(
                source.world.mosaic, source.scaling, pair.crater, chip, views.chip_px
            )
            places = chip.places(pair.crater, source.world.mosaic.grid.radius_m, views.chip_px)
            assert source.world.labels is not None
            truth = self._truth(source.world.labels, pair, places)
            return np.concatenate([picture, truth[None].astype(np.float32)])

        pairs = [(source, pair) for source in sources for pair in source.pairs]
        self.augment = augment
        self.pictures = _sample_all(sources, look, "chips")
        self.weights = [share_weight(p.share) if share_weights else 1.0 for _, p in pairs]
        self.metadata = [
            crater_metadata(s.world.mosaic, s.scaling, p.crater, views.annulus_radii)
            for s, p in pairs
        ]

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Sample:
        picture = torch.from_numpy(self.pictures[index]).float()
        if self.augment:
            picture = augment_chip(picture)
        return {
            "inputs": picture[:-1],
            "metadata": torch.from_numpy(self.metadata[index]),
            "target": picture[-1],
            "weight": torch.tensor(self.weights[index]),
        }

    @staticmethod
    def _truth(labels: Labels, pair: Pair, places: LonLat) -> Bools:
        return labels.sample(pair.crater.crater_id, *places)


class AnyEjectaDataset(ChipDataset):
    """Chips and any crater's ejecta in them: as `ChipDataset`, but `inputs` (band, n, n) without the distance."""

    def __getitem__(self, index: int) -> Sample:
        sample = super().__getitem__(index)
        return sample | {"inputs": sample["inputs"][:-1]}

    @staticmethod
    def _truth(labels: Labels, pair: Pair, places: LonLat) -> Bools:
        return labels.sample_any(*places)
