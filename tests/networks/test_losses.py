"""Losses: values by hand and against smp's and torch's, weights and masks, names and parameters."""

import math

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F

from ejectamap.errors import SettingsError
from ejectamap.networks.losses import build_loss

NAMES = ["focal", "dice", "bce", "jaccard", "dice-bce"]


def logit(p):
    return torch.logit(torch.tensor(p, dtype=torch.float64)).float()


def chips(n=4, h=5, w=6):
    return torch.randn(n, h, w), torch.randint(0, 2, (n, h, w))


def ray(n=2, h=12, w=16):
    """A ray three pixels wide down each picture."""
    target = torch.zeros(n, h, w)
    target[:, :, 5:8] = 1
    return target


def saturated_logits(target, size=30.0):
    """Logits whose probabilities are almost exactly those of a mask."""
    return (2 * target - 1) * size


def test_focal_by_hand():
    # alpha weighs the positive class: 0.1 (1 - 0.8)^2 ln(1/0.8); 0.9 (0.3)^2 ln(1/0.7)
    expected = (0.1 * 0.2**2 * -math.log(0.8) + 0.9 * 0.3**2 * -math.log(0.7)) / 2
    loss = build_loss("focal")(logit([0.8, 0.3]), torch.tensor([1, 0]))
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_the_focal_loss_of_a_false_positive_is_nine_times_that_of_a_false_negative():
    loss = build_loss("focal", alpha=0.1, gamma=2.0)
    false = loss(logit([0.9]), torch.tensor([0]))
    missed = loss(logit([0.1]), torch.tensor([1]))
    assert (false / missed).item() == pytest.approx(9, rel=1e-4)


def test_focal_with_gamma_0_and_alpha_a_half_is_half_of_bce():
    logits, target = chips()
    focal = build_loss("focal", alpha=0.5, gamma=0.0)(logits, target)
    torch.testing.assert_close(focal, build_loss("bce")(logits, target) / 2)


def test_dice_and_jaccard_by_hand():
    # p = 0.5, 1, 0 against 1, 1, 0: shared 1.5, sizes 1.5 and 2
    logits, target = torch.tensor([[[0.0, 50.0, -200.0]]]), torch.tensor([[[1, 1, 0]]])
    assert build_loss("dice")(logits, target).item() == pytest.approx(1 - 3 / 3.5, abs=1e-6)
    assert build_loss("jaccard")(logits, target).item() == pytest.approx(1 - 1.5 / 2, abs=1e-6)


def test_dice_and_jaccard_of_binary_predictions_are_f1_and_iou():
    rng = np.random.default_rng(0)
    mask, truth = rng.random((2, 3, 8, 8)) > 0.5
    logits, target = torch.tensor(np.where(mask, 100.0, -100.0)), torch.tensor(truth)
    true, false, missed = (mask & truth).sum(), (mask & ~truth).sum(), (~mask & truth).sum()
    f1, iou = 2 * true / (2 * true + false + missed), true / (true + false + missed)
    assert build_loss("dice")(logits, target).item() == pytest.approx(1 - f1, abs=1e-6)
    assert build_loss("jaccard")(logits, target).item() == pytest.approx(1 - iou, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "library_loss"),
    [
        ("focal", smp.losses.FocalLoss("binary", alpha=0.1)),
        ("dice", smp.losses.DiceLoss("binary")),
        ("jaccard", smp.losses.JaccardLoss("binary")),
        ("bce", F.binary_cross_entropy_with_logits),
    ],
)
def test_without_weights_the_loss_is_that_of_the_library(name, library_loss):
    logits, target = chips()
    expected = library_loss(logits[:, None], target[:, None].float())
    torch.testing.assert_close(build_loss(name)(logits, target), expected)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(6,), (6, 4, 5)])
class TestWeights:
    def batch(self, shape):
        logits, target = torch.randn(shape), torch.randint(0, 2, shape)
        target[:2] = 1
        return build_loss, logits, target

    def test_equal_weights_change_nothing(self, name, shape):
        build, logits, target = self.batch(shape)
        loss = build(name)
        weighted = loss(logits, target, weight=torch.full((6,), 3.0))
        torch.testing.assert_close(weighted, loss(logits, target))

    def test_a_sample_of_weight_0_is_ignored(self, name, shape):
        build, logits, target = self.batch(shape)
        loss = build(name)
        weighted = loss(logits, target, weight=torch.tensor([1.0, 1, 1, 0, 1, 0]))
        kept = [0, 1, 2, 4]
        torch.testing.assert_close(weighted, loss(logits[kept], target[kept]))

    def test_a_sample_of_weight_2_counts_twice(self, name, shape):
        build, logits, target = self.batch(shape)
        loss = build(name)
        weighted = loss(logits, target, weight=torch.tensor([1.0, 2, 1, 1, 1, 1]))
        twice = [0, 1, 1, 2, 3, 4, 5]
        torch.testing.assert_close(weighted, loss(logits[twice], target[twice]))

    def test_masked_pixels_may_have_any_target_and_logit(self, name, shape):
        build, logits, target = self.batch(shape)
        loss = build(name)
        masked = torch.zeros(shape, dtype=torch.bool)
        masked.view(-1)[3::4] = True
        expected = loss(logits.masked_fill(masked, 7.0), target, mask=~masked)
        for value in (255.0, math.nan):
            other = target.float().masked_fill(masked, value)
            torch.testing.assert_close(loss(logits, other, mask=~masked), expected)

    def test_masked_pixels_have_no_gradient(self, name, shape):
        build, logits, target = self.batch(shape)
        mask = torch.ones(shape)
        mask[-1] = 0
        logits.requires_grad_()
        build(name)(logits, target, mask=mask).backward()
        assert (logits.grad[-1] == 0).all()
        assert (logits.grad[0] != 0).all()

    def test_the_loss_is_0_if_all_pixels_are_masked(self, name, shape):
        build, logits, target = self.batch(shape)
        logits.requires_grad_()
        loss = build(name)(logits, target, mask=torch.zeros(shape))
        loss.backward()
        assert loss.item() == 0
        assert (logits.grad == 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_pixel_of_weight_2_counts_twice(name):
    loss = build_loss(name)
    logits, target = torch.randn(1, 1, 5), torch.tensor([[[1, 0, 1, 0, 0]]])
    mask = torch.tensor([[[2.0, 1, 1, 2, 1]]])
    columns = [0, 0, 1, 2, 3, 3, 4]
    weighted = loss(logits, target, mask=mask)
    torch.testing.assert_close(weighted, loss(logits[..., columns], target[..., columns]))


@pytest.mark.parametrize("name", NAMES)
def test_mask_and_weight_multiply(name):
    loss = build_loss(name)
    logits, target = chips()
    weight, mask = torch.rand(4), torch.rand(4, 5, 6)
    together = loss(logits, target, weight=weight, mask=mask)
    torch.testing.assert_close(
        together, loss(logits, target, mask=mask * weight[:, None, None]), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.bool, torch.float64])
def test_any_type_of_target_and_half_precision_logits(name, dtype):
    logits, target = chips()
    loss = build_loss(name)(logits.bfloat16(), target.to(dtype))
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, build_loss(name)(logits.bfloat16().float(), target))


def test_the_parameter_smooth_is_passed_to_the_loss():
    logits, target = chips()
    expected = smp.losses.DiceLoss("binary", smooth=3.0)(logits[:, None], target[:, None])
    torch.testing.assert_close(build_loss("dice", smooth=3.0)(logits, target), expected)


# --- the loss of centre lines


def test_skeleton_recall_by_hand():
    # A ray three pixels wide lies within two pixels of its centre line, except at its ends: missing a third of its rows
    # costs a third, however many other pixels are predicted as ejecta.
    target = torch.zeros(1, 34, 16)
    target[:, 2:32, 5:8] = 1
    mask = target.clone()
    mask[:, 12:22] = 0
    loss = build_loss("skeleton")
    assert loss(saturated_logits(mask), target).item() == pytest.approx(1 / 3, abs=0.01)
    mask[:, :, 10:] = 1
    assert loss(saturated_logits(mask), target).item() == pytest.approx(1 / 3, abs=0.01)


def test_skeleton_recall_depends_little_on_the_width_of_a_missed_ray():
    target = torch.zeros(1, 40, 40)
    target[:, :, 5] = target[:, :, 18:31] = 1
    thin, thick = target.clone(), target.clone()
    thin[:, 10:20, :10] = 0
    thick[:, 10:20, 10:] = 0
    loss = build_loss("skeleton")
    # Of the thick ray five of its thirteen pixels count.
    ratio = loss(saturated_logits(thick), target) / loss(saturated_logits(thin), target)
    assert ratio.item() == pytest.approx(5, rel=0.2)


def test_skeleton_needs_one_logit_per_pixel():
    with pytest.raises(SettingsError, match="loss skeleton needs one logit per pixel"):
        build_loss("skeleton")(torch.zeros(4), torch.ones(4))


class TestSkeleton:
    def test_it_is_0_for_perfect_predictions_and_1_for_opposite_ones(self):
        loss, target = build_loss("skeleton"), ray()
        assert loss(saturated_logits(target), target).item() == pytest.approx(0, abs=1e-5)
        assert loss(saturated_logits(1 - target), target).item() == pytest.approx(1, abs=0.05)

    def test_it_is_between_0_and_1_with_a_gradient(self):
        logits = torch.randn(2, 12, 16, requires_grad=True)
        loss = build_loss("skeleton")(logits, ray())
        loss.backward()
        assert 0 < loss.item() < 1
        assert torch.isfinite(logits.grad).all()
        assert (logits.grad != 0).any()

    def test_gradient_descent_with_dice_reaches_the_target(self):
        target = ray()
        logits = torch.zeros(2, 12, 16, requires_grad=True)
        optimiser = torch.optim.Adam([logits], lr=0.2)
        loss = build_loss("dice-skeleton")
        for _ in range(60):
            optimiser.zero_grad()
            loss(logits, target).backward()
            optimiser.step()
        assert ((logits > 0) == (target > 0.5)).all()

    def test_masked_pixels_may_have_any_target_and_have_no_gradient(self):
        target, mask = ray(), torch.ones(2, 12, 16)
        mask[:, 3:6, 2:12] = 0
        logits = torch.randn(2, 12, 16, requires_grad=True)
        loss = build_loss("skeleton")
        expected = loss(logits, target, mask=mask)
        expected.backward()
        assert (logits.grad[mask == 0] == 0).all()
        for value in (255.0, math.nan):
            other = target.masked_fill(mask == 0, value)
            torch.testing.assert_close(loss(logits, other, mask=mask), expected)
        other = logits.masked_fill(mask == 0, 9.0)
        torch.testing.assert_close(loss(other, target, mask=mask), expected)

    def test_a_sample_of_weight_2_counts_twice(self):
        target = ray(3)
        target[1, :6] = 0
        logits = torch.randn(3, 12, 16)
        loss = build_loss("skeleton")
        weighted = loss(logits, target, weight=torch.tensor([1.0, 2.0, 0.0]))
        torch.testing.assert_close(weighted, loss(logits[[0, 1, 1]], target[[0, 1, 1]]))

    def test_it_is_0_if_all_pixels_are_masked(self):
        logits = torch.randn(2, 12, 16, requires_grad=True)
        loss = build_loss("skeleton")(logits, ray(), mask=torch.zeros(2, 12, 16))
        loss.backward()
        assert loss.item() == 0
        assert (logits.grad == 0).all()

    def test_it_is_0_for_an_empty_target(self):
        logits = torch.randn(2, 12, 16, requires_grad=True)
        loss = build_loss("skeleton")(logits, torch.zeros(2, 12, 16))
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(logits.grad).all()
        assert loss.item() == 0


# --- names and parameters


def test_a_sum_is_the_sum_of_its_parts_each_with_its_own_parameters():
    logits, target = torch.randn(2, 12, 16), ray()
    parts = [build_loss("focal", alpha=0.3), build_loss("bce"), build_loss("skeleton")]
    total = build_loss("focal-bce-skeleton", alpha=0.3)(logits, target)
    torch.testing.assert_close(total, sum(part(logits, target) for part in parts))


def test_the_error_for_an_unknown_name_lists_the_nearest_names():
    with pytest.raises(SettingsError, match="unknown loss 'focale': nearest are focal"):
        build_loss("focale")
    with pytest.raises(SettingsError, match="unknown loss 'jacard': nearest are jaccard"):
        build_loss("jacard-bce")


@pytest.mark.parametrize("name", ["tversky", "lovasz", "cldice", "boundary"])
def test_removed_losses_are_unknown(name):
    with pytest.raises(SettingsError, match=f"unknown loss '{name}'"):
        build_loss(f"dice-{name}")


def test_the_error_for_an_unknown_parameter_lists_the_known_ones():
    with pytest.raises(SettingsError, match="has no parameter 'beta': it takes alpha, gamma"):
        build_loss("focal", beta=1.0)
    with pytest.raises(SettingsError, match="it takes none"):
        build_loss("bce", beta=1.0)
    with pytest.raises(SettingsError, match="it takes smooth"):
        build_loss("dice-skeleton", alpha=0.1)
