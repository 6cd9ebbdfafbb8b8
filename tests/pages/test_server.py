"""The server of pages: on loopback only, for its own pages only, and it stops on an interrupt."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from ejectamap.errors import OutputError
from ejectamap.pages.server import build_app, serve

HOME = "http://127.0.0.1"


def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


def fails(request: Request) -> PlainTextResponse:
    raise RuntimeError("a secret of the program")


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "own.css").write_text("p {}")
    (tmp_path / "secret").write_text("secret")
    routes = [Route("/", hello, methods=["GET", "POST"]), Route("/fails", fails)]
    app = build_app(routes, own_files=tmp_path / "own")
    return TestClient(app, base_url=HOME, raise_server_exceptions=False)


def test_responds_to_its_own_host_names(client: TestClient) -> None:
    assert client.get("/").text == "hello"
    assert client.get("/", headers={"host": "localhost:8000"}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::1"])
def test_other_host_names_are_refused(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 400


def test_requests_from_other_sites_pages_are_refused(client: TestClient) -> None:
    assert client.post("/", headers={"origin": "http://evil.example"}).status_code == 403
    assert client.post("/", headers={"origin": "null"}).status_code == 403
    assert client.post("/", headers={"origin": HOME}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/missing", "/static/own.css", "/static/missing", "/fails"])
def test_every_response_has_security_headers(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    "path", ["/static/../secret", "/static/%2e%2e/secret", "/static//etc/passwd"]
)
def test_other_files_are_not_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code in (400, 404)


def test_port_in_use_is_reported_in_one_line(tmp_path: Path) -> None:
    app = build_app([], own_files=tmp_path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(OutputError, match=f"--port {port}: .*choose another"):
            serve(app, port=port, open_browser=False)
    with pytest.raises(OutputError, match="--port 70000"):
        serve(app, port=70000, open_browser=False)


SERVING = """
import sys
from pathlib import Path
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from ejectamap.pages.server import build_app, serve
app = build_app([Route("/", lambda request: PlainTextResponse("hello"))], own_files=Path(sys.argv[1]))
serve(app, port=0, open_browser=False, announce=lambda address: print(address, flush=True))
"""


def test_serves_until_interrupted(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SERVING, str(tmp_path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address, timeout=30) as answer:
            assert answer.read() == b"hello"
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert errors == ""
