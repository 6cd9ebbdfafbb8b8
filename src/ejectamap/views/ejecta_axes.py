"""Bands as a network can know them on any planet: how fresh the ground looks, and what else varies.

What a band means differs from mosaic to mosaic: a principal component, a colour ratio, a reflectance, some upside
down. What fresh ejecta do to the bands can be measured, for every catalogued crater has a blanket: that gives a
direction along which they stand out from the ground, whatever the bands are and however many.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ejectamap.world.craters import Crater
from ejectamap.world.mosaic import Mosaic
from ejectamap.world.sphere import Array, destination

Floats = npt.NDArray[np.float32]
AXES = 3
"""How many axes there are, whatever the number of bands."""
BLANKET_RADII = (1.1, 2.2)
"""Ground that is all blanket around a fresh crater, in crater radii."""
AROUND_RADII = (6.0, 12.0)
"""Ground that for the most part is not ejecta."""
_FEWEST = 50  # samples that a mean is worth something from
_ROUNDS = 3


@dataclass(frozen=True)
class EjectaAxes:
    """A linear map from a mosaic's bands to three axes, each of zero mean and unit spread over the mosaic.

    The first is Fisher's discriminant of blankets and the ground around them (The use of multiple measurements in
    taxonomic problems, 1936): large where ground looks like fresh ejecta. The others are the principal components of
    what is left, larger on blankets too; 0 where the mosaic has not so many bands.

    Attributes
    ----------
    offset : float array (band,)
        Mean of each band.
    matrix : float array (3, band)
    """

    offset: Array
    matrix: Array

    @property
    def channels(self) -> int:
        """Number of axes."""
        return len(self.matrix)

    @classmethod
    def measure(cls, mosaic: Mosaic, catalogue: Sequence[Crater]) -> "EjectaAxes":
        """Measure the axes of a mosaic at its fresh craters; without any, its principal components."""
        mean, spread = mosaic.mean_and_std
        spread = np.where(spread > 0, spread, 1.0)
        steps, around = _measure_steps(mosaic, catalogue, mean, spread)
        scatter = mosaic.covariance / np.outer(spread, spread) + 1e-6 * np.eye(mosaic.bands)
        step = _common_step(steps, around)
        ridge = 0.05 * np.trace(around) / mosaic.bands
        first = _unit(
            np.linalg.solve(around + ridge * np.eye(mosaic.bands), step)
            if step.any()
            else np.linalg.eigh(scatter)[1][:, -1],
            scatter,
        )
        axes = [first, *_other_axes(first, scatter, step)]
        matrix = np.zeros((AXES, mosaic.bands))
        matrix[: len(axes)] = axes
        return cls(mean, matrix / spread)

    def apply(self, values: Floats, valid: npt.NDArray[np.bool_]) -> Floats:
        """Turn bands (band, ...) into axes (3, ...), and put 0 where there is no data."""
        matrix = self.matrix.astype(np.float32)
        level = (self.matrix @ self.offset).astype(np.float32)
        axes = np.tensordot(matrix, values, 1) - level.reshape(-1, *(1,) * (values.ndim - 1))
        axes *= valid
        return np.asarray(axes, np.float32)


def _measure_steps(
    mosaic: Mosaic, catalogue: Sequence[Crater], mean: Array, spread: Array
) -> tuple[Array, Array]:
    """By how much each crater's blanket differs from its surroundings, (n, band); mean covariance of these."""
    steps, covariances = [], []
    for crater in catalogue:
        blanket, around = (
            (_ring(mosaic, crater, radii) - mean[:, None]) / spread[:, None]
            for radii in (BLANKET_RADII, AROUND_RADII)
        )
        if min(blanket.shape[1], around.shape[1]) >= _FEWEST:
            steps.append(blanket.mean(axis=1) - around.mean(axis=1))
            covariances.append(np.cov(around).reshape(mosaic.bands, mosaic.bands))
    if not steps:
        return np.zeros((0, mosaic.bands)), np.eye(mosaic.bands)
    return np.array(steps), np.mean(covariances, axis=0)


def _ring(mosaic: Mosaic, crater: Crater, radii: tuple[float, float]) -> Array:
    """Bands (band, n) at places evenly spaced between two ranges of a crater, where there is data."""
    ranges_m = crater.radius_m * np.linspace(*radii, 16)[:, None]
    bearings = np.linspace(0.0, 360.0, 72, endpoint=False)[None, :]
    places = destination(crater.lon, crater.lat, bearings, ranges_m, mosaic.grid.radius_m)
    values, valid = mosaic.sample(places.lon, places.lat)
    return values[:, valid].astype(np.float64)


def _common_step(steps: Array, around: Array) -> Array:
    """What blankets have in common: the mean of their steps, those that stand out the more the more they do.

    Faded craters say little, and the median of a catalogue full of them nothing; so each counts by how far it stands
    out along the direction that the others give, up to three times the ground's own spread.
    """
    if not len(steps):
        return np.zeros(steps.shape[1])
    ridge = 0.05 * np.trace(around) / len(around) * np.eye(len(around))
    step = np.median(steps, axis=0)
    for _ in range(_ROUNDS):
        direction = _unit(np.linalg.solve(around + ridge, step), around + ridge)
        weight = np.clip(steps @ direction, 0.0, 3.0)
        if not weight.any():
            break
        step = weight @ steps / weight.sum()
    return np.asarray(step)


def _other_axes(first: Array, scatter: Array, step: Array) -> list[Array]:
    """Principal axes of what the first one leaves of the mosaic's covariance, not correlated with it."""
    explained = scatter @ first
    left = np.linalg.eigh(scatter - np.outer(explained, explained))[1]
    axes = []
    for k in range(2, min(AXES, len(first)) + 1):
        axis = left[:, 1 - k]
        axis = _unit(axis - first * (first @ scatter @ axis), scatter)
        axes.append(axis if axis @ step >= 0 else -axis)
    return axes


def _unit(axis: Array, covariance: Array) -> Array:
    """An axis of unit spread under a covariance."""
    return np.asarray(axis / np.sqrt(max(float(axis @ covariance @ axis), 1e-12)))
