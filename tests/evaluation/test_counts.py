"""Counts of two masks, and the figures from them: by definition, pixel by pixel."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ejectamap.evaluation.counts import Counts, compare, harmonic_mean, none_if_nan

SHAPE = (3, 4)
MASKS = arrays(bool, SHAPE)
WEIGHTS = arrays(np.float64, (3, 1), elements=st.floats(0.5, 9))


@given(prediction=MASKS, truth=MASKS, where=st.none() | MASKS, weight=st.none() | WEIGHTS)
def test_every_pixel_is_counted_once_with_its_weight(
    prediction: np.ndarray, truth: np.ndarray, where: np.ndarray | None, weight: np.ndarray | None
) -> None:
    expected = dict.fromkeys(("tp", "fp", "fn", "tn"), 0.0)
    for row, col in np.ndindex(SHAPE):
        if where is None or where[row, col]:
            right = "t" if prediction[row, col] == truth[row, col] else "f"
            kind = "p" if prediction[row, col] else "n"
            expected[right + kind] += 1 if weight is None else weight[row, 0]
    counts = compare(prediction, truth, where, weight)
    for name, value in expected.items():
        assert getattr(counts, name) == pytest.approx(value)
    assert counts.total == pytest.approx(sum(expected.values()))


def test_figures_of_known_counts() -> None:
    counts = Counts(tp=6, fp=2, fn=4, tn=88)
    assert counts.total == 100
    assert counts.precision == 6 / 8
    assert counts.recall == 6 / 10
    assert counts.f1 == 12 / 18
    assert counts.iou == 6 / 12
    assert counts.f1 == pytest.approx(harmonic_mean(counts.precision, counts.recall))
    figures = {"f1": 12 / 18, "precision": 0.75, "recall": 0.6, "iou": 0.5}
    assert counts.to_dict() == figures | {"tp": 6, "fp": 2, "fn": 4, "tn": 88}


@pytest.mark.parametrize(
    ("counts", "known"),
    [
        (Counts(), {}),
        (Counts(tn=5), {}),
        (Counts(fp=3), {"f1": 0, "precision": 0, "iou": 0}),
        (Counts(fn=3), {"f1": 0, "recall": 0, "iou": 0}),
    ],
)
def test_a_figure_that_would_divide_by_zero_is_unknown(
    counts: Counts, known: dict[str, float]
) -> None:
    for name in ("f1", "precision", "recall", "iou"):
        figure = getattr(counts, name)
        assert figure == known[name] if name in known else math.isnan(figure)
        assert counts.to_dict()[name] == known.get(name)


def test_counts_add_up_one_by_one() -> None:
    assert Counts() == Counts(0, 0, 0, 0)
    assert Counts(1, 2, 3, 4) + Counts(10, 20, 30, 40) == Counts(11, 22, 33, 44)


def test_small_helpers() -> None:
    assert none_if_nan(math.nan) is None
    assert none_if_nan(0.0) == 0.0
    assert harmonic_mean(0.5, 1.0) == pytest.approx(2 / 3)
    assert harmonic_mean(0, 0) == 0
    assert harmonic_mean(0, 1) == 0
