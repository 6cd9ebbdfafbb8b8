"""Losses by name, with weights for samples and for pixels.

All are binary, of logits, in float32. A weight says how often something counts: a sample or pixel
of weight 0 might as well not be there, and one of weight 2 counts as if it were there twice.
"""

import inspect
from collections.abc import Callable
from typing import Protocol

import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ejectamap.errors import SettingsError
from ejectamap.networks.names import unknown_name


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


def focal(alpha: float = 0.1, gamma: float = 2.0) -> Loss:
    """Focal loss (Lin et al. 2017, arXiv:1708.02002), the weighted mean over samples and pixels.

    Parameters
    ----------
    alpha : float
        Weight of the *positive* class (connected, ejecta), 0..1; the negative class weighs 1 -
        alpha. With the poster's 0.1 a false connection is nine times as dear as a missed one. (The
        docstring of smp's class calls alpha the prior probability of the positive class; its code
        multiplies by alpha where the target is 1, as in the paper.)
    gamma : float
        How much less the pixels count that are right already; 0 is cross-entropy.
    """
    elementwise = smp.losses.FocalLoss("binary", alpha=alpha, gamma=gamma, reduction="none")
    return _mean(lambda logits, target: elementwise(logits, target).reshape(logits.shape))


def bce() -> Loss:
    """Binary cross-entropy, the weighted mean over samples and pixels."""
    return _mean(
        lambda logits, target: F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    )


def dice(smooth: float = 0.0) -> Loss:
    """1 - Dice (F1) of the whole batch taken together, each pixel counted by its weight.

    A batch without any target has no Dice: its loss is 0, as in smp.

    Parameters
    ----------
    smooth : float
        Added to both sides of the fraction, in pixels.
    """
    return _overlap(smp.losses.DiceLoss("binary", from_logits=False, smooth=smooth))


def jaccard(smooth: float = 0.0) -> Loss:
    """1 - Jaccard (IoU) of the whole batch taken together; else as `dice`."""
    return _overlap(smp.losses.JaccardLoss("binary", from_logits=False, smooth=smooth))


def dice_bce() -> Loss:
    """Sum of `dice` and `bce`: the overlap drives, the cross-entropy keeps probabilities honest and gradients alive."""
    overlap, entropy = dice(), bce()

    def loss(
        logits: Tensor, target: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        return overlap(logits, target, weight, mask) + entropy(logits, target, weight, mask)

    return loss


_LOSSES: dict[str, Callable[..., Loss]] = {
    "focal": focal,
    "dice": dice,
    "bce": bce,
    "jaccard": jaccard,
    "dice-bce": dice_bce,
}


def build_loss(name: str, **parameters: float) -> Loss:
    """Look a loss up by its name: focal (alpha, gamma), dice (smooth), bce, jaccard (smooth), dice-bce.

    Raises
    ------
    SettingsError
        If there is no such loss, or it has no such parameter.
    """
    if name.lower() not in _LOSSES:
        raise unknown_name("loss", name, _LOSSES)
    make = _LOSSES[name.lower()]
    known = inspect.signature(make).parameters
    for parameter in parameters:
        if parameter not in known:
            names = ", ".join(known) or "none"
            raise SettingsError(f"loss {name} has no parameter {parameter!r}: it takes {names}")
    return make(**parameters)


def _mean(elementwise: Callable[[Tensor, Tensor], Tensor]) -> Loss:
    """Weighted mean of a loss of single pixels."""

    def loss(
        logits: Tensor, target: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        counts, target = _prepare(logits, target, weight, mask)
        total = (elementwise(logits.float(), target) * counts).sum()
        return total / counts.sum().clamp_min(torch.finfo(torch.float32).tiny)

    return loss


def _overlap(score: nn.Module) -> Loss:
    """Weighted version of a loss of sums: weighting both pictures weights every sum in it."""

    def loss(
        logits: Tensor, target: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        counts, target = _prepare(logits, target, weight, mask)
        n = len(logits)
        weighted = (logits.float().sigmoid() * counts).reshape(n, 1, -1)
        result: Tensor = score(weighted, (target * counts).reshape(n, 1, -1))
        return result

    return loss


def _prepare(
    logits: Tensor, target: Tensor, weight: Tensor | None, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Weight of every pixel, and a target that is 0 where nothing counts; both float32."""
    counts = torch.ones_like(logits, dtype=torch.float32)
    if mask is not None:
        counts = counts * mask
    if weight is not None:
        counts = counts * weight.reshape(-1, *[1] * (logits.ndim - 1))
    return counts, target.float().where(counts > 0, 0.0)
