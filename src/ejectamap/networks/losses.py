"""Losses by name, with weights for samples and for pixels; all are binary, of logits, in float32.

A weight is a multiplicity: a sample or pixel of weight 0 does not count, one of weight 2 counts twice.
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
"""Lower bound of a sum of weights that anything is divided by."""


class Loss(Protocol):
    """A scalar to be minimised."""

    def __call__(
        self,
        logits: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Compare logits with their target.

        Parameters
        ----------
        logits : Tensor
            (n,) or (n, h, w).
        target : Tensor
            Same shape; 0 or 1 (any dtype); any value where the mask is 0.
        weight : Tensor, optional
            (n,), at least 0: weight of each sample; 1 by default.
        mask : Tensor, optional
            Same shape as the logits, bool or at least 0: where the target is known, or how much
            ground area each pixel represents; 1 by default.

        Returns
        -------
        Tensor
            Scalar, float32; 0 (with a gradient of 0) if everything has weight 0.
        """
        ...


def weighted(value: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Loss:
    """Make a loss of a function of logits, target and weight of each pixel, all float32.

    The function gets a target of 0 where the weight is 0.
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
        Weight of the *positive* class (connected, ejecta), 0..1; the negative class weighs 1 -
        alpha. With the poster's 0.1 a false connection costs nine times as much as a missed one. (The
        docstring of smp's class calls alpha the prior probability of the positive class; its code
        multiplies by alpha where the target is 1, as in the paper.)
    gamma : float
        How much less pixels count that are already right; 0 is cross-entropy.
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


def skeleton() -> Loss:
    """1 - soft recall of the target's centre lines, five pixels wide (Kirchhoff et al. 2024, arXiv:2404.03010); 0 to 1.

    A missed length of ray costs the same however wide the ray is. False positives cost nothing: use it
    beside another loss, as in dice-bce-skeleton. A batch without any target costs nothing.
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
    """Build a loss by its name, or the sum of several by their names joined by hyphens, as in dice-bce.

    Parameters
    ----------
    name : str
        bce, focal, dice, jaccard, skeleton, or a sum of some.
    **parameters : float
        Arguments of those losses; one that several of them have goes to each of these.

    Raises
    ------
    SettingsError
        If there is no such loss, or none of them has such a parameter.
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
    """Sum of several, as dice-bce: the first raises overlap, cross-entropy keeps probabilities calibrated."""

    def loss(
        logits: Tensor, target: Tensor, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        return torch.stack([part(logits, target, weight, mask) for part in losses]).sum()

    return loss


def _mean(elementwise: Callable[[Tensor, Tensor], Tensor]) -> Loss:
    """Weighted mean of a loss of single pixels."""

    def value(logits: Tensor, target: Tensor, counts: Tensor) -> Tensor:
        total = (elementwise(logits, target) * counts).sum()
        return total / counts.sum().clamp_min(TINY)

    return weighted(value)


def _overlap(score: nn.Module) -> Loss:
    """Weighted version of a loss of sums: weighting prediction and target weights every sum in it."""

    def value(logits: Tensor, target: Tensor, counts: Tensor) -> Tensor:
        n = len(logits)
        prediction = (logits.sigmoid() * counts).reshape(n, 1, -1)
        result: Tensor = score(prediction, (target * counts).reshape(n, 1, -1))
        return result

    return weighted(value)


def _require_images(name: str, logits: Tensor) -> None:
    if logits.ndim < 3:
        raise SettingsError(
            f"loss {name} is of images: choose another one for networks with one logit a picture"
        )


def _wide_skeleton(target: Tensor) -> Tensor:
    """Centre lines of masks (n, h, w), widened by two pixels as far as the masks go."""
    tubes = [
        binary_dilation(skeletonize(truth), iterations=2) & truth
        for truth in target.detach().cpu().numpy() > 0.5
    ]
    return torch.from_numpy(np.stack(tubes)).to(target)
