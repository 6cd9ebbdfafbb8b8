"""Encoder-decoder networks of smp (segmentation-models-pytorch) by name, and padding for inputs of any size."""

import inspect
from collections.abc import Sequence
from typing import Any

import segmentation_models_pytorch as smp
import timm
import torch.nn.functional as F
from segmentation_models_pytorch.base import SegmentationModel
from torch import Tensor, nn

from ejectamap.errors import SettingsError, unknown_name
from ejectamap.networks.pretrained import with_weights

# DPT decodes the tokens of a vision transformer, not a pyramid of feature maps.
_DECODERS = {name: made for name, made in smp.MODEL_ARCHITECTURES_MAPPING.items() if name != "dpt"}


_MOST_WIDTH = 4096  # of a decoder, all levels together; ten times that of the largest in use


def build_encoder_decoder(
    decoder: str,
    encoder: str,
    in_channels: int,
    pretrained: bool,
    decoder_channels: Sequence[int] | None,
) -> SegmentationModel:
    """Build one of smp's networks with one output channel.

    Parameters
    ----------
    decoder : str
        smp's name of the architecture, upper or lower case: "UnetPlusPlus", "fpn".
    encoder : str
        smp's name of the encoder: "resnet34", or "tu-" followed by the name of a timm network.
    in_channels : int
        Channels of a picture.
    pretrained : bool
        Start the encoder from ImageNet weights if they are available.
    decoder_channels : sequence of int or None
        Widths of the decoder: five numbers, coarsest first, for Unet, UnetPlusPlus and MAnet; one for DeepLabV3,
        DeepLabV3Plus, PAN and UPerNet; None for smp's defaults.

    Raises
    ------
    SettingsError
        If a name is unknown, decoder and encoder do not work together, or the decoder takes another number of widths.
    """
    if decoder.lower() not in _DECODERS:
        raise unknown_name("decoder", decoder, _DECODERS)
    _check_encoder(encoder)
    architecture = _DECODERS[decoder.lower()]
    options = _decoder_options(architecture, decoder_channels)

    def build(pretrained: bool) -> nn.Module:
        network: nn.Module = architecture(
            encoder_name=encoder,
            encoder_weights=_weights(encoder) if pretrained else None,
            in_channels=in_channels,
            classes=1,
            **options,
        )
        return network

    try:
        return with_weights(build, encoder, pretrained)
    except Exception as problem:  # smp and timm do not document what they raise
        reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise SettingsError(
            f"encoder {encoder!r} does not work with decoder {decoder!r} ({reason}); "
            "use another encoder, such as resnet34"
        ) from problem


def pad_to_multiple(x: Tensor, rows: int, cols: int) -> Tensor:
    """Repeat the last row and column of (n, c, h, w) until h is a multiple of `rows` and w of `cols`."""
    height, width = x.shape[-2:]
    bottom, right = -height % rows, -width % cols
    return F.pad(x, (0, right, 0, bottom), mode="replicate") if bottom or right else x


def _check_encoder(encoder: str) -> None:
    smp_encoders = smp.encoders.get_encoder_names()
    is_timm = encoder.startswith("tu-") and timm.is_model(encoder.removeprefix("tu-"))
    if encoder not in smp_encoders and not is_timm:
        timm_encoders = [f"tu-{name}" for name in timm.list_models()]
        raise unknown_name("encoder", encoder, [*smp_encoders, *timm_encoders])


def _weights(encoder: str) -> str | bool:
    """Value of smp's `encoder_weights`: "imagenet" if the encoder has such weights, otherwise its first ones."""
    if encoder.startswith("tu-"):
        return True
    choices = smp.encoders.encoders[encoder]["pretrained_settings"]
    return "imagenet" if "imagenet" in choices else str(next(iter(choices)))


def _decoder_options(architecture: type, decoder_channels: Sequence[int] | None) -> dict[str, Any]:
    if decoder_channels is None:
        return {}
    name = architecture.__name__
    parameter = inspect.signature(architecture).parameters.get("decoder_channels")
    if parameter is None:
        raise SettingsError(f"decoder {name} has no decoder_channels: set them to null")
    if not all(width >= 1 for width in decoder_channels) or sum(decoder_channels) > _MOST_WIDTH:
        raise SettingsError(
            f"decoder_channels of {sum(decoder_channels)} in all: give numbers above 0 that add up to {_MOST_WIDTH} at"
            " most"
        )
    single = isinstance(parameter.default, int)
    count = 1 if single else len(parameter.default)
    if len(decoder_channels) != count:
        raise SettingsError(
            f"decoder {name} takes {count} decoder_channels, not {len(decoder_channels)}"
        )
    return {"decoder_channels": decoder_channels[0] if single else tuple(decoder_channels)}
