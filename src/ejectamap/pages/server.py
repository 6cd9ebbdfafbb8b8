"""Web server of the pages, on the loopback interface only; the pages load nothing from other hosts.

Other users of the machine must not read or change the project: every request needs the run's token (`access`).
Neither must pages of other sites in the same browser. Therefore the Host header is checked (against DNS rebinding,
where such a page uses its own host name for this server), and the Origin header of every request that changes
something.
"""

import os
import socket
import tempfile
import threading
import webbrowser
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from math import isfinite
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ejectamap.errors import EjectamapError, OutputError
from ejectamap.pages.access import LOOPBACK, Pages, RequireToken, new_token, private_link
from ejectamap.world.georeference import one_line
from ejectamap.world.sphere import wrap_longitude

VENDOR = Path(__file__).parent / "vendor"
_MAX_BODY_BYTES = 2**20

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; connect-src 'self'; "
        "img-src 'self' data: blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class _Index(Convertor[int]):
    """A whole number of at most nine digits in a path."""

    regex = "[0-9]{1,9}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("index", _Index())


def build_app(routes: Sequence[BaseRoute], *, own_files: Path) -> Pages:
    """Build an application with these routes, static files, security headers and checks of host, token and origin.

    Parameters
    ----------
    routes
        Routes of the application. `{name:index}` in a path is a whole number. An `EjectamapError` in a route becomes a
        response with status 500 and its message in one line.
    own_files
        Folder with the page's CSS and JavaScript, served under `/static`. Third-party libraries (`pages/vendor`) are
        served under `/vendor`.
    """
    mounts = [
        Mount("/static", StaticFiles(directory=own_files)),
        Mount("/vendor", StaticFiles(directory=VENDOR)),
    ]
    token = new_token()
    middleware = [
        Middleware(
            TrustedHostMiddleware, allowed_hosts=[LOOPBACK, "localhost"], www_redirect=False
        ),
        Middleware(RequireToken, token=token),
        Middleware(_SameOrigin),
    ]
    # The outermost wrapper adds the headers, so that responses to unexpected errors have them too.
    app = Starlette(
        routes=[*routes, *mounts],
        middleware=middleware,
        exception_handlers={EjectamapError: _error_response},
    )
    return Pages(_SecurityHeaders(app), token)


def serve(
    pages: Pages, *, port: int, open_from: Path | None, announce: Callable[[str], None] = print
) -> None:
    """Serve an application on loopback until Ctrl-C.

    Parameters
    ----------
    port
        0 for any free port.
    open_from
        Folder of the user in which the file is written from which the default browser opens the page; None to open
        no browser.
    announce
        Called with the address.

    Raises
    ------
    OutputError
        The port is in use or not allowed.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener, ExitStack() as links:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except (OSError, OverflowError) as error:
            raise OutputError(
                f"--port {port}: cannot be used ({error}): choose another, or leave it out"
            ) from error
        listener.listen()  # from now on the browser waits for the server instead of being refused
        address = pages.address(listener.getsockname()[1])
        announce(address)
        if open_from is not None:
            link = links.enter_context(private_link(address, _writable(open_from)))
            threading.Thread(target=webbrowser.open, args=(link,), daemon=True).start()
        settings = uvicorn.Config(
            pages.app, log_level="warning", access_log=False, timeout_graceful_shutdown=2
        )
        with suppress(KeyboardInterrupt):  # uvicorn raises it again after a clean stop
            uvicorn.Server(settings).run(sockets=[listener])


def _writable(folder: Path) -> Path:
    """The folder, or the one for temporary files if no file can be written there."""
    return folder if os.access(folder, os.W_OK) else Path(tempfile.gettempdir())


def parse_place(request: Request) -> tuple[float, float]:
    """Longitude and latitude (degrees) from the query of a request; the response is 400 if they are invalid."""
    try:
        lon, lat = (float(request.query_params[name]) for name in ("lon", "lat"))
    except (KeyError, ValueError):
        raise HTTPException(400, "lon and lat must be numbers") from None
    if not (isfinite(lon) and -90 <= lat <= 90):
        raise HTTPException(400, "lon and lat must be degrees on the globe")
    return float(wrap_longitude(lon)), lat


async def read_body(request: Request) -> bytes:
    """Body of a request; the response is 413 if it is longer than a megabyte."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MAX_BODY_BYTES:
            raise HTTPException(413, "the request is too long")
    return bytes(body)


def _error_response(request: Request, error: Exception) -> PlainTextResponse:
    return PlainTextResponse(one_line(error), 500)


class _SecurityHeaders:
    """Middleware that adds security headers to every response, also to errors."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-cache")
            await send(message)

        await self.app(scope, receive, send_with_headers)


class _SameOrigin:
    """Middleware that refuses requests from pages of other sites, unless they only read.

    Browsers send an Origin header with such requests; programs that send none are not pages, and are accepted.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD"):
            headers = Headers(scope=scope)
            origin = headers.get("origin")
            if origin is not None and origin != f"http://{headers.get('host')}":
                await PlainTextResponse("requests from pages of other sites are refused", 403)(
                    scope, receive, send
                )
                return
        await self.app(scope, receive, send)
