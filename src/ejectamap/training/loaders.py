"""In which order pictures are learnt from: a matter of the seed and the epoch alone, whatever went before.

So an interrupted training goes on with the very batches that it would have seen.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch.utils.data import DataLoader, Sampler

from ejectamap.training.datasets import ChipDataset, CorridorDataset, SampleKey
from ejectamap.training.polar_data import PolarDataset


class Order(Sampler[SampleKey]):
    """All samples of a data set once, as `(epoch, index)`, shuffled for each epoch or in the given order."""

    def __init__(self, count: int, shuffle: bool, seed: int) -> None:
        self.count = count
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next; the trainer does so."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[SampleKey]:
        order = np.arange(self.count)
        if self.shuffle:
            order = np.random.default_rng((self.seed, self.epoch)).permutation(order)
        for index in order:
            yield self.epoch, int(index)


class SizeBatches(Sampler[list[SampleKey]]):
    """Batches of pictures of one size each, in the order in which they get full.

    Where several processes train together, each gets its own of the shuffled batches, all equally many. Every process
    looks at all of the validation data, so that they agree on what they see.

    Parameters
    ----------
    order : Order
    sizes : sequence
        Size of each sample's picture.
    batch_size : int
    drop_single : bool
        Leave out a last batch of one sample, which would leave batch normalisation without a spread.
    """

    def __init__(
        self, order: Order, sizes: Sequence[Any], batch_size: int, drop_single: bool
    ) -> None:
        self.sampler = order
        self.batch_size = batch_size
        self.sizes = sizes
        self.drop_single = drop_single and batch_size > 1 and len(sizes) > 1

    def __len__(self) -> int:
        lengths = [
            self.batch_size if k < count // self.batch_size else count % self.batch_size
            for count in Counter(self.sizes).values()
            for k in range(math.ceil(count / self.batch_size))
        ]
        return math.ceil(sum(map(self._counts, lengths)) / self._processes())

    def __iter__(self) -> Iterator[list[Any]]:
        batches = self._batches()
        processes = self._processes()
        if processes > 1:
            batches += batches[: -len(batches) % processes]
            batches = batches[torch.distributed.get_rank() :: processes]
        yield from batches

    def _batches(self) -> list[list[SampleKey]]:
        full = []
        filling: dict[Any, list[SampleKey]] = defaultdict(list)
        for draw in self.sampler:
            size = self.sizes[draw[1]]
            filling[size].append(draw)
            if len(filling[size]) == self.batch_size:
                full.append(filling.pop(size))
        return full + [batch for batch in filling.values() if self._counts(len(batch))]

    def _counts(self, length: int) -> bool:
        return length > 1 or not self.drop_single

    def _processes(self) -> int:
        shared = self.sampler.shuffle and torch.distributed.is_initialized()
        return torch.distributed.get_world_size() if shared else 1


def make_loader(
    data: CorridorDataset | ChipDataset | PolarDataset,
    batch_size: int,
    seed: int,
    workers: int,
    *,
    shuffle: bool,
) -> DataLoader[Any]:
    """Batches of a data set, shuffled anew each epoch for training or in the given order for validation.

    With workers so many processes make the batches ahead; they come in the same order and are the same.
    """
    count, order = len(data), Order(len(data), shuffle, seed)
    if isinstance(data, PolarDataset):
        sizes = [data.size(k) for k in range(count)]
        batches = SizeBatches(order, sizes, batch_size, drop_single=False)
    else:
        batches = SizeBatches(order, [None] * count, batch_size, drop_single=shuffle)
    # With a generator of its own the loader leaves torch's random numbers to the networks.
    return DataLoader(
        data,
        batch_sampler=batches,
        generator=torch.Generator(),
        num_workers=workers,
        persistent_workers=workers > 0,
        worker_init_fn=_use_one_thread,
        pin_memory=torch.cuda.is_available(),
    )


def _use_one_thread(_: int) -> None:
    """Keep a worker's linear algebra off the cores of the others."""
    threadpool_limits(1)
