"""The vote of several networks about the same pictures, which stops for each picture as soon as it is decided."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Voter = Callable[[Tensor], Tensor]
"""From a batch of pictures to the probability of a yes, (n,)."""


@dataclass(frozen=True)
class Vote:
    """What the networks said of n pictures.

    Attributes
    ----------
    score : float32 array (n,)
        Mean probability over the networks that were asked, in [0, 1].
    votes : int array (n,)
        How many of those said yes (probability above 0.5).
    asked : int array (n,)
        How many networks were asked before the outcome was certain.
    yes : bool array (n,)
        The outcome: that of the full vote, always.
    """

    score: npt.NDArray[np.float32]
    votes: npt.NDArray[np.int64]
    asked: npt.NDArray[np.int64]
    yes: npt.NDArray[np.bool_]


def votes_needed(threshold: float, voters: int) -> int:
    """Votes that make a yes: the smallest count that is at least that share of the voters."""
    # Less a hair: 0.55 x 20 is more than 11 in floating point.
    return max(1, math.ceil(threshold * voters - 1e-9))


def vote(voters: Sequence[Voter], pictures: Tensor, threshold: float, batch: int) -> Vote:
    """Ask one network after another, each only about the pictures that are still undecided.

    With ten networks and a threshold of a half five yes or six no decide: nobody else is asked.

    Parameters
    ----------
    voters : sequence of callables
        From pictures (k, c, h, w) to probabilities (k,).
    pictures : Tensor
        (n, c, h, w).
    threshold : float
        Share of all voters that makes a yes, in (0, 1].
    batch : int
        Pictures that a network sees at once.
    """
    needed = votes_needed(threshold, len(voters))
    total = torch.zeros(len(pictures))
    votes = torch.zeros(len(pictures), dtype=torch.int64)
    asked = torch.zeros(len(pictures), dtype=torch.int64)
    for place, voter in enumerate(voters):
        left = len(voters) - place
        (undecided,) = torch.where((votes < needed) & (votes + left >= needed))
        everyone = len(undecided) == len(pictures)
        for start in range(0, len(undecided), batch):
            some = undecided[start : start + batch]
            # While all are undecided they are read where they lie: pictures are large.
            shown = pictures[start : start + batch] if everyone else pictures[some]
            answers = voter(shown)
            total[some] += answers
            votes[some] += answers > 0.5
            asked[some] += 1
    score = (total / asked.clamp(min=1)).numpy()
    return Vote(score, votes.numpy(), asked.numpy(), (votes >= needed).numpy())
