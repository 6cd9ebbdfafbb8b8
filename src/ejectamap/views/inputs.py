"""Inputs of the networks beside the bands: channels of chips, metadata of craters, and whole polar inputs.

Every array here is the input of one network for one crater; batches are stacks of them. Where the mosaic has no data a
scaled band is 0, which is its mean.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter

from ejectamap.views.chip import Chip
from ejectamap.views.ejecta_axes import AROUND_RADII, AXES, BLANKET_RADII, EjectaAxes
from ejectamap.views.polar import PolarView
from ejectamap.views.scaling import ChannelScaling
from ejectamap.world.craters import Crater
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import LonLat, destination, unit_vectors

Floats = npt.NDArray[np.float32]


def write_distance(chip: Chip, out: Floats) -> None:
    """Write the distance channel of a chip into `out` (size, size): log10 of metres to the crater's centre.

    Distances below one chip pixel count as one: their logarithm would go to minus infinity.
    """
    size_px = len(out)
    x_m, y_m = chip.pixel_xy(size_px)
    np.add((x_m**2).astype(np.float32), (y_m**2).astype(np.float32), out=out)
    np.maximum(out, np.float32((chip.side_m / size_px) ** 2), out=out)
    np.sqrt(out, out=out)
    np.log10(out, out=out)


def crater_metadata(
    mosaic: Mosaic, scaling: ChannelScaling, crater: Crater, annulus_radii: tuple[float, float]
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
    mosaic: Mosaic,
    scaling: ChannelScaling | EjectaAxes,
    view: PolarView,
    catalogue: Sequence[Crater],
) -> Floats:
    """All input channels of the context network for one crater; see `assemble_polar_input`."""
    return assemble_polar_input(*polar_bands(mosaic, scaling, view), view, catalogue)


def polar_scaling(
    mosaic: Mosaic, catalogue: Sequence[Crater], scaling: str
) -> ChannelScaling | EjectaAxes:
    """How a context network's bands are scaled: by `EjectaAxes` for "ejecta", else by `ChannelScaling`."""
    if scaling == "ejecta":
        return EjectaAxes.measure(mosaic, catalogue)
    return ChannelScaling.of_bands(mosaic, scaling)


def polar_bands(
    mosaic: Mosaic, scaling: ChannelScaling | EjectaAxes, view: PolarView
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Normalised bands (band, rows, cols) or ejecta axes of a polar view, and where there is data (rows, cols)."""
    places = view.places()
    values, valid = mosaic.sample(places.lon, places.lat, view.cell_spacing_m())
    return scaling.apply(values, valid), valid


def assemble_polar_input(
    bands: Floats, valid: npt.NDArray[np.bool_], view: PolarView, catalogue: Sequence[Crater]
) -> Floats:
    """Assemble the input channels of the context network.

    Parameters
    ----------
    bands : float32 array (band, rows, cols)
        Normalised, or ejecta axes; 0 where there is no data.
    valid : bool array (rows, cols)
    view : PolarView
    catalogue : sequence of Crater
        All fresh craters; the view's own crater in it does not count.

    Returns
    -------
    float32 array (2 band + 5, rows, cols)
        Bands; bands relative to their local mean and spread; similarity to the crater's own blanket; log10 of range in
        crater radii; log10 of range in metres; how much nearer (in radii, log10) the nearest other crater is; 1 where
        the mosaic has data.
    """
    contrast = local_contrast(bands, valid)
    range_m = np.broadcast_to(view.row_ranges_m()[:, None], view.shape)
    geometry = [
        blanket_similarity(bands, contrast, valid, view),
        np.log10(range_m / view.crater.radius_m),
        np.log10(range_m),
        _nearest_crater_ratio(view.crater, view.places(), catalogue),
        valid,
    ]
    return np.concatenate([bands, contrast, np.stack(geometry)]).astype(np.float32)


def polar_channels(bands: int, scaling: str) -> int:
    """Number of channels of `polar_input` of a mosaic's bands with some scaling."""
    return 2 * (AXES if scaling == "ejecta" else bands) + 5


def local_contrast(bands: Floats, valid: npt.NDArray[np.bool_]) -> Floats:
    """Bands less their local mean, over their local standard deviation, in a polar view; 0 where there is no data.

    Rays differ from the ground beside them much more than from the planet's mean. The neighbourhood is an eighth of the
    range axis and a tenth of the circle, with weights that fall off linearly (two box filters in a row).
    """
    rows, cols = valid.shape
    size = (rows // 16 * 2 + 1, cols // 20 * 2 + 1)

    def local_mean(values: npt.NDArray[Any]) -> Floats:
        once = uniform_filter(values.astype(np.float32), size, mode=("nearest", "wrap"))
        return np.asarray(uniform_filter(once, size, mode=("nearest", "wrap")))

    weight = np.maximum(local_mean(valid), 1e-3)
    contrast = np.zeros_like(bands)
    for band, out in zip(bands, contrast, strict=True):
        mean = local_mean(band) / weight
        spread = np.sqrt(np.maximum(local_mean(band * band) / weight - mean * mean, 1e-3))
        np.copyto(out, (band - mean) / spread, where=valid)
    return contrast


def blanket_similarity(
    bands: Floats, contrast: Floats, valid: npt.NDArray[np.bool_], view: PolarView
) -> Floats:
    """Local contrast of each cell along the direction, in band space, in which the crater's own blanket stands out.

    The blanket's mean colour less that of the ground around it gives the direction; the contrast along it is large and
    positive on rays of the same material, whatever the bands are. The direction is Fisher's linear discriminant
    (The use of multiple measurements in taxonomic problems, 1936).

    Parameters
    ----------
    bands, contrast : float32 arrays (band, rows, cols)
    valid : bool array (rows, cols)
    view : PolarView

    Returns
    -------
    float32 array (rows, cols)
        Of unit standard deviation; 0 everywhere if the view holds no ground to compare with.
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


def _nearest_crater_ratio(crater: Crater, places: LonLat, catalogue: Sequence[Crater]) -> Floats:
    """Log10 of scaled distance to the nearest other crater over that to the crater itself; 2 where there is no other.

    Scaled distance is chord over crater radius; negative where another crater is nearer.
    """
    vectors = unit_vectors(places.lon, places.lat).astype(np.float32)
    others = [c for c in catalogue if c.crater_id != crater.crater_id]
    if not others:
        return np.full(places.lon.shape, 2.0, np.float32)

    def scaled_distance(one: Crater) -> Floats:
        towards = unit_vectors(one.lon, one.lat).astype(np.float32)
        chord = np.sqrt(np.maximum(2.0 - 2.0 * (vectors @ towards), 1e-10))
        return np.asarray(chord / one.radius_m, np.float32)

    nearest = reduce(np.minimum, map(scaled_distance, others))
    ratio = np.log10(nearest / scaled_distance(crater))
    return np.asarray(np.clip(ratio, -2.0, 2.0), np.float32)
