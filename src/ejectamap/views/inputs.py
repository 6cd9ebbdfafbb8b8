"""What the networks are given: bands with the channels and the metadata that belong to them, normalised.

Every array here is what one network sees of one pair; batches are stacks of them. Where the mosaic has no data a
normalised band is 0, its mean, so that no-data looks like nothing in particular.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter
from scipy.stats import rankdata

from ejectamap.views.chip import Chip
from ejectamap.views.ejecta_axes import AROUND_RADII, AXES, BLANKET_RADII, EjectaAxes
from ejectamap.views.polar import PolarView
from ejectamap.world.craters import Crater
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import LonLat, destination, unit_vectors

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class BandScaling:
    """How a mosaic's bands become network inputs: (value - offset) / divisor, one of each per band."""

    offset: tuple[float, ...]
    divisor: tuple[float, ...]

    @classmethod
    def for_mosaic(cls, mosaic: Mosaic, scaling: str) -> "BandScaling":
        """The scaling named in the settings.

        "mosaic" is by its own mean and standard deviation. "255" (poster) and "training" divide by 255; with the latter
        the network's own normalisation then standardises.
        """
        if scaling != "mosaic":
            return cls((0.0,) * mosaic.bands, (255.0,) * mosaic.bands)
        mean, spread = mosaic.mean_and_spread
        return cls(tuple(mean.tolist()), tuple(np.where(spread > 0, spread, 1.0).tolist()))

    def apply(self, values: Floats, valid: npt.NDArray[np.bool_]) -> Floats:
        """Scale bands (band, ...) and put 0 where there is no data."""
        scaled = values.copy()
        self.apply_in_place(scaled, valid)
        return scaled

    def apply_in_place(self, values: Floats, valid: npt.NDArray[np.bool_]) -> None:
        """The same without a copy."""
        tail = (1,) * (values.ndim - 1)
        if any(self.offset):
            values -= np.array(self.offset, np.float32).reshape(-1, *tail)
        values /= np.array(self.divisor, np.float32).reshape(-1, *tail)
        if not valid.all():
            values *= valid


def tell_of_chip(
    told: Floats,
    crater: Crater,
    radius_m: float,
    chip: Chip,
    distance: str,
    log_distance: bool,
    rivals: Sequence[Crater] | None,
) -> None:
    """Write what a chip's network is told beside the bands into memory (1, size, size): distances to the crater.

    `distance` and `log_distance` are the settings of that name. With a catalogue as `rivals` one more channel says how
    much nearer (in radii, log10) the nearest other crater is.
    """
    _tell_distances(told[0], crater, chip, distance, log_distance)
    if rivals is not None:
        told[1] = _rivalry(crater, chip.places(crater, radius_m, told.shape[2]), rivals)


def _tell_distances(
    told: Floats, crater: Crater, chip: Chip, distance: str, log_distance: bool
) -> None:
    """Distance of each pixel of a chip to the crater's centre: in metres, in crater radii, or as a rank in (0, 1]."""
    size_px = len(told)
    x_m, y_m = chip.pixel_xy(size_px)
    np.add((x_m**2).astype(np.float32), (y_m**2).astype(np.float32), out=told)
    # Closer than a chip pixel the logarithm says nothing and would dive to minus infinity.
    np.maximum(told, np.float32((chip.side_m / size_px) ** 2), out=told)
    np.sqrt(told, out=told)
    if distance == "radii":
        told /= np.float32(crater.radius_m)
    elif distance == "rank":
        told[:] = rankdata(told).reshape(told.shape) / told.size
    if log_distance:
        np.log10(told, out=told)


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


def polar_input(
    mosaic: Mosaic, scaling: BandScaling | EjectaAxes, view: PolarView, rivals: Sequence[Crater]
) -> Floats:
    """Everything the context network sees of a crater's surroundings; see `polar_picture`."""
    return polar_picture(*polar_bands(mosaic, scaling, view), view, rivals)


def polar_scaling(
    mosaic: Mosaic, catalogue: Sequence[Crater], scaling: str
) -> BandScaling | EjectaAxes:
    """How a context network is given a mosaic's bands: "ejecta" as `EjectaAxes`, else as `BandScaling` says."""
    if scaling == "ejecta":
        return EjectaAxes.measure(mosaic, catalogue)
    return BandScaling.for_mosaic(mosaic, scaling)


def polar_bands(
    mosaic: Mosaic, scaling: BandScaling | EjectaAxes, view: PolarView
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Normalised bands (band, rows, cols) or ejecta axes of a polar view, and where there is data (rows, cols)."""
    places = view.places()
    values, valid = mosaic.sample(places.lon, places.lat, view.cell_spacing_m())
    return scaling.apply(values, valid), valid


def polar_picture(
    bands: Floats, valid: npt.NDArray[np.bool_], view: PolarView, rivals: Sequence[Crater]
) -> Floats:
    """Put together what the context network sees.

    Parameters
    ----------
    bands : float32 array (band, rows, cols)
        Normalised, or ejecta axes; 0 where there is no data.
    valid : bool array (rows, cols)
    view : PolarView
    rivals : sequence of Crater
        The catalogue; the view's own crater in it does not count.

    Returns
    -------
    float32 array (2 band + 5, rows, cols)
        Bands; bands relative to their local mean and spread; likeness to the crater's own blanket; log10 of range in
        crater radii; log10 of range in metres; how much nearer (in radii, log10) the nearest other crater is; 1 where
        the mosaic has data.
    """
    contrast = local_contrast(bands, valid)
    range_m = np.broadcast_to(view.row_ranges_m()[:, None], view.shape)
    about = [
        likeness(bands, contrast, valid, view),
        np.log10(range_m / view.crater.radius_m),
        np.log10(range_m),
        _rivalry(view.crater, view.places(), rivals),
        valid,
    ]
    return np.concatenate([bands, contrast, np.stack(about)]).astype(np.float32)


def polar_channels(bands: int, scaling: str) -> int:
    """Number of channels of `polar_input` of a mosaic's bands with some scaling."""
    return 2 * (AXES if scaling == "ejecta" else bands) + 5


def local_contrast(bands: Floats, valid: npt.NDArray[np.bool_]) -> Floats:
    """Bands less their mean around, over their spread around, in a polar picture; 0 where there is no data.

    Rays differ from the ground beside them much more than from the planet's mean. "Around" is an eighth of the range
    axis and a tenth of the circle, with softly falling weights.
    """
    rows, cols = valid.shape
    size = (rows // 16 * 2 + 1, cols // 20 * 2 + 1)

    def around(values: npt.NDArray[Any]) -> Floats:
        once = uniform_filter(values.astype(np.float32), size, mode=("nearest", "wrap"))
        return np.asarray(uniform_filter(once, size, mode=("nearest", "wrap")))

    weight = np.maximum(around(valid), 1e-3)
    contrast = np.zeros_like(bands)
    for band, out in zip(bands, contrast, strict=True):
        mean = around(band) / weight
        spread = np.sqrt(np.maximum(around(band * band) / weight - mean * mean, 1e-3))
        np.copyto(out, (band - mean) / spread, where=valid)
    return contrast


def likeness(
    bands: Floats, contrast: Floats, valid: npt.NDArray[np.bool_], view: PolarView
) -> Floats:
    """How much each cell stands out from its surroundings in the way the crater's own blanket does.

    The blanket's colour, less that of the ground around it, gives a direction in the bands;
    the local contrast along it is large and positive on rays of the same material, whatever the bands are.

    The discriminant is Fisher's (The use of multiple measurements in taxonomic problems, 1936).

    Parameters
    ----------
    bands, contrast : float32 arrays (band, rows, cols)
    valid : bool array (rows, cols)
    view : PolarView

    Returns
    -------
    float32 array (rows, cols)
        Of unit spread; 0 where the view ends before there is ground to compare with.
    """
    radii = view.row_ranges_m() / view.crater.radius_m
    blanket = valid & ((radii > BLANKET_RADII[0]) & (radii < BLANKET_RADII[1]))[:, None]
    around = valid & ((radii > AROUND_RADII[0]) & (radii < AROUND_RADII[1]))[:, None]
    if not (blanket.any() and around.any()):
        return np.zeros(view.shape, np.float32)
    ground = bands[:, around].astype(np.float64)
    ridge = 0.05 * np.eye(len(bands))
    spread = np.sqrt(ground.var(axis=1) + 1e-6)
    step = (bands[:, blanket].mean(axis=1) - ground.mean(axis=1)) / spread
    some = contrast[:, valid].astype(np.float64)
    covariance = some @ some.T / some.shape[1] + ridge
    direction = np.linalg.solve(covariance, step)
    direction /= max(float(np.sqrt(direction @ covariance @ direction)), 1e-6)
    return np.asarray(np.tensordot(direction.astype(np.float32), contrast, 1))


def _rivalry(crater: Crater, places: LonLat, rivals: Sequence[Crater]) -> Floats:
    """Log10 of scaled distance to the nearest other crater over that to a crater itself; 2 where there is no other.

    Scaled distance is chord over crater radius; negative where another crater is nearer.
    """
    here = unit_vectors(places.lon, places.lat).astype(np.float32)
    others = [c for c in rivals if c.crater_id != crater.crater_id]
    if not others:
        return np.full(places.lon.shape, 2.0, np.float32)

    def scaled_distance(one: Crater) -> Floats:
        towards = unit_vectors(one.lon, one.lat).astype(np.float32)
        chord = np.sqrt(np.maximum(2.0 - 2.0 * (here @ towards), 1e-10))
        return np.asarray(chord / one.radius_m, np.float32)

    nearest = reduce(np.minimum, map(scaled_distance, others))
    ratio = np.log10(nearest / scaled_distance(crater))
    return np.asarray(np.clip(ratio, -2.0, 2.0), np.float32)
