"""Calibrations fitted again to held-out craters: when they are taken, and how far they move."""

from collections.abc import Callable
from dataclasses import asdict, astuple, replace

import numpy as np
import pytest
from scipy.special import expit, logit

from ejectamap.networks.bundle import load_bundle
from ejectamap.networks.calibration import RangeCalibration
from ejectamap.project.folder import Project
from ejectamap.training.calibration import (
    IDENTITY,
    LabelledCells,
    fit_near,
    refit_calibration,
)
from ejectamap.training.recalibration import recalibrate
from ejectamap.training.setups import training_setup
from ejectamap.training.sources import gather_sources


def make_crater(seed: int, shift: float, n: int = 20_000) -> LabelledCells:
    """A crater whose probabilities are too low by `shift` in log-odds."""
    rng = np.random.default_rng(seed)
    probability = expit(rng.normal(-1.5, 1.5, n))
    ejecta = rng.random(n) < expit(logit(probability) + shift)
    return LabelledCells(probability, 10 ** rng.uniform(0, 1.4, n), ejecta, np.ones(n))


@pytest.mark.parametrize("count", [3, 8])
def test_biased_probabilities_are_corrected_the_more_the_more_craters_say_so(count: int) -> None:
    craters = [make_crater(k, shift=1.5) for k in range(count)]
    refit = refit_calibration(None, craters, threshold=0.3)
    assert refit.calibration is not None
    assert refit.log_loss < refit.log_loss_before
    assert refit.reason.startswith(f"fitted to {count} held-out")
    moved = float(refit.calibration.at(np.array([0.3]), np.array([5.0]))[0])
    truth = expit(logit(0.3) + 1.5)
    fraction = (logit(moved) - logit(0.3)) / (logit(truth) - logit(0.3))
    least, most = {3: (0.05, 0.6), 8: (0.3, 0.9)}[count]
    assert least < fraction < most


def test_a_single_crater_moves_the_calibration_little() -> None:
    """However many cells it has and however far it is off."""
    sizes = [
        np.linalg.norm(np.subtract(astuple(fit), astuple(IDENTITY)))
        for fit in (fit_near(IDENTITY, [make_crater(0, 4.0, n)]) for n in (2_000, 50_000))
    ]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.1)
    assert max(sizes) < 1
    few = [make_crater(k, 4.0) for k in range(2)]
    assert refit_calibration(None, few, 0.3).calibration is None


def test_calibrated_probabilities_are_kept() -> None:
    """Also where craters contradict one another, so that none says anything about the next."""
    good = [make_crater(k, shift=0.0) for k in range(6)]
    assert refit_calibration(None, good, 0.3).calibration is None
    contradictory = [make_crater(k, shift=2.0 * (-1) ** k) for k in range(4)]
    refit = refit_calibration(IDENTITY, contradictory, 0.3)
    assert refit.calibration is None
    assert "not surely better" in refit.reason


def test_an_order_turned_around_is_not_taken() -> None:
    """Where high probabilities are wrong and low ones right, no calibration helps."""
    craters = []
    for k in range(8):
        cells = make_crater(k, shift=0.0, n=5_000)
        ejecta = np.random.default_rng(k).random(cells.ejecta.size) < expit(
            -3 * logit(cells.probability)
        )
        craters.append(replace(cells, ejecta=ejecta))
    refit = refit_calibration(None, craters, 0.01)
    assert refit.calibration is not None
    # Higher probabilities stay higher at all ranges, up to 30 radii.
    slope, by_range = refit.calibration.slope, refit.calibration.range_slope
    assert min(slope, slope + np.log10(30) * by_range) > 0


def test_too_few_cells_are_not_used() -> None:
    few, empty = make_crater(0, 1.5, n=100), make_crater(1, 1.5)
    empty = replace(empty, ejecta=np.zeros(empty.ejecta.size, bool))
    for craters in ([], [few], [few, empty]):
        refit = refit_calibration(None, craters, 0.3)
        assert refit.calibration is None
        assert refit.reason.startswith("kept: 0 held-out craters")
        assert refit.craters == 0


def test_a_bundle_says_what_became_of_its_calibration(
    make_ready: Callable[..., Project],
) -> None:
    project = make_ready("method=polar")
    setup = training_setup("context", project, gather_sources(project))
    bundle = load_bundle(project.models / "context" / "member-00")
    bad = RangeCalibration(level=6.0, slope=0.2, range_level=0.0, range_slope=0.0)
    description = bundle.description.model_copy(update={"calibration": asdict(bad)})
    held_out = setup.dataset(setup.usable_sources(), augmented=False, seed=0)
    changed = recalibrate(replace(bundle, description=description), held_out, threshold=0.3)
    summary = changed.description.training["calibration"]
    assert summary["outcome"] == f"fitted to {summary['craters']} held-out craters"
    assert summary["log_loss"] < summary["log_loss_before"]
    assert changed.calibration is not None
    assert changed.calibration.level < bad.level
    # On the craters that training used nothing is held out: the calibration of the start stays.
    nothing = setup.dataset([], augmented=False, seed=0)
    kept = recalibrate(replace(bundle, description=description), nothing, threshold=0.3)
    assert kept.calibration == bad
    assert kept.description.training["calibration"]["outcome"].startswith("kept: 0")
