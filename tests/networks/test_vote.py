"""A vote that ends early has the outcome of the full vote."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from torch import Tensor

from ejectamap.networks.vote import Classifier, vote, votes_needed


def make_classifiers(probabilities: np.ndarray, batch_sizes: list[int]) -> list[Classifier]:
    """Classifiers, one for each column, that look up a picture's probability by its number, and log batch sizes."""

    def make(column: np.ndarray) -> Classifier:
        def classify(pictures: Tensor) -> Tensor:
            batch_sizes.append(len(pictures))
            return torch.from_numpy(column[pictures[:, 0, 0, 0].long().numpy()])

        return classify

    return [make(column) for column in probabilities.T]


@given(
    pictures=st.integers(1, 40),
    networks=st.integers(1, 12),
    threshold=st.floats(0.01, 1.0),
    batch=st.integers(1, 9),
    seed=st.integers(0, 2**32),
)
def test_the_outcome_is_that_of_the_full_vote(
    pictures: int, networks: int, threshold: float, batch: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.beta(0.5, 0.5, (pictures, networks)).astype(np.float32)
    numbers = torch.arange(pictures).float().reshape(-1, 1, 1, 1)
    batch_sizes: list[int] = []
    result = vote(make_classifiers(probabilities, batch_sizes), numbers, threshold, batch)
    full = (probabilities > 0.5).sum(axis=1)
    assert np.array_equal(result.positive, full >= votes_needed(threshold, networks))
    assert max(batch_sizes) <= batch
    assert sum(batch_sizes) == result.evaluated.sum()
    for k in range(pictures):
        used = probabilities[k, : result.evaluated[k]]
        assert result.votes[k] == (used > 0.5).sum()
        assert result.score[k] == pytest.approx(used.mean(), abs=1e-5)
        # No network was evaluated needlessly: before the last one the outcome was uncertain.
        before = (used[:-1] > 0.5).sum()
        remaining = networks - result.evaluated[k] + 1
        assert before < votes_needed(threshold, networks) <= before + remaining


@pytest.mark.parametrize(
    ("threshold", "networks", "needed"),
    [(0.5, 10, 5), (0.5, 3, 2), (0.55, 20, 11), (0.7, 10, 7), (1.0, 4, 4), (0.01, 5, 1)],
)
def test_votes_needed(threshold: float, networks: int, needed: int) -> None:
    assert votes_needed(threshold, networks) == needed


def test_ten_networks_and_a_threshold_of_a_half() -> None:
    """Five votes for or six against decide."""
    probabilities = np.array([[1.0] * 10, [0.0] * 10, [0, 1] * 5], np.float32)
    classifiers = make_classifiers(probabilities, [])
    result = vote(classifiers, torch.arange(3.0).reshape(-1, 1, 1, 1), 0.5, 16)
    assert result.evaluated.tolist() == [5, 6, 10]
    assert result.positive.tolist() == [True, False, True]
