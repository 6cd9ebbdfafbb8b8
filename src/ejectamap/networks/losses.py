"""Losses by name, with weights of samples and of pixels. All are binary, take logits and compute in float32.

A weight is a multiplicity: a sample or pixel of weight 0 is ignored, one of weight 2 counts twice. To add a loss,
write a function that returns a `Loss` and add its name to `_LOSSES`.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from scipy.ndimage import binary_dilation
from skimage.morphology import skeletonize
from torch import Tensor, nn

from ejectamap.errors import SettingsError, unknown_name

TINY = torch.finfo(torch.float32).tiny
"""Lower limit of a sum of weights in a denominator."""


class Loss(Protocol):
    """A function whose scalar result a training minimises."""

    def __call__(
        self,
        logits: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Compute the loss of a batch.

        Parameters
        ----------
        logits : Tensor
            (n,) or (n, h, w).
        target : Tensor
            Same shape; 0 or 1 (any dtype); any value where the mask is 0.
        weight : Tensor, optional
            (n,), at least 0: weight of each sample; 1 by default.
        mask : Tensor, optional
            Same shape as the logits, bool or at least 0: weight of each pixel, 0 where the target is unknown;
            1 by default.

        Returns
        -------
        Tensor
            Scalar, float32; 0 (with a gradient of 0) if everything has weight 0.
        """
        ...


def weighted(value: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Loss:
    """Turn a function of logits, target and weight of each pixel, all float32, into a `Loss`.

    Where the weight is 0 the function gets a target of 0.
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


def focal(alpha: float = 0.1, gamma: float = 2.0) -> Loss:
    """Focal loss (Lin et al. 2017, arXiv:1708.02002), the weighted mean over samples and pixels.

    Parameters
    ----------
    alpha : float
        Weight of the *positive* class (connected, ejecta), 0..1; the weight of the negative class is 1 - alpha. With
        the poster's 0.1 the loss of a false positive is nine times that of a false negative. (The docstring of smp's
        class calls alpha the prior probability of the positive class; its code multiplies by alpha where the target
        is 1, as in the paper.)
    gamma : float
        The greater, the less correctly classified pixels count; 0 is cross-entropy.
    """
    elementwise = smp.losses.FocalLoss("binary", alpha=alpha, gamma=gamma, reduction="none")
    return _mean(lambda logits, target: elementwise(logits, target).reshape(logits.shape))


def bce() -> Loss:
    """Binary cross-entropy, the weighted mean over samples and pixels."""
    return _mean(
        lambda logits, target: F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    )


def dice(smooth: float = 0.0) -> Loss:
    """1 - Dice coefficient (F1) over all pixels of the batch, weighted.

    The loss of a batch whose target is 0 everywhere is 0, as in smp.

    Parameters
    ----------
    smooth : float
        Added to numerator and denominator, in pixels.
    """
    return _overlap(smp.losses.DiceLoss("binary", from_logits=False, smooth=smooth))


def jaccard(smooth: float = 0.0) -> Loss:
    """1 - Jaccard index (IoU) over all pixels of the batch, weighted; otherwise as `dice`."""
    return _overlap(smp.losses.JaccardLoss("binary", from_logits=False, smooth=smooth))


def skeleton() -> Loss:
    """1 - soft recall of the target's centre lines, five pixels wide (Kirchhoff et al. 2024, arXiv:2404.03010); 0 to 1.

    A missed part of a ray adds in proportion to its length, whatever its width. False positives do not add to this
    loss: combine it with another one, as in dice-bce-skeleton. It is 0 for a batch whose target is 0 everywhere.
    """

    def value(logits: Tensor, target: Tensor, counts: Tensor) -> Tensor:
        _require_images("skeleton", logits)
        lines = counts * _wide_skeleton(target)
        recall = (lines * logits.sigmoid()).sum() / lines.sum().clamp_min(TINY)
        return (1 - recall) * (lines.sum() > 0)

    return weighted(value)


_LOSSES: dict[str, Callable[..., Loss]] = {
    "bce": bce,
    "focal": focal,
    "dice": dice,
    "jaccard": jaccard,
    "skeleton": skeleton,
}


def build_loss(name: str, **parameters: float) -> Loss:
    """Build a loss by its name, or a sum of several by their names joined by hyphens, as in dice-bce.

    Parameters
    ----------
    name : str
        bce, focal, dice, jaccard, skeleton, or a sum of some.
    **parameters : float
        Arguments of these losses. Each is passed to every one of them that takes it.

    Raises
    ------
    SettingsError
        If there is no such loss, or none of them takes such a parameter.
    """
    factories = []
    for part in name.lower().split("-"):
        if part not in _LOSSES:
            raise unknown_name("loss", part, _LOSSES)
        factories.append((_LOSSES[part], set(inspect.signature(_LOSSES[part]).parameters)))
    known = set().union(*(names for _, names in factories))
    for parameter in parameters:
        if parameter not in known:
            names = ", ".join(sorted(known)) or "none"
            raise SettingsError(f"loss {name} has no parameter {parameter!r}: it takes {names}")
    losses = [
        factory(**{k: v for k, v in parameters.items() if k in own}) for factory, own in factories
    ]
    return losses[0] if len(losses) == 1 else _sum(losses)


def _sum(losses: Sequence[Loss]) -> Loss:
    """Sum of several losses, such as dice-bce, in which cross-entropy keeps the probabilities calibrated."""

    def loss(
        logits: Tensor, target: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        return torch.stack([part(logits, target, weight, mask) for part in losses]).sum()

    return loss


def _mean(elementwise: Callable[[Tensor, Tensor], Tensor]) -> Loss:
    """Weighted mean of an elementwise loss."""

    def value(logits: Tensor, target: Tensor, counts: Tensor) -> Tensor:
        total = (elementwise(logits, target) * counts).sum()
        return total / counts.sum().clamp_min(TINY)

    return weighted(value)


def _overlap(score: nn.Module) -> Loss:
    """Weighted version of smp's overlap losses: weighting prediction and target weights each of their sums."""

    def value(logits: Tensor, target: Tensor, counts: Tensor) -> Tensor:
        n = len(logits)
        prediction = (logits.sigmoid() * counts).reshape(n, 1, -1)
        result: Tensor = score(prediction, (target * counts).reshape(n, 1, -1))
        return result

    return weighted(value)


def _require_images(name: str, logits: Tensor) -> None:
    if logits.ndim < 3:
        raise SettingsError(
            f"loss {name} needs one logit per pixel: choose another one for networks with one logit per picture"
        )


def _wide_skeleton(target: Tensor) -> Tensor:
    """Centre lines of masks (n, h, w), widened by two pixels on each side, but within the masks."""
    lines = [
        binary_dilation(skeletonize(truth), iterations=2) & truth
        for truth in target.detach().cpu().numpy() > 0.5
    ]
    return torch.from_numpy(np.stack(lines)).to(target)
