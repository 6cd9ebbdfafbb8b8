"""How each kind of network is trained: its samples, its architecture's arguments, and what its bundle describes."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from torch import nn

from ejectamap.networks.bundle import build_network
from ejectamap.project.bundle_views import ChipViews, CorridorViews, NetworkViews, PolarViews
from ejectamap.project.folder import Project
from ejectamap.project.methods import NETWORK_KINDS
from ejectamap.training.datasets import (
    AgnosticDataset,
    ChipDataset,
    CorridorDataset,
    DistanceOnlyDataset,
)
from ejectamap.training.guided_data import GuidedDataset, guide_sources
from ejectamap.training.polar_data import PolarDataset
from ejectamap.training.sources import (
    Source,
    Sources,
    connected_only,
    hold_out_craters,
    once_per_tile,
    split_validation,
)
from ejectamap.views.inputs import polar_channels
from ejectamap.views.scaling import ChannelScaling

_SAMPLES = 500  # enough to estimate mean and standard deviation

AnyDataset = CorridorDataset | ChipDataset | PolarDataset
Numbers = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class TrainingData:
    """Training and validation data of one network, with the scaling of inputs and metadata."""

    train: AnyDataset
    validation: AnyDataset
    normalisation: ChannelScaling
    metadata_normalisation: ChannelScaling | None


class TrainingSetup(ABC):
    """How one kind of network is trained in a project.

    Attributes
    ----------
    kind : str
        One of `NETWORK_KINDS`.
    arguments : dict
        Of its `build_*` function.
    views : NetworkViews
        The pictures it sees, as its bundle describes them.
    """

    kind: ClassVar[str]
    arguments: dict[str, Any]
    views: NetworkViews

    def __init__(self, project: Project, sources: Sources) -> None:
        self.project = project
        self.settings = project.settings
        self.bands = project.mosaic.bands
        self.sources = sources

    def network(self, pretrained: bool) -> nn.Module:
        """A new, untrained network."""
        return build_network(self.kind, pretrained, **self.arguments)

    def data(self, seed: int) -> TrainingData:
        """Training and validation data of the ensemble's member with this seed."""
        train, validation = self.split(seed)
        training_set = self.dataset(train, augmented=True, seed=seed)
        validation_set = self.dataset(validation, augmented=False, seed=seed)
        return TrainingData(training_set, validation_set, *self.normalisations(training_set))

    def usable_sources(self) -> list[Source]:
        """The sources with only those pairs that this kind of network can learn from."""
        sources = self.sources.sources
        match NETWORK_KINDS[self.kind].learns_from:
            case "connected pairs":
                return connected_only(sources)
            case "tiles":
                return once_per_tile(sources)
        return list(sources)

    def split(self, seed: int) -> tuple[list[Source], list[Source]]:
        """Sources to train on, and sources to validate on."""
        training = self.settings.training
        return split_validation(
            self.usable_sources(), training.validation_fraction, seed, training.split
        )

    @abstractmethod
    def dataset(self, sources: Sequence[Source], augmented: bool, seed: int) -> Any:
        """Inputs and targets of some sources, with or without random changes."""

    @abstractmethod
    def normalisations(self, training_set: Any) -> tuple[ChannelScaling, ChannelScaling | None]:
        """Scaling of the channels and of the metadata, from the training data where the settings say so."""


class ConnectionSetup(TrainingSetup):
    """The connection network: corridors and whether they are connected."""

    kind = "connection"

    def __init__(self, project: Project, sources: Sources) -> None:
        super().__init__(project, sources)
        connection = self.settings.connection
        self.arguments = {
            "architecture": connection.architecture,
            "in_channels": self.bands + len(NETWORK_KINDS[self.kind].channels),
        }
        self.views = CorridorViews(
            bands=self.bands,
            scaling=connection.scaling,
            corridor_px=self.settings.views.corridor_px,
        )

    def dataset(self, sources: Sequence[Source], augmented: bool, seed: int) -> CorridorDataset:
        """Corridors of all pairs."""
        views, connection = self.settings.views, self.settings.connection
        return CorridorDataset(sources, views, connection, augmented, seed)

    def normalisations(self, training_set: CorridorDataset) -> tuple[ChannelScaling, None]:
        """Scaling of the channels."""
        channels = self.arguments["in_channels"]
        return _standardise(training_set.inputs, channels, self.views.scaling), None


class SegmentationSetup(TrainingSetup):
    """The segmentation network: chips and their masks."""

    kind = "segmentation"
    dataset_class: ClassVar[type[ChipDataset]] = ChipDataset

    def __init__(self, project: Project, sources: Sources) -> None:
        super().__init__(project, sources)
        segmentation, views = self.settings.segmentation, self.settings.views
        description = NETWORK_KINDS[self.kind]
        self.config = segmentation
        channels = segmentation.decoder_channels
        self.arguments = {
            "decoder": segmentation.decoder,
            "encoder": segmentation.encoder,
            "in_channels": self.bands + len(description.channels),
            "metadata_size": self.bands + 1 if description.metadata else 0,
            "decoder_channels": None if channels is None else list(channels),
        }
        self.views = ChipViews(
            bands=self.bands,
            scaling=segmentation.scaling,
            chip_px=views.chip_px,
            tile_m=sources.tile_m,
            annulus_radii=views.annulus_radii if description.metadata else None,
        )

    def dataset(self, sources: Sequence[Source], augmented: bool, seed: int) -> ChipDataset:
        """Chips of all pairs."""
        return self.dataset_class(sources, self.settings.views, self.config, augmented, seed)

    def normalisations(
        self, training_set: ChipDataset
    ) -> tuple[ChannelScaling, ChannelScaling | None]:
        """Scaling of the channels and of the metadata."""
        scaling, size = self.views.scaling, self.arguments["metadata_size"]
        inputs = [array[:-1] for array in training_set.arrays]
        channels = _standardise(inputs, self.arguments["in_channels"], scaling)
        return channels, _standardise(training_set.metadata, size, scaling) if size else None


class GuidedSetup(SegmentationSetup):
    """The guided network: chips with labelled or predicted ejecta, and the context networks' probabilities."""

    kind = "guided"
    dataset_class = GuidedDataset

    def usable_sources(self) -> list[Source]:
        """The pairs with ejecta, and those where the context networks predict some."""
        return guide_sources(self.project, self.sources.sources)


class DistanceOnlySetup(SegmentationSetup):
    """The second of the earlier approaches: chips of all pairs, and only the distance to the crater beside them."""

    kind = "distance-only"
    dataset_class: ClassVar[type[ChipDataset]] = DistanceOnlyDataset

    def __init__(self, project: Project, sources: Sources) -> None:
        super().__init__(project, sources)
        self.config = self.config.model_copy(update={"ejecta_ratio_weights": False})


class AgnosticSetup(DistanceOnlySetup):
    """The first of the earlier approaches: each tile once, its bands alone, and every crater's ejecta in it."""

    kind = "agnostic"
    dataset_class = AgnosticDataset


class ContextSetup(TrainingSetup):
    """The context network: polar views of whole craters."""

    kind = "context"

    def __init__(self, project: Project, sources: Sources) -> None:
        super().__init__(project, sources)
        context, views = self.settings.context, self.settings.views
        channels = context.decoder_channels
        self.arguments = {
            "decoder": context.decoder,
            "encoder": context.encoder,
            "in_channels": polar_channels(self.bands, context.scaling),
            "decoder_channels": None if channels is None else list(channels),
        }
        self.views = PolarViews(
            # Ejecta axes are as many on every mosaic.
            bands=None if context.scaling == "ejecta" else self.bands,
            scaling=context.scaling,
            polar_px=views.polar_px,
            polar_power=views.polar_power,
        )

    def split(self, seed: int) -> tuple[list[Source], list[Source]]:
        """Whole craters."""
        fraction = self.settings.training.validation_fraction
        return hold_out_craters(self.usable_sources(), fraction, seed)

    def dataset(self, sources: Sequence[Source], augmented: bool, seed: int) -> PolarDataset:
        """Polar views of all craters."""
        views, context = self.settings.views, self.settings.context
        return PolarDataset(sources, views, context, augmented, seed)

    def normalisations(self, training_set: PolarDataset) -> tuple[ChannelScaling, None]:
        """Scaling of the channels."""
        channels = self.arguments["in_channels"]
        if self.views.scaling == "training":
            count = min(len(training_set), _SAMPLES)
            pictures = [training_set[0, k]["inputs"].numpy() for k in range(count)]
            return _standardise(pictures, channels, "training"), None
        # Brings the logarithms of range near 0.
        offset = (*[0.0] * (channels - 4), 1.0, 5.5, 0.0, 0.5)
        return ChannelScaling(offset, (1.0,) * channels), None


def training_setup(kind: str, project: Project, sources: Sources) -> TrainingSetup:
    """The setup of a kind of network in a project."""
    setup_class: type[TrainingSetup] = resolve_name(NETWORK_KINDS[kind].setup)
    return setup_class(project, sources)


def _standardise(pictures: Sequence[Numbers], channels: int, scaling: str) -> ChannelScaling:
    """Scaling to zero mean and unit standard deviation over the training pictures; none for the poster's "255"."""
    # Without any picture the caller reports that there is nothing to learn from.
    if scaling == "255" or not pictures:
        return ChannelScaling.identity(channels)
    some = pictures[:: max(1, len(pictures) // _SAMPLES)]
    values = np.concatenate([picture.reshape(channels, -1) for picture in some], axis=1)
    offset, spread = values.mean(axis=1, dtype=np.float64), values.std(axis=1, dtype=np.float64)
    divisor = np.where(spread > 1e-6, spread, 1.0)
    return ChannelScaling(tuple(offset.tolist()), tuple(divisor.tolist()))
