"""The pictures of the mosaic that a project's networks take as input, with a place marked in them."""

from threading import Lock
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from ejectamap.errors import ProjectError
from ejectamap.maps.rasters import Bytes
from ejectamap.pages.viewer.layers import encode_png
from ejectamap.project.bundle_views import ChipViews, CorridorViews, NetworkViews, PolarViews
from ejectamap.project.bundles import read_descriptions
from ejectamap.project.folder import Project
from ejectamap.project.methods import NETWORK_KINDS
from ejectamap.show.ground import colour_ground, to_bytes
from ejectamap.views.chip import Chip
from ejectamap.views.corridor import Corridor
from ejectamap.views.polar import PolarView
from ejectamap.views.tiling import ChipGrid
from ejectamap.world.craters import Crater
from ejectamap.world.sphere import LonLat, azimuthal_forward, distance

Views = TypeVar("Views", bound=NetworkViews)

_PICTURES: dict[str, type[NetworkViews]] = {
    "polar": PolarViews,
    "chip": ChipViews,
    "corridor": CorridorViews,
}
_WIDTH_MARK_RADII = 60  # width of a picture, in radii of the mark
# Pictures are enlarged by the largest whole factor that keeps them within this width.
_WIDTH_PX = 512


class NetworkInputs:
    """Polar views, chips and corridors as the networks of a project's method take them.

    The mosaic is read when the first picture is drawn.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self._views: dict[str, NetworkViews] = {}  # by kind of network
        self._lock = Lock()

    @property
    def pictures(self) -> list[str]:
        """Which pictures the method's networks take: some of "polar", "chip" and "corridor"."""
        networks = self.project.settings.network_configs
        used = {NETWORK_KINDS[kind].views for kind in networks}
        return [name for name, views in _PICTURES.items() if views in used]

    def draw(self, name: str, crater: Crater, lon: float, lat: float) -> bytes:
        """PNG of one of `pictures` for a crater, with a place (degrees) marked.

        Raises
        ------
        EjectamapError
            If the method takes no such picture, or the mosaic or a network's description cannot be read.
        """
        if name not in self.pictures:
            method = self.project.settings.method
            raise ProjectError(f"{method}: its networks take no {name} picture")
        sample = {"polar": self._polar, "chip": self._chip, "corridor": self._corridor}[name]
        with self._lock:  # the mosaic must not be read by two threads at once
            places, spacing_m = sample(crater, lon, lat)
            ground = colour_ground(self.project.mosaic, *places, spacing_m)
        distance_m = distance(lon, lat, *places, self.project.grid.radius_m)
        row, col = np.unravel_index(int(distance_m.argmin()), distance_m.shape)
        return _draw_mark(to_bytes(ground), int(row), int(col))

    def chips(self, crater: Crater) -> ChipGrid:
        """The chips that cover a crater's reach when it is mapped."""
        radius_m, side_m = self.project.grid.radius_m, self._read_views(ChipViews).tile_m
        return ChipGrid.of_crater(crater, radius_m, side_m, self.project.settings.views.overlap)

    def chip_at(self, crater: Crater, lon: float, lat: float) -> Chip:
        """The chip whose centre is nearest to a place, by the larger of the two offsets along its sides."""
        chips = self.chips(crater)
        at_m = azimuthal_forward(lon, lat, crater.lon, crater.lat, self.project.grid.radius_m)
        offsets_m = np.abs(chips.cells * chips.stride_m - np.array(at_m)).max(axis=1)
        return chips.chip(int(offsets_m.argmin()))

    def _read_views(self, views: type[Views]) -> Views:
        """Views of the method's first kind of network whose inputs are of this type."""
        networks = self.project.settings.network_configs
        kind = next(kind for kind in networks if NETWORK_KINDS[kind].views is views)
        if kind not in self._views:
            self._views[kind] = read_descriptions(self.project.networks_folder(kind))[0].views
        described = self._views[kind]
        assert isinstance(described, views)
        return described

    def _polar(self, crater: Crater, lon: float, lat: float) -> tuple[LonLat, npt.ArrayLike]:
        """Places of the polar view's pixels, and their spacing in metres."""
        views, radius_m = self._read_views(PolarViews), self.project.grid.radius_m
        view = PolarView.of_crater(crater, radius_m, views.polar_px, views.polar_power)
        return view.places(), view.cell_spacing_m()

    def _chip(self, crater: Crater, lon: float, lat: float) -> tuple[LonLat, npt.ArrayLike]:
        """Places of the pixels of the chip at a place, and their spacing in metres."""
        size_px = self._read_views(ChipViews).chip_px
        chip = self.chip_at(crater, lon, lat)
        places = chip.places(crater, self.project.grid.radius_m, size_px)
        return places, chip.side_m / size_px

    def _corridor(self, crater: Crater, lon: float, lat: float) -> tuple[LonLat, npt.ArrayLike]:
        """Places of the pixels of the corridor to the chip at a place, and their spacing in metres."""
        size_px = self._read_views(CorridorViews).corridor_px
        corridor = Corridor.between(crater, self.chip_at(crater, lon, lat))
        places = corridor.places(crater, self.project.grid.radius_m, size_px)
        return places, corridor.length_m / size_px[0]


def _draw_mark(picture: Bytes, row: int, col: int) -> bytes:
    """PNG of a picture, enlarged, with a ring around a pixel that is visible on bright and on dark ground."""
    scale = max(1, _WIDTH_PX // picture.shape[1])
    image = Image.fromarray(picture.repeat(scale, axis=0).repeat(scale, axis=1))
    draw = ImageDraw.Draw(image)
    x, y = (col + 0.5) * scale, (row + 0.5) * scale
    radius = image.width / _WIDTH_MARK_RADII
    for colour, width in (("black", 0.4 * radius), ("white", 0.2 * radius)):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), None, colour, round(width))
    return encode_png(np.asarray(image))
