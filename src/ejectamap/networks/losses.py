"""Losses by name, with weights for samples and for pixels; all are binary, of logits, in float32."""

import inspect
from collections.abc import Callable, Sequence

import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ejectamap.errors import SettingsError
from ejectamap.networks.loss_weights import TINY, Loss, weighted
from ejectamap.networks.names import unknown_name
from ejectamap.networks.structure_losses import boundary, cldice, skeleton

__all__ = ["Loss", "build_loss"]


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


def tversky(alpha: float = 0.3, beta: float = 0.7, gamma: float = 1.0) -> Loss:
    """1 - Tversky index of the whole batch (Salehi et al. 2017, arXiv:1706.05721); else as `dice`.

    The index is tp / (tp + alpha fp + beta fn), 0 to 1; alpha = beta = 0.5 is Dice.

    Parameters
    ----------
    alpha : float
        Price of a false pixel.
    beta : float
        Price of a missed pixel; above alpha it buys recall, such as faint rays, with precision.
    gamma : float
        Power of the loss; 0.75 is the focal Tversky loss (Abraham and Khan 2018, arXiv:1810.07842).
    """
    score = smp.losses.TverskyLoss("binary", from_logits=False, alpha=alpha, beta=beta)
    return _overlap(score, gamma)


def lovasz() -> Loss:
    """Lovász hinge of the Jaccard loss, the whole batch together (Berman et al. 2018, arXiv:1705.08790); 0 or more.

    As smp's, but weighted: a pixel of weight 2 stands twice in the sorted list of errors. It is 0
    where every logit is right by 1 or more; a batch without any target costs its worst error.
    """

    def value(logits: Tensor, target: Tensor, counts: Tensor) -> Tensor:
        errors = F.relu(1 - logits * (2 * target - 1)) * (counts > 0)
        errors, order = errors.flatten().sort(descending=True)
        counts, target = counts.flatten()[order], target.flatten()[order]
        true = (counts * target).sum()
        missed, false = (counts * target).cumsum(0), (counts * (1 - target)).cumsum(0)
        jaccard = 1 - (true - missed) / (true + false).clamp_min(TINY)
        steps = jaccard.diff(prepend=jaccard.new_zeros(1))
        return (errors * steps).sum() * (counts.sum() > 0)

    return weighted(value)


_LOSSES: dict[str, Callable[..., Loss]] = {
    "bce": bce,
    "focal": focal,
    "dice": dice,
    "jaccard": jaccard,
    "tversky": tversky,
    "lovasz": lovasz,
    "cldice": cldice,
    "skeleton": skeleton,
    "boundary": boundary,
}


def build_loss(name: str, **parameters: float) -> Loss:
    """Look a loss up by its name, or the sum of several by their names joined by hyphens, as in dice-bce.

    Parameters
    ----------
    name : str
        bce, focal, dice, jaccard, tversky, lovasz, cldice, skeleton, boundary, or a sum of some.
    **parameters : float
        Arguments of those losses; one that several of them know goes to each of these.

    Raises
    ------
    SettingsError
        If there is no such loss, or none of them has such a parameter.
    """
    makers = []
    for part in name.lower().split("-"):
        if part not in _LOSSES:
            raise unknown_name("loss", part, _LOSSES)
        makers.append((_LOSSES[part], set(inspect.signature(_LOSSES[part]).parameters)))
    known = set().union(*(names for _, names in makers))
    for parameter in parameters:
        if parameter not in known:
            names = ", ".join(sorted(known)) or "none"
            raise SettingsError(f"loss {name} has no parameter {parameter!r}: it takes {names}")
    losses = [make(**{k: v for k, v in parameters.items() if k in own}) for make, own in makers]
    return losses[0] if len(losses) == 1 else _sum(losses)


def _sum(losses: Sequence[Loss]) -> Loss:
    """Sum of several, as dice-bce: the overlap drives, the cross-entropy keeps probabilities honest."""

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


def _overlap(score: nn.Module, gamma: float = 1.0) -> Loss:
    """Weighted version of a loss of sums, to some power: weighting both pictures weights every sum in it."""

    def value(logits: Tensor, target: Tensor, counts: Tensor) -> Tensor:
        n = len(logits)
        answer = (logits.sigmoid() * counts).reshape(n, 1, -1)
        result: Tensor = score(answer, (target * counts).reshape(n, 1, -1))
        if gamma == 1:
            return result
        # The slope of a broken power is infinite at 0, where nothing is left to learn.
        return torch.where(result > 0, result.clamp_min(TINY) ** gamma, 0.0 * result)

    return weighted(value)
