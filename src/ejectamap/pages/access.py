"""Who may see the pages: whoever has the address with the run's token, and no other user of this machine.

The scheme is that of Jupyter's servers: the address that is printed has a random token of this run, which the server
exchanges for a cookie; a request with neither is refused. Cookies of one host go to all its ports, therefore the
cookie's name has the port.
"""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = "127.0.0.1"
_REFUSAL = (
    "open the whole address that ejectamap printed when it started: "
    "nothing is shown without the token at its end"
)
# Continues at an address, from a page and not by a redirect: after a link in a page of another site, browsers send
# the cookie (SameSite=Strict) only with what a page of this server asks for.
_CONTINUE = (
    '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>ejectamap</title>\n'
    '<link rel="icon" href="data:,">\n<meta http-equiv="refresh" content="0; url={address}">\n'
    '<p><a href="{address}">Open the page</a></p>\n'
)


@dataclass(frozen=True)
class Pages:
    """An application, and the token (hexadecimal) without which it answers nothing."""

    app: ASGIApp
    token: str = field(repr=False)

    def address(self, port: int) -> str:
        """Address to open in a browser on this machine."""
        return f"http://{LOOPBACK}:{port}/?token={self.token}"


def new_token() -> str:
    """128 random bits: short enough for an address on one line of a terminal."""
    return secrets.token_hex(16)


class RequireToken:
    """Middleware that exchanges the token in the address of the first page for a cookie, and refuses all without it."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to a request, or pass it on to the application."""
        answer = self.app if scope["type"] == "lifespan" else self._answer(HTTPConnection(scope))
        await answer(scope, receive, send)

    def _answer(self, request: HTTPConnection) -> ASGIApp:
        cookie = f"ejectamap-{request.scope['server'][1]}"
        if request.scope["path"] == "/" and self._is_token(request.query_params.get("token")):
            return self._sign_in(cookie)
        if self._is_token(request.cookies.get(cookie)):
            return self.app
        return PlainTextResponse(_REFUSAL, 403)

    def _is_token(self, text: str | None) -> bool:
        """Whether a text is the token; the time that this takes tells nothing about it."""
        return text is not None and secrets.compare_digest(text.encode(), self.token.encode())

    def _sign_in(self, cookie: str) -> Response:
        """A page that sets the cookie and continues at the address without the token."""
        page = _CONTINUE.format(address="/")
        response = HTMLResponse(page, headers={"Cache-Control": "no-store"})
        response.set_cookie(cookie, self.token, httponly=True, samesite="strict")
        return response


@contextmanager
def private_link(address: str, folder: Path) -> Iterator[str]:
    """Address of a file, readable by this user alone, that leads to an address; it exists within this context.

    All users of a machine can read the arguments of its processes, and the address to open is one of the browser's.

    Parameters
    ----------
    address : str
    folder : Path
        Where the file is written; browsers in a sandbox may read the user's own folders only.
    """
    with tempfile.TemporaryDirectory(
        prefix=".open-", dir=folder, ignore_cleanup_errors=True
    ) as private:
        path = Path(private).resolve() / "open.html"
        path.write_text(_CONTINUE.format(address=address), encoding="utf-8")
        yield path.as_uri()
