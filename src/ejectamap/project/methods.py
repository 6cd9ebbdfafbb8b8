"""What each method and each kind of network is: the one place that all others read.

A *method* is a way to get from a crater to its probability map. To add one, derive a class from
`mapping.methods.Method` in a file of its own, and add its line to `METHODS`. To add a kind of network, write a
`build_*` function and a `training.setups.TrainingSetup`, and add its line to `NETWORK_KINDS`.

Functions and classes that need PyTorch are named as "module:name" and imported when they are used.
"""

from dataclasses import dataclass
from typing import Literal

from ejectamap.project.bundle_views import ChipViews, CorridorViews, NetworkViews, PolarViews


@dataclass(frozen=True)
class NetworkKind:
    """One kind of network.

    Attributes
    ----------
    section : str
        Section of the settings with its architecture and training.
    views : type of NetworkViews
        The type of its input pictures, as its bundles describe them.
    pictures : str
        Name of these pictures, in the plural.
    channels : tuple of str
        Channels after the bands: "marker" (crater and chip in a corridor), "distance" (log10 of metres to the crater's
        centre) and "guide" (probabilities of the context networks). Those of a polar view stand in `views.inputs`.
    metadata : bool
        Whether it is given numbers about the crater, see `views.inputs.crater_metadata`.
    output : "image" or "number"
        One logit a pixel, or one a picture.
    mapping_inputs : "chips", "connected chips" or "craters"
        What its inputs are in mapping; of a crater's polar view there are two, the second one mirrored.
    training_samples : "pairs", "connected pairs", "tiles" or "craters"
        What one training sample is.
    builder : str
        "module:function" that makes an untrained network.
    setup : str
        "module:class" of its `training.setups.TrainingSetup`.
    """

    section: str
    views: type[NetworkViews]
    pictures: str
    channels: tuple[str, ...]
    metadata: bool
    output: Literal["image", "number"]
    mapping_inputs: Literal["chips", "connected chips", "craters"]
    training_samples: Literal["pairs", "connected pairs", "tiles", "craters"]
    builder: str
    setup: str


@dataclass(frozen=True)
class MethodDescription:
    """One method.

    Attributes
    ----------
    networks : tuple of str
        Kinds of networks that it needs, in the order of training.
    implementation : str
        "module:class", derived from `mapping.methods.Method`.
    summary : str
        What it does, in one line for reports.
    settings : tuple of str
        Dotted names of the settings that its maps depend on once the networks are trained.
    depends_on_catalogue : bool
        Whether a crater's map depends on where the other craters of the catalogue are.
    """

    networks: tuple[str, ...]
    implementation: str
    summary: str
    settings: tuple[str, ...] = ()
    depends_on_catalogue: bool = False


_SEGMENTATION = "ejectamap.networks.segmentation:build_segmentation"
_SETUPS = "ejectamap.training.setups"

NETWORK_KINDS = {
    "connection": NetworkKind(
        section="connection",
        views=CorridorViews,
        pictures="corridors",
        channels=("marker",),
        metadata=False,
        output="number",
        mapping_inputs="chips",
        training_samples="pairs",
        builder="ejectamap.networks.connection:build_connection",
        setup=f"{_SETUPS}:ConnectionSetup",
    ),
    "segmentation": NetworkKind(
        section="segmentation",
        views=ChipViews,
        pictures="chips",
        channels=("distance",),
        metadata=True,
        output="image",
        mapping_inputs="connected chips",
        training_samples="connected pairs",
        builder=_SEGMENTATION,
        setup=f"{_SETUPS}:SegmentationSetup",
    ),
    "context": NetworkKind(
        section="context",
        views=PolarViews,
        pictures="polar views",
        channels=(),
        metadata=False,
        output="image",
        mapping_inputs="craters",
        training_samples="craters",
        builder="ejectamap.networks.context:build_context",
        setup=f"{_SETUPS}:ContextSetup",
    ),
    "guided": NetworkKind(
        section="segmentation",
        views=ChipViews,
        pictures="chips",
        channels=("distance", "guide"),
        metadata=True,
        output="image",
        mapping_inputs="connected chips",
        training_samples="connected pairs",
        builder=_SEGMENTATION,
        setup=f"{_SETUPS}:GuidedSetup",
    ),
    "distance-only": NetworkKind(
        section="segmentation",
        views=ChipViews,
        pictures="chips",
        channels=("distance",),
        metadata=False,
        output="image",
        mapping_inputs="chips",
        training_samples="pairs",
        builder=_SEGMENTATION,
        setup=f"{_SETUPS}:DistanceOnlySetup",
    ),
    "agnostic": NetworkKind(
        section="segmentation",
        views=ChipViews,
        pictures="chips",
        channels=(),
        metadata=False,
        output="image",
        mapping_inputs="chips",
        training_samples="tiles",
        builder=_SEGMENTATION,
        setup=f"{_SETUPS}:AgnosticSetup",
    ),
}

METHODS = {
    "two-stage": MethodDescription(
        networks=("connection", "segmentation"),
        implementation="ejectamap.mapping.two_stage:TwoStage",
        summary="connection networks vote on which chips a ray links to the crater; a segmentation network marks"
        " its ejecta there",
        settings=("views.overlap", "connection.vote_threshold", "map.ignore_connections"),
    ),
    "polar": MethodDescription(
        networks=("context",),
        implementation="ejectamap.mapping.polar:Polar",
        summary="a context network marks a crater's ejecta in one picture of its surroundings, azimuth against range",
        depends_on_catalogue=True,
    ),
    "guided": MethodDescription(
        networks=("context", "guided"),
        implementation="ejectamap.mapping.guided:Guided",
        summary="a segmentation network marks ejecta in chips at full resolution, guided by the context network's"
        " probabilities there",
        settings=("views.overlap",),
        depends_on_catalogue=True,
    ),
    "distance-only": MethodDescription(
        networks=("distance-only",),
        implementation="ejectamap.mapping.baselines:DistanceOnly",
        summary="a segmentation network marks ejecta in every chip, from the chip and its distance",
        settings=("views.overlap",),
    ),
    "agnostic": MethodDescription(
        networks=("agnostic",),
        implementation="ejectamap.mapping.baselines:Agnostic",
        summary="a segmentation network marks any crater's ejecta; a pixel is assigned to the crater nearest in crater"
        " radii",
        settings=("views.overlap",),
        depends_on_catalogue=True,
    ),
}
