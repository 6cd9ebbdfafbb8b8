"""Where a picture lies: a rectangle of a frame on the sphere."""

from dataclasses import dataclass

import numpy as np

from ejectamap.world.sphere import Array, local_frame


@dataclass(frozen=True)
class Picture:
    """A rectangle of an azimuthal equidistant frame, or of one along a great circle.

    Attributes
    ----------
    curved : bool
        Whether the frame is azimuthal equidistant about its centre, rather than oblique equidistant cylindrical: x
        along the great circle that leaves the centre along the second axis, y at right angles to it.
    axes : array (3, 3)
        Unit vectors up, along x and along y at the frame's centre, in the body's frame, one a row.
    x_m, y_m : array (m,), (n,)
        Coordinates of the picture's columns and rows in metres, evenly spaced.
    spacing_m : float
        Ground distance between neighbouring pixels. Where it exceeds one of the mosaic's, the nearest level of the
        mosaic's pyramid is sampled, so that the picture does not alias.
    """

    curved: bool
    axes: Array
    x_m: Array
    y_m: Array
    spacing_m: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.y_m), len(self.x_m)

    @classmethod
    def azimuthal(
        cls, lon: float, lat: float, x_m: Array, y_m: Array, spacing_m: float, turn_deg: float = 0.0
    ) -> "Picture":
        """About a place (degrees); y runs along the azimuth `turn_deg`, x at right angles to its right."""
        return cls(True, local_frame(lon, lat, turn_deg), x_m, y_m, spacing_m)

    @classmethod
    def along_great_circle(
        cls,
        lon: float,
        lat: float,
        bearing_deg: float,
        along_m: Array,
        across_m: Array,
        spacing_m: float,
    ) -> "Picture":
        """Along the great circle that leaves a place (degrees) at a bearing, and across it to its right."""
        up, right, forward = local_frame(lon, lat, bearing_deg)
        return cls(False, np.stack([up, forward, right]), along_m, across_m, spacing_m)
