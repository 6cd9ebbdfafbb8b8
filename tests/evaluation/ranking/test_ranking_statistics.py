"""People's choices: written, fitted, and compared with figures."""

import math
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

from ejectamap.errors import RankingError
from ejectamap.evaluation.ranking.agreement import (
    agreement,
    figure_differences,
    judge_agreement,
    kendall_tau,
    mean_outcomes,
    self_consistency,
)
from ejectamap.evaluation.ranking.choices import Choice, append_choice, pair_outcomes, read_choices
from ejectamap.evaluation.ranking.combination import fit_combination
from ejectamap.evaluation.ranking.davidson import fit_strengths

MAPS = ("a", "b", "c")


def chosen(answer, judge="Ann", question=0, crater_id=1, left="a", right="b"):
    return Choice(judge, question, crater_id, left, right, answer, "2026-01-01T00:00:00Z")


def test_choices_are_appended_and_undone(tmp_path):
    path = tmp_path / "choices.jsonl"
    assert read_choices(path) == []
    first, second, other = chosen("left"), chosen("tie", question=1), chosen("right", judge="Bö\n")
    for choice in (first, second, other):
        append_choice(path, choice)
    assert read_choices(path) == [first, second, other]
    append_choice(path, chosen("undo"))
    assert read_choices(path) == [first, other]
    append_choice(path, chosen("undo"))
    append_choice(path, chosen("undo"))  # she has no choices left
    assert read_choices(path) == [other]
    assert len(path.read_text().splitlines()) == 6
    with path.open("a") as target:
        target.write('{"judge": "A')
    with pytest.raises(RankingError, match="line 7 is not a choice"):
        read_choices(path)


def test_sides_do_not_matter_and_repetitions_are_known():
    choices = [
        chosen("left"),
        chosen("left", left="b", right="a"),
        chosen("right", judge="Bo", left="b", right="a"),
        chosen("tie", crater_id=2, left="c", right="a"),
    ]
    outcomes = pair_outcomes(choices, MAPS)
    assert outcomes["outcome"].tolist() == [1, -1, 1, 0]
    assert outcomes["repeated"].tolist() == [False, True, False, False]
    assert outcomes[["first", "second"]].iloc[3].tolist() == ["a", "c"]
    assert mean_outcomes(outcomes)["outcome"].tolist() == [1, 0]
    consistency = self_consistency(outcomes).set_index("judge")
    assert consistency.loc["Ann"].tolist() == [3, 1, 0]
    assert consistency.loc["Bo", "repeated"] == 0
    assert math.isnan(consistency.loc["Bo", "same"])


def outcomes_of(rows):
    table = pd.DataFrame(rows, columns=["judge", "crater_id", "first", "second", "outcome"])
    return table.assign(repeated=False)


def simulated(strengths, nu, n, seed):
    """Choices drawn from the model itself; craters of ten choices each."""
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(n):
        i, j = sorted(rng.choice(len(strengths), 2, replace=False))
        odds = np.exp([strengths[i], strengths[j], (strengths[i] + strengths[j]) / 2])
        odds[2] *= nu
        outcome = rng.choice([1, -1, 0], p=odds / odds.sum())
        rows.append(("Ann", k // 10, MAPS[i], MAPS[j], outcome))
    return outcomes_of(rows)


def test_strengths_of_two_maps_by_hand():
    # 40 for a, 10 for b: the worths are as 4 to 1. 40 ties: nu sqrt(4 x 1) is to 4 as 40 to 40.
    rows = [
        ("Ann", k % 3, "a", "b", outcome)
        for k, outcome in enumerate([1] * 40 + [-1] * 10 + [0] * 40)
    ]
    fitted = fit_strengths(outcomes_of(rows * 50), ("a", "b"))
    assert fitted.strength[0] - fitted.strength[1] == pytest.approx(math.log(4), abs=0.01)
    assert fitted.ties == pytest.approx(2, abs=0.01)


def test_strengths_are_recovered():
    truth = np.array([0.9, 0.1, -1.0])
    fitted = fit_strengths(simulated(truth, 0.6, 1500, 1), MAPS)
    assert fitted.strength == pytest.approx(truth, abs=0.2)
    assert fitted.ties == pytest.approx(0.6, abs=0.12)
    assert (fitted.low < truth).all() and (truth < fitted.high).all()
    assert ((fitted.high - fitted.low) < 0.7).all()


def test_a_map_that_never_lost_has_a_finite_strength():
    rows = [("Ann", k, "a", "b", 1) for k in range(20)] + [("Ann", 3, "b", "c", 1)]
    fitted = fit_strengths(outcomes_of(rows), MAPS)
    assert 2 < fitted.strength[0] - fitted.strength[1] < 12
    with pytest.raises(RankingError, match="do not yet link all of a, b, c"):
        fit_strengths(outcomes_of(rows[:-1]), MAPS)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=8),
)
@settings(max_examples=40)
def test_tau_over_all_pairs_is_scipy_s(values):
    x, y = np.array(values, float).T
    i, j = np.transpose(list(combinations(range(len(values)), 2)))
    ours, theirs = kendall_tau(x[i] - x[j], y[i] - y[j]), kendalltau(x, y).statistic
    assert ours == pytest.approx(theirs, nan_ok=True)


def test_agreement_and_its_interval():
    crater = np.repeat(np.arange(10), 2)
    same = agreement(np.tile([1, -1], 10), np.tile([5.0, -0.1], 10), crater)
    assert (same.tau, same.low, same.high, same.pairs) == (1, 1, 1, 20)
    # Nine craters agree, one does not: 18 - 2 of 20.
    outcome = np.where(crater == 9, -1, 1)
    mostly = agreement(np.ones(20), outcome, crater)
    assert mostly.tau == pytest.approx(0.8)
    assert mostly.low < 0.8 < mostly.high == 1
    unknown = agreement(np.full(20, np.nan), outcome, crater)
    assert unknown.pairs == 0
    assert math.isnan(unknown.tau)
    assert math.isnan(agreement([1.0], [1.0], [0]).low)


def test_judges_are_compared_over_what_both_judged():
    rows = [(judge, k, "a", "b", 1) for k in range(4) for judge in ("Ann", "Bo")]
    rows += [("Ann", 5, "a", "b", -1), ("Cy", 0, "a", "b", -1)]
    agreements = judge_agreement(outcomes_of(rows)).set_index(["judge", "other"])
    assert agreements.loc[("Ann", "Bo")].tolist() == [1, 4]
    assert agreements.loc[("Ann", "Cy")].tolist() == [-1, 1]


def test_the_combination_recovers_the_weights_of_people():
    # People prefer the map with the larger sum of two figures; a third one is noise.
    rng = np.random.default_rng(0)
    rows = [(crater, name, *rng.normal(size=3)) for crater in range(24) for name in MAPS]
    figures = pd.DataFrame(rows, columns=["crater_id", "map", "f1", "reached", "noise"])
    value = (figures["f1"] + 10 * figures["reached"] / 10).to_numpy().reshape(-1, 3)
    choices = [
        ("Ann", crater, MAPS[i], MAPS[j], int(np.sign(value[crater, i] - value[crater, j])))
        for crater in range(24)
        for i, j in combinations(range(3), 2)
    ]
    figures["reached"] *= 100  # in another unit
    pairs, differences = figure_differences(mean_outcomes(outcomes_of(choices)), figures)
    combination = fit_combination(pairs, differences)
    assert combination.weights["f1"] == pytest.approx(100 * combination.weights["reached"], rel=0.3)
    assert min(combination.weights.values()) > 0
    assert combination.weights.get("noise", 0) < 0.2 * combination.weights["f1"]
    assert combination.held_out.tau > 0.85 > combination.best_single.tau
    assert sum(combination.chosen.values()) == 5
    assert fit_combination(pairs[:9], differences[:9]) is None  # three craters
    unknown = figure_differences(
        mean_outcomes(outcomes_of(choices)), figures[figures["map"] != "a"]
    )[0]
    assert len(unknown) == 24
