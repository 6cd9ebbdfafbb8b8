"""The context network: segments all ejecta of a crater at once, in its polar view.

The columns of a polar view are azimuths over the full circle: the first and the last column are neighbours. Every
convolution and pooling layer that pads its columns therefore pads them circularly, so that a circular shift of the
input shifts the output by as much. Rows (range) keep the padding that the encoder was trained with.
"""

from collections.abc import Sequence
from typing import Any

import torch
from segmentation_models_pytorch.base import SegmentationModel
from torch import Tensor, nn

from ejectamap.errors import SettingsError
from ejectamap.networks.encoder_decoder import build_encoder_decoder, pad_to_multiple


class _PadCircular(torch.autograd.Function):
    """Pad columns circularly: the last ones before the first, and the first ones after the last.

    Unlike F.pad, concatenation keeps the channels-last memory format, which is faster. The hand-written backward pass
    avoids the zero-filled gradients of the size of the input that slicing creates, a third of the training time.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, columns: int) -> Tensor:
        ctx.columns = columns
        return torch.cat((x[..., -columns:], x, x[..., :columns]), dim=-1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,), columns = gradients, ctx.columns
        result = gradient[..., columns:-columns].clone()
        result[..., -columns:] += gradient[..., :columns]
        result[..., :columns] += gradient[..., -columns:]
        return result, None


class _CircularLayer(nn.Module):
    """Base of the layers that pad columns circularly, by `columns` on each side."""

    columns: int

    def pad(self, x: Tensor) -> Tensor:
        """Pad columns circularly."""
        padded: Tensor = _PadCircular.apply(x, self.columns)
        return padded


class CircularConv2d(nn.Conv2d, _CircularLayer):
    """A convolution that pads columns circularly."""

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        result: Tensor = super().forward(self.pad(x))
        return result


class CircularMaxPool2d(nn.MaxPool2d, _CircularLayer):
    """A maximum pooling that pads columns circularly."""

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        result: Tensor = super().forward(self.pad(x))
        return result


class CircularAvgPool2d(nn.AvgPool2d, _CircularLayer):
    """A mean pooling that pads columns circularly."""

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        result: Tensor = super().forward(self.pad(x))
        return result


_CIRCULAR: dict[type, type[_CircularLayer]] = {
    nn.Conv2d: CircularConv2d,
    nn.MaxPool2d: CircularMaxPool2d,
    nn.AvgPool2d: CircularAvgPool2d,
}


def make_circular(network: nn.Module) -> None:
    """Make every layer that pads its columns pad them circularly, in place.

    A layer only changes its class (as PyTorch's lazy layers do). Its weights and their names in the state dict stay the
    same, so ImageNet weights and saved networks fit.
    """
    layer: Any
    for layer in network.modules():
        circular_class = _CIRCULAR.get(type(layer))
        if circular_class is None:
            continue
        rows, cols = _pair(layer.padding)
        if cols > 0:
            layer.__class__ = circular_class
            layer.columns = cols
            layer.padding = (rows, 0)


class ContextNetwork(nn.Module):
    """A segmentation model of smp whose columns are circular.

    Parameters
    ----------
    network : SegmentationModel
        With one output channel, after `make_circular`.
    """

    def __init__(self, network: SegmentationModel) -> None:
        super().__init__()
        self.network = network

    @property
    def stride(self) -> int:
        """Stride of the coarsest feature map in columns, of which the number of azimuths must be a multiple."""
        return int(self.network.encoder.output_stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map polar views to logits.

        Parameters
        ----------
        x : Tensor
            (n, c, rows, cols), float32, normalised; any number of rows (range), a multiple of `stride` columns
            (azimuth).

        Returns
        -------
        Tensor
            (n, rows, cols); above 0 is ejecta.
        """
        rows, cols = x.shape[-2:]
        if cols % self.stride:
            raise SettingsError(
                f"a polar view has {cols} azimuths: use a multiple of {self.stride}"
            )
        logits: Tensor = self.network(pad_to_multiple(x, self.stride, 1))
        return logits[:, 0, :rows]


def build_context(
    decoder: str,
    encoder: str,
    in_channels: int,
    pretrained: bool,
    decoder_channels: Sequence[int] | None = None,
) -> ContextNetwork:
    """Build a context network from one of smp's decoders and encoders.

    Not every network can be made circular: decoders with bilinear interpolation (FPN, DeepLabV3, ...) and encoders with
    padding code of their own (smp's efficientnet, timm's "tf_" networks) treat the first and the last column as edges.
    So each network is tested once. Unet and UnetPlusPlus pass, with resnet, mobilenet_v2, densenet or timm's resnet,
    mobilenetv3, efficientnet or convnext encoders.

    Parameters
    ----------
    decoder, encoder, in_channels, pretrained, decoder_channels
        See `build_encoder_decoder`.

    Raises
    ------
    SettingsError
        If a name is unknown, decoder and encoder do not work together, or the network is not circular in azimuth.
    """
    network = build_encoder_decoder(decoder, encoder, in_channels, pretrained, decoder_channels)
    make_circular(network)
    context = ContextNetwork(network).eval()
    if not _is_circular(context, in_channels):
        raise SettingsError(
            f"decoder {decoder!r} with encoder {encoder!r} is not circular in azimuth: "
            "use Unet or UnetPlusPlus with a resnet, tu-mobilenetv3 or tu-efficientnet encoder"
        )
    return context.train()


@torch.inference_mode()
def _is_circular(context: ContextNetwork, in_channels: int) -> bool:
    """Whether a circular shift of the input, a picture of noise, shifts the output by as much."""
    size = (1, in_channels, 2 * context.stride, 4 * context.stride)
    x = torch.randn(size, generator=torch.Generator().manual_seed(0))
    try:
        expected = context(x)
        shifted = context(x.roll(context.stride, -1)).roll(-context.stride, -1)
    except (RuntimeError, AssertionError):  # a dilation wider than the input, a fixed input size
        return False
    return torch.allclose(shifted, expected, rtol=1e-3, atol=1e-3 * float(expected.std()))


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value
