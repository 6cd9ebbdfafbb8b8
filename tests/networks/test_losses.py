import math

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F

from ejectamap.errors import SettingsError
from ejectamap.networks import build_loss

NAMES = ["focal", "dice", "bce", "jaccard", "tversky", "dice-bce", "tversky-bce"]


def logit(p):
    return torch.logit(torch.tensor(p, dtype=torch.float64)).float()


def chips(n=4, h=5, w=6):
    return torch.randn(n, h, w), torch.randint(0, 2, (n, h, w))


def test_focal_by_hand():
    # alpha weighs the positive class: 0.1 (1 - 0.8)^2 ln(1/0.8); 0.9 (0.3)^2 ln(1/0.7)
    expected = (0.1 * 0.2**2 * -math.log(0.8) + 0.9 * 0.3**2 * -math.log(0.7)) / 2
    loss = build_loss("focal")(logit([0.8, 0.3]), torch.tensor([1, 0]))
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_a_false_connection_is_nine_times_as_dear_as_a_missed_one():
    loss = build_loss("focal", alpha=0.1, gamma=2.0)
    false = loss(logit([0.9]), torch.tensor([0]))
    missed = loss(logit([0.1]), torch.tensor([1]))
    assert (false / missed).item() == pytest.approx(9, rel=1e-4)


def test_focal_without_focus_is_half_of_bce():
    logits, target = chips()
    focal = build_loss("focal", alpha=0.5, gamma=0.0)(logits, target)
    torch.testing.assert_close(focal, build_loss("bce")(logits, target) / 2)


def test_dice_and_jaccard_by_hand():
    # p = 0.5, 1, 0 against 1, 1, 0: shared 1.5, sizes 1.5 and 2
    logits, target = torch.tensor([[[0.0, 50.0, -200.0]]]), torch.tensor([[[1, 1, 0]]])
    assert build_loss("dice")(logits, target).item() == pytest.approx(1 - 3 / 3.5, abs=1e-6)
    assert build_loss("jaccard")(logits, target).item() == pytest.approx(1 - 1.5 / 2, abs=1e-6)


def test_hard_answers_give_f1_and_iou():
    rng = np.random.default_rng(0)
    answer, truth = rng.random((2, 3, 8, 8)) > 0.5
    logits, target = torch.tensor(np.where(answer, 100.0, -100.0)), torch.tensor(truth)
    true, false, missed = (answer & truth).sum(), (answer & ~truth).sum(), (~answer & truth).sum()
    f1, iou = 2 * true / (2 * true + false + missed), true / (true + false + missed)
    assert build_loss("dice")(logits, target).item() == pytest.approx(1 - f1, abs=1e-6)
    assert build_loss("jaccard")(logits, target).item() == pytest.approx(1 - iou, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("focal", smp.losses.FocalLoss("binary", alpha=0.1)),
        ("dice", smp.losses.DiceLoss("binary")),
        ("jaccard", smp.losses.JaccardLoss("binary")),
        ("bce", F.binary_cross_entropy_with_logits),
    ],
)
def test_without_weights_it_is_the_librarys(name, theirs):
    logits, target = chips()
    expected = theirs(logits[:, None], target[:, None].float())
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

    def test_a_sample_of_weight_0_might_as_well_not_be_there(self, name, shape):
        build, logits, target = self.batch(shape)
        loss = build(name)
        weighted = loss(logits, target, weight=torch.tensor([1.0, 1, 1, 0, 1, 0]))
        kept = [0, 1, 2, 4]
        torch.testing.assert_close(weighted, loss(logits[kept], target[kept]))

    def test_a_sample_of_weight_2_is_there_twice(self, name, shape):
        build, logits, target = self.batch(shape)
        loss = build(name)
        weighted = loss(logits, target, weight=torch.tensor([1.0, 2, 1, 1, 1, 1]))
        twice = [0, 1, 1, 2, 3, 4, 5]
        torch.testing.assert_close(weighted, loss(logits[twice], target[twice]))

    def test_what_the_mask_hides_may_be_anything(self, name, shape):
        build, logits, target = self.batch(shape)
        loss = build(name)
        hidden = torch.zeros(shape, dtype=torch.bool)
        hidden.view(-1)[3::4] = True
        expected = loss(logits.masked_fill(hidden, 7.0), target, mask=~hidden)
        for anything in (255.0, math.nan):
            garbled = target.float().masked_fill(hidden, anything)
            torch.testing.assert_close(loss(logits, garbled, mask=~hidden), expected)

    def test_hidden_pixels_teach_nothing(self, name, shape):
        build, logits, target = self.batch(shape)
        mask = torch.ones(shape)
        mask[-1] = 0
        logits.requires_grad_()
        build(name)(logits, target, mask=mask).backward()
        assert (logits.grad[-1] == 0).all()
        assert (logits.grad[0] != 0).all()

    def test_if_nothing_counts_the_loss_is_0(self, name, shape):
        build, logits, target = self.batch(shape)
        logits.requires_grad_()
        loss = build(name)(logits, target, mask=torch.zeros(shape))
        loss.backward()
        assert loss.item() == 0
        assert (logits.grad == 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_pixel_of_twice_the_ground_counts_twice(name):
    loss = build_loss(name)
    logits, target = torch.randn(1, 1, 5), torch.tensor([[[1, 0, 1, 0, 0]]])
    ground = torch.tensor([[[2.0, 1, 1, 2, 1]]])
    columns = [0, 0, 1, 2, 3, 3, 4]
    weighted = loss(logits, target, mask=ground)
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
def test_any_kind_of_target_and_half_precise_logits(name, dtype):
    logits, target = chips()
    loss = build_loss(name)(logits.bfloat16(), target.to(dtype))
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, build_loss(name)(logits.bfloat16().float(), target))


def test_smooth_is_passed_on():
    logits, target = chips()
    expected = smp.losses.DiceLoss("binary", smooth=3.0)(logits[:, None], target[:, None])
    torch.testing.assert_close(build_loss("dice", smooth=3.0)(logits, target), expected)


def test_a_wrong_name_is_answered_with_the_nearest():
    with pytest.raises(SettingsError, match="unknown loss 'focale': nearest are focal"):
        build_loss("focale")


def test_a_wrong_parameter_is_answered_with_the_right_ones():
    with pytest.raises(SettingsError, match="has no parameter 'beta': it takes alpha, gamma"):
        build_loss("focal", beta=1.0)
    with pytest.raises(SettingsError, match="it takes none"):
        build_loss("bce", beta=1.0)
