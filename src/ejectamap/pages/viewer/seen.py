"""What the networks saw of a place: the polar view, the chip and the corridor, as pictures with the place marked."""

from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from ejectamap.errors import ProjectError
from ejectamap.networks.ensemble import Ensemble
from ejectamap.pages.viewer.layers import Bytes, png
from ejectamap.project import Project
from ejectamap.show.ground import colour_ground, to_bytes
from ejectamap.views.chip import Chip
from ejectamap.views.corridor import Corridor
from ejectamap.views.polar import PolarView, polar_size
from ejectamap.views.tiling import ChipGrid
from ejectamap.world.craters import Crater
from ejectamap.world.sphere import LonLat, azimuthal_forward, distance, turned

_OUTLINERS = ("segmentation", "guided", "distance-only", "agnostic")
_MARKS_ACROSS = 60  # so many radii of the mark fit into a picture's width
_WIDE_PX = 512  # pictures are enlarged by whole numbers up to about this


class Seen:
    """The views that a project's method takes, by the settings of its networks.

    The mosaic is read when the first picture is asked for.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self._views: dict[str, dict[str, Any]] = {}
        self._lock = Lock()

    @property
    def kinds(self) -> list[str]:
        """Which pictures there are: polar, chip, corridor."""
        networks = self.project.settings.fittings
        kinds = {
            "polar": "context" in networks,
            "chip": any(kind in networks for kind in _OUTLINERS),
            "corridor": "connection" in networks,
        }
        return [kind for kind, there in kinds.items() if there]

    def picture(self, kind: str, crater: Crater, lon: float, lat: float) -> bytes:
        """PNG of one of `kinds` with a place marked.

        Raises
        ------
        EjectamapError
            If the method has no such view, or the mosaic or a network cannot be read.
        """
        if kind not in self.kinds:
            raise ProjectError(f"{self.project.settings.method}: its networks see no {kind}")
        with self._lock:  # one picture at a time; the first reads the mosaic
            look = {"polar": self._polar, "chip": self._chip, "corridor": self._corridor}[kind]
            places, spacing_m = look(crater, lon, lat)
            ground = colour_ground(self.project.mosaic, *places, spacing_m)
        away_m = distance(lon, lat, *places, self.project.grid.radius_m)
        row, col = np.unravel_index(int(away_m.argmin()), away_m.shape)
        return _marked(to_bytes(ground), int(row), int(col))

    def chips(self, crater: Crater) -> ChipGrid:
        """The chips that cover a crater's reach, as the method lays them."""
        views = self._views_of(*_OUTLINERS)
        reach_m = crater.reach_m(self.project.grid.radius_m)
        overlap, radial_up = self.project.settings.views.overlap, views.get("radial_up", False)
        return ChipGrid.around(reach_m, views["tile_m"], overlap, radial_up)

    def chip_at(self, crater: Crater, lon: float, lat: float) -> Chip:
        """The chip in whose middle a place is most."""
        chips = self.chips(crater)
        at_m = azimuthal_forward(lon, lat, crater.lon, crater.lat, self.project.grid.radius_m)
        east_m, north_m = (chips.cells * chips.stride_m - np.array(at_m)).T
        beside = turned(east_m, north_m, chips.up_deg)
        offsets = np.abs(beside).max(axis=0)
        return chips.chip(int(offsets.argmin()))

    def _views_of(self, *kinds: str) -> dict[str, Any]:
        """What the networks of the first of some kinds that the method has look at."""
        kind = next(kind for kind in kinds if kind in self.project.settings.fittings)
        if kind not in self._views:
            bands = self.project.mosaic.bands
            self._views[kind] = Ensemble.load(self.project.networks(kind), bands).views
        return self._views[kind]

    def _polar(self, crater: Crater, lon: float, lat: float) -> tuple[LonLat, npt.ArrayLike]:
        views, radius_m = self._views_of("context"), self.project.grid.radius_m
        size = polar_size(crater.reach, *views["polar_px"])
        reach_m = crater.reach_m(radius_m)
        view = PolarView(crater, radius_m, reach_m, *size, power=views["polar_power"])
        return view.places(), view.cell_spacing_m()

    def _chip(self, crater: Crater, lon: float, lat: float) -> tuple[LonLat, npt.ArrayLike]:
        size_px = int(self._views_of(*_OUTLINERS)["chip_px"])
        chip = self.chip_at(crater, lon, lat)
        places = chip.places(crater, self.project.grid.radius_m, size_px)
        return places, chip.side_m / size_px

    def _corridor(self, crater: Crater, lon: float, lat: float) -> tuple[LonLat, npt.ArrayLike]:
        length_px, width_px = self._views_of("connection")["corridor_px"]
        corridor = Corridor.between(crater, self.chip_at(crater, lon, lat))
        places = corridor.places(crater, self.project.grid.radius_m, (length_px, width_px))
        return places, corridor.length_m / length_px


def _marked(picture: Bytes, row: int, col: int) -> bytes:
    """PNG of a picture, enlarged, with a ring about a pixel that shows on bright and on dark ground."""
    scale = max(1, _WIDE_PX // picture.shape[1])
    image = Image.fromarray(picture.repeat(scale, axis=0).repeat(scale, axis=1))
    draw = ImageDraw.Draw(image)
    x, y = (col + 0.5) * scale, (row + 0.5) * scale
    radius = image.width / _MARKS_ACROSS
    for colour, width in (("black", 0.4 * radius), ("white", 0.2 * radius)):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), None, colour, round(width))
    return png(np.asarray(image))
