"""How much each pair counts."""

import numpy as np
import pytest

from ejectamap.project.fitting import Connection
from ejectamap.training.pairs import Pair
from ejectamap.training.weights import connection_weights, share_weight
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Window

PAIRS = [
    Pair(Crater(1, "A", 0, 0, 1e4), k, Window(0, 0, 4, 4), 1e5 * k, k == 0, 1.0) for k in range(5)
]


def test_share_weight_is_the_published_one() -> None:
    assert share_weight(10) == pytest.approx(0.95, abs=1e-3)
    assert share_weight(1) == pytest.approx(1 / (1 + np.exp(-0.294)))
    assert share_weight(2) > share_weight(1)
    assert share_weight(np.inf) == 1


def test_pairs_weigh_the_same_if_not_told_otherwise() -> None:
    assert connection_weights(PAIRS, Connection()) == [1.0] * 5
    assert connection_weights([], Connection(balance_weights=True, distance_weight=1)) == []


def test_classes_weigh_inversely_to_their_size() -> None:
    weights = connection_weights(PAIRS, Connection(balance_weights=True))
    assert weights == pytest.approx([2.5, *[0.625] * 4])
    assert weights[0] == pytest.approx(sum(weights[1:]))


def test_far_pairs_weigh_more() -> None:
    weights = connection_weights(PAIRS, Connection(distance_weight=2.0))
    assert weights == pytest.approx([1, 1.5, 2, 2.5, 3])
    both = connection_weights(PAIRS, Connection(distance_weight=2.0, balance_weights=True))
    assert both == pytest.approx(np.array(weights) * [2.5, *[0.625] * 4])
