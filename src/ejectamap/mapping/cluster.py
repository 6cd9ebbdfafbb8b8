"""Run tasks on Dask: on processes of this machine, or on any running cluster."""

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
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
        If no scheduler answers at the address, or one task's workers die again and again.
    """
    import dask  # noqa: PLC0415 - slow to import, seldom needed
    import distributed  # noqa: PLC0415

    # By default it logs every connection, which would break up the progress bar.
    logging.getLogger("distributed").setLevel(logging.ERROR)
    local: AbstractContextManager[Any] = nullcontext(scheduler)
    if scheduler is None:
        # By default workers return freed memory to the system at once; allocating it again takes half of their time.
        own_memory = {"distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None}
        with dask.config.set(own_memory), _interrupts_ignored():
            local = closing(
                distributed.LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    dashboard_address="127.0.0.1:0",
                    silence_logs=logging.CRITICAL,  # a task's errors are raised here
                )
            )
    with local as cluster, _connect(cluster) as client:
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


def _connect(cluster: Any) -> Any:
    """Client of a local cluster, or of the scheduler at an address."""
    import distributed  # noqa: PLC0415

    if not isinstance(cluster, str):
        return distributed.Client(cluster)
    try:
        if not cluster:
            raise ValueError("the address is empty")
        return distributed.Client(cluster)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise ProjectError(
            f"--scheduler {cluster}: no Dask scheduler answers ({' '.join(str(error).split())}): start one with dask"
            " scheduler, and give the address that it prints, as in tcp://10.0.0.5:8786"
        ) from error


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Start processes that ignore Ctrl-C, which a terminal sends to all: this process ends them, without tracebacks."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals cannot be set here, and do not arrive here
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
