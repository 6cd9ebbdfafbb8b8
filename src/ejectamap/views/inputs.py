"""What the networks are given: bands with the channels and the metadata that belong to them, normalised.

Every array here is what one network sees of one pair; batches are stacks of them. Where the mosaic has no data a
normalised band is 0, its mean, so that no-data looks like nothing in particular.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ejectamap.views.chip import Chip
from ejectamap.views.corridor import Corridor
from ejectamap.world.craters import Crater
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import LonLat, destination

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class BandScaling:
    """How a mosaic's bands become network inputs: (value - offset) / divisor, one of each per band."""

    offset: tuple[float, ...]
    divisor: tuple[float, ...]

    @classmethod
    def for_mosaic(cls, mosaic: Mosaic, scaling: str) -> "BandScaling":
        """The scaling named in the settings: "255" (poster) or "mosaic" (its own mean and standard deviation)."""
        if scaling == "255":
            return cls((0.0,) * mosaic.bands, (255.0,) * mosaic.bands)
        values, valid = mosaic.levels[0], mosaic.valid[0]
        step = max(1, mosaic.grid.height // 1024)
        sample = values[::step, ::step][valid[::step, ::step]].astype(np.float64)
        spread = sample.std(axis=0)
        return cls(
            tuple(sample.mean(axis=0).tolist()), tuple(np.where(spread > 0, spread, 1.0).tolist())
        )

    def apply(self, values: Floats, valid: npt.NDArray[np.bool_]) -> Floats:
        """Scale bands (band, ...) and put 0 where there is no data."""
        tail = (1,) * (values.ndim - 1)
        offset = np.array(self.offset, np.float32).reshape(-1, *tail)
        divisor = np.array(self.divisor, np.float32).reshape(-1, *tail)
        return np.where(valid, (values - offset) / divisor, 0).astype(np.float32)


def sample_bands(mosaic: Mosaic, scaling: BandScaling, places: LonLat, spacing_m: float) -> Floats:
    """Normalised bands (band, ...) at places."""
    return scaling.apply(*mosaic.sample(places.lon, places.lat, spacing_m))


def corridor_input(
    mosaic: Mosaic, scaling: BandScaling, crater: Crater, chip: Chip, size_px: tuple[int, int]
) -> Floats:
    """Bands of the corridor from a crater to a chip and the channel that marks both; (band + 1, width, length)."""
    corridor = Corridor.between(crater, chip)
    places = corridor.places(crater, mosaic.grid.radius_m, size_px)
    bands = sample_bands(mosaic, scaling, places, corridor.length_m / size_px[0])
    return np.concatenate([bands, corridor.marker(crater, size_px)[None]])


def chip_input(
    mosaic: Mosaic, scaling: BandScaling, crater: Crater, chip: Chip, size_px: int
) -> Floats:
    """Bands of a chip and log10 of each pixel's distance to the crater's centre in metres; (band + 1, size, size)."""
    places = chip.places(crater, mosaic.grid.radius_m, size_px)
    bands = sample_bands(mosaic, scaling, places, chip.side_m / size_px)
    distance_m = np.hypot(*chip.pixel_xy(size_px))
    # Closer than a chip pixel the logarithm says nothing and would dive to minus infinity.
    log_distance = np.log10(np.maximum(distance_m, chip.side_m / size_px))
    return np.concatenate([bands, log_distance[None].astype(np.float32)])


def crater_metadata(
    mosaic: Mosaic, scaling: BandScaling, crater: Crater, annulus_radii: tuple[float, float]
) -> Floats:
    """Mean of each normalised band in a ring around the crater, and log10 of its radius in metres; (band + 1,)."""
    inner, outer = annulus_radii
    # Even in area: ranges even in their square, on 16 circles of 64 points.
    ranges_m = crater.radius_m * np.sqrt(np.linspace(inner**2, outer**2, 16))[:, None]
    bearings = np.linspace(0.0, 360.0, 64, endpoint=False)[None, :]
    places = destination(crater.lon, crater.lat, bearings, ranges_m, mosaic.grid.radius_m)
    values, valid = mosaic.sample(places.lon, places.lat)
    count = max(int(valid.sum()), 1)
    means = scaling.apply(values, valid).sum(axis=(1, 2)) / count
    return np.append(means, np.log10(crater.radius_m)).astype(np.float32)
