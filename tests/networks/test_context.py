import pytest
import segmentation_models_pytorch as smp
import torch
from torch import nn

from ejectamap.errors import SettingsError
from ejectamap.networks import build_context
from ejectamap.networks.context import close_circle

SMALL = (32, 24, 16, 16, 8)


@pytest.mark.parametrize(
    ("decoder", "encoder"),
    [
        ("Unet", "resnet18"),  # max pooling in the stem
        ("Unet", "tu-resnet10t"),  # deep stem, average pooling in the shortcuts
        ("UnetPlusPlus", "tu-mobilenetv3_small_050"),  # depthwise convolutions, squeeze and excite
        ("Unet", "tu-efficientnet_lite0"),
        ("Unet", "mobilenet_v2"),
    ],
)
def test_turning_the_picture_turns_the_answer(decoder, encoder):
    network = build_context(decoder, encoder, 3, False, SMALL)
    x = torch.randn(2, 3, 64, 160)
    network(x)  # in training, so that the running means are no longer 0 and 1
    network.eval()
    with torch.inference_mode():
        straight = network(x)
        assert straight.shape == (2, 64, 160)
        for columns in (32, 96):
            turned = network(x.roll(columns, -1))
            torch.testing.assert_close(turned, straight.roll(columns, -1), rtol=0, atol=1e-4)


def test_the_far_side_is_seen_across_the_wrap():
    network = build_context("Unet", "tu-mobilenetv3_small_050", 3, False, SMALL).eval()
    x = torch.randn(1, 3, 64, 320, requires_grad=True)
    network(x)[0, 32, 0].backward()
    seen = x.grad.abs().sum((0, 1, 2))
    assert (seen[-8:] > 0).all()


@pytest.mark.parametrize("encoder", ["resnet18", "tu-mobilenetv3_small_050"])
def test_weights_keep_smps_names(encoder):
    network = build_context("Unet", encoder, 3, False, SMALL)
    own = smp.Unet(encoder, encoder_weights=None, in_channels=3, decoder_channels=SMALL)
    own.load_state_dict(network.network.state_dict(), strict=True)


def test_far_from_the_wrap_nothing_changes():
    plain = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.AvgPool2d(3, stride=1, padding=1),
        nn.Conv2d(3, 1, (1, 5), padding=(0, 2)),
        nn.Conv2d(1, 1, (5, 1), padding=(2, 0)),
    )
    x = torch.randn(1, 2, 16, 32)
    before = plain(x)
    close_circle(plain)
    after = plain(x)
    torch.testing.assert_close(after[..., 4:-4], before[..., 4:-4])
    assert not torch.allclose(after[..., :1], before[..., :1])
    twice = plain(torch.cat([x, x], dim=-1))  # twice around is the same as once
    torch.testing.assert_close(twice, torch.cat([after, after], dim=-1))


def test_any_number_of_ranges_but_azimuths_that_close():
    network = build_context("Unet", "tu-mobilenetv3_small_050", 3, False, SMALL).eval()
    assert network.stride == 32
    assert network(torch.rand(1, 3, 41, 64)).shape == (1, 41, 64)
    with pytest.raises(SettingsError, match="65 azimuths: use a multiple of 32"):
        network(torch.rand(1, 3, 41, 65))


def test_channels_last_gives_the_same():
    network = build_context("Unet", "tu-mobilenetv3_small_050", 3, False, SMALL).eval()
    x = torch.rand(1, 3, 64, 96)
    expected = network(x)
    network.to(memory_format=torch.channels_last)
    result = network(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("decoder", "encoder", "channels"),
    [
        ("FPN", "resnet18", None),  # bilinear
        ("DeepLabV3Plus", "resnet18", None),  # bilinear, and dilations wider than the circle
        ("Unet", "tu-tf_mobilenetv3_small_100", SMALL),  # pads in its own way
        ("Unet", "tu-swinv2_tiny_window8_256", SMALL),  # windows
    ],
)
def test_a_network_that_keeps_an_edge_is_refused(decoder, encoder, channels):
    with pytest.raises(SettingsError, match="has an edge in azimuth"):
        build_context(decoder, encoder, 3, False, channels)


def test_it_comes_ready_to_train():
    network = build_context("Unet", "tu-mobilenetv3_small_050", 3, False, SMALL)
    assert network.training
    network(torch.rand(2, 3, 64, 64)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
