"""Simulated planets without end: each process makes its own, takes pictures of them and throws them away."""

import itertools
import threading
from collections import Counter, deque
from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from ejectamap.project import Project
from ejectamap.simulate import simulate_planet
from ejectamap.training.datasets import Sample
from ejectamap.training.pairs import make_pairs
from ejectamap.training.polar import PolarDataset
from ejectamap.training.sources import Source
from ejectamap.world.world import World

WIDTHS_PX = (2048, 1536, 2048, 3072, 2048, 1536)
LOOKS = 4  # at each crater, each time turned, stretched and lit differently; then the planet is done with
TILE_PX = 64


def simulated_world(seed: int) -> World:
    """A simulated planet; which size it has is a matter of the seed."""
    planet = simulate_planet(seed, WIDTHS_PX[seed % len(WIDTHS_PX)])
    return World(planet.mosaic, planet.craters, planet.truth)


class FreshPlanets(IterableDataset[Sample]):
    """Pictures of planets that nobody has seen before; see `PolarDataset` for what they are.

    Parameters
    ----------
    project : Project
        Whose settings of views and of the context network hold.
    first_seed : int
        Of the first planet; the following ones have the following seeds.
    """

    def __init__(self, project: Project, first_seed: int) -> None:
        self.settings = project.settings
        self.first_seed = first_seed

    def __iter__(self) -> Iterator[Sample]:
        worker = get_worker_info()
        number, count = (0, 1) if worker is None else (worker.id, worker.num_workers)
        for k in itertools.count():
            seed = self.first_seed + k * count + number
            world, rng = simulated_world(seed), np.random.default_rng(seed)
            source = Source(world, make_pairs(world, TILE_PX))
            how = self.settings.views, self.settings.context
            data = PolarDataset([source], *how, augmented=True, seed=seed)
            # Fewer of the first planet, so that not all processes simulate at the same time.
            for look in range(LOOKS if k else 1 + number % LOOKS):
                for index in rng.permutation(len(data)):
                    yield data[look, int(index)]


class Pool:
    """Batches of pictures that come and go, each time in other company, turned and mirrored anew.

    Processes bring new ones as quickly as they can; the network learns as quickly as it can from those that are there.

    Parameters
    ----------
    pictures : IterableDataset
    workers : int
        Processes that make them.
    held : int
        Pictures in the pool, of which the oldest leave; about 4 MB each, on the GPU where there is one.
    batch_size, steps : int
        Pictures in a batch, and batches that are called an epoch.
    """

    def __init__(
        self,
        pictures: IterableDataset[Sample],
        workers: int,
        held: int,
        batch_size: int,
        steps: int,
    ) -> None:
        self.batch_size, self.steps = batch_size, steps
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.rng = np.random.default_rng(0)
        self.held: deque[Sample] = deque(maxlen=held)
        self.made = 0
        ahead = {"prefetch_factor": 4} if workers else {}
        self.loader = DataLoader(
            pictures, batch_size=None, num_workers=workers, in_order=False, **ahead
        )
        self.start, self.stop = threading.Event(), threading.Event()
        self.filling = threading.Thread(target=self._fill, daemon=True)
        self.filling.start()

    def close(self) -> None:
        """Send the processes home."""
        self.stop.set()
        self.filling.join()

    def _fill(self) -> None:
        for sample in self.loader:
            if self.stop.is_set():
                return
            self.held.append({k: v.to(self.device, torch.float16) for k, v in sample.items()})
            self.made += 1
            if self.made == 4 * self.batch_size:
                self.start.set()

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Sample]:
        while not self.start.wait(timeout=1):
            if not self.filling.is_alive():
                raise RuntimeError("the processes that make pictures have ended: see above")
        for _ in range(self.steps):
            yield self._draw()

    def _draw(self) -> Sample:
        """A batch of pictures of one size; a size comes up as often as there are pictures of it."""
        here = list(self.held)
        sizes = Counter(sample["target"].shape for sample in here)
        shape = here[self.rng.integers(len(here))]["target"].shape
        if sizes[shape] < self.batch_size:
            shape = sizes.most_common(1)[0][0]
        alike = [sample for sample in here if sample["target"].shape == shape]
        chosen = self.rng.choice(len(alike), self.batch_size, replace=False)
        drawn = [self._turned(alike[k]) for k in chosen]
        return {name: torch.stack([part[name] for part in drawn]).float() for name in drawn[0]}

    def _turned(self, sample: Sample) -> Sample:
        columns = int(self.rng.integers(sample["target"].shape[-1]))
        mirrored = self.rng.random() < 0.5
        turned = {name: part.roll(columns, -1) for name, part in sample.items()}
        return {k: v.flip(-1) for k, v in turned.items()} if mirrored else turned
