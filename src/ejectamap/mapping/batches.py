"""Sample the inputs of chips in batches, each while the networks run on the batch before: on threads, or on a GPU."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from ejectamap.mapping.gpu_sampling import on_device, read_on_device
from ejectamap.networks.ensemble import Ensemble
from ejectamap.views.chip import Chip
from ejectamap.views.chip_sampler import ChipSampler
from ejectamap.world.mosaic import Floats
from ejectamap.world.sampling_grid import SamplingGrid

BATCH = 16
"""Inputs in a batch on a processor."""
_GPU_BATCH = 128  # smaller batches leave a large GPU idle
_THREADS = torch.get_num_threads()
"""One a core, or OMP_NUM_THREADS; a Dask worker has 1, because there are as many workers as cores."""


def batch_size(networks: Ensemble) -> int:
    """Inputs in a batch for some networks."""
    return BATCH if networks.device == "cpu" else _GPU_BATCH


def read_batches(
    sampler: ChipSampler, chips: Sequence[Chip], size: int, device: str
) -> Iterator[Tensor]:
    """Inputs of chips, (k, c, n, m), in batches of a size, on a device.

    A batch is valid until the next one is requested: the memory of each is reused for the one after the next.
    """
    if not chips:
        return
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            read = _read_on_threads if device == "cpu" else _read_on_gpu
            yield from read(sampler, chips, size, device, pool)
        finally:
            pool.shutdown(cancel_futures=True)


def _read_on_threads(
    sampler: ChipSampler, chips: Sequence[Chip], size: int, _: str, pool: ThreadPoolExecutor
) -> Iterator[Tensor]:
    shape = min(size, len(chips)), *sampler.shape(chips[0])
    buffers = [np.empty(shape, np.float32) for _ in range(2)]

    def read_chips(batch: Floats, some: Sequence[Chip]) -> None:
        for out, chip in zip(batch, some, strict=True):
            sampler.read_into(out, chip)

    def start(first: int) -> tuple[Floats, list[Future[None]]]:
        some = chips[first : first + size]
        batch = buffers[first // size % 2][: len(some)]
        # One task for each thread, not for each chip: submitting a task takes a tenth of a chip's sampling time.
        return batch, [
            pool.submit(read_chips, batch[k::_THREADS], some[k::_THREADS]) for k in range(_THREADS)
        ]

    next_batch = start(0)
    for following in range(size, len(chips) + size, size):
        batch, tasks = next_batch
        for task in tasks:
            task.result()
        if following < len(chips):
            next_batch = start(following)
        yield torch.from_numpy(batch)


def _read_on_gpu(
    sampler: ChipSampler, chips: Sequence[Chip], size: int, device: str, pool: ThreadPoolExecutor
) -> Iterator[Tensor]:
    """Bands sampled on the GPU, where the mosaic is; the other channels on threads of the processor."""
    mosaic = on_device(sampler.mosaic, device)

    def prepare(chip: Chip) -> tuple[SamplingGrid, Floats]:
        return sampler.sampling_grid(chip), sampler.read_channels(chip)

    def start(first: int) -> list[Future[tuple[SamplingGrid, Floats]]]:
        return [pool.submit(prepare, chip) for chip in chips[first : first + size]]

    next_batch = start(0)
    for following in range(size, len(chips) + size, size):
        prepared = [future.result() for future in next_batch]
        next_batch = start(following)
        yield read_on_device(sampler, mosaic, *zip(*prepared, strict=True))
