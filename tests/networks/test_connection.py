import pytest
import torch

from ejectamap.errors import SettingsError
from ejectamap.networks.connection import build_connection


@pytest.mark.parametrize(
    ("architecture", "size"),
    [
        ("resnet10t", (32, 128)),
        ("mobilenetv3_small_050", (56, 224)),
        ("mobilenetv3_small_050.lamb_in1k", (30, 113)),
        ("convnext_atto", (32, 128)),
    ],
)
def test_one_logit_for_each_corridor(architecture, size):
    network = build_connection(architecture, in_channels=4, pretrained=False).eval()
    logits = network(torch.rand(3, 4, *size))
    assert logits.shape == (3,)
    assert logits.dtype == torch.float32


def test_the_network_of_the_poster():
    network = build_connection("res2net50_26w_4s", in_channels=4, pretrained=False).eval()
    with torch.inference_mode():
        assert network(torch.rand(2, 4, 112, 448)).shape == (2,)


def test_every_parameter_gets_a_gradient():
    network = build_connection("mobilenetv3_small_050", in_channels=4, pretrained=False)
    network(torch.rand(4, 4, 32, 128)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("resnet51", "resnet50"),
        ("RES2NET50_26W_4", "res2net50_26w_4s"),
        ("densenet169.tv_in22k", "densenet169.tv_in1k"),
        ("", "unknown architecture"),
        ("hf-hub:somebody/something", "unknown architecture"),
    ],
)
def test_the_error_for_an_unknown_name_lists_the_nearest_names(name, nearest):
    with pytest.raises(SettingsError, match=nearest):
        build_connection(name, in_channels=4, pretrained=False)
