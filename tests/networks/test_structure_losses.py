"""Losses that see more than single pixels: by hand, against smp's, and what every loss must hold."""

import math

import pytest
import segmentation_models_pytorch as smp
import torch

from ejectamap.errors import SettingsError
from ejectamap.networks import build_loss

UNUSUAL = ["tversky", "lovasz", "cldice", "skeleton", "boundary"]
PICTURES = ["cldice", "skeleton", "boundary"]


def ray(n=2, h=12, w=16):
    """A ray three pixels wide down each picture."""
    target = torch.zeros(n, h, w)
    target[:, :, 5:8] = 1
    return target


def sure(target, by=30.0):
    """Logits of somebody who is certain of a mask."""
    return (2 * target - 1) * by


def test_tversky_by_hand():
    # tp 1, fp 1, fn 2: 1 / (1 + 0.3 + 1.4)
    answer, target = torch.tensor([[1.0, 1, 0, 0, 0]]), torch.tensor([[1.0, 0, 1, 1, 0]])
    loss = build_loss("tversky", alpha=0.3, beta=0.7)(sure(answer), target)
    assert loss.item() == pytest.approx(1 - 1 / 2.7, abs=1e-6)
    focal = build_loss("tversky", alpha=0.3, beta=0.7, gamma=0.75)(sure(answer), target)
    assert focal.item() == pytest.approx((1 - 1 / 2.7) ** 0.75, abs=1e-6)


def test_tversky_of_equal_prices_is_dice():
    logits, target = torch.randn(3, 5, 6), torch.randint(0, 2, (3, 5, 6))
    torch.testing.assert_close(
        build_loss("tversky", alpha=0.5, beta=0.5)(logits, target),
        build_loss("dice")(logits, target),
    )


def test_a_missed_pixel_is_dearer_to_tversky_than_a_false_one():
    target = ray()
    missed, false = target.clone(), target.clone()
    missed[:, :, 5] = 0
    false[:, :, 8] = 1
    loss = build_loss("tversky", alpha=0.3, beta=0.7)
    assert loss(sure(missed), target) > 1.5 * loss(sure(false), target)


def test_focal_tversky_has_a_finite_gradient_at_a_perfect_answer():
    logits = sure(ray(), 200.0).requires_grad_()
    loss = build_loss("tversky", gamma=0.75)(logits, ray())
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(logits.grad).all()


def test_lovasz_without_weights_is_the_librarys():
    logits, target = torch.randn(4, 5, 6), torch.randint(0, 2, (4, 5, 6))
    expected = smp.losses.LovaszLoss("binary")(logits, target)
    torch.testing.assert_close(build_loss("lovasz")(logits, target), expected)


def test_lovasz_by_hand():
    # Errors 1.5 (missed) and 0.5 (false); Jaccard loss 1/2 with the first wrong, 2/3 with both.
    logits, target = torch.tensor([[-0.5, 3.0, -0.5]]), torch.tensor([[1.0, 1.0, 0.0]])
    expected = 1.5 * 1 / 2 + 0.5 * (2 / 3 - 1 / 2)
    assert build_loss("lovasz")(logits, target).item() == pytest.approx(expected, abs=1e-6)


def test_lovasz_counts_a_pixel_of_weight_2_twice():
    logits, target = torch.randn(1, 1, 5), torch.tensor([[[1, 0, 1, 0, 0]]])
    columns = [0, 0, 1, 2, 3, 3, 4]
    weighted = build_loss("lovasz")(logits, target, mask=torch.tensor([[[2.0, 1, 1, 2, 1]]]))
    twice = build_loss("lovasz")(logits[..., columns], target[..., columns])
    torch.testing.assert_close(weighted, twice)


def test_cldice_by_hand():
    # The answer finds 8 of the ray's 12 rows and nothing else: precision 1, recall 8/12.
    target = ray(1)
    answer = target.clone()
    answer[:, 8:] = 0
    loss = build_loss("cldice")(sure(answer), target)
    assert loss.item() == pytest.approx(1 - 2 * (2 / 3) / (1 + 2 / 3), abs=1e-5)


def test_a_gap_in_a_thin_ray_costs_cldice_as_much_as_one_in_a_thick_ray():
    target = torch.zeros(1, 24, 40)
    target[:, :, 5] = target[:, :, 20:29] = 1
    thin, thick = target.clone(), target.clone()
    thin[:, 10:14, :10] = 0
    thick[:, 10:14, 10:] = 0
    cldice, dice = build_loss("cldice"), build_loss("dice")
    assert dice(sure(thick), target) > 5 * dice(sure(thin), target)
    assert cldice(sure(thick), target) < 2 * cldice(sure(thin), target)


def test_skeleton_recall_by_hand():
    # A ray three pixels wide lies whole within two pixels of its centre line, but for its ends:
    # missing a third of its rows costs a third, however much else is taken for ejecta.
    target = torch.zeros(1, 34, 16)
    target[:, 2:32, 5:8] = 1
    answer = target.clone()
    answer[:, 12:22] = 0
    loss = build_loss("skeleton")
    assert loss(sure(answer), target).item() == pytest.approx(1 / 3, abs=0.01)
    answer[:, :, 10:] = 1
    assert loss(sure(answer), target).item() == pytest.approx(1 / 3, abs=0.01)


def test_skeleton_recall_minds_a_thin_ray_as_much_as_a_thick_one():
    target = torch.zeros(1, 40, 40)
    target[:, :, 5] = target[:, :, 18:31] = 1
    thin, thick = target.clone(), target.clone()
    thin[:, 10:20, :10] = 0
    thick[:, 10:20, 10:] = 0
    loss = build_loss("skeleton")
    # Of the thick ray five of its thirteen pixels count.
    ratio = loss(sure(thick), target) / loss(sure(thin), target)
    assert ratio.item() == pytest.approx(5, rel=0.2)


def test_boundary_by_hand():
    # The last pixel is wrong, and as far from the edge as any.
    target = torch.tensor([[[1.0, 1, 0, 0, 0, 0]]])
    weights = [2, 1, 1, 2, 3, 4]
    answer = torch.tensor([[[1.0, 1, 0, 0, 0, 1]]])
    loss = build_loss("boundary")(sure(answer), target)
    assert loss.item() == pytest.approx(4 / sum(weights), abs=1e-6)


def test_boundary_blames_far_mistakes_more():
    target = ray()
    near, far = target.clone(), target.clone()
    near[:, 3, 8] = 1
    far[:, 3, 15] = 1
    loss = build_loss("boundary")
    assert loss(sure(far), target) > 4 * loss(sure(near), target)


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_only(name):
    with pytest.raises(SettingsError, match=f"loss {name} is of pictures"):
        build_loss(name)(torch.zeros(4), torch.ones(4))


@pytest.mark.parametrize("name", UNUSUAL)
class TestAll:
    def test_perfect_answers_cost_nothing_and_opposite_ones_most(self, name):
        loss, target = build_loss(name), ray()
        assert loss(sure(target), target).item() == pytest.approx(0, abs=1e-5)
        if name != "lovasz":
            assert loss(sure(1 - target), target).item() == pytest.approx(1, abs=0.05)

    def test_between_0_and_1_with_a_gradient(self, name):
        logits = torch.randn(2, 12, 16, requires_grad=True)
        loss = build_loss(name)(logits, ray())
        loss.backward()
        assert loss.item() > 0
        assert name == "lovasz" or loss.item() < 1
        assert torch.isfinite(logits.grad).all()
        assert (logits.grad != 0).any()

    def test_going_downhill_gets_near_the_target(self, name):
        target = ray()
        logits = torch.zeros(2, 12, 16, requires_grad=True)
        optimiser = torch.optim.Adam([logits], lr=0.2)
        loss = build_loss("dice-" + name if name in PICTURES else name)
        for _ in range(60):
            optimiser.zero_grad()
            loss(logits, target).backward()
            optimiser.step()
        assert ((logits > 0) == (target > 0.5)).all()

    def test_what_the_mask_hides_may_be_anything_and_teaches_nothing(self, name):
        target, mask = ray(), torch.ones(2, 12, 16)
        mask[:, 3:6, 2:12] = 0
        logits = torch.randn(2, 12, 16, requires_grad=True)
        loss = build_loss(name)
        expected = loss(logits, target, mask=mask)
        expected.backward()
        assert (logits.grad[mask == 0] == 0).all()
        for anything in (255.0, math.nan):
            garbled = target.masked_fill(mask == 0, anything)
            torch.testing.assert_close(loss(logits, garbled, mask=mask), expected)
        other = logits.masked_fill(mask == 0, 9.0)
        torch.testing.assert_close(loss(other, target, mask=mask), expected)

    def test_a_sample_of_weight_2_is_there_twice(self, name):
        target = ray(3)
        target[1, :6] = 0
        logits = torch.randn(3, 12, 16)
        loss = build_loss(name)
        weighted = loss(logits, target, weight=torch.tensor([1.0, 2.0, 0.0]))
        torch.testing.assert_close(weighted, loss(logits[[0, 1, 1]], target[[0, 1, 1]]))

    def test_if_nothing_counts_the_loss_is_0(self, name):
        logits = torch.randn(2, 12, 16, requires_grad=True)
        loss = build_loss(name)(logits, ray(), mask=torch.zeros(2, 12, 16))
        loss.backward()
        assert loss.item() == 0
        assert (logits.grad == 0).all()

    def test_no_target_at_all(self, name):
        logits = torch.randn(2, 12, 16, requires_grad=True)
        loss = build_loss(name)(logits, torch.zeros(2, 12, 16))
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(logits.grad).all()
        if name in ("tversky", "cldice", "skeleton"):
            assert loss.item() == 0


def test_a_sum_is_a_sum_and_each_part_takes_its_own_arguments():
    logits, target = torch.randn(2, 12, 16), ray()
    parts = [build_loss("tversky", alpha=0.1), build_loss("bce"), build_loss("cldice")]
    together = build_loss("tversky-bce-cldice", alpha=0.1)(logits, target)
    torch.testing.assert_close(together, sum(part(logits, target) for part in parts))


def test_wrong_names_and_arguments_in_a_sum():
    with pytest.raises(SettingsError, match="unknown loss 'tverski': nearest are tversky"):
        build_loss("tverski-bce")
    with pytest.raises(SettingsError, match="it takes iterations, smooth"):
        build_loss("dice-cldice", alpha=0.1)
