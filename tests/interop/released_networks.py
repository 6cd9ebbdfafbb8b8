"""Networks and checkpoints in the layout of the release."""

from pathlib import Path

import timm
import torch
from segmentation_models_pytorch import Unet
from torch import nn


class ReleasedConnection(nn.Module):
    """A timm classifier as the attribute `full_model`."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.full_model = timm.create_model("test_resnet", in_chans=bands + 1, num_classes=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.full_model(x)[:, 0]


class ReleasedSegmentation(nn.Module):
    """The parts of a network of smp, and a linear layer for each feature map except the input."""

    def __init__(self, bands: int) -> None:
        super().__init__()
        network = Unet("tu-test_resnet", encoder_weights=None, in_channels=bands + 1)
        self.encoder, self.decoder = network.encoder, network.decoder
        self.head = network.segmentation_head
        self.injector = nn.Module()
        self.injector.linears = nn.ModuleList(
            nn.Linear(bands + 1, size) for size in self.encoder.out_channels[1:]
        )

    def forward(self, x: torch.Tensor, metadata: torch.Tensor) -> torch.Tensor:
        first, *features = self.encoder(x)
        layers = zip(features, self.injector.linears, strict=True)
        added = [f + linear(metadata).relu()[:, :, None, None] for f, linear in layers]
        return self.head(self.decoder([first, *added]))[:, 0]


def save_checkpoint(path: Path, model: nn.Module, prefix: str) -> None:
    """Save a checkpoint as Lightning does: weights under a prefix, epoch and hyperparameters."""
    state = {prefix + name: value for name, value in model.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state, "hyper_parameters": {"lr": 1e-4}}, path)
