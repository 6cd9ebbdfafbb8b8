"""Fit the calibration of a context network's probabilities to cells whose labels are known.

After a training the calibration is fitted again to the craters that were held out of it. These are few, and craters
differ: calibrations of single craters scatter by about 1 in log-odds around that of all craters together. Hence each
crater counts as few observations, and the coefficients are pulled towards those that the training started from.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logit
from scipy.stats import t as student_t

from ejectamap.networks.calibration import (
    LIMIT,
    MAX_RANGE_RADII,
    MIN_PROBABILITY,
    RangeCalibration,
)
from ejectamap.world.grid import Bools
from ejectamap.world.sphere import Array

IDENTITY = RangeCalibration(level=0.0, slope=1.0, range_level=0.0, range_slope=0.0)
"""Calibration that leaves probabilities as they are."""
OBSERVATIONS_PER_CRATER = 5.0
"""Independent observations that one crater counts as: its many cells err together."""
PLANET_SPREAD = 0.35
"""Standard deviation, in log-odds, by which the calibration of a planet is expected to differ from the start's.

With a larger one, fits to one to five craters of Mercury and the Moon were worse for some of the other craters.
"""
MIN_CRATERS = 3
"""Held-out craters without which the calibration before is kept: two agree by chance too often."""
MIN_CELLS = 200
"""Cells with a probability of at least `MIN_PROBABILITY` that a crater must have to be used."""
MAX_CELLS = 10_000
"""Cells of one crater that are used; they are correlated, so that more add little."""

_MAX_FOLDS = 10


@dataclass(frozen=True)
class LabelledCells:
    """Cells of one crater's polar view whose label is known, beyond the rim.

    Attributes
    ----------
    probability : float array (n,)
        Predicted and not calibrated, in [0, 1].
    range_radii : float array (n,)
        Range in crater radii; above 0.
    ejecta : bool array (n,)
    area_m2 : float array (n,)
        Ground area.
    """

    probability: Array
    range_radii: Array
    ejecta: Bools
    area_m2: Array

    def select(self, chosen: Bools) -> "LabelledCells":
        """The chosen cells only."""
        return LabelledCells(
            self.probability[chosen],
            self.range_radii[chosen],
            self.ejecta[chosen],
            self.area_m2[chosen],
        )

    def thinned(self, most: int) -> "LabelledCells":
        """Every n-th cell, so that at most a number of them are left."""
        step = -(-self.probability.size // most)
        return self.select(np.arange(self.probability.size) % step == 0)

    @property
    def is_informative(self) -> bool:
        """Whether there are enough cells for a fit, with ejecta and without."""
        used = self.probability >= MIN_PROBABILITY
        ejecta = self.ejecta[used]
        return bool(used.sum() >= MIN_CELLS and ejecta.any() and not ejecta.all())


@dataclass(frozen=True)
class Refit:
    """Outcome of fitting a calibration again to held-out craters.

    Attributes
    ----------
    calibration : RangeCalibration or None
        The new one; None where the one before is to be kept.
    reason : str
        Why it was fitted or kept, in a sentence.
    craters : int
        Number of held-out craters that were fit for use.
    log_loss, log_loss_before : float
        Mean log loss per cell on craters that the fit had not seen, with the new calibration and with the one before;
        nan where none was fitted.
    """

    calibration: RangeCalibration | None
    reason: str
    craters: int
    log_loss: float = float("nan")
    log_loss_before: float = float("nan")


def fit_calibration(
    probability: npt.ArrayLike,
    range_radii: npt.ArrayLike,
    ejecta: npt.ArrayLike,
    weight: npt.ArrayLike,
) -> RangeCalibration:
    """Fit a calibration to labelled cells, by maximum likelihood.

    Parameters
    ----------
    probability : array_like (n,)
        Predicted probability of each cell, in [0, 1].
    range_radii : array_like (n,)
        Range in crater radii; above 0.
    ejecta : array_like (n,)
        Whether the cell is ejecta, bool.
    weight : array_like (n,)
        Weight of the cell, its area.
    """
    predicted = np.asarray(probability, np.float64)
    used = predicted >= MIN_PROBABILITY
    fraction = np.asarray(weight, np.float64)[used]
    terms = _terms(predicted[used], np.asarray(range_radii, np.float64)[used])
    sign = np.where(np.asarray(ejecta)[used], 1.0, -1.0)
    return _maximise(terms, sign, fraction / fraction.sum(), IDENTITY, np.zeros((4, 4)))


def fit_near(start: RangeCalibration, craters: Sequence[LabelledCells]) -> RangeCalibration:
    """Fit a calibration to some craters, pulled towards another one (maximum a posteriori).

    Each crater counts as `OBSERVATIONS_PER_CRATER` observations. The log-odds that the calibration gives are expected
    to differ from those of `start` by `PLANET_SPREAD`, on average over probabilities of 0.02 to 0.98 and ranges of 1 to
    30 radii.
    """
    used = [cells.select(cells.probability >= MIN_PROBABILITY) for cells in craters]
    terms = [_terms(cells.probability, cells.range_radii) for cells in used]
    weights = [OBSERVATIONS_PER_CRATER * cells.area_m2 / cells.area_m2.sum() for cells in used]
    sign = np.where(np.concatenate([cells.ejecta for cells in used]), 1.0, -1.0)
    precision = _mean_square_terms() / PLANET_SPREAD**2
    return _maximise(np.concatenate(terms, axis=1), sign, np.concatenate(weights), start, precision)


def refit_calibration(
    before: RangeCalibration | None, craters: Sequence[LabelledCells], threshold: float
) -> Refit:
    """Fit the calibration again to held-out craters, if that is better on ground that the fit has not seen.

    The check is a cross-validation over the craters, of which there must be three or more. The new calibration is taken
    where the log loss is lower on average, by a one-sided t-test over the craters at 5 %, and the F1 of masks is not
    lower.

    Parameters
    ----------
    before : RangeCalibration or None
        The calibration before; None for probabilities as they are.
    craters : sequence of LabelledCells
    threshold : float
        Probability above which masks hold ejecta.
    """
    craters = [cells.thinned(MAX_CELLS) for cells in craters if cells.is_informative]
    start = IDENTITY if before is None else before
    if len(craters) < MIN_CRATERS:
        reason = f"kept: {len(craters)} held-out craters with enough labelled ejecta, {MIN_CRATERS} are needed"
        return Refit(None, f"{reason} (training.validation_fraction)", len(craters))
    count = min(len(craters), _MAX_FOLDS)
    others = [[c for j, c in enumerate(craters) if j % count != k] for k in range(count)]
    folds = [fit_near(start, cells) for cells in others]
    fits = [folds[k % count] for k in range(len(craters))]
    after = [_log_loss(fit, cells) for fit, cells in zip(fits, craters, strict=True)]
    losses_before = [_log_loss(start, cells) for cells in craters]
    losses = float(np.mean(after)), float(np.mean(losses_before))
    if not _is_positive(np.subtract(losses_before, after)):
        reason = "kept: a new fit is not surely better on held-out craters"
        return Refit(None, reason, len(craters), *losses)
    if _f1(fits, craters, threshold) < _f1([start] * len(craters), craters, threshold):
        reason = "kept: a new fit lowers the F1 of masks on held-out craters"
        return Refit(None, reason, len(craters), *losses)
    calibration = fit_near(start, craters)
    if not _is_increasing(calibration):
        reason = "kept: a new fit would turn the order of probabilities around"
        return Refit(None, reason, len(craters), *losses)
    return Refit(calibration, f"fitted to {len(craters)} held-out craters", len(craters), *losses)


def _is_positive(gains: Array) -> bool:
    """Whether the mean of some gains is above 0 by a one-sided t-test at 5 %."""
    error = float(gains.std(ddof=1)) / np.sqrt(gains.size)
    return bool(gains.mean() > student_t.ppf(0.95, gains.size - 1) * error)


def _is_increasing(calibration: RangeCalibration) -> bool:
    """Whether a higher probability stays the higher one, at every range."""
    farthest = calibration.slope + calibration.range_slope * np.log10(MAX_RANGE_RADII)
    return bool(min(calibration.slope, farthest) > 0)


def _terms(probability: Array, range_radii: Array) -> Array:
    """What the coefficients of a calibration multiply, (4, n); probabilities must be at least `MIN_PROBABILITY`."""
    log_odds = logit(np.clip(probability, LIMIT, 1 - LIMIT))
    log_range = np.log10(np.minimum(range_radii, MAX_RANGE_RADII))
    return np.stack([np.ones_like(log_odds), log_odds, log_range, log_odds * log_range])


def _mean_square_terms() -> Array:
    """Mean product of every two terms over even log-odds and log ranges, (4, 4)."""
    widest = logit(1 - MIN_PROBABILITY)
    log_odds, log_range = np.meshgrid(
        np.linspace(-widest, widest, 9), np.linspace(0, np.log10(MAX_RANGE_RADII), 7)
    )
    terms = _terms(expit(log_odds.ravel()), 10 ** log_range.ravel())
    return np.asarray(terms @ terms.T / terms.shape[1])


def _maximise(
    terms: Array, sign: Array, weight: Array, start: RangeCalibration, precision: Array
) -> RangeCalibration:
    """Coefficients of the highest posterior: the weighted likelihood, and a normal prior around `start`."""
    centre = np.array(astuple(start))

    def negative_log_posterior(coefficients: Array) -> tuple[float, Array]:
        margin, off = sign * (coefficients @ terms), coefficients - centre
        gradient = -terms @ (weight * sign * expit(-margin)) + precision @ off
        return float(weight @ np.logaddexp(0, -margin) + off @ precision @ off / 2), gradient

    coefficients = minimize(negative_log_posterior, centre, jac=True).x
    return RangeCalibration(*(float(coefficient) for coefficient in coefficients))


def _log_loss(calibration: RangeCalibration, cells: LabelledCells) -> float:
    """Mean log loss of the cells that a fit uses, weighted by area."""
    used = cells.select(cells.probability >= MIN_PROBABILITY)
    sign = np.where(used.ejecta, 1.0, -1.0)
    margin = sign * (np.array(astuple(calibration)) @ _terms(used.probability, used.range_radii))
    return float(np.average(np.logaddexp(0, -margin), weights=used.area_m2))


def _f1(
    calibrations: Sequence[RangeCalibration], folds: Sequence[LabelledCells], threshold: float
) -> float:
    """F1, by ground area, of the masks of some folds, each with its own calibration; 0 where nothing is mapped."""
    true = mapped = both = 0.0
    for calibration, cells in zip(calibrations, folds, strict=True):
        mask = calibration.at(cells.probability, cells.range_radii) > threshold
        true += float(cells.area_m2[cells.ejecta].sum())
        mapped += float(cells.area_m2[mask].sum())
        both += float(cells.area_m2[mask & cells.ejecta].sum())
    return 2 * both / (true + mapped)
