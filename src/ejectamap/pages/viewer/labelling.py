"""The addresses behind the viewer's brush: tiles to correct, changes to them, and the way back."""

from collections.abc import Mapping
from functools import cached_property
from threading import Lock

from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ejectamap.errors import LabelError
from ejectamap.pages.server import read_place
from ejectamap.pages.viewer.corrections import Change, Corrections
from ejectamap.project import Project
from ejectamap.world.craters import Crater
from ejectamap.world.labels import Labels

_LONGEST_BYTES = 2**20  # of a request


class Labelling:
    """Corrections over HTTP; they are read when first asked for."""

    def __init__(self, project: Project, craters: Mapping[int, Crater]) -> None:
        self.project = project
        self.craters = craters
        self._lock = Lock()

    def routes(self) -> list[Route]:
        """The addresses."""
        return [
            Route("/corrections", self.done),
            Route("/corrections/at", self.tile_at),
            Route("/corrections/undo", self.undo, methods=["POST"]),
            Route("/corrections/{tile:index}/{crater:index}", self.change, methods=["POST"]),
        ]

    def labels(self, crater_id: int) -> Labels:
        """What is corrected of one crater."""
        return self._ready().labels(crater_id)

    def done(self, request: Request) -> Response:
        """The corrected tiles."""
        return JSONResponse(self._ready().done())

    def tile_at(self, request: Request) -> Response:
        """The tile that holds a place."""
        corrections = self._ready()
        tile = corrections.tile_at(*read_place(request))
        return JSONResponse(corrections.describe(tile.tile_id))

    def undo(self, request: Request) -> Response:
        """Take the last change back."""
        corrections = self._ready()
        tile = corrections.undo()
        return JSONResponse(None if tile is None else corrections.describe(tile))

    async def change(self, request: Request) -> Response:
        """Change a crater's ejecta in a tile."""
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > _LONGEST_BYTES:
                raise HTTPException(413, "too long a stroke")
        try:
            change = Change.model_validate_json(bytes(body))
        except ValidationError:
            raise HTTPException(400, "not a change") from None
        tile, crater = (request.path_params[name] for name in ("tile", "crater"))
        return await run_in_threadpool(self._apply, tile, crater, change)

    def _apply(self, tile: int, crater: int, change: Change) -> Response:
        corrections = self._ready()
        if crater not in self.craters or tile >= len(corrections.tiles):
            raise HTTPException(404, "no such crater or tile")
        try:
            corrections.apply(tile, self.craters[crater], change)
        except LabelError as error:
            raise HTTPException(409, str(error)) from None
        return JSONResponse(corrections.describe(tile))

    def _ready(self) -> Corrections:
        with self._lock:
            return self._corrections

    @cached_property
    def _corrections(self) -> Corrections:
        return Corrections(self.project)
