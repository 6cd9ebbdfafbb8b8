"""Majority vote of several networks on each picture, which ends as soon as the outcome is certain."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Classifier = Callable[[Tensor], Tensor]
"""From a batch of pictures (n, c, h, w) to probabilities (n,)."""


@dataclass(frozen=True)
class Vote:
    """Outcome of a vote on n pictures.

    Attributes
    ----------
    score : float32 array (n,)
        Mean probability over the networks that were evaluated, in [0, 1].
    votes : int array (n,)
        Number of those whose probability is above 0.5.
    evaluated : int array (n,)
        Number of networks that were evaluated before the outcome was certain.
    positive : bool array (n,)
        The outcome, which is always that of the vote of all networks.
    """

    score: npt.NDArray[np.float32]
    votes: npt.NDArray[np.int64]
    evaluated: npt.NDArray[np.int64]
    positive: npt.NDArray[np.bool_]


def votes_needed(threshold: float, networks: int) -> int:
    """The smallest number of votes, but at least 1, that is at least a fraction `threshold` of the networks."""
    # The tolerance is for rounding errors: 0.55 x 20 is greater than 11 in floating point.
    return max(1, math.ceil(threshold * networks - 1e-9))


def vote(classifiers: Sequence[Classifier], pictures: Tensor, threshold: float, batch: int) -> Vote:
    """Evaluate the networks one after another, each only on the pictures that are still undecided.

    With ten networks and a threshold of 0.5, five votes for or six against a picture decide.

    Parameters
    ----------
    classifiers : sequence of callables
        The networks.
    pictures : Tensor
        (n, c, h, w).
    threshold : float
        Fraction of all networks that makes a picture positive, in (0, 1].
    batch : int
        Number of pictures that are evaluated together.
    """
    needed = votes_needed(threshold, len(classifiers))
    total = torch.zeros(len(pictures))
    votes = torch.zeros(len(pictures), dtype=torch.int64)
    evaluated = torch.zeros(len(pictures), dtype=torch.int64)
    for number, classifier in enumerate(classifiers):
        remaining = len(classifiers) - number
        (undecided,) = torch.where((votes < needed) & (votes + remaining >= needed))
        all_undecided = len(undecided) == len(pictures)
        for start in range(0, len(undecided), batch):
            indices = undecided[start : start + batch]
            # A slice, where possible, avoids a copy of the pictures.
            inputs = pictures[start : start + batch] if all_undecided else pictures[indices]
            probabilities = classifier(inputs)
            total[indices] += probabilities
            votes[indices] += probabilities > 0.5
            evaluated[indices] += 1
    score = (total / evaluated.clamp(min=1)).numpy()
    return Vote(score, votes.numpy(), evaluated.numpy(), (votes >= needed).numpy())
