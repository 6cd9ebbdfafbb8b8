"""Everything that can be set in a project, with its documentation: `project.yaml` is written from this page.

The defaults are the poster's recipe (preset `poster`); other presets are YAML files that change some of them.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

METHOD_NETWORKS = {
    "two-stage": ("connection", "segmentation"),
    "polar": ("context",),
}
"""The methods, and the networks that each needs, in the order of training."""

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Count = Annotated[int, Field(ge=1)]
Pixels = Annotated[int, Field(ge=8)]


class Section(BaseModel):
    """A part of the settings: unknown keys are errors, values never change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Named(Section):
    """Something chosen by name, with its arguments."""

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class Inputs(Section):
    """The files that a project starts from; relative paths start at the project folder."""

    mosaic: str = Field(description="whole-globe raster, equidistant cylindrical on a sphere")
    craters: str = Field(description="CSV, GeoPackage or shapefile of fresh craters")
    labels: str | None = Field(
        None,
        description="folder of mask_crater_{id}.tif, or vector layer with crater_id; null: map only",
    )
    tiles: str | None = Field(
        None,
        description="CSV of fully labelled windows; null: labels are complete within each crater's reach",
    )


class Views(Section):
    """How the networks look at the ground."""

    tile_km: float | None = Field(
        None,
        gt=0,
        description="side of a chip on the ground; null: as the labelled tiles, else one chip pixel per mosaic pixel",
    )
    chip_px: Pixels = Field(224, description="size of the segmentation network's picture")
    overlap: Fraction = Field(0.5, description="how much neighbouring chips overlap when mapping")
    corridor_px: tuple[Pixels, Pixels] = Field(
        (448, 112), description="length and width of the connection network's picture"
    )
    annulus_radii: tuple[float, float] = Field(
        (2.0, 3.0),
        description="ring around the crater whose band means are metadata, in crater radii",
    )
    polar_px: tuple[Pixels, Pixels] = Field(
        (256, 640),
        description="rows (range) and columns (azimuth) of the polar picture at a reach of 0.25",
    )
    polar_power: float = Field(
        0.5, gt=0, le=1, description="polar rows are even in this power of the range"
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
    batch_size: Count = 4
    max_epochs: Count = 200
    patience: Count = Field(
        20, description="stop after so many epochs without a better validation F1"
    )
    members: Count = Field(
        1, description="networks in the ensemble, each with its own train/validation split"
    )
    keep: Literal["best", "last"] = Field(
        "best", description="weights of the epoch with the best validation F1, or of the last one"
    )
    augment: bool = Field(
        False, description="mirrored and turned pictures, changed brightness and contrast"
    )
    precision: Literal["full", "auto"] = Field(
        "full",
        description="auto: half precision (bfloat16) in training where the processor is made for it",
    )
    share: float = Field(1.0, gt=0, description="this network's share of training.max_minutes")


class Connection(Fitting):
    """The connection network, which says whether a ray links crater and chip."""

    architecture: str = Field("res2net50_26w_4s", description="any timm classifier")
    loss: Named = Field(
        Named(name="focal", arguments={"alpha": 0.1}), description="focal, dice, bce or jaccard"
    )
    batch_size: Count = 64
    members: Count = Field(
        10, description="networks in the vote, each with its own train/validation split"
    )
    vote_threshold: float = Field(
        0.5, gt=0, le=1, description="share of the votes that makes a chip connected"
    )


class Segmentation(Fitting):
    """The segmentation network, which outlines this crater's ejecta in a chip."""

    decoder: str = Field("UnetPlusPlus", description="any segmentation-models-pytorch architecture")
    encoder: str = Field("resnet34", description="any of its encoders")
    decoder_channels: tuple[Count, ...] | None = Field(
        None, description="decoder widths, deepest first; null: its own"
    )
    loss: Named = Field(Named(name="dice"), description="focal, dice, bce or jaccard")
    share_weights: bool = Field(
        True, description="weigh chips up in which this crater has a small share of all ejecta"
    )


class Context(Fitting):
    """The context network, which marks a crater's ejecta in all the ground around it at once."""

    decoder: str = Field("Unet", description="Unet or UnetPlusPlus")
    encoder: str = Field(
        "resnet34", description="an encoder that can close the circle: resnet or tu-mobilenetv3"
    )
    decoder_channels: tuple[Count, ...] | None = Field(
        None, description="decoder widths, deepest first; null: its own"
    )
    loss: Named = Field(Named(name="dice-bce"), description="dice-bce, focal, dice, bce or jaccard")


class Training(Section):
    """What the networks learn from."""

    scaling: Literal["255", "mosaic"] = Field(
        "255",
        description="bands divided by 255, or standardised by the mosaic's own mean and spread",
    )
    test_fraction: Fraction = Field(
        0.2, description="share of the pairs held out for the evaluation"
    )
    validation_fraction: Fraction = Field(
        0.1, description="share of the rest that decides when to stop"
    )
    max_minutes: float | None = Field(
        None, gt=0, description="time budget of all training; null: none"
    )
    start_from: str = Field(
        "none",
        description="networks to start from: builtin (those that come with the program), a models folder, or none",
    )
    also_train_on: tuple[str, ...] = Field(
        (), description="other project folders whose labels are learnt from too"
    )


class Mapping(Section):
    """How the maps are made."""

    threshold: float = Field(
        0.5, gt=0, lt=1, description="probability above which a pixel is in the mask"
    )


class Settings(Section):
    """All settings of a project."""

    method: str = Field(
        "two-stage", description=f"how probabilities come about: {', '.join(METHOD_NETWORKS)}"
    )
    seed: int = Field(0, ge=0, description="the one seed of everything random")
    inputs: Inputs
    views: Views = Views()
    connection: Connection = Connection()
    segmentation: Segmentation = Segmentation()
    context: Context = Context()
    training: Training = Training()
    map: Mapping = Mapping()

    @field_validator("method")
    @classmethod
    def _known_method(cls, name: str) -> str:
        if name not in METHOD_NETWORKS:
            raise ValueError(f"there is no such method: use {' or '.join(METHOD_NETWORKS)}")
        return name
