"""Inputs of the networks besides the bands: channels of chips, metadata of craters, and all channels of polar views.

Every array is the input of one network for one crater, without a batch axis. A scaled band is 0 where the mosaic has no
data.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter

from ejectamap.views.chip import Chip
from ejectamap.views.ejecta_axes import AXES, BLANKET_RADII, SURROUNDINGS_RADII, EjectaAxes
from ejectamap.views.polar import PolarView
from ejectamap.views.scaling import ChannelScaling
from ejectamap.world.craters import Crater
from ejectamap.world.mosaic import Floats, Mosaic
from ejectamap.world.sphere import LonLat, destination, unit_vectors


def write_distance(chip: Chip, out: Floats) -> None:
    """Write the distance channel of a chip into `out` (size, size): log10 of metres to the crater's centre.

    Distances below one chip pixel are raised to one, because the logarithm has no lower limit.
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
    """Mean of each scaled band in a ring around the crater, and log10 of the crater's radius in metres; (band + 1,)."""
    inner, outer = annulus_radii
    # 16 circles of 64 points, evenly spaced in the square of the range, so that each represents the same area.
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
    """Compute all input channels of the context network for one crater; see `assemble_polar_input`."""
    return assemble_polar_input(*polar_bands(mosaic, scaling, view), view, catalogue)


def polar_scaling(
    mosaic: Mosaic, catalogue: Sequence[Crater], scaling: str
) -> ChannelScaling | EjectaAxes:
    """Scaling of a context network's bands: `EjectaAxes` for "ejecta", otherwise `ChannelScaling`."""
    if scaling == "ejecta":
        return EjectaAxes.measure(mosaic, catalogue)
    return ChannelScaling.of_bands(mosaic, scaling)


def polar_bands(
    mosaic: Mosaic, scaling: ChannelScaling | EjectaAxes, view: PolarView
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Sample the scaled bands (band, rows, cols) or ejecta axes of a polar view, and where it has data (rows, cols)."""
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
        Scaled bands, or ejecta axes; 0 where there is no data.
    valid : bool array (rows, cols)
        Where there is data.
    view : PolarView
    catalogue : sequence of Crater
        All fresh craters; the view's own crater in it is ignored.

    Returns
    -------
    float32 array (2 band + 5, rows, cols)
        Bands; their local contrast, see `local_contrast`; similarity to the crater's blanket, see `blanket_similarity`;
        log10 of range in crater radii; log10 of range in metres; log10 of the distance to the nearest other crater over
        the distance to the view's crater, each in radii of that crater; 1 where there is data, else 0.
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
    """Number of channels of `polar_input`, for a number of bands and a value of the setting `scaling`."""
    return 2 * (AXES if scaling == "ejecta" else bands) + 5


def local_contrast(bands: Floats, valid: npt.NDArray[np.bool_]) -> Floats:
    """Bands minus their local mean, over their local standard deviation, in a polar view; 0 where there is no data.

    Rays differ much more clearly from the ground beside them than from the planet's mean. The neighbourhood is an
    eighth of the rows and a tenth of the columns, with weights that fall off linearly (two successive box filters).
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
        std = np.sqrt(np.maximum(local_mean(band * band) / weight - mean * mean, 1e-3))
        np.copyto(out, (band - mean) / std, where=valid)
    return contrast


def blanket_similarity(
    bands: Floats, contrast: Floats, valid: npt.NDArray[np.bool_], view: PolarView
) -> Floats:
    """Local contrast of each cell along the direction, in band space, in which the crater's blanket differs.

    The direction is Fisher's linear discriminant (The use of multiple measurements in taxonomic problems, 1936) of the
    blanket and the ground around it. The contrast along it is large and positive on rays of the same material, whatever
    the bands are.

    Parameters
    ----------
    bands, contrast : float32 arrays (band, rows, cols)
    valid : bool array (rows, cols)
    view : PolarView

    Returns
    -------
    float32 array (rows, cols)
        Of unit standard deviation; 0 everywhere if the view has no data in the blanket's ring or in that around it.
    """
    radii = view.row_ranges_m() / view.crater.radius_m
    blanket = valid & ((radii > BLANKET_RADII[0]) & (radii < BLANKET_RADII[1]))[:, None]
    outside = (radii > SURROUNDINGS_RADII[0]) & (radii < SURROUNDINGS_RADII[1])
    surroundings = valid & outside[:, None]
    if not (blanket.any() and surroundings.any()):
        return np.zeros(view.shape, np.float32)
    ground = bands[:, surroundings].astype(np.float64)
    ridge = 0.05 * np.eye(len(bands))
    std = np.sqrt(ground.var(axis=1) + 1e-6)
    difference = (bands[:, blanket].mean(axis=1) - ground.mean(axis=1)) / std
    valid_contrast = contrast[:, valid].astype(np.float64)
    covariance = valid_contrast @ valid_contrast.T / valid_contrast.shape[1] + ridge
    direction = np.linalg.solve(covariance, difference)
    direction /= max(float(np.sqrt(direction @ covariance @ direction)), 1e-6)
    return np.asarray(np.tensordot(direction.astype(np.float32), contrast, 1))


def _nearest_crater_ratio(crater: Crater, places: LonLat, catalogue: Sequence[Crater]) -> Floats:
    """Log10 of scaled distance to the nearest other crater over that to `crater`, limited to -2..2; 2 without others.

    Scaled distance is the chord over the radius of the crater it is measured to. The result is negative where another
    crater is nearer.
    """
    vectors = unit_vectors(places.lon, places.lat).astype(np.float32)
    others = [c for c in catalogue if c.crater_id != crater.crater_id]
    if not others:
        return np.full(places.lon.shape, 2.0, np.float32)

    def scaled_distance(centre: Crater) -> Floats:
        vector = unit_vectors(centre.lon, centre.lat).astype(np.float32)
        chord = np.sqrt(np.maximum(2.0 - 2.0 * (vectors @ vector), 1e-10))
        return np.asarray(chord / centre.radius_m, np.float32)

    nearest = reduce(np.minimum, map(scaled_distance, others))
    ratio = np.log10(nearest / scaled_distance(crater))
    return np.asarray(np.clip(ratio, -2.0, 2.0), np.float32)
