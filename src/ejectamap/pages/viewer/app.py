"""The viewer's addresses: its page, the planet and its craters, tiles, and what is known of a place."""

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ejectamap.mapping.colours import crater_colour
from ejectamap.pages.server import build_app, read_place
from ejectamap.pages.viewer import layers
from ejectamap.pages.viewer.labelling import Labelling
from ejectamap.pages.viewer.place import claims, connections, window_outline
from ejectamap.pages.viewer.pyramid import mosaic_with_overviews
from ejectamap.pages.viewer.seen import Seen
from ejectamap.pages.viewer.tiles import TILE_PX, MapTile, finest_zoom
from ejectamap.project import Project
from ejectamap.world.craters import Crater
from ejectamap.world.labels import Labels

STATIC = Path(__file__).parent / "static"
_KEEP = {"Cache-Control": "private, max-age=3600"}  # the page asks with the time of the file


class Viewer:
    """What the viewer shows of a project. Only the files of its map and its inputs are ever read."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.grid = project.grid
        self.craters = {crater.crater_id: crater for crater in project.craters}
        mosaic = mosaic_with_overviews(project.mosaic_path, project.folder / "cache")
        self.mosaic = layers.MosaicLayer(mosaic, project.grid)
        self.seen = Seen(project)
        self.labelling = Labelling(project, self.craters)
        self._labels_lock = Lock()

    def app(self) -> ASGIApp:
        """The application to serve."""
        addresses: dict[str, Callable[[Request], Response]] = {
            "/": lambda request: FileResponse(STATIC / "index.html"),
            "/planet": self.planet,
            "/labels": self.labels,
            "/place": self.place,
            "/craters/{crater:index}/connections": self.connections,
            "/craters/{crater:index}/seen/{kind}.png": self.seen_picture,
            "/tiles/{layer}/{z:index}/{x:index}/{y:index}.png": self.global_tile,
            "/tiles/{layer}/{crater:index}/{z:index}/{x:index}/{y:index}.png": self.crater_tile,
        }
        routes = [Route(*address) for address in addresses.items()]
        return build_app([*routes, *self.labelling.routes()], own_files=STATIC)

    def planet(self, request: Request) -> Response:
        """All that the page must know at its start."""
        project = self.project
        about = {
            "name": project.folder.resolve().name,
            "threshold": project.settings.map.threshold,
            "radius_m": self.grid.radius_m,
            "width_px": self.grid.width,
            "tile_px": TILE_PX,
            "finest_zoom": finest_zoom(self.grid),
            "mosaic": _version(self.mosaic.path),
            "origin": _version(project.maps / "origin.tif"),
            "views": self.seen.kinds,
            "craters": [self._about(crater) for crater in self.craters.values()],
        }
        return JSONResponse(about)

    def labels(self, request: Request) -> Response:
        """Which craters are labelled, and the outlines of the labelled tiles."""
        labels = self._labels()
        tiles = () if labels is None else labels.tiles or ()
        outlines = [window_outline(self.grid, tile.window) for tile in tiles]
        return JSONResponse({"craters": sorted(labels.masks if labels else ()), "tiles": outlines})

    def place(self, request: Request) -> Response:
        """Which craters claim a place."""
        return JSONResponse(claims(self.project, self._labels(), *read_place(request)))

    def connections(self, request: Request) -> Response:
        """A crater's chips and the votes on them; none if the method has no chips."""
        crater = self._crater(request)
        if (
            not (self.project.maps / "connections.parquet").exists()
            or "chip" not in self.seen.kinds
        ):
            return JSONResponse([])
        return JSONResponse(connections(self.project, crater, self.seen.chips(crater)))

    def seen_picture(self, request: Request) -> Response:
        """What networks saw of a place."""
        crater, kind = self._crater(request), request.path_params["kind"]
        if kind not in self.seen.kinds:
            raise HTTPException(404)
        return _png(self.seen.picture(kind, crater, *read_place(request)))

    def global_tile(self, request: Request) -> Response:
        """A tile of the mosaic or of the origin map."""
        tile, layer = self._tile(request), request.path_params["layer"]
        if layer == "mosaic":
            return _png(self.mosaic.tile(tile))
        if layer == "origin":
            return _png(layers.origin_tile(self._map_file("origin.tif"), self.grid, tile))
        raise HTTPException(404)

    def crater_tile(self, request: Request) -> Response:
        """A tile of one crater's probability, mask or labels."""
        tile, layer = self._tile(request), request.path_params["layer"]
        crater_id = self._crater(request).crater_id
        if layer == "corrections":  # empty where they have just been taken back
            return _png(layers.label_tile(self.labelling.labels(crater_id), crater_id, tile))
        if layer == "labels":
            labels = self._labels()
            if labels is None or crater_id not in labels.masks:
                raise HTTPException(404)
            return _png(layers.label_tile(labels, crater_id, tile))
        draw = {"probability": layers.probability_tile, "mask": layers.mask_tile}.get(layer)
        if draw is None:
            raise HTTPException(404)
        return _png(draw(self._map_file(f"crater_{crater_id}_{layer}.tif"), self.grid, tile))

    def _about(self, crater: Crater) -> dict[str, Any]:
        path = self.project.maps / f"crater_{crater.crater_id}_probability.tif"
        return {
            "id": crater.crater_id,
            "name": crater.name,
            "lon": crater.lon,
            "lat": crater.lat,
            "radius_m": crater.radius_m,
            "reach_m": crater.reach_m(self.grid.radius_m),
            "colour": crater_colour(crater.crater_id),
            "map": _version(path),
        }

    def _labels(self) -> Labels | None:
        with self._labels_lock:  # read once, whoever asks first
            return self.project.labels

    def _crater(self, request: Request) -> Crater:
        crater = self.craters.get(request.path_params["crater"])
        if crater is None:
            raise HTTPException(404, "no such crater")
        return crater

    def _tile(self, request: Request) -> MapTile:
        tile = MapTile(*(request.path_params[name] for name in "zxy"))
        if tile.zoom > finest_zoom(self.grid) or not tile.exists:
            raise HTTPException(404, "no such tile")
        return tile

    def _map_file(self, name: str) -> Path:
        path = self.project.maps / name
        if not path.is_file():
            raise HTTPException(404, "not mapped")
        return path


def _version(path: Path) -> int | None:
    """When a file was written, so that a browser asks anew for what has changed; None if it is not there."""
    return path.stat().st_mtime_ns // 1000 if path.is_file() else None


def _png(content: bytes) -> Response:
    return Response(content, media_type="image/png", headers=_KEEP)
