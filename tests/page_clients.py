"""Clients of the pages that tests share: they open the address with the token first, as a browser does."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.testclient import TestClient

from ejectamap.pages.access import Pages

HOME = "http://127.0.0.1"


def client_of(pages: Pages, **options: Any) -> TestClient:
    """A client within the process that has opened the page."""
    client = TestClient(pages.app, base_url=HOME, **options)
    client.get(pages.address(80)).raise_for_status()
    return client


@contextmanager
def served(pages: Pages) -> Iterator[str]:
    """Serve pages on a free port; gives the address to open."""
    settings = uvicorn.Config(pages.app, port=0, log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.02)
    try:
        yield pages.address(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
