"""Settings of the networks: what each is built of, and how it is trained. The defaults are the poster's."""

from typing import Any, Literal

from pydantic import Field

from ejectamap.project.augmentation import (
    ChipAugmentation,
    CorridorAugmentation,
    PolarAugmentation,
)
from ejectamap.project.section import Count, Named, Section

PICTURE_LOSSES = (
    "bce, focal, dice, jaccard, tversky, lovasz, cldice, skeleton, boundary, or a sum as in"
    " dice-bce-cldice"
)

BandScalingName = Literal["255", "mosaic", "training"]
_BAND_SCALING: Any = Field(
    "255",
    description="bands divided by 255; standardised by the mosaic's mean and spread; or by the training pictures'",
)


class Fitting(Section):
    """How one network is trained."""

    pretrained: bool = Field(True, description="start from ImageNet weights where they can be had")
    loss: Named
    optimiser: Named = Field(
        Named(name="AdamW", arguments={"lr": 1e-4}),
        description="any of torch.optim, with its arguments",
    )
    scheduler: Named = Field(
        Named(name="StepLR", arguments={"step_size": 10, "gamma": 0.9}),
        description="any of torch.optim.lr_scheduler by epoch; anneal: cosine over the time budget; constant",
    )
    warm_up_steps: int = Field(
        0, ge=0, description="steps over which the learning rate first rises, linearly from 0"
    )
    batch_size: Count = Field(4, description="pictures in a batch, on each device")
    accumulate: Count = Field(1, description="batches whose gradients add up to one step")
    max_epochs: Count = 200
    monitor: Literal["f1", "loss"] = Field(
        "f1", description="what is watched on the validation data: f1 or loss"
    )
    patience: Count = Field(
        20, description="stop after so many epochs in which what is watched got no better"
    )
    members: Count = Field(
        1, description="networks in the ensemble, each with its own train/validation split"
    )
    keep: Literal["best", "last"] = Field(
        "best", description="weights of the best epoch, or of the last one"
    )
    blend: float = Field(
        1.0,
        gt=0,
        le=1,
        description="share of the trained weights in the result; the rest is of those it started from, if any",
    )
    precision: Literal["full", "auto"] = Field(
        "full",
        description="auto: mixed precision in training on a GPU and where else the processor is made for it",
    )
    share: float = Field(1.0, gt=0, description="this network's share of training.max_minutes")


class Connection(Fitting):
    """The connection network, which says whether a ray links crater and chip."""

    architecture: str = Field("res2net50_26w_4s", description="any timm classifier")
    loss: Named = Field(
        Named(name="focal", arguments={"alpha": 0.1}),
        description="bce, focal, dice, jaccard, tversky, lovasz, or a sum as in dice-bce",
    )
    batch_size: Count = 64
    members: Count = Field(
        10, description="networks in the vote, each with its own train/validation split"
    )
    vote_threshold: float = Field(
        0.5, gt=0, le=1, description="share of the votes that makes a chip connected"
    )
    balance_weights: bool = Field(
        False, description="weigh pairs so that connected and unconnected ones count the same"
    )
    distance_weight: float = Field(
        0.0, ge=0, description="how much more the farthest pair counts than one at the crater"
    )
    scaling: BandScalingName = _BAND_SCALING
    augment: CorridorAugmentation = CorridorAugmentation()


class Segmentation(Fitting):
    """The segmentation network, which outlines ejecta in a chip; guided, distance-only and agnostic use one like it."""

    decoder: str = Field("UnetPlusPlus", description="any segmentation-models-pytorch architecture")
    encoder: str = Field("resnet34", description="any of its encoders")
    decoder_channels: tuple[Count, ...] | None = Field(
        None, description="decoder widths, deepest first; null: its own"
    )
    loss: Named = Field(Named(name="dice"), description=PICTURE_LOSSES)
    share_weights: bool = Field(
        True, description="weigh chips up in which this crater has a small share of all ejecta"
    )
    scaling: BandScalingName = _BAND_SCALING
    augment: ChipAugmentation = ChipAugmentation()


class Context(Fitting):
    """The context network, which marks a crater's ejecta in all the ground around it at once."""

    decoder: str = Field("Unet", description="Unet or UnetPlusPlus")
    encoder: str = Field(
        "resnet34", description="an encoder that can close the circle: resnet or tu-mobilenetv3"
    )
    decoder_channels: tuple[Count, ...] | None = Field(
        None, description="decoder widths, deepest first; null: its own"
    )
    loss: Named = Field(Named(name="dice-bce"), description=PICTURE_LOSSES)
    scaling: Literal["ejecta", "255", "mosaic", "training"] = Field(
        "ejecta",
        description="three axes measured at the craters: likeness to fresh ejecta, and what else varies; or"
        " bands, as for the other networks",
    )
    augment: PolarAugmentation = PolarAugmentation()
