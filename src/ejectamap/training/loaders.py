"""Data loaders whose order depends only on the seed and the epoch.

So a resumed training gets the same batches as one that was not interrupted.
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


class EpochSampler(Sampler[SampleKey]):
    """Keys `(epoch, index)` of all samples of a data set, shuffled for each epoch or in the order of the data set."""

    def __init__(self, count: int, shuffle: bool, seed: int) -> None:
        self.count = count
        self.shuffle = shuffle
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the number of the next epoch; called by Lightning's trainer."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[SampleKey]:
        order = np.arange(self.count)
        if self.shuffle:
            order = np.random.default_rng((self.seed, self.epoch)).permutation(order)
        for index in order:
            yield self.epoch, int(index)


class SizeBatchSampler(Sampler[list[SampleKey]]):
    """Batches of pictures of equal size, in the order in which they become full.

    If several processes train together, the shuffled batches are distributed over them, equally many to each. Batches
    that are not shuffled are validation data: every process gets all of them, so that all compute the same metrics.

    Parameters
    ----------
    sampler : EpochSampler
        Lightning passes the epoch on to the attribute of this name.
    sizes : sequence
        Size of each sample's picture.
    batch_size : int
    drop_single : bool
        Leave out a last batch of one sample, for which batch normalisation has no variance.
    """

    def __init__(
        self, sampler: EpochSampler, sizes: Sequence[Any], batch_size: int, drop_single: bool
    ) -> None:
        self.sampler = sampler
        self.batch_size = batch_size
        self.sizes = sizes
        self.drop_single = drop_single and batch_size > 1 and len(sizes) > 1

    def __len__(self) -> int:
        lengths = [
            self.batch_size if k < count // self.batch_size else count % self.batch_size
            for count in Counter(self.sizes).values()
            for k in range(math.ceil(count / self.batch_size))
        ]
        return math.ceil(sum(map(self._is_used, lengths)) / self._processes())

    def __iter__(self) -> Iterator[list[Any]]:
        batches = self._batches()
        processes = self._processes()
        if processes > 1:
            batches += batches[: -len(batches) % processes]
            batches = batches[torch.distributed.get_rank() :: processes]
        yield from batches

    def _batches(self) -> list[list[SampleKey]]:
        full = []
        incomplete: dict[Any, list[SampleKey]] = defaultdict(list)
        for key in self.sampler:
            size = self.sizes[key[1]]
            incomplete[size].append(key)
            if len(incomplete[size]) == self.batch_size:
                full.append(incomplete.pop(size))
        return full + [batch for batch in incomplete.values() if self._is_used(len(batch))]

    def _is_used(self, length: int) -> bool:
        return length > 1 or not self.drop_single

    def _processes(self) -> int:
        """Number of processes over which the batches are distributed."""
        distributed = self.sampler.shuffle and torch.distributed.is_initialized()
        return torch.distributed.get_world_size() if distributed else 1


def make_loader(
    data: CorridorDataset | ChipDataset | PolarDataset,
    batch_size: int,
    seed: int,
    workers: int,
    *,
    shuffle: bool,
) -> DataLoader[Any]:
    """Build the loader of a data set.

    Parameters
    ----------
    data : CorridorDataset, ChipDataset or PolarDataset
    batch_size : int
    seed : int
        Seed of the order.
    workers : int
        Number of processes that prepare batches in advance; 0 for none. The batches do not depend on it.
    shuffle : bool
        Whether the order differs between epochs, as for training, or is that of the data set, as for validation.
    """
    count, sampler = len(data), EpochSampler(len(data), shuffle, seed)
    if isinstance(data, PolarDataset):
        sizes = [data.size(k) for k in range(count)]
        batches = SizeBatchSampler(sampler, sizes, batch_size, drop_single=False)
    else:
        batches = SizeBatchSampler(sampler, [None] * count, batch_size, drop_single=shuffle)
    # With a generator of its own the loader draws no numbers from torch's global generator, which the networks use.
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
    """Limit a worker's linear algebra to one thread, because each worker has a core."""
    threadpool_limits(1)
