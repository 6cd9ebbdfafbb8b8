"""What every loss has in common: samples and pixels that count more, less, or not at all.

A weight says how often something counts: a sample or pixel of weight 0 might as well not be there,
and one of weight 2 counts as if it were there twice.
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

TINY = torch.finfo(torch.float32).tiny
"""What a sum of weights is raised to before anything is divided by it."""


class Loss(Protocol):
    """A scalar to be minimised."""

    def __call__(
        self,
        logits: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Compare logits with what should have come out.

        Parameters
        ----------
        logits : Tensor
            (n,) or (n, h, w).
        target : Tensor
            Same shape; 0 or 1 (any dtype), or anything at all where the mask is 0.
        weight : Tensor, optional
            (n,), at least 0: weight of each sample; 1 by default.
        mask : Tensor, optional
            Same shape as the logits, bool or at least 0: where the target is known, or how much
            ground each pixel stands for; 1 by default.

        Returns
        -------
        Tensor
            Scalar, float32; 0 (with a gradient of 0) if everything has weight 0.
        """
        ...


def weighted(value: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Loss:
    """Make a loss of a function of logits, target and what each pixel counts for, all float32.

    The target comes to it as 0 where nothing counts.
    """

    def loss(
        logits: Tensor, target: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        counts = torch.ones_like(logits, dtype=torch.float32)
        if mask is not None:
            counts = counts * mask
        if weight is not None:
            counts = counts * weight.reshape(-1, *[1] * (logits.ndim - 1))
        return value(logits.float(), target.float().where(counts > 0, 0.0), counts)

    return loss
