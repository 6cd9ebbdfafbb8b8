"""Losses of pictures that see lines and edges where others see single pixels."""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import binary_dilation, distance_transform_edt
from skimage.morphology import skeletonize
from torch import Tensor

from ejectamap.errors import SettingsError
from ejectamap.networks.loss_weights import TINY, Loss, weighted


def cldice(iterations: int = 5) -> Loss:
    """1 - soft clDice of the whole batch together (Shit et al. 2021, arXiv:2003.07311); 0 to 1.

    Harmonic mean of how much of the answer's centre lines lies in the target, and of the target's
    in the answer: a gap in a thin ray is as dear as one in a thick one. Hidden ground counts as
    empty in both. A batch without any target costs nothing. Use it beside another loss.

    Parameters
    ----------
    iterations : int
        Half-width, in pixels, of the widest ray whose centre line is found.
    """

    def value(logits: Tensor, target: Tensor, counts: Tensor) -> Tensor:
        _check_pictures("cldice", logits)
        answer = logits.sigmoid() * (counts > 0)
        answer_lines = counts * _soft_skeleton(answer, iterations)
        target_lines = counts * _soft_skeleton(target, iterations)
        precision = (answer_lines * target).sum() / answer_lines.sum().clamp_min(TINY)
        recall = (target_lines * answer).sum() / target_lines.sum().clamp_min(TINY)
        cl_dice = 2 * precision * recall / (precision + recall).clamp_min(TINY)
        return (1 - cl_dice) * (target_lines.sum() > 0)

    return weighted(value)


def skeleton() -> Loss:
    """1 - soft recall of the target's centre lines, five pixels wide (Kirchhoff et al. 2024, arXiv:2404.03010); 0 to 1.

    A missed length of ray costs the same however wide the ray is. False ejecta cost nothing: use it
    beside another loss, as in dice-bce-skeleton. A batch without any target costs nothing.
    """

    def value(logits: Tensor, target: Tensor, counts: Tensor) -> Tensor:
        _check_pictures("skeleton", logits)
        lines = counts * _wide_skeleton(target)
        recall = (lines * logits.sigmoid()).sum() / lines.sum().clamp_min(TINY)
        return (1 - recall) * (lines.sum() > 0)

    return weighted(value)


def boundary() -> Loss:
    """Wrong pixels weighted by their distance to the target's edge, over the sum of those weights; 0 to 1.

    The boundary loss (Kervadec et al. 2019, arXiv:1812.07032), shifted so that a perfect answer
    costs 0. Alone it is content with an empty answer: use it beside another, as in dice-boundary.
    Distances are in pixels of the picture; a picture without an edge weighs all its pixels 1.
    """

    def value(logits: Tensor, target: Tensor, counts: Tensor) -> Tensor:
        _check_pictures("boundary", logits)
        weights = counts * _edge_distance_px(target)
        wrong = (logits.sigmoid() - target).abs()
        return (weights * wrong).sum() / weights.sum().clamp_min(TINY)

    return weighted(value)


def _check_pictures(name: str, logits: Tensor) -> None:
    if logits.ndim < 3:
        raise SettingsError(
            f"loss {name} is of pictures: choose another one for networks that answer yes or no"
        )


def _soft_skeleton(picture: Tensor, iterations: int) -> Tensor:
    """Centre lines of soft masks (n, h, w): what each opening by a cross removes, step by step thinner."""
    lines = F.relu(picture - _dilate(_erode(picture)))
    for _ in range(iterations):
        picture = _erode(picture)
        removed = F.relu(picture - _dilate(_erode(picture)))
        lines = lines + F.relu(removed - lines * removed)
    return lines


def _wide_skeleton(target: Tensor) -> Tensor:
    """Centre lines of masks (n, h, w), widened by two pixels as far as the masks go."""
    tubes = [
        binary_dilation(skeletonize(truth), iterations=2) & truth
        for truth in target.detach().cpu().numpy() > 0.5
    ]
    return torch.from_numpy(np.stack(tubes)).to(target)


def _erode(picture: Tensor) -> Tensor:
    """Least of each pixel and its four neighbours."""
    upright = F.max_pool2d(-picture, (3, 1), 1, (1, 0))
    level = F.max_pool2d(-picture, (1, 3), 1, (0, 1))
    return -torch.maximum(upright, level)


def _dilate(picture: Tensor) -> Tensor:
    """Greatest of each pixel and its eight neighbours."""
    return F.max_pool2d(picture, 3, 1, 1)


def _edge_distance_px(target: Tensor) -> Tensor:
    """Distance of each pixel to the nearest one of the other kind, at least 1; (n, h, w)."""
    distances = []
    for truth in target.detach().cpu().numpy() > 0.5:
        if truth.all() or not truth.any():
            distances.append(np.ones(truth.shape))
        else:
            distances.append(distance_transform_edt(truth) + distance_transform_edt(~truth))
    return torch.from_numpy(np.stack(distances)).to(target)
