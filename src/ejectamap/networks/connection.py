"""The connection network: classifies whether a ray connects a chip to the crater."""

import timm
from torch import Tensor, nn

from ejectamap.errors import unknown_name
from ejectamap.networks.pretrained import with_weights


class ConnectionNetwork(nn.Module):
    """An image classifier with one logit.

    Parameters
    ----------
    classifier : nn.Module
        Maps (n, c, h, w) to (n, 1).
    """

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised corridors (n, c, h, w), float32, to logits (n,); above 0 is connected."""
        logits: Tensor = self.classifier(x)
        return logits[:, 0]


def build_connection(architecture: str, in_channels: int, pretrained: bool) -> ConnectionNetwork:
    """Build a connection network from any classifier of timm.

    Parameters
    ----------
    architecture : str
        timm's name, with or without the tag of its weights: "res2net50_26w_4s" (the poster's), "densenet169.tv_in1k".
        Convolutional networks accept any size of picture; most vision transformers accept one size.
    in_channels : int
        Channels of a corridor. For more than three, the ImageNet weights of the first layer are repeated.
    pretrained : bool
        Start from ImageNet weights if they are available.

    Raises
    ------
    SettingsError
        If timm has no such architecture, or none with that tag.
    """
    if not timm.is_model(architecture):
        raise unknown_name("architecture", architecture, timm.list_models())
    tagged = timm.list_models(f"{architecture.partition('.')[0]}.*", include_tags=True)
    if "." in architecture and architecture not in tagged:
        raise unknown_name("architecture", architecture, tagged)

    def build(pretrained: bool) -> nn.Module:
        classifier: nn.Module = timm.create_model(
            architecture, pretrained=pretrained, in_chans=in_channels, num_classes=1
        )
        return classifier

    return ConnectionNetwork(with_weights(build, architecture, pretrained))
