"""The context network: all ejecta of a crater at once, in its polar frame.

The columns of a polar picture are azimuths, a closed circle, so a network that sees them must have
no edge there: turning the picture turns the answer. Every convolution and every pooling that pads
its input therefore takes, at the first and last column, the values from the other side. Rows
(range) keep the padding that the encoder was trained with.
"""

from collections.abc import Sequence
from typing import Any

import torch
from segmentation_models_pytorch.base import SegmentationModel
from torch import Tensor, nn

from ejectamap.errors import SettingsError
from ejectamap.networks.encoder_decoder import build_encoder_decoder, pad_to_multiple


class _Wrap(torch.autograd.Function):
    """Put the last columns before the first, and the first behind the last.

    Unlike F.pad, concatenation keeps the channels-last order of memory, which is faster. Left to itself, autograd
    would fill a whole picture with zeros for each of the two borrowed edges, a third of a training's time.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, columns: int) -> Tensor:
        ctx.columns = columns
        return torch.cat((x[..., -columns:], x, x[..., :columns]), dim=-1)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        (slope,), columns = slopes, ctx.columns
        own = slope[..., columns:-columns].clone()
        own[..., -columns:] += slope[..., :columns]
        own[..., :columns] += slope[..., -columns:]
        return own, None


class _Circular(nn.Module):
    """What the three circular layers share: how many columns to borrow from the other side."""

    columns: int

    def wrap(self, x: Tensor) -> Tensor:
        """Close the circle for a layer that looks over its edge."""
        wrapped: Tensor = _Wrap.apply(x, self.columns)
        return wrapped


class CircularConv2d(nn.Conv2d, _Circular):
    """A convolution whose columns are a closed circle."""

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        result: Tensor = super().forward(self.wrap(x))
        return result


class CircularMaxPool2d(nn.MaxPool2d, _Circular):
    """A maximum whose columns are a closed circle."""

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        result: Tensor = super().forward(self.wrap(x))
        return result


class CircularAvgPool2d(nn.AvgPool2d, _Circular):
    """A mean whose columns are a closed circle."""

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        result: Tensor = super().forward(self.wrap(x))
        return result


_CIRCULAR: dict[type, type[_Circular]] = {
    nn.Conv2d: CircularConv2d,
    nn.MaxPool2d: CircularMaxPool2d,
    nn.AvgPool2d: CircularAvgPool2d,
}


def close_circle(network: nn.Module) -> None:
    """Make every layer that pads its columns take them from the other side, in place.

    A layer only changes its class (as PyTorch's own lazy layers do): its weights, their names and
    the state dict stay what they were, so ImageNet weights and saved networks fit.
    """
    layer: Any
    for layer in network.modules():
        circular = _CIRCULAR.get(type(layer))
        if circular is None:
            continue
        rows, cols = _pair(layer.padding)
        if cols > 0:
            layer.__class__ = circular
            layer.columns = cols
            layer.padding = (rows, 0)


class ContextNetwork(nn.Module):
    """A network of smp without an edge in azimuth.

    Parameters
    ----------
    network : SegmentationModel
        One of smp's, with one output channel, its circle closed.
    """

    def __init__(self, network: SegmentationModel) -> None:
        super().__init__()
        self.network = network

    @property
    def stride(self) -> int:
        """Columns of the coarsest map's pixel: the number of azimuths must be a multiple of it."""
        return int(self.network.encoder.output_stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map polar pictures to logits.

        Parameters
        ----------
        x : Tensor
            (n, c, rows, cols), float32, normalised; rows are range, as many as wanted, columns
            azimuth, a multiple of `stride`.

        Returns
        -------
        Tensor
            (n, rows, cols); above 0 is ejecta.
        """
        rows, cols = x.shape[-2:]
        if cols % self.stride:
            raise SettingsError(
                f"a polar picture has {cols} azimuths: use a multiple of {self.stride}"
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
    """Build a context network from one of smp's.

    Not every network can be closed: a decoder that enlarges its maps bilinearly (FPN, DeepLabV3,
    ...) or an encoder that pads in its own way (smp's efficientnet, timm's "tf_" networks) has an
    edge. So each is tried once. Unet and UnetPlusPlus pass, with resnet, mobilenet_v2, densenet or
    timm's resnet, mobilenetv3, efficientnet or convnext encoders.

    Parameters
    ----------
    decoder, encoder, in_channels, pretrained, decoder_channels
        See `build_encoder_decoder`.

    Raises
    ------
    SettingsError
        If a name is wrong, the two do not fit together, or an edge remains in azimuth.
    """
    network = build_encoder_decoder(decoder, encoder, in_channels, pretrained, decoder_channels)
    close_circle(network)
    context = ContextNetwork(network).eval()
    if not _is_closed(context, in_channels):
        raise SettingsError(
            f"decoder {decoder!r} with encoder {encoder!r} has an edge in azimuth: "
            "use Unet or UnetPlusPlus with a resnet, tu-mobilenetv3 or tu-efficientnet encoder"
        )
    return context.train()


@torch.inference_mode()
def _is_closed(context: ContextNetwork, in_channels: int) -> bool:
    """Turn a picture of noise and see whether the answer turns with it."""
    size = (1, in_channels, 2 * context.stride, 4 * context.stride)
    x = torch.randn(size, generator=torch.Generator().manual_seed(0))
    try:
        straight = context(x)
        turned = context(x.roll(context.stride, -1)).roll(-context.stride, -1)
    except (RuntimeError, AssertionError):  # a dilation wider than the circle, a fixed input size
        return False
    return torch.allclose(turned, straight, rtol=1e-3, atol=1e-3 * float(straight.std()))


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value
