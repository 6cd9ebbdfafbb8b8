"""Endless training data: polar views of many worlds, made in worker processes, and a pool that batches them."""

import itertools
import threading
from collections import Counter, deque
from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from training_worlds import TrainingWorlds

from ejectamap.project.folder import Project
from ejectamap.project.pairs import make_pairs
from ejectamap.training.datasets import Sample
from ejectamap.training.polar_data import PolarDataset
from ejectamap.training.sources import Source
from ejectamap.views.ejecta_axes import AXES

VIEWS_PER_CRATER = 4  # each with another augmentation
TILE_PX = 64
LOG_RANGE = 2 * AXES + 1


UNTRACED_WEIGHT = 0.4
"""Weight of ground beyond 10 crater radii that a person did not trace: faint rays are missed there."""


class TrainingViews(IterableDataset[Sample]):
    """Polar views of the craters of many worlds, each of which is used once; samples as of `PolarDataset`.

    Parameters
    ----------
    project : Project
        Its settings of views and of the context network are used.
    worlds : TrainingWorlds
    first_seed : int
        Seed of the first world; the following worlds have the following seeds.
    """

    def __init__(self, project: Project, worlds: TrainingWorlds, first_seed: int) -> None:
        self.settings = project.settings
        self.worlds = worlds
        self.first_seed = first_seed

    def __iter__(self) -> Iterator[Sample]:
        worker = get_worker_info()
        number, count = (0, 1) if worker is None else (worker.id, worker.num_workers)
        for k in itertools.count():
            seed = self.first_seed + k * count + number
            # Workers take different numbers of views of their first worlds, so that they do not all simulate at once.
            yield from self._views(seed, VIEWS_PER_CRATER if k else 1 + number % VIEWS_PER_CRATER)

    def _views(self, seed: int, per_crater: int) -> Iterator[Sample]:
        """Views of one world's craters, in random order; of a traced world one of each crater."""
        world, is_traced = self.worlds.draw(seed)
        source = Source(world, make_pairs(world, TILE_PX))
        views, context = self.settings.views, self.settings.context
        dataset = PolarDataset([source], views, context, augmented=True, seed=seed)
        rng = np.random.default_rng(seed)
        for epoch in range(1 if is_traced else per_crater):
            for index in rng.permutation(len(dataset)):
                sample = dataset[epoch, int(index)]
                yield _doubt_untraced(sample) if is_traced else sample


def _doubt_untraced(sample: Sample) -> Sample:
    """Lower the weight of far ground that was not traced; `LOG_RANGE` is the channel of range in crater radii."""
    doubtful = (sample["inputs"][LOG_RANGE] > 1) & (sample["target"] == 0)
    return sample | {"mask": sample["mask"] * torch.where(doubtful, UNTRACED_WEIGHT, 1.0)}


class SamplePool:
    """A data loader of random batches from a pool of the latest samples, which worker processes refill meanwhile.

    Samples are drawn several times, each time with another circular shift in azimuth and a random flip: simulating
    planets is slower than training on them.

    Parameters
    ----------
    samples : IterableDataset
    workers : int
        Number of worker processes.
    capacity : int
        Number of samples in the pool, which replace the oldest ones; about 4 MB each, on the GPU if there is one.
    batch_size : int
    steps : int
        Number of batches in an epoch.
    """

    def __init__(
        self,
        samples: IterableDataset[Sample],
        workers: int,
        capacity: int,
        batch_size: int,
        steps: int,
    ) -> None:
        self.batch_size, self.steps = batch_size, steps
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.rng = np.random.default_rng(0)
        self.samples: deque[Sample] = deque(maxlen=capacity)
        self.received = 0
        options = {"prefetch_factor": 4} if workers else {}
        self.loader = DataLoader(
            samples, batch_size=None, num_workers=workers, in_order=False, **options
        )
        self.filled, self.closed = threading.Event(), threading.Event()
        self.filling = threading.Thread(target=self._fill, daemon=True)
        self.filling.start()

    def close(self) -> None:
        """Stop the worker processes."""
        self.closed.set()
        self.filling.join()

    def _fill(self) -> None:
        for sample in self.loader:
            if self.closed.is_set():
                return
            self.samples.append({k: v.to(self.device, torch.float16) for k, v in sample.items()})
            self.received += 1
            if self.received == 4 * self.batch_size:
                self.filled.set()

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Sample]:
        while not self.filled.wait(timeout=1):
            if not self.filling.is_alive():
                raise RuntimeError("the worker processes have ended: see their error above")
        for _ in range(self.steps):
            yield self._draw()

    def _draw(self) -> Sample:
        """Draw a batch of samples of equal size; the size is that of a random sample, if there are enough of it."""
        samples = list(self.samples)
        sizes = Counter(sample["target"].shape for sample in samples)
        size = samples[self.rng.integers(len(samples))]["target"].shape
        if sizes[size] < self.batch_size:
            size = sizes.most_common(1)[0][0]
        of_size = [sample for sample in samples if sample["target"].shape == size]
        chosen = self.rng.choice(len(of_size), self.batch_size, replace=False)
        batch = [self._augment(of_size[k]) for k in chosen]
        return {name: torch.stack([sample[name] for sample in batch]).float() for name in batch[0]}

    def _augment(self, sample: Sample) -> Sample:
        """Shift a sample in azimuth, and flip half of the samples."""
        columns = int(self.rng.integers(sample["target"].shape[-1]))
        flip = self.rng.random() < 0.5
        shifted = {name: values.roll(columns, -1) for name, values in sample.items()}
        return {k: v.flip(-1) for k, v in shifted.items()} if flip else shifted
