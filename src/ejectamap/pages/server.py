"""A web server for the person at this machine: on loopback only, and nothing comes from anywhere else.

A page of another site in the same browser must not read or change the project. Hence the checks of the host (against
DNS rebinding: such a page reaches us under its own host's name) and of the origin of whatever changes something.
"""

import socket
import threading
import webbrowser
from collections.abc import Callable, Sequence
from contextlib import suppress
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
from ejectamap.world.sphere import wrap_longitude

LOOPBACK = "127.0.0.1"
VENDOR = Path(__file__).parent / "vendor"

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
    """A number in an address, of few enough digits that it can be read."""

    regex = "[0-9]{1,9}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("index", _Index())


def build_app(routes: Sequence[BaseRoute], *, own_files: Path) -> ASGIApp:
    """An application with these routes, and with what every page needs.

    Parameters
    ----------
    routes
        The application's own addresses. `{name:index}` in a path is a whole number. An `EjectamapError` in one becomes
        the answer's only line.
    own_files
        The folder with the page's CSS and JavaScript, served under `/static`. The libraries of other people
        (`pages/vendor`) are served under `/vendor`.
    """
    mounts = [
        Mount("/static", StaticFiles(directory=own_files)),
        Mount("/vendor", StaticFiles(directory=VENDOR)),
    ]
    middleware = [
        Middleware(
            TrustedHostMiddleware, allowed_hosts=[LOOPBACK, "localhost"], www_redirect=False
        ),
        Middleware(_SameOrigin),
    ]
    # The headers go around all of it: the answer to an unforeseen error has them too.
    app = Starlette(
        routes=[*routes, *mounts],
        middleware=middleware,
        exception_handlers={EjectamapError: _say},
    )
    return _SecurityHeaders(app)


def serve(
    app: ASGIApp, *, port: int, open_browser: bool, announce: Callable[[str], None] = print
) -> None:
    """Serve an application on loopback until Ctrl-C.

    Parameters
    ----------
    port
        0: any that is free.
    open_browser
        Show the page in the user's browser once the server answers.
    announce
        Told the address.

    Raises
    ------
    OutputError
        The port is taken or not allowed.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except (OSError, OverflowError) as error:
            raise OutputError(
                f"--port {port}: cannot be used ({error}): choose another, or leave it out"
            ) from error
        listener.listen()  # from here on the browser is not refused, it waits
        address = f"http://{LOOPBACK}:{listener.getsockname()[1]}/"
        announce(address)
        if open_browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        settings = uvicorn.Config(
            app, log_level="warning", access_log=False, timeout_graceful_shutdown=2
        )
        with suppress(KeyboardInterrupt):  # uvicorn, cleanly stopped, says once more why
            uvicorn.Server(settings).run(sockets=[listener])


def read_place(request: Request) -> tuple[float, float]:
    """Longitude and latitude of a query, in degrees; anything else is answered with 400."""
    try:
        lon, lat = (float(request.query_params[name]) for name in ("lon", "lat"))
    except (KeyError, ValueError):
        raise HTTPException(400, "lon and lat must be numbers") from None
    if not (isfinite(lon) and -90 <= lat <= 90):
        raise HTTPException(400, "lon and lat must be degrees on the globe")
    return float(wrap_longitude(lon)), lat


def _say(request: Request, error: Exception) -> PlainTextResponse:
    return PlainTextResponse(" ".join(str(error).split()), 500)


class _SecurityHeaders:
    """Adds the headers that keep a page to itself to every answer, errors included."""

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
    """Refuses requests that change something and come from another site's page.

    A browser always says where such a request comes from; a program that says nothing is no page.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD"):
            headers = Headers(scope=scope)
            origin = headers.get("origin")
            if origin is not None and origin != f"http://{headers.get('host')}":
                await PlainTextResponse("another site's page", 403)(scope, receive, send)
                return
        await self.app(scope, receive, send)
