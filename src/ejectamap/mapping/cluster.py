"""Run tasks on Dask: on processes of this machine, or on any running cluster."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from typing import Any

from ejectamap.errors import ProjectError


def run_on_dask(
    task: Callable[[int], None], crater_ids: Sequence[int], workers: int, scheduler: str | None
) -> Iterator[int]:
    """Run a task for each crater on workers, and yield the ids as they are done.

    The task of a worker that dies is run again by another. Tasks are small messages: a worker reads what it needs
    from the disk.

    Parameters
    ----------
    task : callable
        Picklable; its errors are raised here.
    crater_ids : sequence of int
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

    # By default it logs every connection, which would break up the progress bar.
    logging.getLogger("distributed").setLevel(logging.WARNING)
    local: AbstractContextManager[Any] = nullcontext(scheduler)
    if scheduler is None:
        # By default workers return freed memory to the system at once; allocating it again takes half of their time.
        with dask.config.set({"distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None}):
            local = closing(
                distributed.LocalCluster(
                    n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0"
                )
            )
    with local as cluster, distributed.Client(cluster) as client:
        futures = client.map(task, crater_ids, pure=False)
        id_of = dict(zip(futures, crater_ids, strict=True))
        for future in distributed.as_completed(futures):
            try:
                future.result()
            except distributed.KilledWorker as error:
                raise ProjectError(
                    f"crater {id_of[future]}: several workers died while mapping it, most likely for lack of "
                    "memory: use fewer --workers"
                ) from error
            yield id_of[future]
