"""Pictures of chips in batches, made ready while the networks look at the batch before: on threads, or on a GPU."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ejectamap.mapping.methods import BATCH
from ejectamap.networks.ensemble import Ensemble
from ejectamap.views.chip import Chip
from ejectamap.views.sight import Sight
from ejectamap.world.gpu import on_device
from ejectamap.world.picture import Picture

Floats = npt.NDArray[np.float32]
_GPU_BATCH = 128  # fewer leave a large GPU waiting
_THREADS = torch.get_num_threads()
"""One a core, or what OMP_NUM_THREADS says: a Dask worker has 1, for there are as many workers as there is room for."""


def batch_size(networks: Ensemble) -> int:
    """Pictures that networks see at once."""
    return BATCH if networks.device == "cpu" else _GPU_BATCH


def batches(sight: Sight, chips: Sequence[Chip], size: int, device: str) -> Iterator[Tensor]:
    """What networks see of chips, (k, c, n, m), in batches of a size, on the networks' device.

    A batch is good until the next is asked for: the one after that lies in the same memory.
    """
    if not chips:
        return
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            make = _on_threads if device == "cpu" else _on_gpu
            yield from make(sight, chips, size, device, pool)
        finally:
            pool.shutdown(cancel_futures=True)


def _on_threads(
    sight: Sight, chips: Sequence[Chip], size: int, _: str, pool: ThreadPoolExecutor
) -> Iterator[Tensor]:
    shape = sight.mosaic.bands + sight.channels, *sight.picture(chips[0]).shape
    places = [np.empty((min(size, len(chips)), *shape), np.float32) for _ in range(2)]

    def look(batch: Floats, some: Sequence[Chip]) -> None:
        for place, chip in zip(batch, some, strict=True):
            sight.look_into(place, chip)

    def start(first: int) -> tuple[Floats, list[Future[None]]]:
        some = chips[first : first + size]
        batch = places[first // size % 2][: len(some)]
        # A share for each thread, not a task for each chip: handing a task over takes a tenth of a chip's time.
        return batch, [
            pool.submit(look, batch[k::_THREADS], some[k::_THREADS]) for k in range(_THREADS)
        ]

    ahead = start(0)
    for following in range(size, len(chips) + size, size):
        batch, shares = ahead
        for share in shares:
            share.result()
        if following < len(chips):
            ahead = start(following)
        yield torch.from_numpy(batch)


def _on_gpu(
    sight: Sight, chips: Sequence[Chip], size: int, device: str, pool: ThreadPoolExecutor
) -> Iterator[Tensor]:
    """Bands sampled on the GPU, where the mosaic is; the other channels on threads of the processor."""
    mosaic = on_device(sight.mosaic, device)

    def tell(chip: Chip) -> tuple[Picture, Floats]:
        return sight.picture(chip), sight.about(chip)

    def start(first: int) -> list[Future[tuple[Picture, Floats]]]:
        return [pool.submit(tell, chip) for chip in chips[first : first + size]]

    ahead = start(0)
    for following in range(size, len(chips) + size, size):
        told = [future.result() for future in ahead]
        ahead = start(following)
        yield sight.look_on(mosaic, *zip(*told, strict=True))
