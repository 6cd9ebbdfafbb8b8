"""Everything that can be set in a project, with its documentation: `project.yaml` is written from this module.

The defaults are those of `ejectamap new` (preset `laptop`); other presets are YAML files that change some of them.
"""

from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ejectamap.project.methods import METHODS, NETWORK_KINDS
from ejectamap.texts import clean
from ejectamap.world.crater_columns import COLUMNS

Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Count = Annotated[int, Field(ge=1, le=100_000)]
Reach = Annotated[float, Field(gt=0.0, le=1.0)]
Pixels = Annotated[int, Field(ge=8, le=8192)]
BandScalingName = Literal["255", "mosaic", "training"]

_MOST_BATCH_PIXELS = 2**30
_BAND_SCALING: Any = Field(
    "mosaic",
    description="bands divided by 255; standardised by the mosaic's mean and standard deviation (mosaic), or by those"
    " of the training pictures (training)",
)


class Section(BaseModel):
    """A part of the settings: unknown keys are errors, values never change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ComponentSpec(Section):
    """A component (loss, optimiser, scheduler) chosen by name, with its arguments."""

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)

    @field_validator("arguments")
    @classmethod
    def _finite(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        for name, value in arguments.items():
            if isinstance(value, float) and not isfinite(value):
                raise ValueError(f"{name} is not a finite number")
        return arguments


Optimiser = Annotated[ComponentSpec, Field(description="any of torch.optim, with its arguments")]
BatchSize = Annotated[
    int, Field(ge=1, le=65_536, description="pictures in a batch, on each device")
]
Epochs = Annotated[
    int,
    Field(
        ge=1,
        le=100_000,
        description="most passes over the training pictures; the time budget usually ends the training first",
    ),
]
Patience = Annotated[
    int,
    Field(
        ge=1,
        description="stop after so many epochs in which the monitored figure did not improve",
    ),
]
Keep = Annotated[
    Literal["best", "last"], Field(description="weights of the best epoch, or of the last one")
]
Blend = Annotated[
    float,
    Field(
        gt=0,
        le=1,
        description="fraction of the trained weights in the result; the rest is of those it started from, if any",
    ),
]
BudgetWeight = Annotated[
    float,
    Field(
        gt=0,
        le=1e6,
        description="part of training.max_minutes for this kind, relative to that of the method's other kinds",
    ),
]
Contrast = Annotated[
    float, Field(ge=0, lt=1, description="each band's contrast changed by up to this fraction")
]
Brightness = Annotated[
    float,
    Field(
        ge=0,
        le=100,
        description="each band's level changed by up to this many of its standard deviations",
    ),
]
Members = Annotated[int, Field(ge=1, le=1000)]
DecoderChannels = Annotated[
    tuple[Annotated[int, Field(ge=1, le=2048)], ...] | None,
    Field(description="decoder widths, deepest first; null: its own"),
]


class Inputs(Section):
    """The files that a project starts from; relative paths start at the project folder."""

    mosaic: str = Field(
        description="raster that GDAL can place on a sphere, of the whole globe or a part of it; or a folder of such"
    )
    part_of: str | None = Field(
        None,
        description="larger mosaic that `mosaic` is a part of: bands are scaled by its values, so that maps of parts"
        " agree with a map of the whole; null: by the values of `mosaic`",
    )
    craters: str = Field(description="CSV, GeoPackage or shapefile of fresh craters")
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="columns of the catalogue to use, where they are not found by name: {lon: LON_CIRC, radius_m: R}",
    )
    labels: str | None = Field(
        None,
        description="folder of mask_crater_{id}.tif, or vector layer with crater_id; null: map only",
    )
    tiles: str | None = Field(
        None,
        description="CSV of fully labelled windows; null: labels are complete within each crater's reach",
    )
    split: str | None = Field(
        None,
        description="CSV of crater_id, tile_id, test (0 train, 1 test, -1 unused); null: drawn as in training.split",
    )
    reach: dict[int, Reach] = Field(
        default_factory=dict,
        description="reach of some craters by id, over the catalogue's: {12: 0.5}",
    )

    @field_validator("columns")
    @classmethod
    def _known_columns(cls, columns: dict[str, str]) -> dict[str, str]:
        for key in columns:
            if key not in COLUMNS:
                raise ValueError(f"{key!r} is none of {', '.join(COLUMNS)}")
        return columns


class Views(Section):
    """The input pictures of the networks."""

    tile_km: float | None = Field(
        None,
        gt=0,
        description="side of a chip on the ground; null: as the labelled tiles, else one chip pixel per mosaic pixel",
    )
    chip_px: Pixels = Field(96, description="side of a chip, the segmentation network's picture")
    overlap: float = Field(
        0.5, ge=0, le=0.95, description="how much neighbouring chips overlap when mapping"
    )
    corridor_px: tuple[Pixels, Pixels] = Field(
        (128, 32), description="length and width of a corridor, the connection network's picture"
    )
    annulus_radii: tuple[float, float] = Field(
        (2.0, 3.0),
        description="ring around the crater whose band means are metadata, in crater radii",
    )
    polar_px: tuple[Pixels, Pixels] = Field(
        (256, 640),
        description="rows (range) and columns (azimuth) of a polar view at a reach of 0.25",
    )
    polar_power: float = Field(
        0.5, gt=0, le=1, description="polar rows are evenly spaced in this power of the range"
    )

    @field_validator("annulus_radii")
    @classmethod
    def _is_ring(cls, radii: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= radii[0] < radii[1] <= 1000:
            raise ValueError("give the inner and the outer radius, from 0 to 1000 crater radii")
        return radii


class CorridorAugmentation(Section):
    """Random changes of the training pictures."""

    flips: bool = Field(True, description="half of them mirrored (a corridor across its axis)")
    contrast: Contrast = 0.2
    brightness: Brightness = 0.2
    blur_px: float = Field(
        0.0, ge=0, le=100, description="bands blurred by up to so many pixels (sigma)"
    )


class ChipAugmentation(CorridorAugmentation):
    """Random changes of the training pictures."""

    quarter_turns: bool = Field(True, description="turned by 0, 90, 180 or 270 degrees")


class PolarAugmentation(CorridorAugmentation):
    """Random changes of the training pictures."""

    contrast: Contrast = 0.3
    brightness: Brightness = 0.3
    turns: bool = Field(True, description="turned about the crater by any angle")
    stretch: float = Field(
        1.3,
        ge=1,
        le=10,
        description="range of the picture changed by up to this factor; 1: unchanged",
    )
    fewer_bands: float = Field(
        0.0,
        ge=0,
        le=1,
        description="fraction of the pictures without their last band or bands; with scaling ejecta, as of mosaics of"
        " one or two bands",
    )


class TrainingConfig(Section):
    """How one kind of network is trained."""

    pretrained: bool = Field(True, description="start from ImageNet weights where they can be had")
    loss: ComponentSpec
    optimiser: Optimiser = ComponentSpec(name="AdamW", arguments={"lr": 1e-3, "weight_decay": 0.01})
    scheduler: ComponentSpec = Field(
        ComponentSpec(name="anneal"),
        description="any of torch.optim.lr_scheduler by epoch; anneal: cosine over the time budget; constant",
    )
    warm_up_steps: int = Field(
        50,
        ge=0,
        le=10**9,
        description="steps over which the learning rate first rises, linearly from 0",
    )
    batch_size: BatchSize = 16
    max_epochs: Epochs = 60
    monitor: Literal["f1", "loss"] = Field(
        "f1", description="which validation figure decides: f1 or loss"
    )
    patience: Patience = 20
    members: Members = Field(
        1, description="networks in the ensemble, each with its own train/validation split"
    )
    keep: Keep = "best"
    blend: Blend = 1.0
    precision: Literal["full", "auto"] = Field(
        "auto",
        description="full: float32; auto: mixed precision on a GPU and on processors made for it",
    )
    budget_weight: BudgetWeight = 3.0


class Connection(TrainingConfig):
    """The connection network, which classifies whether a ray links crater and chip."""

    architecture: str = Field("resnet10t", description="any timm classifier")
    loss: ComponentSpec = Field(
        ComponentSpec(name="bce"),
        description="bce, focal, dice, jaccard, or a sum as in dice-bce",
    )
    batch_size: BatchSize = 64
    members: Members = Field(
        3, description="networks in the vote, each with its own train/validation split"
    )
    vote_threshold: float = Field(
        0.5, gt=0, le=1, description="fraction of the votes that makes a chip connected"
    )
    balance_weights: bool = Field(
        True, description="weigh pairs so that connected and unconnected ones count the same"
    )
    distance_weight: float = Field(
        0.0,
        ge=0,
        le=1e6,
        description="how much more the farthest pair counts than one at the crater",
    )
    scaling: BandScalingName = _BAND_SCALING
    augment: CorridorAugmentation = CorridorAugmentation()


class Segmentation(TrainingConfig):
    """The segmentation network, which marks ejecta in a chip; guided, distance-only and agnostic use one like it."""

    decoder: str = Field("Unet", description="any segmentation-models-pytorch architecture")
    encoder: str = Field("resnet18", description="any of its encoders")
    decoder_channels: DecoderChannels = (128, 64, 32, 16, 16)
    loss: ComponentSpec = Field(
        ComponentSpec(name="dice"),
        description="bce, focal, dice, jaccard, skeleton, or a sum as in dice-bce-skeleton",
    )
    ejecta_ratio_weights: bool = Field(
        True,
        description="give chips more weight in which this crater has a small fraction of all craters' ejecta",
    )
    scaling: BandScalingName = _BAND_SCALING
    augment: ChipAugmentation = ChipAugmentation()


class Context(TrainingConfig):
    """The context network, which marks a crater's ejecta in all the ground around it at once."""

    decoder: str = Field("Unet", description="Unet or UnetPlusPlus")
    encoder: str = Field(
        "tu-resnet10t",
        description="an encoder whose convolutions can be made circular in azimuth: resnet or tu-mobilenetv3",
    )
    decoder_channels: DecoderChannels = (128, 64, 32, 16, 16)
    loss: ComponentSpec = Field(
        ComponentSpec(name="dice-bce"),
        description="bce, focal, dice, jaccard, skeleton, or a sum as in dice-bce-skeleton",
    )
    optimiser: Optimiser = ComponentSpec(name="AdamW", arguments={"lr": 5e-4, "weight_decay": 0.01})
    batch_size: BatchSize = 4
    max_epochs: Epochs = 200
    patience: Patience = 200
    keep: Keep = "last"
    blend: Blend = 0.7
    budget_weight: BudgetWeight = 1.0
    scaling: Literal["ejecta", "255", "mosaic", "training"] = Field(
        "ejecta",
        description="ejecta: three axes measured at the craters (similarity to fresh ejecta, two principal components);"
        " else bands, as for the other networks",
    )
    augment: PolarAugmentation = PolarAugmentation()


class Training(Section):
    """Training data, budget and hardware."""

    split: Literal["pairs", "place", "crater"] = Field(
        "pairs",
        description="pairs: as published, a tile may be in training with one crater and in the test with another; "
        "place: no training tile overlaps a test tile; crater: no label of a test crater is trained on",
    )
    test_fraction: float = Field(
        0.2,
        ge=0,
        le=1,
        description="fraction of the pairs held out for the evaluation; 1: all, so that training is on also_train_on",
    )
    validation_fraction: Fraction = Field(
        0.1,
        description="fraction of the rest that is held out of training to choose the best epoch and when to stop",
    )
    max_minutes: float | None = Field(
        12.0, gt=0, description="time budget of all training; null: none"
    )
    start_from: str = Field(
        "builtin",
        description="networks to start from: builtin (those that come with the program), a models folder, or none",
    )
    accelerator: str = Field(
        "auto", description="what to train on, as Lightning names it: cpu, gpu"
    )
    devices: Count = Field(1, description="GPUs, or processes, on each machine")
    nodes: Count = Field(1, description="machines")
    strategy: str = Field(
        "auto", description="how several devices work together, as Lightning names it: ddp, ..."
    )
    loader_workers: Annotated[int, Field(ge=0, le=1024)] | Literal["auto"] = Field(
        "auto",
        description="processes that make pictures during training; auto: on a GPU one a core, else none",
    )
    also_train_on: tuple[str, ...] = Field(
        (), description="other project folders whose labels are trained on too"
    )
    families: tuple[str, ...] = Field(
        (), description="train only on this project's craters of these families; none named: all"
    )


class Mapping(Section):
    """How the maps are made."""

    threshold: float = Field(
        0.3,
        gt=0,
        lt=1,
        description="probability above which a pixel is in the mask; a low one keeps more of the faint far rays",
    )
    backend: Literal["auto", "eager", "eager-bf16", "cuda"] = Field(
        "eager",
        description="what runs the networks; auto: the fastest here that agrees with eager, found in a trial of this"
        " project's own (two projects may then differ in some pixels)",
    )
    ignore_connections: bool = Field(
        False, description="two-stage: segment every chip within reach, without any vote"
    )
    keep_runs: int = Field(
        3,
        ge=0,
        description="earlier maps that are kept in runs when a map changes, beside those that a person named; 0: none",
    )


class Products(Section):
    """What figures, report and exports say of where the map comes from and how it may be used."""

    credit: str | None = Field(
        None, description="whom the mosaic's images are credited to: NASA/JHUAPL/Carnegie"
    )
    authors: tuple[str, ...] = Field(
        (), description="who made the map, for how to cite it: [A. Author, B. Author]"
    )
    licence: str | None = Field(
        None,
        description="SPDX name of the licence that the map may be used by, as CC-BY-4.0; null: none is stated",
    )
    doi: str | None = Field(None, description="DOI of the published map, as 10.5281/zenodo.1234567")

    @field_validator("*")
    @classmethod
    def _clean(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        """Make each text one line that any document can hold."""
        if isinstance(value, tuple):
            return tuple(map(clean, value))
        return value if value is None else clean(value)

    @field_validator("doi")
    @classmethod
    def _plain_doi(cls, doi: str | None) -> str | None:
        if doi is not None and not doi.startswith("10."):
            raise ValueError("is not a DOI, which begins with 10.")
        return doi


class Settings(Section):
    """All settings of a project."""

    version: Literal[2] = Field(2, description="of the keys of this file")
    method: str = Field(
        "polar", description=f"how a crater's probabilities are computed: {', '.join(METHODS)}"
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="the one seed of everything random")
    inputs: Inputs
    views: Views = Views()
    connection: Connection = Connection()
    segmentation: Segmentation = Segmentation()
    context: Context = Context()
    training: Training = Training()
    map: Mapping = Mapping()
    products: Products = Products()

    @property
    def network_configs(self) -> dict[str, TrainingConfig]:
        """How each kind of network that the method needs is trained, by kind, in the order of training."""
        kinds = METHODS[self.method].networks
        if self.map.ignore_connections:
            kinds = tuple(kind for kind in kinds if kind != "connection")
        return {kind: getattr(self, NETWORK_KINDS[kind].section) for kind in kinds}

    @model_validator(mode="after")
    def _batches_fit_in_memory(self) -> "Settings":
        """Refuse batches for which no machine has memory, before any machine tries to find it."""
        pictures = {
            "connection": ("corridor_px", self.views.corridor_px),
            "segmentation": ("chip_px", (self.views.chip_px, self.views.chip_px)),
            "context": ("polar_px", self.views.polar_px),
        }
        for section, (key, (rows, cols)) in pictures.items():
            batch_size = getattr(self, section).batch_size
            if batch_size * rows * cols > _MOST_BATCH_PIXELS:
                raise ValueError(
                    f"views.{key} and {section}.batch_size make batches of {batch_size} x {rows} x {cols} pixels, more"
                    f" than {_MOST_BATCH_PIXELS:.1e}: make one of them smaller"
                )
        return self

    @field_validator("method")
    @classmethod
    def _known_method(cls, name: str) -> str:
        if name not in METHODS:
            raise ValueError(f"there is no such method: use {' or '.join(METHODS)}")
        return name
