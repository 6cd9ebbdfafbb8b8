import pytest
import torch

from ejectamap.errors import SettingsError
from ejectamap.networks.segmentation import build_segmentation

SMALL = (32, 24, 16, 16, 8)


@pytest.mark.parametrize(
    ("decoder", "encoder", "channels"),
    [
        ("UnetPlusPlus", "resnet18", SMALL),
        ("unetplusplus", "tu-mobilenetv3_small_050", SMALL),
        ("Unet", "tu-resnet10t", None),
        ("Unet", "tu-efficientnet_lite0", SMALL),
        ("Unet", "tu-convnext_atto", SMALL),
        ("FPN", "tu-resnet10t", None),
        ("DeepLabV3Plus", "resnet18", (32,)),
        ("MAnet", "tu-mobilenetv3_small_050", SMALL),
        ("Linknet", "resnet18", None),
        ("PSPNet", "resnet18", None),
        ("UPerNet", "tu-resnet10t", (32,)),
        ("Segformer", "tu-resnet10t", None),
    ],
)
def test_the_output_has_the_size_of_the_input_and_depends_on_metadata(decoder, encoder, channels):
    network = build_segmentation(decoder, encoder, 4, 3, False, channels).eval()
    x = torch.rand(2, 4, 70, 101)  # neither is divisible by the stride
    with torch.inference_mode():
        one, other = network(x, torch.zeros(2, 3)), network(x, torch.full((2, 3), 5.0))
    assert one.shape == (2, 70, 101)
    assert not torch.allclose(one, other, rtol=0, atol=1e-4)


def test_metadata_are_added_to_the_bottleneck_and_every_skip_but_not_to_the_input():
    network = build_segmentation("Unet", "tu-resnet10t", 4, 3, False, SMALL)
    sizes = [layer[0].out_features for layer in network.injections.values()]
    assert sizes == network.network.encoder.out_channels[1:]
    assert list(network.injections) == ["1", "2", "3", "4", "5"]


def test_nothing_is_added_at_a_scale_that_the_encoder_lacks():
    network = build_segmentation("Unet", "tu-convnext_atto", 4, 3, False, SMALL)
    assert list(network.injections) == ["2", "3", "4", "5"]


def test_the_added_values_are_a_linear_layer_and_relu_of_the_metadata():
    network = build_segmentation("Unet", "tu-resnet10t", 4, 3, False, SMALL).eval()
    x, metadata = torch.rand(2, 4, 64, 64), torch.randn(2, 3)
    features = network.network.encoder(x)
    for level in range(1, 6):
        linear = network.injections[str(level)][0]
        added = (metadata @ linear.weight.T + linear.bias).clamp_min(0)
        features[level] = features[level] + added.reshape(2, -1, 1, 1)
    expected = network.network.segmentation_head(network.network.decoder(features))[:, 0]
    torch.testing.assert_close(network(x, metadata), expected)


def test_every_injection_gets_a_gradient():
    network = build_segmentation("UnetPlusPlus", "tu-resnet10t", 4, 3, False, SMALL)
    network(torch.rand(2, 4, 64, 64), torch.ones(2, 3)).square().sum().backward()
    assert all(layer[0].weight.grad.abs().sum() > 0 for layer in network.injections.values())


def test_without_metadata_the_network_is_that_of_smp():
    network = build_segmentation("Unet", "tu-resnet10t", 4, 0, False, SMALL).eval()
    x = torch.rand(2, 4, 64, 96)
    torch.testing.assert_close(network(x, torch.empty(2, 0)), network.network(x)[:, 0])
    assert all(name.startswith("network.") for name in network.state_dict())


def test_padding_repeats_the_edge():
    network = build_segmentation("Unet", "tu-mobilenetv3_small_050", 4, 0, False, SMALL).eval()
    x, nothing = torch.rand(1, 4, 50, 64), torch.empty(1, 0)
    padded = torch.cat([x, x[:, :, -1:].expand(-1, -1, 14, -1)], dim=2)
    torch.testing.assert_close(network(x, nothing), network(padded, nothing)[:, :50])


def test_fewer_decoder_channels_make_the_network_smaller():
    def size(channels):
        network = build_segmentation("Unet", "tu-resnet10t", 4, 4, False, channels)
        return sum(parameter.numel() for parameter in network.parameters())

    assert size(SMALL) < 0.8 * size(None)


@pytest.mark.parametrize(
    ("decoder", "encoder", "channels", "message"),
    [
        ("Unet+", "resnet18", None, "unknown decoder 'Unet[+]': nearest are unet"),
        ("dpt", "resnet18", None, "unknown decoder"),
        ("Unet", "resnet19", None, "nearest are resnet18"),
        ("Unet", "tu-resnet10", None, "tu-resnet10t"),
        ("Unet", "tu-vit_tiny_patch16_224", None, "does not work with decoder 'Unet'"),
        ("UnetPlusPlus", "mit_b0", None, "does not work with decoder"),
        ("Unet", "resnet18", (32, 16), "takes 5 decoder_channels, not 2"),
        ("PAN", "resnet18", (32, 16), "takes 1 decoder_channels, not 2"),
        ("FPN", "resnet18", (32,), "has no decoder_channels"),
    ],
)
def test_an_impossible_network_is_refused_in_one_line(decoder, encoder, channels, message):
    with pytest.raises(SettingsError, match=message) as caught:
        build_segmentation(decoder, encoder, 4, 4, False, channels)
    assert "\n" not in str(caught.value)
