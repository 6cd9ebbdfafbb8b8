"""What the mosaic shows in blanket and rays, and how they stand out from the ground beside them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ejectamap.analysis.extent import BLOCK_M
from ejectamap.analysis.surroundings import Surroundings
from ejectamap.world.mosaic import Bools
from ejectamap.world.sphere import Array

Ints = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Colour:
    """Bands of some ejecta; each attribute has one value a band, nan where there is nothing to measure.

    Attributes
    ----------
    mean : float array (band,)
        Mean over the ground, in the mosaic's units.
    ratio : float array (band,)
        Mean over mean of the background beside, without unit.
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


def blanket_colour(around: Surroundings, blanket_m: float) -> Colour:
    """Bands of the blanket against the ground from one to two blanket radii that nobody's ejecta cover."""
    inside = around.beyond_rim & (around.range_m <= blanket_m)
    beside = (around.range_m > blanket_m) & (around.range_m <= 2 * blanket_m)
    return _compare(around, inside, beside, np.zeros(around.ejecta.shape, np.intp))


def ray_colour(around: Surroundings, blanket_m: float) -> Colour:
    """Bands of the rays against ground that nobody's ejecta cover in the same patch of about 149 x 149 km."""
    far = around.range_m > max(blanket_m, around.view.crater.radius_m)
    return _compare(around, far, far, _patches(around))


def _patches(around: Surroundings) -> Ints:
    """Number of the patch that each cell lies in: rings 149 km deep, cut into pieces about as long; (rows, cols)."""
    ring = np.floor(around.range_m[:, 0] / BLOCK_M).astype(np.intp)
    middle = np.minimum((np.arange(ring[-1] + 1) + 0.5) * BLOCK_M / around.view.radius_m, np.pi)
    pieces = np.maximum(1, np.rint(2 * np.pi * around.view.radius_m * np.sin(middle) / BLOCK_M))
    first = np.cumsum(pieces) - pieces
    turn = np.arange(around.view.cols) / around.view.cols
    return np.asarray(first[ring][:, None] + np.floor(turn * pieces[ring][:, None]), np.intp)


def _compare(around: Surroundings, where: Bools, beside: Bools, patch: Ints) -> Colour:
    """Colour of ejecta against the background of their own patches, each weighed by its ejecta's ground area."""
    ejecta = around.ejecta & around.known & where
    ground = around.known & beside & ~around.ejecta & ~around.others
    figures = [_compare_band(band, around.area_km2, ejecta, ground, patch) for band in around.bands]
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
    own, found = _patch_means(band[ejecta], area[ejecta], patch[ejecta], size)
    level, free = _patch_means(band[ground], area[ground], patch[ground], size)
    weight = np.where(free > 0, found, 0.0)
    if weight.sum() == 0:
        return mean, nan, nan
    off_level = (band[ground] - level[patch[ground]]) ** 2
    variance, _ = _patch_means(off_level, area[ground], patch[ground], size)
    ours, beside, square = (float(np.average(x, weights=weight)) for x in (own, level, variance))
    ratio = ours / beside if beside != 0 else nan
    return mean, ratio, (ours - beside) / np.sqrt(square) if square > 0 else nan


def _patch_means(
    values: npt.NDArray[np.floating], area: Array, patch: Ints, size: int
) -> tuple[Array, Array]:
    """Mean of some values in each patch, weighed by area (0 in empty patches), and the area."""
    total: Array = np.bincount(patch, weights=area, minlength=size).astype(np.float64)
    summed = np.bincount(patch, weights=area * values, minlength=size)
    mean: Array = np.divide(summed, total, out=np.zeros(size), where=total > 0)
    return mean, total
