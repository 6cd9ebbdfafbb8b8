"""The corridor: a 4:1 picture along the great circle from a crater to a chip, the input of connection networks."""

from dataclasses import dataclass

import numpy as np

from ejectamap.views.chip import Chip
from ejectamap.world.craters import Crater
from ejectamap.world.mosaic import Floats
from ejectamap.world.sampling_grid import SamplingGrid
from ejectamap.world.sphere import Array, LonLat, corridor_inverse

_ASPECT = 4.0
_MARGIN_RADII = 1.0


@dataclass(frozen=True)
class Corridor:
    """A 4:1 rectangle whose long axis is the great circle from a crater through a chip's centre.

    It begins one crater radius behind the crater's centre, so that it contains the whole crater, and ends at the chip's
    far side. Near the crater it is extended until it is as wide as the chip and the crater. The width is measured
    across the great circle, in ground distance.

    Attributes
    ----------
    bearing_deg : float
        Direction of the chip from the crater, in degrees clockwise from north.
    start_m : float
        Position of the near end along the great circle, relative to the crater's centre (negative), in metres.
    length_m : float
    distance_m : float
        Ground distance from crater to chip.
    side_m : float
        Side of the chip.
    """

    bearing_deg: float
    start_m: float
    length_m: float
    distance_m: float
    side_m: float

    @classmethod
    def between(cls, crater: Crater, chip: Chip) -> "Corridor":
        """The corridor from a crater to a chip in its azimuthal frame."""
        start_m = -_MARGIN_RADII * crater.radius_m
        to_far_side_m = chip.distance_m + chip.side_m / 2 - start_m
        length_m = max(to_far_side_m, _ASPECT * chip.side_m, 2 * _ASPECT * crater.radius_m)
        return cls(chip.bearing_deg, start_m, length_m, chip.distance_m, chip.side_m)

    @property
    def width_m(self) -> float:
        """Width across the great circle, in metres."""
        return self.length_m / _ASPECT

    def pixel_along_across(self, size_px: tuple[int, int]) -> tuple[Array, Array]:
        """Corridor coordinates of pixel centres, in metres: along (1, length_px), across (width_px, 1).

        `size_px` is (length_px, width_px); column 0 is at the crater's end.
        """
        length_px, width_px = size_px
        along = self.start_m + (np.arange(length_px) + 0.5) / length_px * self.length_m
        across = ((np.arange(width_px) + 0.5) / width_px - 0.5) * self.width_m
        return along[None, :], across[:, None]

    def places(self, crater: Crater, radius_m: float, size_px: tuple[int, int]) -> LonLat:
        """Longitudes and latitudes of the pixel centres, each of shape (width_px, length_px)."""
        along, across = self.pixel_along_across(size_px)
        return corridor_inverse(along, across, crater.lon, crater.lat, self.bearing_deg, radius_m)

    def sampling_grid(self, crater: Crater, size_px: tuple[int, int]) -> SamplingGrid:
        """Points at which the mosaic is sampled for a corridor of `size_px` pixels."""
        along, across = (axis.ravel() for axis in self.pixel_along_across(size_px))
        spacing_m = self.length_m / size_px[0]
        return SamplingGrid.along_great_circle(
            crater.lon, crater.lat, self.bearing_deg, along, across, spacing_m
        )

    def write_marker(self, crater: Crater, marker: Floats) -> None:
        """Write the marker channel (width, length): 1 in the crater's disc and in the chip's square, 0 elsewhere."""
        width_px, length_px = marker.shape
        along, across = self.pixel_along_across((length_px, width_px))
        # At least two pixels wide, so that both contain a pixel centre even in the longest corridor.
        pixel_m = self.length_m / length_px
        radius_m, half = max(crater.radius_m, pixel_m), max(self.side_m / 2, pixel_m)
        near = int((along <= radius_m).sum())
        marker[:, near:] = 0
        marker[:, :near] = along[:, :near] ** 2 + across**2 <= radius_m**2
        rows, cols = np.abs(across) <= half, np.abs(along - self.distance_m) <= half
        marker[np.ix_(rows.ravel(), cols.ravel())] = 1
