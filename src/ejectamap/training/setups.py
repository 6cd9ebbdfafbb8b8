"""Training setup of each kind of network: training data, arguments of the architecture, views for the bundle."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ejectamap.errors import SettingsError
from ejectamap.networks.bundle import build_network
from ejectamap.networks.ensemble import load_initial
from ejectamap.networks.losses import build_loss
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
from ejectamap.training.optimisers import build_optimiser, build_schedule
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

_MAX_SAMPLES = 500  # from which mean and standard deviation of the channels are estimated

AnyDataset = CorridorDataset | ChipDataset | PolarDataset
FloatArray = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class TrainingData:
    """Training and validation data of one network, with the normalisation of its inputs and metadata.

    `validation_craters` is the number of craters with validation data.
    """

    train: AnyDataset
    validation: AnyDataset
    validation_craters: int
    normalisation: ChannelScaling
    metadata_normalisation: ChannelScaling | None


class TrainingSetup(ABC):
    """Training setup of one kind of network in a project.

    Attributes
    ----------
    kind : str
        One of `NETWORK_KINDS`.
    arguments : dict
        Arguments of its `build_*` function, without `pretrained`.
    views : NetworkViews
        The pictures that it takes, as its bundle describes them.
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
        """Build an untrained network."""
        return build_network(self.kind, pretrained, **self.arguments)

    def data(self, seed: int) -> TrainingData:
        """Read the training and validation data of the ensemble's member with this seed."""
        train, validation = self.split(seed)
        training_set = self.dataset(train, augmented=True, seed=seed)
        validation_set = self.dataset(validation, augmented=False, seed=seed)
        craters = sum(len({pair.crater for pair in source.pairs}) for source in validation)
        normalisations = self.normalisations(training_set)
        return TrainingData(training_set, validation_set, craters, *normalisations)

    def usable_sources(self) -> list[Source]:
        """The sources with only those pairs that this kind of network is trained on."""
        sources = self.sources.sources
        match NETWORK_KINDS[self.kind].training_samples:
            case "connected pairs":
                return connected_only(sources)
            case "tiles":
                return once_per_tile(sources)
        return list(sources)

    def split(self, seed: int) -> tuple[list[Source], list[Source]]:
        """Split the usable sources into training and validation."""
        training = self.settings.training
        return split_validation(
            self.usable_sources(), training.validation_fraction, seed, training.split
        )

    @abstractmethod
    def dataset(self, sources: Sequence[Source], augmented: bool, seed: int) -> Any:
        """Read the data set of some sources, with or without augmentation."""

    @abstractmethod
    def normalisations(self, training_set: Any) -> tuple[ChannelScaling, ChannelScaling | None]:
        """Normalisation of the channels, and of the metadata if there are any."""


class ConnectionSetup(TrainingSetup):
    """Kind "connection": corridors of all pairs."""

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
        """Read the corridors of all pairs."""
        views, connection = self.settings.views, self.settings.connection
        return CorridorDataset(sources, views, connection, augmented, seed)

    def normalisations(self, training_set: CorridorDataset) -> tuple[ChannelScaling, None]:
        """Normalisation of the channels."""
        channels = self.arguments["in_channels"]
        return _standardise(training_set.inputs, channels, self.views.scaling), None


class SegmentationSetup(TrainingSetup):
    """Kind "segmentation": chips of the connected pairs."""

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
        """Read the chips of all pairs."""
        return self.dataset_class(sources, self.settings.views, self.config, augmented, seed)

    def normalisations(
        self, training_set: ChipDataset
    ) -> tuple[ChannelScaling, ChannelScaling | None]:
        """Normalisation of the channels and, if the network takes any, of the metadata."""
        scaling, size = self.views.scaling, self.arguments["metadata_size"]
        inputs = [array[:-1] for array in training_set.arrays]
        channels = _standardise(inputs, self.arguments["in_channels"], scaling)
        return channels, _standardise(training_set.metadata, size, scaling) if size else None


class GuidedSetup(SegmentationSetup):
    """Kind "guided": chips with labelled or predicted ejecta, and the context networks' probabilities."""

    kind = "guided"
    dataset_class = GuidedDataset

    def usable_sources(self) -> list[Source]:
        """The sources with the pairs that have labelled or predicted ejecta, and with a guide for each crater."""
        return guide_sources(self.project, self.sources.sources)


class DistanceOnlySetup(SegmentationSetup):
    """Kind "distance-only", the second of the two baselines: chips of all pairs, without metadata and weights."""

    kind = "distance-only"
    dataset_class: ClassVar[type[ChipDataset]] = DistanceOnlyDataset

    def __init__(self, project: Project, sources: Sources) -> None:
        super().__init__(project, sources)
        self.config = self.config.model_copy(update={"ejecta_ratio_weights": False})


class AgnosticSetup(DistanceOnlySetup):
    """Kind "agnostic", the first of the two baselines: only the bands of each tile, and any crater's ejecta."""

    kind = "agnostic"
    dataset_class = AgnosticDataset


class ContextSetup(TrainingSetup):
    """Kind "context": polar views of all craters."""

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
            # The number of ejecta axes does not depend on the mosaic's number of bands.
            bands=None if context.scaling == "ejecta" else self.bands,
            scaling=context.scaling,
            polar_px=views.polar_px,
            polar_power=views.polar_power,
        )

    def split(self, seed: int) -> tuple[list[Source], list[Source]]:
        """Split the sources by craters."""
        fraction = self.settings.training.validation_fraction
        return hold_out_craters(self.usable_sources(), fraction, seed)

    def dataset(self, sources: Sequence[Source], augmented: bool, seed: int) -> PolarDataset:
        """Read the polar views of all craters."""
        views, context = self.settings.views, self.settings.context
        return PolarDataset(sources, views, context, augmented, seed)

    def normalisations(self, training_set: PolarDataset) -> tuple[ChannelScaling, None]:
        """Normalisation of the channels."""
        channels = self.arguments["in_channels"]
        if self.views.scaling == "training":
            count = min(len(training_set), _MAX_SAMPLES)
            pictures = [training_set[0, k]["inputs"].numpy() for k in range(count)]
            return _standardise(pictures, channels, "training"), None
        # The last four channels are log10 of range in radii and in metres, nearest-crater ratio, and valid; these
        # offsets are their approximate means.
        offset = (*[0.0] * (channels - 4), 1.0, 5.5, 0.0, 0.5)
        return ChannelScaling(offset, (1.0,) * channels), None


def training_setup(kind: str, project: Project, sources: Sources) -> TrainingSetup:
    """Create the training setup of a kind of network in a project."""
    setup_class: type[TrainingSetup] = resolve_name(NETWORK_KINDS[kind].setup)
    return setup_class(project, sources)


def validate_training(project: Project, sources: Sources) -> dict[str, nn.Module]:
    """Check, without training, that the networks, losses and optimisers of the settings can be built.

    Returns
    -------
    dict of str to nn.Module
        An untrained network, without ImageNet weights, of each kind that the method needs.

    Raises
    ------
    SettingsError
        Naming the project file and the section, if a name or an argument in it is not valid.
    BundleError, ProjectError
        If the networks that training starts from are missing or of another architecture.
    """
    networks = {}
    for kind, config in project.settings.network_configs.items():
        try:
            loss = build_loss(config.loss.name, **config.loss.arguments)
            logits = torch.zeros(2 if NETWORK_KINDS[kind].output == "number" else (2, 8, 8))
            loss(logits, logits)
            setup = training_setup(kind, project, sources)
            networks[kind] = setup.network(pretrained=False)
            start = project.start_networks(kind)
            if start is not None:
                load_initial(start, setup.arguments, setup.views.scaling, number=0)
            build_schedule(config, build_optimiser(config, networks[kind]))
        except SettingsError as error:
            raise SettingsError(f"{project.folder / 'project.yaml'}: {kind}: {error}") from None
    return networks


def _standardise(pictures: Sequence[FloatArray], channels: int, scaling: str) -> ChannelScaling:
    """Scaling to zero mean and unit standard deviation over training pictures; the identity for "255" (poster)."""
    # Without any pictures the caller reports that there are no training data.
    if scaling == "255" or not pictures:
        return ChannelScaling.identity(channels)
    sample = pictures[:: max(1, len(pictures) // _MAX_SAMPLES)]
    values = np.concatenate([picture.reshape(channels, -1) for picture in sample], axis=1)
    offset, std = values.mean(axis=1, dtype=np.float64), values.std(axis=1, dtype=np.float64)
    divisor = np.where(std > 1e-6, std, 1.0)
    return ChannelScaling(tuple(offset.tolist()), tuple(divisor.tolist()))
