"""Run tasks on Dask: on processes of this machine, or on any running cluster."""

import logging
import signal
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
    import distributed  # noqa: PLC0415 - slow to import, seldom needed

    # By default it logs every connection, which would break up the progress bar.
    logging.getLogger("distributed").setLevel(logging.ERROR)
    local: AbstractContextManager[Any] = nullcontext(scheduler)
    if scheduler is None:
        local = closing(_local_cluster(workers))
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


def _local_cluster(workers: int) -> Any:
    """Start processes of this machine that obey this process alone.

    A scheduler and its workers run any code that they are sent. On a machine that others use too, they therefore
    speak TLS only, with a key that was made for this run and never leaves the memory of these processes, and refuse
    whoever does not have it. Nothing is served over HTTP.
    """
    import dask  # noqa: PLC0415
    import distributed  # noqa: PLC0415

    config: dict[str, Any] = {
        # By default workers return freed memory to the system at once; allocating it again takes half of their time.
        "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
        # Of a person's own settings, for a cluster elsewhere.
        "distributed.scheduler.dashboard.tls.cert": None,
    }
    with dask.config.set(config), _interrupts_held():
        return distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host="127.0.0.1",
            protocol="tls://",
            security=distributed.Security.temporary(),
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
            silence_logs=logging.CRITICAL,  # a task's errors are raised here
        )


def _connect(cluster: Any) -> Any:
    """Client of a local cluster, or of the scheduler at an address."""
    import distributed  # noqa: PLC0415

    if not isinstance(cluster, str):
        return distributed.Client(cluster)
    try:
        if not cluster:
            raise ValueError("the address is empty")
        return distributed.Client(cluster)
    except TypeError as error:  # what it raises for a tls:// address without credentials
        raise ProjectError(
            f"--scheduler {cluster}: speaks TLS, and Dask's settings name no credentials: set the environment variables"
            " DASK_DISTRIBUTED__COMM__TLS__CA_FILE, DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT and"
            " DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY to their files (docs/cluster.md)"
        ) from error
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise ProjectError(
            f"--scheduler {cluster}: no Dask scheduler answers ({' '.join(str(error).split())}): start one with dask"
            " scheduler, and give the address that it prints, as in tcp://10.0.0.5:8786, or tls:// for one with TLS"
        ) from error


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Start threads, and processes, that Ctrl-C does not reach, although a terminal sends it to all processes.

    This process ends them, without tracebacks; it is interrupted once the context ends.
    """
    if not hasattr(signal, "pthread_sigmask"):  # on Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
