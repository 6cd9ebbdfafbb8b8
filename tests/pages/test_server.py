"""The server of pages: on loopback only, for its own pages and this user only, and it stops on an interrupt."""

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from ejectamap.errors import OutputError
from ejectamap.pages.access import Pages, private_link
from ejectamap.pages.server import build_app, serve
from page_clients import HOME, client_of, served


def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


def fails(request: Request) -> PlainTextResponse:
    raise RuntimeError("a secret of the program")


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "own.css").write_text("p {}")
    (tmp_path / "secret").write_text("secret")
    routes = [Route("/", hello, methods=["GET", "POST"]), Route("/fails", fails)]
    return build_app(routes, own_files=tmp_path / "own")


@pytest.fixture
def client(pages: Pages) -> TestClient:
    return client_of(pages, raise_server_exceptions=False)


@pytest.fixture
def stranger(pages: Pages) -> TestClient:
    """A client that does not know the token."""
    return TestClient(pages.app, base_url=HOME)


@pytest.mark.parametrize("path", ["/", "/fails", "/missing", "/static/own.css", "/vendor/x"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_nothing_is_answered_without_the_token(
    stranger: TestClient, method: str, path: str
) -> None:
    answer = stranger.request(method, path, headers={"Origin": HOME})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    if method != "HEAD":
        assert answer.text.startswith("open the whole address that ejectamap printed")
        assert "\n" not in answer.text


@pytest.mark.parametrize("token", ["", "0" * 32, "é\udc00", "%ff", "&token=", "x" * 10_000])
def test_another_token_is_refused(pages: Pages, stranger: TestClient, token: str) -> None:
    query = token.encode(errors="replace")
    assert stranger.get("/", params={"token": query}).status_code == 403
    for cookie in (query, query + b"0" + pages.token.encode(), pages.token[:-1].encode()):
        headers = {"Cookie": b"ejectamap-80=" + cookie}
        assert stranger.get("/", headers=headers).status_code == 403


def test_the_token_opens_the_first_page_and_becomes_a_cookie(
    pages: Pages, stranger: TestClient
) -> None:
    assert stranger.get(f"/static/own.css?token={pages.token}").status_code == 403
    answer = stranger.get(pages.address(80))
    assert pages.token not in answer.text
    name, *attributes = answer.headers["set-cookie"].split("; ")
    assert name.startswith("ejectamap-80=")
    assert {"HttpOnly", "SameSite=strict"} <= set(attributes)
    assert answer.headers["cache-control"] == "no-store"
    assert stranger.get("/").text == "hello"
    assert stranger.get("/static/own.css").text == "p {}"


def test_every_run_has_another_token(tmp_path: Path) -> None:
    first, second = (build_app([], own_files=tmp_path) for _ in range(2))
    assert first.token != second.token
    assert first.token not in repr(first)


def test_the_address_with_the_token_leaves_the_browser(browser: Browser, pages: Pages) -> None:
    with served(pages) as address:
        page = browser.new_page()
        bare = address.partition("?")[0]
        page.goto(address)
        page.wait_for_url(bare)
        expect(page.locator("body")).to_have_text("hello")
        assert page.context.cookies()[0]["sameSite"] == "Strict"
        page.reload()
        expect(page.locator("body")).to_have_text("hello")
        page.close()


def test_links_of_other_sites_and_of_the_private_file_open_the_page(
    browser: Browser, pages: Pages, tmp_path: Path
) -> None:
    with served(pages) as address:
        bare = address.partition("?")[0]
        page = browser.new_page()
        link = f'<a href="{address}">open</a>'
        page.route(
            "http://chat.example/", lambda route: route.fulfill(body=link, content_type="text/html")
        )
        page.goto("http://chat.example/")
        page.get_by_role("link").click()
        page.wait_for_url(bare)
        expect(page.locator("body")).to_have_text("hello")
        page.close()
        page = browser.new_page()
        with private_link(address, tmp_path) as file:
            page.goto(file)
            page.wait_for_url(bare)
            expect(page.locator("body")).to_have_text("hello")
        page.close()


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_the_browser_is_started_without_the_token(tmp_path: Path, pages: Pages) -> None:
    address = pages.address(80)
    with private_link(address, tmp_path) as link:
        assert pages.token not in link
        path = Path(urllib.request.url2pathname(urllib.parse.urlsplit(link).path))
        assert address in path.read_text()
        assert path.parent.stat().st_mode & 0o077 == 0
    assert not path.parent.exists()


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
    pages = build_app([], own_files=tmp_path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(OutputError, match=f"--port {port}: .*choose another"):
            serve(pages, port=port, open_from=None)
    with pytest.raises(OutputError, match="--port 70000"):
        serve(pages, port=70000, open_from=None)


SERVING = """
import sys
from pathlib import Path
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from ejectamap.pages.server import build_app, serve
pages = build_app([Route("/", lambda request: PlainTextResponse("hello"))], own_files=Path(sys.argv[1]))
serve(pages, port=0, open_from=None, announce=lambda address: print(address, flush=True))
"""


def test_serves_until_interrupted(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SERVING, str(tmp_path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        bare = address.partition("?")[0]
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(bare, timeout=30)
        signed_in = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        signed_in.open(address, timeout=30).close()
        with signed_in.open(bare, timeout=30) as answer:
            assert answer.read() == b"hello"
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert errors == ""
