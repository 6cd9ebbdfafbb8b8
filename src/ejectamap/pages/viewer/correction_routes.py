"""HTTP routes for corrections by hand: read tiles, change them, undo."""

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
from ejectamap.pages.server import parse_place, read_body
from ejectamap.pages.viewer.corrections import Change, Corrections
from ejectamap.project.folder import Project
from ejectamap.world.craters import Crater
from ejectamap.world.labels import Labels


class CorrectionRoutes:
    """Corrections over HTTP; they are loaded at the first request."""

    def __init__(self, project: Project, craters: Mapping[int, Crater]) -> None:
        self.project = project
        self.craters = craters
        self._lock = Lock()

    def routes(self) -> list[Route]:
        """Routes to serve."""
        return [
            Route("/corrections", self.corrected_tiles),
            Route("/corrections/at", self.tile_at),
            Route("/corrections/undo", self.undo, methods=["POST"]),
            Route("/corrections/{tile:index}/{crater:index}", self.change, methods=["POST"]),
        ]

    def labels(self, crater_id: int) -> Labels:
        """Corrected labels of one crater."""
        return self._load().labels(crater_id)

    def corrected_tiles(self, request: Request) -> Response:
        """Describe the corrected tiles."""
        return JSONResponse(self._load().corrected_tiles())

    def tile_at(self, request: Request) -> Response:
        """Describe the tile at a place."""
        corrections = self._load()
        tile = corrections.tile_at(*parse_place(request))
        return JSONResponse(corrections.describe(tile.tile_id))

    def undo(self, request: Request) -> Response:
        """Undo the last change; describes its tile."""
        corrections = self._load()
        tile = corrections.undo()
        return JSONResponse(None if tile is None else corrections.describe(tile))

    async def change(self, request: Request) -> Response:
        """Change a crater's ejecta in a tile; describes the tile."""
        body = await read_body(request)
        try:
            change = Change.model_validate_json(body)
        except ValidationError:
            raise HTTPException(400, "the request is not a valid change") from None
        tile, crater = (request.path_params[name] for name in ("tile", "crater"))
        return await run_in_threadpool(self._apply, tile, crater, change)

    def _apply(self, tile: int, crater: int, change: Change) -> Response:
        corrections = self._load()
        if crater not in self.craters or tile >= len(corrections.tiles):
            raise HTTPException(404, "no such crater or tile")
        try:
            corrections.apply(tile, self.craters[crater], change)
        except LabelError as error:
            raise HTTPException(409, str(error)) from None
        return JSONResponse(corrections.describe(tile))

    def _load(self) -> Corrections:
        with self._lock:
            return self._corrections

    @cached_property
    def _corrections(self) -> Corrections:
        return Corrections(self.project)
