"""A vote that stops early says what the full vote says."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from torch import Tensor

from ejectamap.networks.vote import Voter, vote, votes_needed


def voters_of(answers: np.ndarray, seen: list[int]) -> list[Voter]:
    """Voters (a column each) who find their answer by the picture's number, and note how many they saw."""

    def voter(column: np.ndarray) -> Voter:
        def ask(pictures: Tensor) -> Tensor:
            seen.append(len(pictures))
            return torch.from_numpy(column[pictures[:, 0, 0, 0].long().numpy()])

        return ask

    return [voter(column) for column in answers.T]


@given(
    pictures=st.integers(1, 40),
    voters=st.integers(1, 12),
    threshold=st.floats(0.01, 1.0),
    batch=st.integers(1, 9),
    seed=st.integers(0, 2**32),
)
def test_the_outcome_is_the_full_votes(
    pictures: int, voters: int, threshold: float, batch: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    answers = rng.beta(0.5, 0.5, (pictures, voters)).astype(np.float32)
    numbers = torch.arange(pictures).float().reshape(-1, 1, 1, 1)
    seen: list[int] = []
    found = vote(voters_of(answers, seen), numbers, threshold, batch)
    full = (answers > 0.5).sum(axis=1)
    assert np.array_equal(found.yes, full >= votes_needed(threshold, voters))
    assert max(seen) <= batch
    assert sum(seen) == found.asked.sum()
    for k in range(pictures):
        heard = answers[k, : found.asked[k]]
        assert found.votes[k] == (heard > 0.5).sum()
        assert found.score[k] == pytest.approx(heard.mean(), abs=1e-5)
        # Nobody was asked in vain: one voter earlier it was still open.
        before = (heard[:-1] > 0.5).sum()
        left = voters - found.asked[k] + 1
        assert before < votes_needed(threshold, voters) <= before + left


@pytest.mark.parametrize(
    ("threshold", "voters", "needed"),
    [(0.5, 10, 5), (0.5, 3, 2), (0.55, 20, 11), (0.7, 10, 7), (1.0, 4, 4), (0.01, 5, 1)],
)
def test_votes_needed(threshold: float, voters: int, needed: int) -> None:
    assert votes_needed(threshold, voters) == needed


def test_ten_voters_and_a_half() -> None:
    """Five yes or six no decide."""
    answers = np.array([[1.0] * 10, [0.0] * 10, [0, 1] * 5], np.float32)
    found = vote(voters_of(answers, []), torch.arange(3.0).reshape(-1, 1, 1, 1), 0.5, 16)
    assert found.asked.tolist() == [5, 6, 10]
    assert found.yes.tolist() == [True, False, True]
