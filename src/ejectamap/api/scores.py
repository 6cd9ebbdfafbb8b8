"""Figures of merit of two masks in memory, without a project."""

import numpy as np
import numpy.typing as npt

from ejectamap.errors import ArgumentError
from ejectamap.evaluation.counts import Counts, compare
from ejectamap.world.grid import Bools


def score(
    truth: npt.ArrayLike,
    predicted: npt.ArrayLike,
    *,
    latitude: npt.ArrayLike | None = None,
    where: npt.ArrayLike | None = None,
) -> Counts:
    """Compare a mask with the truth, pixel by pixel.

    Parameters
    ----------
    truth, predicted : array_like of bool, or of 0 and 1, of one shape
        For example of `EjectaMap.mask`; a probability is compared as `probability > 0.5`.
    latitude : array_like, optional
        Latitudes in degrees, of each row, shape (rows,), or of each pixel. Pixels then count with the cosine of their
        latitude: by ground area, where the pixels are those of an equidistant cylindrical mosaic.
    where : array_like of bool, optional
        Which pixels count; all by default.

    Returns
    -------
    Counts
        `f1`, `precision`, `recall`, `iou` (0 to 1, nan where they would divide by zero), and the counts `tp`, `fp`,
        `fn`, `tn`: pixels, or sums of cosines.

    Raises
    ------
    ArgumentError
        If shapes differ or values are neither 0 nor 1.

    Examples
    --------
    >>> counts = em.score([[1, 1], [0, 0]], [[1, 0], [0, 0]])
    >>> counts.precision, counts.recall
    (1.0, 0.5)
    >>> round(em.score([[1, 1], [0, 1]], [[1, 1], [0, 0]], latitude=[0, 60]).recall, 3)
    0.8
    """
    true, guess = _mask("truth", truth), _mask("predicted", predicted)
    _require_shape("predicted", guess, true)
    counted = None
    if where is not None:
        counted = _mask("where", where)
        _require_shape("where", counted, true)
    if latitude is None:
        return compare(guess, true, counted)
    degrees = np.asarray(latitude, np.float64)
    if degrees.ndim == 1 and true.ndim == 2:
        degrees = degrees[:, None]
    try:
        weight = np.broadcast_to(np.cos(np.radians(degrees)), true.shape)
    except ValueError:
        raise ArgumentError(
            f"latitude: has shape {np.shape(latitude)}, truth {true.shape}: give a latitude for each row or pixel"
        ) from None
    if not (np.abs(degrees) <= 90).all():
        raise ArgumentError("latitude: has values beyond 90 degrees: give latitudes in degrees")
    return compare(guess, true, counted, weight)


def _mask(name: str, values: npt.ArrayLike) -> Bools:
    """An argument as a bool array."""
    array = np.asarray(values)
    if array.dtype == bool:
        return array
    if not (np.issubdtype(array.dtype, np.number) and np.isin(array, (0, 1)).all()):
        raise ArgumentError(
            f"{name}: has values other than 0 and 1: give a mask, as in probability > 0.5"
        )
    return array.astype(bool)


def _require_shape(name: str, array: Bools, truth: Bools) -> None:
    if array.shape != truth.shape:
        raise ArgumentError(
            f"{name}: has shape {array.shape}, truth has {truth.shape}: give both on the same pixels"
        )
