"""Ejecta axes: linear combinations of bands that mean the same on every mosaic, whatever its bands are.

Bands differ between mosaics: principal components, colour ratios, reflectances, some with the opposite sign. But the
catalogued craters of every mosaic have blankets. The mean difference between blankets and the ground around them is a
direction in band space along which fresh ejecta differ from other ground.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ejectamap.world.craters import Crater
from ejectamap.world.mosaic import Floats, Mosaic
from ejectamap.world.sphere import Array, destination

AXES = 3
"""Number of axes, for any number of bands."""
BLANKET_RADII = (1.1, 2.2)
"""Ring around a fresh crater that is covered by its blanket, in crater radii."""
SURROUNDINGS_RADII = (6.0, 12.0)
"""Ring around a fresh crater that is mostly without ejecta, in crater radii."""
_MIN_SAMPLES = 50  # in each ring of a crater; with fewer the crater is left out
_ITERATIONS = 3


@dataclass(frozen=True)
class EjectaAxes:
    """A linear map from a mosaic's bands to three axes, each of zero mean and unit standard deviation over the mosaic.

    The first is Fisher's discriminant of blankets and the ground around them (The use of multiple measurements in
    taxonomic problems, 1936); its values are large on fresh ejecta. The others are the principal components of the
    remaining variance, with the sign that makes them larger on blankets. If the mosaic has fewer bands than there are
    axes, the last axes are 0.

    Attributes
    ----------
    offset : float array (band,)
        Mean of each band.
    matrix : float array (3, band)
    """

    offset: Array
    matrix: Array

    @classmethod
    def measure(cls, mosaic: Mosaic, catalogue: Sequence[Crater]) -> "EjectaAxes":
        """Measure the axes of a mosaic at its fresh craters; without any, they are its principal components.

        Those of a part of a larger mosaic are that one's.
        """
        mosaic = mosaic.whole
        mean, std = mosaic.mean_and_std
        std = np.where(std > 0, std, 1.0)
        differences, within = _blanket_differences(mosaic, catalogue, mean, std)
        covariance = mosaic.covariance / np.outer(std, std) + 1e-6 * np.eye(mosaic.bands)
        difference = _weighted_difference(differences, within)
        ridge = 0.05 * np.trace(within) / mosaic.bands
        first = _normalise(
            np.linalg.solve(within + ridge * np.eye(mosaic.bands), difference)
            if difference.any()
            else np.linalg.eigh(covariance)[1][:, -1],
            covariance,
        )
        axes = [first, *_other_axes(first, covariance, difference)]
        matrix = np.zeros((AXES, mosaic.bands))
        matrix[: len(axes)] = axes
        return cls(mean, matrix / std)

    def apply(self, values: Floats, valid: npt.NDArray[np.bool_]) -> Floats:
        """Map bands (band, ...) to axes (3, ...), with 0 where `valid` (...) is False."""
        matrix = self.matrix.astype(np.float32)
        offset = (self.matrix @ self.offset).astype(np.float32)
        axes = np.tensordot(matrix, values, 1) - offset.reshape(-1, *(1,) * (values.ndim - 1))
        axes *= valid
        return np.asarray(axes, np.float32)


def _blanket_differences(
    mosaic: Mosaic, catalogue: Sequence[Crater], mean: Array, std: Array
) -> tuple[Array, Array]:
    """Compare each crater's blanket with its surroundings, in standardised bands.

    Returns
    -------
    differences : float array (n, band)
        Mean of the blanket minus mean of the surroundings.
    covariance : float array (band, band)
        Of the surroundings, averaged over the craters.
    """
    differences, covariances = [], []
    for crater in catalogue:
        blanket, surroundings = (
            (_sample_ring(mosaic, crater, radii) - mean[:, None]) / std[:, None]
            for radii in (BLANKET_RADII, SURROUNDINGS_RADII)
        )
        if min(blanket.shape[1], surroundings.shape[1]) >= _MIN_SAMPLES:
            differences.append(blanket.mean(axis=1) - surroundings.mean(axis=1))
            covariances.append(np.cov(surroundings).reshape(mosaic.bands, mosaic.bands))
    if not differences:
        return np.zeros((0, mosaic.bands)), np.eye(mosaic.bands)
    return np.array(differences), np.mean(covariances, axis=0)


def _sample_ring(mosaic: Mosaic, crater: Crater, radii: tuple[float, float]) -> Array:
    """Bands (band, n) at places evenly spaced between two ranges of a crater, where there is data."""
    ranges_m = crater.radius_m * np.linspace(*radii, 16)[:, None]
    bearings = np.linspace(0.0, 360.0, 72, endpoint=False)[None, :]
    places = destination(crater.lon, crater.lat, bearings, ranges_m, mosaic.grid.radius_m)
    values, valid = mosaic.sample(places.lon, places.lat)
    return values[:, valid].astype(np.float64)


def _weighted_difference(differences: Array, within: Array) -> Array:
    """Mean of the craters' differences (n, band), weighted by how clearly each blanket differs; shape (band,).

    Blankets of degraded craters hardly differ from their surroundings, and the median over a catalogue that is mostly
    degraded craters is near 0. So each crater's weight is its difference along the common direction, in standard
    deviations of the surroundings (covariance `within`), limited to 0..3. Direction and weights are iterated, from the
    median.
    """
    if not len(differences):
        return np.zeros(differences.shape[1])
    ridge = 0.05 * np.trace(within) / len(within) * np.eye(len(within))
    difference = np.median(differences, axis=0)
    for _ in range(_ITERATIONS):
        direction = _normalise(np.linalg.solve(within + ridge, difference), within + ridge)
        weight = np.clip(differences @ direction, 0.0, 3.0)
        if not weight.any():
            break
        difference = weight @ differences / weight.sum()
    return np.asarray(difference)


def _other_axes(first: Array, covariance: Array, difference: Array) -> list[Array]:
    """Principal axes of the covariance that the first axis does not explain, uncorrelated with it."""
    explained = covariance @ first
    vectors = np.linalg.eigh(covariance - np.outer(explained, explained))[1]
    axes = []
    for k in range(2, min(AXES, len(first)) + 1):
        axis = vectors[:, 1 - k]
        axis = _normalise(axis - first * (first @ covariance @ axis), covariance)
        axes.append(axis if axis @ difference >= 0 else -axis)
    return axes


def _normalise(axis: Array, covariance: Array) -> Array:
    """The axis scaled to unit variance under a covariance."""
    return np.asarray(axis / np.sqrt(max(float(axis @ covariance @ axis), 1e-12)))
