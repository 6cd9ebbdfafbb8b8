"""A whole ranking study without the browser: from choices and labels to tables and a figure."""

import json
import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from ejectamap.errors import RankingError
from ejectamap.evaluation.pixels import evaluate
from ejectamap.evaluation.ranking.choices import pair_outcomes
from ejectamap.evaluation.ranking.figures import higher_is_better, map_figures, objective
from ejectamap.evaluation.ranking.report import print_ranking, rank, write_ranking
from ejectamap.evaluation.scores import value_of
from ejectamap.evaluation.structure import evaluate_structure
from ejectamap.show.ranking import plot_ranking
from ejectamap.world.labels import Labels

MAPS = ("whole", "half", "tenth")
KEPT = {"whole": 1.0, "half": 0.5, "tenth": 0.1}


def thinned(labels, part):
    """Labels with a random part of their pixels."""
    rng = np.random.default_rng(0)
    masks = {
        k: (window, mask & (rng.random(mask.shape) < part))
        for k, (window, mask) in labels.masks.items()
    }
    return Labels(labels.grid, masks, None)


@pytest.fixture(scope="module")
def figures(planet):
    maps = {name: thinned(planet.truth, KEPT[name]) for name in MAPS}
    sources = {name: (lambda _, name=name: maps[name]) for name in MAPS}
    return map_figures(planet.truth, planet.craters[:5], sources, 64)


@pytest.fixture(scope="module")
def outcomes(figures):
    """Ann prefers the map with more ejecta; Bo prefers the other one in every fifth pair."""
    rows = []
    for k, crater_id in enumerate(figures["crater_id"].unique()):
        for n, pair in enumerate(combinations(MAPS, 2)):
            rows.append(("Ann", crater_id, *pair, 1, False))
            rows.append(("Bo", crater_id, *pair, -1 if (3 * k + n) % 5 == 4 else 1, False))
    rows.append(("Ann", rows[0][1], "whole", "half", 1, True))
    names = ["judge", "crater_id", "first", "second", "outcome", "repeated"]
    return pd.DataFrame(rows, columns=names)


def test_figures_are_those_of_the_evaluation(figures, planet):
    half = thinned(planet.truth, 0.5)
    evaluation = evaluate(planet.truth, planet.craters[:5], half.read, None, tile_px=64)
    shape = evaluate_structure(planet.truth, planet.craters[:5], lambda _: half)
    rows = figures[figures["map"] == "half"].set_index("crater_id")
    for crater_id in rows.index:
        f1 = value_of(evaluation, f"craters.{crater_id}.pixel.f1")
        assert rows.loc[crater_id, "pixel.f1"] == pytest.approx(f1)
        assert rows.loc[crater_id, "structure.cldice"] == shape.craters[crater_id]["cldice"]
    turned = higher_is_better(figures)
    assert (turned["structure.hd95_km"] == -figures["structure.hd95_km"]).all()
    assert (turned["pixel.f1"] == figures["pixel.f1"]).all()
    wanted = objective({"pixel.f1": 0.5, "structure.hd95_km": 0.1})
    assert wanted == {"all.pixel.f1": 0.5, "structure.mean.hd95_km": -0.1}
    value_of(replace(evaluation, structure=shape), wanted)  # knows these names


def test_a_whole_study(figures, outcomes, tmp_path, capsys):
    ranking = rank(outcomes, MAPS, figures)
    assert ranking.map_table()["map"].tolist() == list(MAPS)
    # Of 15 pairs Bo turns three into ties between the judges; F1 holds none equal.
    assert ranking.figures["pixel.f1"].tau == pytest.approx(math.sqrt(12 / 15))
    assert ranking.figures["pixel.precision"].pairs == ranking.figures["pixel.f1"].pairs == 15
    assert list(ranking.figures)[-1] != "pixel.f1"
    assert ranking.combination.held_out.tau == pytest.approx(math.sqrt(12 / 15))
    assert ranking.between.iloc[0]["pairs"] == 15
    write_ranking(ranking, tmp_path)
    content = json.loads((tmp_path / "ranking.json").read_text())
    assert content["maps"][0]["map"] == "whole"
    assert content["judges"][0] == {"judge": "Ann", "choices": 16, "repeated": 1, "same": 1.0}
    assert set(content["combination"]["objective"])
    assert pd.read_csv(tmp_path / "figures.csv")["tau"].dropna().is_monotonic_decreasing
    plot_ranking(tmp_path / "ranking.png", ranking)
    print_ranking(ranking, Console(width=100))
    printed = capsys.readouterr().out
    assert "weighted sum, on craters held out" in printed
    assert "Ann, Bo" in printed


def test_a_study_without_labels_or_choices(outcomes, tmp_path):
    ranking = rank(outcomes, MAPS, None)
    assert ranking.figures == {}
    assert ranking.combination is None
    plot_ranking(tmp_path / "ranking.png", ranking)
    write_ranking(ranking, tmp_path)
    with pytest.raises(RankingError, match="there are no choices yet"):
        pair_outcomes([], MAPS)
