"""The viewer's HTTP routes: its page, the planet and its craters, map tiles, and data of a place."""

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from ejectamap.errors import OutputError
from ejectamap.maps.colours import crater_colours
from ejectamap.maps.provenance import read_provenance
from ejectamap.maps.rasters import STEPS
from ejectamap.maps.state import crater_path, probability_path
from ejectamap.pages.access import Pages
from ejectamap.pages.server import build_app, parse_place
from ejectamap.pages.viewer import layers
from ejectamap.pages.viewer.correction_routes import CorrectionRoutes
from ejectamap.pages.viewer.network_inputs import NetworkInputs
from ejectamap.pages.viewer.outlines import outline_connections, outline_window
from ejectamap.pages.viewer.overviews import mosaic_with_overviews
from ejectamap.pages.viewer.place import read_place
from ejectamap.pages.viewer.tiles import TILE_PX, MapTile, finest_zoom
from ejectamap.project.folder import Project
from ejectamap.world.craters import Crater
from ejectamap.world.labels import Labels
from ejectamap.world.mosaic_files import is_on_grid, read_mosaic_header
from ejectamap.world.store import is_stored

STATIC = Path(__file__).parent / "static"
# Addresses hold the time of change of the file.
_CACHED = {"Cache-Control": "private, max-age=3600"}


def _mosaic_layer(project: Project) -> layers.MosaicLayer | layers.SampledMosaicLayer:
    """Layer of the mosaic: read from its file where that has the grid's pixels as they are mapped and is not large."""
    path = project.mosaic_path
    if is_stored(read_mosaic_header(path)) or not is_on_grid(path):
        return layers.SampledMosaicLayer(path, project.mosaic)
    overviews = mosaic_with_overviews(path, project.folder / "cache")
    return layers.MosaicLayer(overviews, project.grid)


class Viewer:
    """Serves the map and the inputs of a project; no other files are read."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.grid = project.grid
        self.craters = {crater.crater_id: crater for crater in project.craters}
        self.mosaic = _mosaic_layer(project)
        self.network_inputs = NetworkInputs(project)
        self.corrections = CorrectionRoutes(project, self.craters)
        self._labels_lock = Lock()

    def app(self) -> Pages:
        """The application to serve."""
        handlers: dict[str, Callable[[Request], Response]] = {
            "/": lambda request: FileResponse(STATIC / "index.html"),
            "/planet": self.planet,
            "/labels": self.labels,
            "/place": self.place,
            "/craters/{crater:index}/connections": self.connections,
            "/craters/{crater:index}/inputs/{name}.png": self.network_input,
            "/tiles/{layer}/{z:index}/{x:index}/{y:index}.png": self.global_tile,
            "/tiles/{layer}/{crater:index}/{z:index}/{x:index}/{y:index}.png": self.crater_tile,
        }
        routes = [Route(*address) for address in handlers.items()]
        return build_app([*routes, *self.corrections.routes()], own_files=STATIC)

    def planet(self, request: Request) -> Response:
        """Everything that the page needs when it starts."""
        project = self.project
        content = {
            "name": project.folder.resolve().name,
            "threshold": project.settings.map.threshold,
            "radius_m": self.grid.radius_m,
            "width_px": self.grid.width,
            "tile_px": TILE_PX,
            "finest_zoom": finest_zoom(self.grid),
            "probability_steps": STEPS,
            "mosaic": _version(self.mosaic.path),
            "origin": _version(project.maps / "origin.tif"),
            "views": self.network_inputs.pictures,
            "craters": [self._describe(crater) for crater in self.craters.values()],
            "stale": self._stale_ids(),
        }
        return JSONResponse(content)

    def labels(self, request: Request) -> Response:
        """Ids of the labelled craters, and outlines of the labelled tiles."""
        labels = self._labels()
        tiles = () if labels is None else labels.tiles or ()
        outlines = [outline_window(self.grid, tile.window) for tile in tiles]
        return JSONResponse({"craters": sorted(labels.masks if labels else ()), "tiles": outlines})

    def place(self, request: Request) -> Response:
        """Probabilities and labels of the craters within whose reach a place is."""
        return JSONResponse(read_place(self.project, self._labels(), *parse_place(request)))

    def connections(self, request: Request) -> Response:
        """Outlines of a crater's chips and whether they are connected; none if the method has no chips."""
        crater = self._crater(request)
        if (
            not (self.project.maps / "connections.parquet").exists()
            or "chip" not in self.network_inputs.pictures
        ):
            return JSONResponse([])
        return JSONResponse(
            outline_connections(self.project, crater, self.network_inputs.chips(crater))
        )

    def network_input(self, request: Request) -> Response:
        """Picture that networks take as input, with a place marked."""
        crater, name = self._crater(request), request.path_params["name"]
        if name not in self.network_inputs.pictures:
            raise HTTPException(404)
        return _png(self.network_inputs.draw(name, crater, *parse_place(request)))

    def global_tile(self, request: Request) -> Response:
        """A map tile of the mosaic or of the origin map."""
        tile, layer = self._tile(request), request.path_params["layer"]
        if layer == "mosaic":
            return _png(self.mosaic.tile(tile))
        if layer == "origin":
            return _png(
                layers.origin_tile(
                    self._map_file(self.project.maps / "origin.tif"),
                    crater_colours(self.project.craters),
                    self.grid,
                    tile,
                )
            )
        raise HTTPException(404)

    def crater_tile(self, request: Request) -> Response:
        """A map tile of one crater's probability, mask, labels or corrections."""
        tile, layer = self._tile(request), request.path_params["layer"]
        crater_id = self._crater(request).crater_id
        if layer == "corrections":  # drawn empty, not refused, after an undo
            return _png(layers.label_tile(self.corrections.labels(crater_id), crater_id, tile))
        if layer == "labels":
            labels = self._labels()
            if labels is None or crater_id not in labels.masks:
                raise HTTPException(404)
            return _png(layers.label_tile(labels, crater_id, tile))
        draw = {"probability": layers.probability_tile, "mask": layers.mask_tile}.get(layer)
        if draw is None:
            raise HTTPException(404)
        return _png(
            draw(self._map_file(crater_path(self.project.maps, crater_id, layer)), self.grid, tile)
        )

    def _describe(self, crater: Crater) -> dict[str, Any]:
        return {
            "id": crater.crater_id,
            "name": crater.name,
            "lon": crater.lon,
            "lat": crater.lat,
            "radius_m": crater.radius_m,
            "reach_m": crater.reach_m(self.grid.radius_m),
            "colour": crater_colours(self.project.craters)[crater.crater_id],
            "map": _version(probability_path(self.project, crater)),
        }

    def _stale_ids(self) -> list[int]:
        """Craters that had a stale map when the global files were made; to ask anew would read the whole mosaic."""
        try:
            return [int(crater_id) for crater_id in read_provenance(self.project).get("stale", ())]
        except OutputError:
            return []

    def _labels(self) -> Labels | None:
        with self._labels_lock:  # several requests at once must not read them several times
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

    def _map_file(self, path: Path) -> Path:
        if not path.is_file():
            raise HTTPException(404, "not mapped")
        return path


def _version(path: Path) -> int | None:
    """Time of change of a file, part of its address so that browsers reload changed files; None if it is missing."""
    return path.stat().st_mtime_ns // 1000 if path.is_file() else None


def _png(content: bytes) -> Response:
    return Response(content, media_type="image/png", headers=_CACHED)
