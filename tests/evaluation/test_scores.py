"""Calibration, intervals, attribution accuracy, agreement of annotators, and figures by name."""

import json
import math

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import f1_score

from ejectamap.errors import LabelError, SettingsError
from ejectamap.evaluation.bootstrap import pooled_intervals
from ejectamap.evaluation.counts import Counts
from ejectamap.evaluation.origin_counts import OriginCounts, origin_confusion
from ejectamap.evaluation.pixels import compare_annotators, evaluate
from ejectamap.evaluation.reliability import ReliabilityCounts
from ejectamap.evaluation.scores import value_of
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Window
from ejectamap.world.labels import Labels, Tile


def levels_of(stored, truth):
    return np.stack([np.bincount(stored[truth == t], minlength=256) for t in (False, True)])


def test_calibration_against_scikit_learn():
    rng = np.random.default_rng(0)
    stored = rng.integers(0, 251, 5000)
    truth = rng.random(5000) < (stored / 250) ** 2
    calibration = ReliabilityCounts(levels_of(stored, truth))
    # scikit-learn closes its bins on the right: keep away from their edges.
    inside = stored % 25 != 0
    some = ReliabilityCounts(levels_of(stored[inside], truth[inside]))
    fraction, mean = calibration_curve(truth[inside], stored[inside] / 250, n_bins=10)
    rows = some.reliability()
    assert [row["ejecta_fraction"] for row in rows] == pytest.approx(fraction)
    assert [row["mean_probability"] for row in rows] == pytest.approx(mean)
    pixels = np.array([row["pixels"] for row in rows])
    assert some.ece == pytest.approx(pixels @ np.abs(fraction - mean) / pixels.sum())
    threshold, f1 = calibration.best_threshold
    scores = [f1_score(truth, stored > k) for k in range(250)]
    assert threshold == np.argmax(scores) / 250
    assert f1 == pytest.approx(max(scores))
    assert calibration.counts_at(0.5).f1 == pytest.approx(scores[125])


def test_calibration_by_hand():
    # 4 pixels of 0.2, one of them ejecta; 2 of 1, both ejecta; one of unknown probability, ejecta.
    levels = np.zeros((2, 256), int)
    levels[0, 50], levels[1, 50], levels[1, 250], levels[1, 255] = 3, 1, 2, 1
    calibration = ReliabilityCounts(levels)
    assert calibration.ece == pytest.approx((4 * 0.05 + 2 * 0) / 6)
    # Far more pixels of 0.1 and less, all without ejecta, change the error over all pixels only.
    levels[0, :26] = 10_000
    flooded = ReliabilityCounts(levels)
    assert flooded.ece < 0.06
    expected = {"ece": 0.2 / 6, "mean_probability": 2.8 / 6, "ejecta_fraction": 0.5, "pixels": 6}
    assert flooded.above_faint() == pytest.approx(expected)
    levels[0, :26] = 0
    assert calibration.counts_at(0.5) == Counts(tp=2, fp=0, fn=2, tn=3)
    assert calibration.best_threshold == (0.2, pytest.approx(2 / 3))
    perfect = ReliabilityCounts(np.array([[5] + [0] * 255, [0] * 250 + [5] + [0] * 5]))
    assert perfect.ece == 0
    nothing = ReliabilityCounts(np.zeros((2, 256), int))
    assert nothing.to_dict() is None
    assert math.isnan(nothing.ece)


def test_intervals_hold_the_figure_and_shrink_with_more_craters():
    rng = np.random.default_rng(0)
    rows = [Counts(tp=t, fp=f, fn=n) for t, f, n in rng.integers(50, 100, (80, 3)).tolist()]
    few, many = pooled_intervals(rows[:10]), pooled_intervals(rows)
    pooled = sum(rows, Counts())
    for name in ("f1", "precision", "recall", "iou"):
        assert many[name][0] < getattr(pooled, name) < many[name][1]
        assert many[name][1] - many[name][0] < few[name][1] - few[name][0]
    assert many == pooled_intervals(rows)
    assert pooled_intervals(rows[:1])["f1"] == [None, None]
    alike = pooled_intervals([Counts(tp=3, fp=1, fn=2)] * 5)
    assert alike["recall"] == pytest.approx([0.6, 0.6])
    assert pooled_intervals([Counts(tn=9)] * 3)["f1"] == [None, None]


def test_origin_confusion_by_hand():
    origins = {
        2: OriginCounts({2: 10, 5: 4}, {2: 10, 5: 1}, unmapped=3),
        5: OriginCounts({5: 7, 9: 2}, {5: 7}, unmapped=0),
    }
    table = origin_confusion(origins)
    assert table["rows"] == [2, 5]
    assert table["columns"] == [2, 5, 9]
    assert table["pixels"] == [[10, 4, 0], [0, 7, 2]]
    assert table["claimed"] == [[0, 3, 0], [0, 0, 2]]
    assert table["unmapped"] == [3, 0]
    both = origins[2] + origins[5]
    assert (both.mapped_px, both.correct_px, both.unmapped) == (23, 18, 3)
    assert both.wrong == {5: 3, 9: 2}


@pytest.fixture
def evaluated(grid):
    """Two craters of two families; the map misses half of the second one's ejecta."""
    craters = (
        Crater(3, "A", 0.0, 0.0, 130e3, family="young"),
        Crater(8, "B", 40.0, 0.0, 130e3, family="old"),
    )
    masks = {3: np.zeros(grid.shape, bool), 8: np.zeros(grid.shape, bool)}
    masks[3][28:36, 60:68] = True
    masks[8][28:36, 74:82] = True
    tiles = (Tile(0, Window(20, 50, 24, 40)),)
    labels = Labels(grid, {k: (grid.whole, mask) for k, mask in masks.items()}, tiles)

    def half(crater_id, window):
        mask = labels.read(crater_id, window)
        mask[:, : 78 - window.col] &= crater_id == 3
        return mask

    evaluation = evaluate(labels, craters, half, None, tile_px=10)
    return evaluation, labels, craters, half


def test_families(evaluated):
    evaluation = evaluated[0]
    assert list(evaluation.families) == ["old", "young"]
    assert evaluation.families["young"].pixel.f1 == 1
    assert evaluation.families["old"].pixel.recall == 0.5
    assert evaluation.to_dict()["families"]["old"]["pixel"]["recall"] == 0.5


def test_annotator_agreement(evaluated, grid):
    evaluation, labels, craters, half = evaluated
    second = Labels(grid, {8: (grid.whole, half(8, grid.whole))}, None)
    agreement = compare_annotators(evaluation, labels, second, craters, 10)
    assert agreement.second.all.pixel == agreement.map.pixel == evaluation.craters[1].scores.pixel
    json.dumps(agreement.to_dict(), allow_nan=False)
    with pytest.raises(LabelError, match="no crater in common"):
        compare_annotators(evaluation, labels, Labels(grid, {}, None), craters, 10)


def test_figures_by_name(evaluated):
    evaluation = evaluated[0]
    assert value_of(evaluation, "all.pixel.f1") == evaluation.all.pixel.f1
    assert value_of(evaluation, "craters.8.pixel.recall") == 0.5
    assert value_of(evaluation, "test.deciles.10.recall") == evaluation.test.deciles[9].recall
    mix = {"all.pixel.f1": 0.25, "families.old.pixel.recall": 0.75}
    expected = 0.25 * evaluation.all.pixel.f1 + 0.75 * 0.5
    assert value_of(evaluation, mix) == pytest.approx(expected)
    assert value_of(json.loads(json.dumps(evaluation.to_dict())), mix) == pytest.approx(expected)
    with pytest.raises(SettingsError, match=r"nearest are .*all\.pixel\.f1"):
        value_of(evaluation, "all.pixels.f1")
    assert math.isnan(value_of(evaluation, "craters.3.sectors.0-45.precision")) is False
