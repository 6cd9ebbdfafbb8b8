"""Whoever has no credentials cannot make the workers of `map --workers` run code."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import distributed
import psutil
import pytest

from ejectamap.errors import ProjectError
from ejectamap.mapping.cluster import run_on_dask

# Asks ports of this machine, as Dask and over HTTP, to run or to show something, without credentials or with its own;
# prints what it got.
OUTSIDER = """
import asyncio, os, sys
import distributed
from distributed.comm import connect

def harmless(dask_scheduler=None, dask_worker=None):
    return "code was run"

async def ask(address, operation, **options):
    try:
        comm = await connect(address, timeout=10, **options)
        call = {"function": distributed.protocol.pickle.dumps(harmless), "args": (), "kwargs": {}}
        await comm.write({"op": operation, "reply": True} | call)
        return await asyncio.wait_for(comm.read(), 20)
    except Exception as error:
        return type(error).__name__

async def get(port):
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /info/main/workers.html HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
        return (await asyncio.wait_for(reader.read(4000), 5)).split(b"\\r\\n")[0]
    except Exception as error:
        return type(error).__name__.encode()

async def ask_port(port, own):
    answers = [await get(port)]
    ways = {} if b"HTTP" in answers[0] else {"tcp": {}, "tls": own}  # who speaks HTTP does not speak Dask
    for way, options in ways.items():
        if "code was run" in answers:
            break
        for operation in ("run_function", "run"):  # of a scheduler; of a worker and its nanny
            answers.append(await ask(f"{way}://127.0.0.1:{port}", operation, **options))
    return answers

async def main():
    own = distributed.Security.temporary().get_connection_args("client")
    if os.geteuid() == 0:  # now that all is imported, which may be in a folder of root's own
        os.setgid(65534)
        os.setuid(65534)
    asked = [asyncio.create_task(ask_port(port, own)) for port in sys.argv[1:]]
    done, _ = await asyncio.wait(asked, timeout=100)
    print(len(done), *(task.result() for task in done), sep="\\n", flush=True)
    os._exit(0)  # whatever is still waited for

asyncio.run(main())
"""


def as_outsider(*ports: int) -> str:
    """What a process without credentials gets at each of some ports; it becomes another user where it may."""
    call = [sys.executable, "-c", OUTSIDER, *map(str, ports)]
    answers = subprocess.run(call, check=True, capture_output=True, text=True).stdout
    assert answers.startswith(f"{len(ports)}\n")
    return answers


def listening() -> set[int]:
    """Ports on which this process and its children listen."""
    me = psutil.Process()
    found = set()
    for process in [me, *me.children(recursive=True)]:
        found |= {c.laddr.port for c in process.net_connections() if c.status == "LISTEN"}
    return found


@contextmanager
def mapping(folder: Path) -> Iterator[set[int]]:
    """Have a worker run until the context ends; yields the ports on which it, and what leads it, listen."""

    def work(_: int) -> None:
        (folder / "begun").touch()
        while not (folder / "end").exists():
            time.sleep(0.05)

    before = listening()
    thread = threading.Thread(target=lambda: list(run_on_dask(work, [0], 1, None)))
    thread.start()
    try:
        while thread.is_alive() and not (folder / "begun").exists():
            time.sleep(0.05)
        yield listening() - before
    finally:
        (folder / "end").touch()
        thread.join()


def test_an_outsider_is_refused(tmp_path: Path) -> None:
    with mapping(tmp_path) as ports:
        assert len(ports) >= 4  # of scheduler, nanny and worker, and for HTTP
        answers = as_outsider(*ports)
    assert "code was run" not in answers
    assert " 200 " not in answers


def test_the_outsider_of_these_tests_is_able_to_do_harm() -> None:
    cluster = distributed.LocalCluster(
        n_workers=0, processes=False, protocol="tcp://", dashboard_address="127.0.0.1:0"
    )
    with cluster:
        port, scheduler = int(cluster.scheduler_address.rpartition(":")[2]), cluster.scheduler
        assert scheduler is not None
        answers = as_outsider(port, scheduler.http_server.port)
    assert "code was run" in answers
    assert " 200 " in answers


def test_a_scheduler_with_tls_and_no_credentials() -> None:
    with pytest.raises(ProjectError, match=r"speaks TLS.*TLS__CA_FILE.*docs/cluster\.md"):
        list(run_on_dask(print, [1], 1, "tls://127.0.0.1:9"))
