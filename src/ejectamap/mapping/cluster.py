"""Work on Dask: on processes of this machine, or on any running cluster."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from typing import Any

from ejectamap.errors import ProjectError


def run_on_dask(
    work: Callable[[int], None], numbers: Sequence[int], workers: int, scheduler: str | None
) -> Iterator[int]:
    """Have workers do a task for each number, and yield the numbers as they are done.

    The work of a worker that dies is done again by another. Tasks are small messages: a worker reads what it needs
    from the disk.

    Parameters
    ----------
    work : callable
        Picklable; its errors are raised here.
    numbers : sequence of int
    workers : int
        Processes on this machine, if there is no `scheduler`.
    scheduler : str or None
        Address of a running Dask scheduler.

    Raises
    ------
    ProjectError
        If one task's workers die again and again.
    """
    import dask  # noqa: PLC0415 - slow to import, seldom needed
    import distributed  # noqa: PLC0415

    # It sets itself to tell of each connection, which would tear up the progress bar.
    logging.getLogger("distributed").setLevel(logging.WARNING)
    local: AbstractContextManager[Any] = nullcontext(scheduler)
    if scheduler is None:
        # Dask has workers give memory back at once: half of the time would go into pages that come and go.
        with dask.config.set({"distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None}):
            local = closing(
                distributed.LocalCluster(
                    n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0"
                )
            )
    with local as cluster, distributed.Client(cluster) as client:
        number_of = dict(zip(client.map(work, numbers, pure=False), numbers, strict=True))
        for task in distributed.as_completed(list(number_of)):
            try:
                task.result()
            except distributed.KilledWorker as error:
                raise ProjectError(
                    f"crater {number_of[task]}: one worker after another died on it, most likely of too little "
                    "memory: use fewer --workers"
                ) from error
            yield number_of[task]
