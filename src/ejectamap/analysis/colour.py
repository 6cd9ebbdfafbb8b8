"""Colours of blanket and rays in the mosaic, and their contrast with the ground beside them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ejectamap.analysis.extent import PATCH_M
from ejectamap.analysis.surroundings import Surroundings
from ejectamap.world.grid import Bools
from ejectamap.world.sphere import Array

Ints = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Colour:
    """Colour of some ejecta; each attribute has one value per band, nan where there are no ejecta or no background.

    Attributes
    ----------
    mean : float array (band,)
        Mean over the ground, in the mosaic's units.
    ratio : float array (band,)
        Mean divided by the mean of the background beside, without unit.
    contrast : float array (band,)
        Mean minus that of the background beside, in standard deviations of the background.
    """

    mean: Array
    ratio: Array
    contrast: Array

    @property
    def strength(self) -> float:
        """Root mean square contrast over the bands, without unit; nan where there is none."""
        return float(np.sqrt(np.mean(self.contrast**2)))


def blanket_colour(surroundings: Surroundings, blanket_m: float) -> Colour:
    """Colour of the blanket; its background is the ground between one and two blanket radii without any ejecta."""
    inside = surroundings.beyond_rim & (surroundings.range_m <= blanket_m)
    beside = (surroundings.range_m > blanket_m) & (surroundings.range_m <= 2 * blanket_m)
    return _compare(surroundings, inside, beside, np.zeros(surroundings.ejecta.shape, np.intp))


def ray_colour(surroundings: Surroundings, blanket_m: float) -> Colour:
    """Colour of the rays; their background is the ground without any ejecta in the same patch of about 149 x 149 km."""
    far = surroundings.range_m > max(blanket_m, surroundings.view.crater.radius_m)
    return _compare(surroundings, far, far, _patches(surroundings))


def _patches(surroundings: Surroundings) -> Ints:
    """Index of each cell's patch, (rows, cols); patches are rings 149 km deep, cut into pieces about as long."""
    ring = np.floor(surroundings.range_m[:, 0] / PATCH_M).astype(np.intp)
    middle = np.minimum(
        (np.arange(ring[-1] + 1) + 0.5) * PATCH_M / surroundings.view.radius_m, np.pi
    )
    pieces = np.maximum(
        1, np.rint(2 * np.pi * surroundings.view.radius_m * np.sin(middle) / PATCH_M)
    )
    first = np.cumsum(pieces) - pieces
    turn = np.arange(surroundings.view.cols) / surroundings.view.cols  # fraction of the circle
    return np.asarray(first[ring][:, None] + np.floor(turn * pieces[ring][:, None]), np.intp)


def _compare(surroundings: Surroundings, where: Bools, beside: Bools, patch: Ints) -> Colour:
    """Colour of ejecta against the background in their patches, which are weighted by the ground area of ejecta."""
    ejecta = surroundings.ejecta & surroundings.known & where
    ground = surroundings.known & beside & ~surroundings.ejecta & ~surroundings.others
    figures = [
        _compare_band(band, surroundings.area_km2, ejecta, ground, patch)
        for band in surroundings.bands
    ]
    return Colour(*np.transpose(figures))


def _compare_band(
    band: npt.NDArray[np.float32], area: Array, ejecta: Bools, ground: Bools, patch: Ints
) -> tuple[float, float, float]:
    """Mean, ratio and contrast of one band."""
    nan = float("nan")
    if not ejecta.any():
        return nan, nan, nan
    mean = float(np.average(band[ejecta], weights=area[ejecta]))
    size = int(patch.max()) + 1
    ejecta_mean, ejecta_area = _patch_means(band[ejecta], area[ejecta], patch[ejecta], size)
    level, ground_area = _patch_means(band[ground], area[ground], patch[ground], size)
    weight = np.where(ground_area > 0, ejecta_area, 0.0)
    if weight.sum() == 0:
        return mean, nan, nan
    deviation = (band[ground] - level[patch[ground]]) ** 2
    patch_variance, _ = _patch_means(deviation, area[ground], patch[ground], size)
    inside, beside, variance = (
        float(np.average(x, weights=weight)) for x in (ejecta_mean, level, patch_variance)
    )
    ratio = inside / beside if beside != 0 else nan
    return mean, ratio, (inside - beside) / np.sqrt(variance) if variance > 0 else nan


def _patch_means(
    values: npt.NDArray[np.floating], area: Array, patch: Ints, size: int
) -> tuple[Array, Array]:
    """Mean of some values in each patch, weighted by area (0 in empty patches), and the area."""
    total: Array = np.bincount(patch, weights=area, minlength=size).astype(np.float64)
    summed = np.bincount(patch, weights=area * values, minlength=size)
    mean: Array = np.divide(summed, total, out=np.zeros(size), where=total > 0)
    return mean, total
