"""For each kind of network: what it learns from, how it is built, and what its bundle has to remember."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from torch import nn

from ejectamap.networks.bundle import Normalisation
from ejectamap.networks.connection import build_connection
from ejectamap.networks.context import build_context
from ejectamap.networks.segmentation import build_segmentation
from ejectamap.project import Project
from ejectamap.training.datasets import AnyEjectaDataset, ChipDataset, CorridorDataset
from ejectamap.training.polar import PolarDataset
from ejectamap.training.sources import (
    Source,
    Sources,
    connected_only,
    hold_out_craters,
    once_per_tile,
    split_validation,
)
from ejectamap.views.inputs import polar_channels


@dataclass(frozen=True)
class Data:
    """What one network learns from and what decides when it stops, with the scaling of inputs and metadata."""

    train: CorridorDataset | ChipDataset | PolarDataset
    validation: CorridorDataset | ChipDataset | PolarDataset
    normalisation: Normalisation
    metadata_normalisation: Normalisation | None


class Recipe(Protocol):
    """One kind of network."""

    arguments: dict[str, Any]
    views: dict[str, Any]

    def __init__(self, project: Project, sources: Sources) -> None: ...

    def datasets(self, seed: int) -> Data:
        """Training and validation data of the ensemble's member with this seed."""
        ...

    def network(self, pretrained: bool) -> nn.Module:
        """A new network, not trained here yet."""
        ...


class ConnectionRecipe:
    """The connection network: corridors and whether they are connected."""

    def __init__(self, project: Project, sources: Sources) -> None:
        self.settings = project.settings
        self.sources = sources
        bands = project.mosaic.bands
        connection = self.settings.connection
        self.arguments: dict[str, Any] = {
            "architecture": connection.architecture,
            "in_channels": bands + 1,
        }
        self.views: dict[str, Any] = {
            "bands": bands,
            "scaling": self.settings.training.scaling,
            "corridor_px": list(self.settings.views.corridor_px),
        }

    def datasets(self, seed: int) -> Data:
        """Corridors of the training and of the validation pairs."""
        train, validation = _split(self, self.sources.sources, seed)
        augment = self.settings.connection.augment
        learnt = CorridorDataset(train, self.settings.views, augment)
        checked = CorridorDataset(validation, self.settings.views, augment=False)
        return Data(learnt, checked, _normalisation(learnt.pictures, self.views), None)

    def network(self, pretrained: bool) -> nn.Module:
        """A new classifier."""
        return build_connection(**self.arguments, pretrained=pretrained)


class SegmentationRecipe:
    """The segmentation network: chips with ejecta and their masks."""

    def __init__(self, project: Project, sources: Sources) -> None:
        self.settings = project.settings
        self.sources = sources
        bands = project.mosaic.bands
        segmentation, views = self.settings.segmentation, self.settings.views
        channels = segmentation.decoder_channels
        self.arguments: dict[str, Any] = {
            "decoder": segmentation.decoder,
            "encoder": segmentation.encoder,
            "in_channels": bands + 1,
            "metadata_size": bands + 1,
            "decoder_channels": None if channels is None else list(channels),
        }
        self.views: dict[str, Any] = {
            "bands": bands,
            "scaling": self.settings.training.scaling,
            "chip_px": views.chip_px,
            "tile_m": sources.tile_m,
            "annulus_radii": list(views.annulus_radii),
        }

    def datasets(self, seed: int) -> Data:
        """Chips of the training and of the validation pairs."""
        parts = _split(self, self.sources.sources, seed)
        train, validation = (connected_only(part) for part in parts)
        settings = self.settings.segmentation
        learnt = ChipDataset(train, self.settings.views, settings.share_weights, settings.augment)
        checked = ChipDataset(
            validation, self.settings.views, settings.share_weights, augment=False
        )
        inputs = [picture[:-1] for picture in learnt.pictures]
        return Data(
            learnt,
            checked,
            _normalisation(inputs, self.views),
            _normalisation(learnt.metadata, self.views),
        )

    def network(self, pretrained: bool) -> nn.Module:
        """A new segmentation network."""
        return build_segmentation(**self.arguments, pretrained=pretrained)


class DistanceOnlyRecipe(SegmentationRecipe):
    """The second of the earlier approaches: chips of all pairs, and nothing about the crater but the distance."""

    def __init__(self, project: Project, sources: Sources) -> None:
        super().__init__(project, sources)
        self.arguments["metadata_size"] = 0
        del self.views["annulus_radii"]

    def datasets(self, seed: int) -> Data:
        """Chips of the training and of the validation pairs, most of them without ejecta."""
        train, validation = _split(self, self.sources.sources, seed)
        augment = self.settings.segmentation.augment
        learnt = ChipDataset(train, self.settings.views, share_weights=False, augment=augment)
        checked = ChipDataset(validation, self.settings.views, share_weights=False, augment=False)
        inputs = [picture[:-1] for picture in learnt.pictures]
        return Data(learnt, checked, _normalisation(inputs, self.views), None)


class AgnosticRecipe(DistanceOnlyRecipe):
    """The first of the earlier approaches: each tile once, its bands alone, and every crater's ejecta in it."""

    def __init__(self, project: Project, sources: Sources) -> None:
        super().__init__(project, sources)
        self.arguments["in_channels"] = self.views["bands"]

    def datasets(self, seed: int) -> Data:
        """Chips of the training and of the validation tiles."""
        train, validation = _split(self, once_per_tile(self.sources.sources), seed)
        augment = self.settings.segmentation.augment
        learnt = AnyEjectaDataset(train, self.settings.views, share_weights=False, augment=augment)
        checked = AnyEjectaDataset(
            validation, self.settings.views, share_weights=False, augment=False
        )
        inputs = [picture[:-2] for picture in learnt.pictures]
        return Data(learnt, checked, _normalisation(inputs, self.views), None)


class ContextRecipe:
    """The context network: polar pictures of whole craters."""

    def __init__(self, project: Project, sources: Sources) -> None:
        self.settings = project.settings
        self.sources = sources
        bands = project.mosaic.bands
        context, views = self.settings.context, self.settings.views
        channels = context.decoder_channels
        self.arguments: dict[str, Any] = {
            "decoder": context.decoder,
            "encoder": context.encoder,
            "in_channels": polar_channels(bands),
            "decoder_channels": None if channels is None else list(channels),
        }
        self.views: dict[str, Any] = {
            "bands": bands,
            "scaling": self.settings.training.scaling,
            "polar_px": list(views.polar_px),
            "polar_power": views.polar_power,
        }

    def datasets(self, seed: int) -> Data:
        """Craters to learn from and craters that decide when to stop."""
        fraction = self.settings.training.validation_fraction
        train, validation = hold_out_craters(self.sources.sources, fraction, seed)
        views = self.settings.views
        learnt = PolarDataset(train, views, self.settings.context.augment, seed)
        checked = PolarDataset(validation, views, augment=False, seed=seed)
        return Data(learnt, checked, _polar_normalisation(self.views["bands"]), None)

    def network(self, pretrained: bool) -> nn.Module:
        """Build a context network."""
        return build_context(**self.arguments, pretrained=pretrained)


RECIPES: dict[str, Callable[[Project, Sources], Recipe]] = {
    "connection": ConnectionRecipe,
    "segmentation": SegmentationRecipe,
    "context": ContextRecipe,
    "distance-only": DistanceOnlyRecipe,
    "agnostic": AgnosticRecipe,
}


def _split(
    recipe: ConnectionRecipe | SegmentationRecipe, sources: Sequence[Source], seed: int
) -> tuple[list[Source], list[Source]]:
    training = recipe.settings.training
    return split_validation(sources, training.validation_fraction, seed, training.split)


def _normalisation(pictures: Sequence[npt.NDArray[Any]], views: dict[str, Any]) -> Normalisation:
    """Standardise channels by their mean and spread in the training pictures; the poster leaves them as they are."""
    if not pictures:  # nothing to learn from, as the caller will say
        return Normalisation((), ())
    channels = len(pictures[0])
    if views["scaling"] == "255":
        return Normalisation((0.0,) * channels, (1.0,) * channels)
    some = np.stack(pictures[:: max(1, len(pictures) // 500)]).astype(np.float64)
    axes = (0, *range(2, some.ndim))
    spread = some.std(axis=axes)
    return Normalisation(
        tuple(some.mean(axis=axes).tolist()), tuple(np.where(spread > 1e-6, spread, 1.0).tolist())
    )


def _polar_normalisation(bands: int) -> Normalisation:
    """Bring the logarithms of range near 0; the bands are standardised already."""
    offset = (*[0.0] * 2 * bands, 1.0, 5.5, 0.0, 0.5)
    return Normalisation(offset, (1.0,) * polar_channels(bands))
