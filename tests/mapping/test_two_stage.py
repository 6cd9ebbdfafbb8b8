"""Method `two-stage`: which chips the votes connect, in batches of any size."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from stand_in_networks import STAND_INS, VIEWS, StandIn, any_bright, first_band, painted
from torch import Tensor

from ejectamap.mapping import batches, two_stage
from ejectamap.mapping.methods import Method
from ejectamap.maps.connections import no_connections
from ejectamap.networks.vote import Vote, vote
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid


@pytest.mark.parametrize(
    ("positive", "threshold", "connected", "evaluated"),
    [
        (5, 0.5, True, 5),
        (4, 0.5, False, 10),
        (4, 0.4, True, 4),
        (9, 1.0, False, 10),
        (0, 0.5, False, 6),
    ],
)
def test_a_chip_is_connected_by_its_fraction_of_votes(
    make_grid: Callable[..., Grid],
    load: Callable[..., Method],
    positive: int,
    threshold: float,
    connected: bool,
    evaluated: int,
) -> None:
    class Voters(StandIn):
        def vote(self, inputs: Tensor, threshold: float, batch: int) -> Vote:
            answers = [0.9] * positive + [0.2] * (10 - positive)
            voters = [lambda x, p=p: torch.full((len(x),), p) for p in answers]
            return vote(voters, inputs, threshold, batch)

    grid, crater = make_grid(64), Crater(5, "A", 20, 10, 60e3, reach=0.1)
    mosaic, _ = painted(grid, crater)
    method = load(
        "two-stage",
        mosaic,
        crater,
        f"connection.vote_threshold={threshold}",
        connection=(any_bright, 10),
        segmentation=lambda inputs: torch.ones_like(inputs[:, 0]),
    )
    voters = Voters(any_bright, VIEWS["connection"], 10)
    ensembles = {**method.ensembles, "connection": voters}
    result = type(method)(method.project, ensembles).predict(crater)  # type: ignore[arg-type]
    table = result.connections
    assert tuple(table) == tuple(no_connections())
    assert (table["crater_id"] == 5).all()
    assert table["tile"].tolist() == list(range(len(table)))
    positive_votes = min(positive, evaluated)
    assert (table["votes"] == positive_votes).all()
    assert np.allclose(table["score"], 0.2 + 0.7 * positive_votes / evaluated)
    assert (table["connected"] == connected).all()
    assert table["distance_m"].min() == 0
    assert np.nanmax(result.probability(result.window)) == pytest.approx(float(connected))


def test_ignoring_connections_maps_every_chip(
    make_grid: Callable[..., Grid], load: Callable[..., Method]
) -> None:
    grid, crater = make_grid(128), Crater(5, "A", 20, 10, 60e3)
    mosaic, _ = painted(grid, crater)
    two = {"connection": lambda x: torch.zeros(len(x)), "segmentation": first_band}
    voted = load("two-stage", mosaic, crater, **two).predict(crater)
    assert np.nanmax(voted.probability(voted.window)) == 0
    assert len(voted.connections) > 0
    only = {"segmentation": first_band}
    whole = load("two-stage", mosaic, crater, "map.ignore_connections=true", **only).predict(crater)
    assert np.nanmax(whole.probability(whole.window)) > 0.9
    assert len(whole.connections) == 0
    plain = load("distance-only", mosaic, crater, **STAND_INS["distance-only"]).predict(crater)
    assert np.array_equal(
        whole.probability(whole.window), plain.probability(plain.window), equal_nan=True
    )


def test_more_chips_than_a_batch(
    make_grid: Callable[..., Grid], load: Callable[..., Method], monkeypatch: pytest.MonkeyPatch
) -> None:
    grid, crater = make_grid(128), Crater(5, "A", 20, 10, 60e3)
    mosaic, _ = painted(grid, crater)
    whole = load("two-stage", mosaic, crater, **STAND_INS["two-stage"]).predict(crater)
    monkeypatch.setattr(batches, "BATCH", 7)
    monkeypatch.setattr(two_stage, "_BATCHES", 3)
    parts = load("two-stage", mosaic, crater, **STAND_INS["two-stage"]).predict(crater)
    assert np.array_equal(
        whole.probability(whole.window), parts.probability(parts.window), equal_nan=True
    )
    assert whole.connections.equals(parts.connections)
