"""Panels of the global picture: a cylindrical projection between two latitudes, and a polar one for each pole."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.patches import Circle, Patch

from ejectamap.show.graticule import degrees
from ejectamap.show.map_elements import draw_scale_bar, write_text
from ejectamap.world.sphere import Array, LonLat, azimuthal_forward, azimuthal_inverse

CUT_DEG = 65.0  # latitude at which the cylindrical panel ends
POLAR_DEG = 55.0  # latitude at which the polar panels end


@dataclass(frozen=True)
class Panel(ABC):
    """A part of the planet in a map projection.

    Attributes
    ----------
    box : tuple of float
        Left, bottom, width, height on the figure, in inches.
    dpi : int
        Pixels per inch.
    radius_m : float
        Radius of the planet.
    """

    box: tuple[float, float, float, float]
    dpi: int
    radius_m: float

    @property
    @abstractmethod
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom, top, in the panel's own coordinates."""

    @property
    @abstractmethod
    def metres_per_unit(self) -> float:
        """Ground length of a unit of x, at the equator or at the pole."""

    @abstractmethod
    def to_places(self, x: Array, y: Array) -> LonLat:
        """Places at panel coordinates."""

    @abstractmethod
    def to_plane(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[Array, Array]:
        """Panel coordinates of places."""

    @abstractmethod
    def contains(self, lat: float) -> bool:
        """Whether a latitude is on the panel."""

    @abstractmethod
    def draw_frame(self, axes: Axes, image: AxesImage) -> Patch:
        """Draw frame and graticule, clip the image to the frame, and return the frame."""

    def pixel_places(self, dx: float, dy: float) -> LonLat:
        """Places of all pixels, each (row, col), at an offset from their centres, in pixels."""
        left, right, bottom, top = self.extent
        cols, rows = round(self.box[2] * self.dpi), round(self.box[3] * self.dpi)
        x = left + (np.arange(cols) + 0.5 + dx) / cols * (right - left)
        y = top - (np.arange(rows) + 0.5 + dy) / rows * (top - bottom)
        return LonLat(*np.broadcast_arrays(*self.to_places(x[None, :], y[:, None])))

    @property
    def pixel_m(self) -> float:
        """Size of a pixel on the ground, in metres."""
        left, right = self.extent[:2]
        return (right - left) / (self.box[2] * self.dpi) * self.metres_per_unit


class CylindricalPanel(Panel):
    """All longitudes between two latitudes; x and y are degrees."""

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom, top, in degrees."""
        return -180.0, 180.0, -CUT_DEG, CUT_DEG

    @property
    def metres_per_unit(self) -> float:
        """Length of a degree at the equator."""
        return float(np.pi * self.radius_m / 180)

    def to_places(self, x: Array, y: Array) -> LonLat:
        """Places at panel coordinates: the same numbers."""
        return LonLat(x, y)

    def to_plane(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[Array, Array]:
        """Panel coordinates of places: the same numbers."""
        return np.asarray(lon, np.float64), np.asarray(lat, np.float64)

    def contains(self, lat: float) -> bool:
        """Whether a latitude is on the panel."""
        return abs(lat) <= CUT_DEG

    def draw_frame(self, axes: Axes, image: AxesImage) -> Patch:
        """Draw ticks and lines every 30 degrees, and a scale bar."""
        axes.set_xticks(range(-180, 181, 30), [degrees(lon, "EW") for lon in range(-180, 181, 30)])
        axes.set_yticks(range(-60, 61, 30), [degrees(lat, "NS") for lat in range(-60, 61, 30)])
        axes.tick_params(labelsize=8, length=3)
        axes.grid(color="white", alpha=0.25, linewidth=0.6)
        draw_scale_bar(axes, self.metres_per_unit, " at the equator")
        return axes.patch


@dataclass(frozen=True)
class Pole(Panel):
    """A pole in azimuthal equidistant projection; x and y are metres.

    Attributes
    ----------
    lat : int
        90 or -90.
    """

    lat: int

    @property
    def half_m(self) -> float:
        """Distance from the pole to the edge."""
        return float(np.radians(90 - POLAR_DEG) * self.radius_m)

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom, top, in metres."""
        return -self.half_m, self.half_m, -self.half_m, self.half_m

    @property
    def metres_per_unit(self) -> float:
        """One: x is in metres."""
        return 1.0

    def to_places(self, x: Array, y: Array) -> LonLat:
        """Places at panel coordinates."""
        return azimuthal_inverse(x, y, 0.0, self.lat, self.radius_m)

    def to_plane(self, lon: npt.ArrayLike, lat: npt.ArrayLike) -> tuple[Array, Array]:
        """Panel coordinates of places."""
        return azimuthal_forward(lon, lat, 0.0, self.lat, self.radius_m)

    def contains(self, lat: float) -> bool:
        """Whether a latitude is on the panel."""
        return abs(lat - self.lat) <= 90 - POLAR_DEG

    def draw_frame(self, axes: Axes, image: AxesImage) -> Patch:
        """Draw a circle, parallels every 10 and meridians every 30 degrees."""
        frame = Circle((0, 0), self.half_m, fill=False, ec="black", lw=0.8, clip_on=False)
        axes.add_patch(frame)
        image.set_clip_path(frame)
        axes.set_axis_off()
        sign = self.lat // 90
        for lat in (60, 70, 80):
            x, y = self.to_plane(45.0, sign * lat)
            distance_m = float(np.hypot(x, y))
            axes.add_patch(Circle((0, 0), distance_m, fill=False, ec="white", alpha=0.25, lw=0.6))
            write_text(axes, float(x), float(y), degrees(sign * lat, "NS"), fontsize=6.5)
        for lon in range(-180, 180, 30):
            x, y = self.to_plane(lon, sign * np.array([85.0, POLAR_DEG]))
            axes.plot(x, y, color="white", alpha=0.25, linewidth=0.6)
            side = ("right", "center", "left")[int(np.sign(np.round(x[1] / self.half_m, 3))) + 1]
            label = degrees(lon, "EW")
            axes.text(1.02 * x[1], 1.05 * y[1], label, ha=side, va="center", fontsize=7.5)
        return frame
