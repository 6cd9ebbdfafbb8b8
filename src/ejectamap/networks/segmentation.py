"""The segmentation network: classifies which pixels of a chip are the crater's ejecta."""

from collections.abc import Sequence

from segmentation_models_pytorch.base import SegmentationModel
from torch import Tensor, nn

from ejectamap.networks.encoder_decoder import build_encoder_decoder, pad_to_multiple


class SegmentationNetwork(nn.Module):
    """A segmentation model of smp that takes metadata of the crater at every scale.

    For each feature map of the encoder (the bottleneck and every skip connection, but not the input itself) the
    metadata pass through one Linear and ReLU, and the result is added to every pixel of that map. It has no effect on
    maps that the decoder does not use.

    Parameters
    ----------
    network : SegmentationModel
        With one output channel.
    metadata_size : int
        Number of metadata; with 0 nothing is added.
    """

    def __init__(self, network: SegmentationModel, metadata_size: int) -> None:
        super().__init__()
        self.network = network
        channels: Sequence[int] = network.encoder.out_channels
        self.injections = nn.ModuleDict(
            {
                str(level): nn.Sequential(nn.Linear(metadata_size, size), nn.ReLU())
                for level, size in enumerate(channels)
                if level > 0 and size > 0 and metadata_size > 0
            }
        )

    def forward(self, x: Tensor, metadata: Tensor | None = None) -> Tensor:
        """Map chips and metadata to logits.

        Parameters
        ----------
        x : Tensor
            (n, c, h, w), float32, normalised; any h and w.
        metadata : Tensor
            (n, m), float32, normalised; none if the network was built without.

        Returns
        -------
        Tensor
            (n, h, w); above 0 is ejecta.
        """
        height, width = x.shape[-2:]
        stride = self.network.encoder.output_stride
        features = list(self.network.encoder(pad_to_multiple(x, stride, stride)))
        for level, injection in self.injections.items():
            added = injection(metadata)[:, :, None, None]
            features[int(level)] = features[int(level)] + added
        logits: Tensor = self.network.segmentation_head(self.network.decoder(features))
        return logits[:, 0, :height, :width]


def build_segmentation(
    decoder: str,
    encoder: str,
    in_channels: int,
    metadata_size: int,
    pretrained: bool,
    decoder_channels: Sequence[int] | None = None,
) -> SegmentationNetwork:
    """Build a segmentation network from any decoder (except DPT) and encoder of smp.

    Parameters
    ----------
    decoder, encoder, in_channels, pretrained, decoder_channels
        See `build_encoder_decoder`; the poster's are "UnetPlusPlus" and "resnet34".
    metadata_size : int
        Number of metadata of a crater; 0 for none.

    Raises
    ------
    SettingsError
        If a name is unknown, or decoder and encoder do not work together.
    """
    network = build_encoder_decoder(decoder, encoder, in_channels, pretrained, decoder_channels)
    return SegmentationNetwork(network, metadata_size)
