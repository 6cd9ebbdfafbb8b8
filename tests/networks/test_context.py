import pytest
import segmentation_models_pytorch as smp
import torch
from torch import nn

from ejectamap.errors import SettingsError
from ejectamap.networks.context import build_context, make_circular

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
def test_a_circular_shift_of_the_input_shifts_the_output(decoder, encoder):
    network = build_context(decoder, encoder, 3, False, SMALL)
    x = torch.randn(2, 3, 64, 160)
    network(x)  # in training mode, so that the running means are no longer 0 and 1
    network.eval()
    with torch.inference_mode():
        expected = network(x)
        assert expected.shape == (2, 64, 160)
        for columns in (32, 96):
            shifted = network(x.roll(columns, -1))
            torch.testing.assert_close(shifted, expected.roll(columns, -1), rtol=0, atol=1e-4)


def test_the_first_column_depends_on_the_last_ones():
    network = build_context("Unet", "tu-mobilenetv3_small_050", 3, False, SMALL).eval()
    x = torch.randn(1, 3, 64, 320, requires_grad=True)
    network(x)[0, 32, 0].backward()
    gradient = x.grad.abs().sum((0, 1, 2))
    assert (gradient[-8:] > 0).all()


@pytest.mark.parametrize("encoder", ["resnet18", "tu-mobilenetv3_small_050"])
def test_weights_keep_their_names_in_smp(encoder):
    network = build_context("Unet", encoder, 3, False, SMALL)
    own = smp.Unet(encoder, encoder_weights=None, in_channels=3, decoder_channels=SMALL)
    own.load_state_dict(network.network.state_dict(), strict=True)


def test_padding_changes_only_columns_near_the_edges():
    plain = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.AvgPool2d(3, stride=1, padding=1),
        nn.Conv2d(3, 1, (1, 5), padding=(0, 2)),
        nn.Conv2d(1, 1, (5, 1), padding=(2, 0)),
    )
    x = torch.randn(1, 2, 16, 32)
    before = plain(x)
    make_circular(plain)
    after = plain(x)
    torch.testing.assert_close(after[..., 4:-4], before[..., 4:-4])
    assert not torch.allclose(after[..., :1], before[..., :1])
    twice = plain(torch.cat([x, x], dim=-1))  # a repeated input gives a repeated output
    torch.testing.assert_close(twice, torch.cat([after, after], dim=-1))


def test_any_number_of_rows_but_a_multiple_of_the_stride_in_columns():
    network = build_context("Unet", "tu-mobilenetv3_small_050", 3, False, SMALL).eval()
    assert network.stride == 32
    assert network(torch.rand(1, 3, 41, 64)).shape == (1, 41, 64)
    with pytest.raises(SettingsError, match="65 azimuths: use a multiple of 32"):
        network(torch.rand(1, 3, 41, 65))


def test_the_channels_last_format_gives_the_same_output():
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
        ("Unet", "tu-tf_mobilenetv3_small_100", SMALL),  # padding code of its own
        ("Unet", "tu-swinv2_tiny_window8_256", SMALL),  # windows
    ],
)
def test_a_network_that_is_not_circular_is_refused(decoder, encoder, channels):
    with pytest.raises(SettingsError, match="is not circular in azimuth"):
        build_context(decoder, encoder, 3, False, channels)


def test_the_network_is_in_training_mode_and_every_parameter_gets_a_gradient():
    network = build_context("Unet", "tu-mobilenetv3_small_050", 3, False, SMALL)
    assert network.training
    network(torch.rand(2, 3, 64, 64)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
