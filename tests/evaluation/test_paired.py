"""Differences of two maps' figures: paired over craters, and called a difference only where it is one."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ejectamap.errors import SettingsError
from ejectamap.evaluation.bootstrap import pooled_intervals
from ejectamap.evaluation.counts import Counts
from ejectamap.evaluation.paired import CraterFigure, PairedDifference, paired_difference
from ejectamap.evaluation.pixels import evaluate
from ejectamap.evaluation.scores import Evaluation, value_of
from ejectamap.world.grid import Window
from ejectamap.world.labels import Tile

counts = st.tuples(*[st.integers(0, 50)] * 3)


def f1_figure(rows: list[tuple[int, int, int]]) -> CraterFigure:
    """F1 of craters with these numbers of tp, fp and fn."""
    tp, fp, fn = np.array(rows, float).reshape(-1, 3).T
    parts, wholes = (2 * tp)[:, None], (2 * tp + fp + fn)[:, None]
    return CraterFigure(tuple(range(len(rows))), np.ones(1), parts, wholes)


@pytest.fixture(scope="module")
def evaluation(make_world) -> Evaluation:
    """Two craters, one drawn a little too far to the east, the other missed in part; one training tile."""
    world = make_world()
    labels = world.labels

    def shifted(crater_id: int, window: Window) -> np.ndarray:
        moved = Window(window.row, (window.col - crater_id) % 128, window.height, window.width)
        return labels.read(crater_id, moved)

    tiles = (Tile(1, Window(16, 60, 16, 16)), Tile(2, Window(16, 76, 16, 16)))
    tiled = make_world(tiles).labels
    origin = np.full(labels.grid.shape, 2, np.uint8)
    return evaluate(
        tiled,
        world.craters,
        shifted,
        {(1, 1): "train"},
        tile_px=16,
        origin=lambda window: origin[: window.height, : window.width],
    )


@pytest.mark.parametrize("subset", ["all", "test", "unseen"])
@pytest.mark.parametrize(
    "figure",
    [
        *(f"pixel.{name}" for name in ("f1", "precision", "recall", "iou")),
        *("area_km2.f1", "outside_km2.iou", "tile.f1", "distance.3-10.recall", "deciles.10.f1"),
        *("sectors.90-135.f1", "owner.fraction"),
    ],
)
def test_a_figure_is_what_its_craters_add_up_to(
    evaluation: Evaluation, subset: str, figure: str
) -> None:
    name = f"{subset}.{figure}"
    by_crater = CraterFigure.of(evaluation, name)
    assert by_crater is not None
    assert by_crater.value == pytest.approx(value_of(evaluation, name), nan_ok=True)
    assert by_crater.crater_ids == tuple(row.crater_id for row in evaluation.craters)
    again = CraterFigure.from_dict(json.loads(json.dumps(by_crater.to_dict())))
    assert again.value == pytest.approx(by_crater.value, nan_ok=True)
    assert again.crater_ids == by_crater.crater_ids


def test_a_weighted_sum(evaluation: Evaluation) -> None:
    objective = {"test.pixel.f1": 0.7, "all.tile.recall": 0.3}
    by_crater = CraterFigure.of(evaluation, objective)
    assert by_crater is not None
    assert by_crater.value == pytest.approx(value_of(evaluation, objective))


@pytest.mark.parametrize("name", ["all.pixel.tp", "craters.1.pixel.f1", "families.A.pixel.f1"])
def test_what_is_no_ratio_of_sums_over_craters_has_no_interval(
    evaluation: Evaluation, name: str
) -> None:
    assert CraterFigure.of(evaluation, name) is None
    assert CraterFigure.of(evaluation, {name: 1.0, "all.pixel.f1": 1.0}) is None


def test_an_unknown_figure_is_refused_where_figures_are_named(evaluation: Evaluation) -> None:
    with pytest.raises(SettingsError, match="nearest are"):
        value_of(evaluation, "test.pixel.f2")


def test_what_is_better_in_every_crater_is_better_though_the_craters_differ_widely() -> None:
    """The two figures' own intervals overlap almost wholly: the craters differ more than the maps."""
    before = [(10 * k, 100, 200 - 10 * k) for k in range(1, 13)]
    after = [(10 * k + 5, 100, 195 - 10 * k) for k in range(1, 13)]
    difference = paired_difference(f1_figure(before), f1_figure(after))
    assert difference.difference > 0
    assert 0 < difference.low < difference.difference < difference.high
    assert difference.craters == 12
    assert difference.is_beyond_chance
    own = [pooled_intervals([Counts(*row) for row in rows])["f1"] for rows in (before, after)]
    assert own[0][1] > own[1][0]  # type: ignore[operator]
    assert difference.high - difference.low < 0.5 * (own[0][1] - own[0][0])  # type: ignore[operator]


def test_what_is_better_in_half_of_the_craters_is_not_told_apart() -> None:
    before = [(50, 20, 20)] * 12
    after = [(55, 20, 15), (46, 20, 24)] * 6
    difference = paired_difference(f1_figure(before), f1_figure(after))
    assert difference.difference > 0 > difference.low
    assert not difference.is_beyond_chance


@pytest.mark.parametrize(
    ("craters", "comparisons", "enough"),
    [(2, 1, False), (5, 1, False), (6, 1, True), (6, 10, False), (9, 10, True), (0, 1, False)],
)
def test_a_few_craters_prove_nothing(craters: int, comparisons: int, enough: bool) -> None:
    """All better by much: with five craters, chance alone does that once in sixteen comparisons."""
    before, after = [(50, 20, 20)] * craters, [(60, 10, 10)] * craters
    difference = paired_difference(f1_figure(before), f1_figure(after), comparisons)
    assert difference.is_beyond_chance == enough
    assert math.isnan(difference.low) == (craters < 2)


def test_craters_without_anything_to_judge_do_not_count() -> None:
    before, after = [(50, 20, 20)] * 5 + [(0, 0, 0)] * 5, [(60, 10, 10)] * 5 + [(0, 0, 0)] * 5
    difference = paired_difference(f1_figure(before), f1_figure(after))
    assert difference.craters == 5
    assert not difference.is_beyond_chance


def test_one_chosen_among_many_has_a_wider_interval() -> None:
    rng = np.random.default_rng(1)
    before = [(50, 20, 20)] * 14
    after = [(50 + int(k), 20, 20 - int(k)) for k in rng.integers(-2, 6, 14)]
    single, chosen = (paired_difference(f1_figure(before), f1_figure(after), n) for n in (1, 40))
    assert chosen.difference == single.difference
    assert chosen.low < single.low < single.high < chosen.high


def test_planets_are_averaged_and_their_craters_drawn_apart() -> None:
    small, large = [(5, 1, 1)] * 3, [(50, 20, 20), (80, 5, 9), (20, 60, 5), (40, 9, 9)]
    better = [(60, 10, 10), (85, 5, 4), (25, 55, 0), (45, 9, 4)]
    before = [f1_figure(small), f1_figure(large)]
    after = [f1_figure(small), f1_figure(better)]
    difference = paired_difference(before, after)
    one = paired_difference(before[1], after[1])
    assert difference.difference == pytest.approx(one.difference / 2)
    assert difference.low > 0
    assert difference.craters == 7


def test_other_craters_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="same craters"):
        paired_difference(f1_figure([(1, 1, 1)] * 3), f1_figure([(1, 1, 1)] * 4))


@given(st.lists(st.tuples(counts, counts), min_size=2, max_size=8))
@settings(max_examples=30)
def test_exchanging_the_maps_changes_the_sign(rows: list) -> None:
    before, after = (f1_figure([row[k] for row in rows]) for k in (0, 1))
    forth, back = paired_difference(before, after), paired_difference(after, before)
    assert forth.difference == pytest.approx(-back.difference, nan_ok=True)
    assert forth.low == pytest.approx(-back.high, nan_ok=True)
    same = paired_difference(before, before)
    assert not same.is_beyond_chance
    assert PairedDifference(0.0, 0.0, 0.0, 12).is_beyond_chance is False
    json.dumps(forth.to_dict(), allow_nan=False)
