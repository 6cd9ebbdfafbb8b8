"""For each kind of network: what it learns from, how it is built, and what its bundle has to remember."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from ejectamap.networks.bundle import BUILDERS, Normalisation
from ejectamap.project import Project
from ejectamap.training.datasets import AnyEjectaDataset, ChipDataset, CorridorDataset
from ejectamap.training.guided import GuidedDataset, guide_sources
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
from ejectamap.views.tiling import check_overlap

_ENOUGH = 500  # pictures that tell mean and spread

AnyDataset = CorridorDataset | ChipDataset | PolarDataset
Numbers = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Data:
    """What one network learns from and what decides when it stops, with the scaling of inputs and metadata."""

    train: AnyDataset
    validation: AnyDataset
    normalisation: Normalisation
    metadata_normalisation: Normalisation | None


class Recipe(ABC):
    """One kind of network.

    Attributes
    ----------
    kind : str
        Name of its bundles' kind.
    arguments : dict
        Of its `build_*` function.
    views : dict
        What using it needs to know of the views.
    """

    kind: str
    arguments: dict[str, Any]
    views: dict[str, Any]

    def __init__(self, project: Project, sources: Sources) -> None:
        self.settings = project.settings
        self.bands = project.mosaic.bands
        self.sources = sources

    def network(self, pretrained: bool) -> nn.Module:
        """A new network, not trained here yet."""
        return BUILDERS[self.kind](**self.arguments, pretrained=pretrained)

    def data(self, seed: int) -> Data:
        """Training and validation data of the ensemble's member with this seed."""
        train, validation = self.split(seed)
        learnt = self.dataset(train, augmented=True, seed=seed)
        checked = self.dataset(validation, augmented=False, seed=seed)
        return Data(learnt, checked, *self.normalisations(learnt))

    def learnable(self) -> list[Source]:
        """All pairs that this kind of network can learn from."""
        return list(self.sources.sources)

    def split(self, seed: int) -> tuple[list[Source], list[Source]]:
        """What to learn from, and what decides when to stop."""
        training = self.settings.training
        return split_validation(
            self.learnable(), training.validation_fraction, seed, training.split
        )

    @abstractmethod
    def dataset(self, sources: Sequence[Source], augmented: bool, seed: int) -> Any:
        """Pictures and answers of some sources, changed at random or as they are."""

    @abstractmethod
    def normalisations(self, learnt: Any) -> tuple[Normalisation, Normalisation | None]:
        """Scaling of the channels and of the metadata, from the training data where the settings say so."""


class ConnectionRecipe(Recipe):
    """The connection network: corridors and whether they are connected."""

    kind = "connection"

    def __init__(self, project: Project, sources: Sources) -> None:
        super().__init__(project, sources)
        connection = self.settings.connection
        self.arguments = {
            "architecture": connection.architecture,
            "in_channels": self.bands + 1,
        }
        self.views = {
            "bands": self.bands,
            "scaling": connection.scaling,
            "corridor_px": list(self.settings.views.corridor_px),
        }

    def dataset(self, sources: Sequence[Source], augmented: bool, seed: int) -> CorridorDataset:
        """Corridors of all pairs."""
        views, connection = self.settings.views, self.settings.connection
        return CorridorDataset(sources, views, connection, augmented, seed)

    def normalisations(self, learnt: CorridorDataset) -> tuple[Normalisation, None]:
        """Scaling of the channels."""
        return _normalise(learnt.pictures, self.bands + 1, self.views["scaling"]), None


class SegmentationRecipe(Recipe):
    """The segmentation network: chips with ejecta and their masks."""

    kind = "segmentation"

    def __init__(self, project: Project, sources: Sources) -> None:
        super().__init__(project, sources)
        segmentation, views = self.settings.segmentation, self.settings.chip_views
        check_overlap(views.overlap, views.radial_up)  # maps need it: better said before training
        self.fitting = segmentation
        channels = segmentation.decoder_channels
        self.arguments = {
            "decoder": segmentation.decoder,
            "encoder": segmentation.encoder,
            "in_channels": self.bands + 1 + views.rivals,
            "metadata_size": self.bands + 1,
            "decoder_channels": None if channels is None else list(channels),
        }
        self.views = {
            "bands": self.bands,
            "scaling": segmentation.scaling,
            "chip_px": views.chip_px,
            "tile_m": sources.tile_m,
            "distance": views.distance,
            "log_distance": views.log_distance,
            "annulus_radii": list(views.annulus_radii),
        }
        # Without them a bundle is as it was before there were these options.
        self.views |= {k: True for k in ("rivals", "radial_up") if getattr(views, k)}

    def learnable(self) -> list[Source]:
        """Only the pairs with ejecta."""
        return connected_only(self.sources.sources)

    def dataset(self, sources: Sequence[Source], augmented: bool, seed: int) -> ChipDataset:
        """Chips of all pairs."""
        return ChipDataset(sources, self.settings.chip_views, self.fitting, augmented, seed)

    def normalisations(self, learnt: ChipDataset) -> tuple[Normalisation, Normalisation | None]:
        """Scaling of the channels and of the metadata."""
        scaling, channels = self.views["scaling"], self.arguments["in_channels"]
        inputs = [picture[:-1] for picture in learnt.pictures]
        about = _normalise(learnt.metadata, self.bands + 1, scaling)
        return _normalise(inputs, channels, scaling), about


class GuidedRecipe(SegmentationRecipe):
    """The guided network: chips in which labels or context networks show ejecta, and what the latter say of them."""

    kind = "guided"

    def __init__(self, project: Project, sources: Sources) -> None:
        super().__init__(project, sources)
        self.project = project
        self.arguments["in_channels"] += 1

    def learnable(self) -> list[Source]:
        """The pairs with ejecta, and those where the context networks take something for ejecta."""
        return guide_sources(self.project, self.sources.sources)

    def dataset(self, sources: Sequence[Source], augmented: bool, seed: int) -> GuidedDataset:
        """Chips of all pairs, guided."""
        return GuidedDataset(sources, self.settings.views, self.fitting, augmented, seed)


class DistanceOnlyRecipe(SegmentationRecipe):
    """The second of the earlier approaches: chips of all pairs, and nothing about the crater but the distance."""

    kind = "distance-only"

    def __init__(self, project: Project, sources: Sources) -> None:
        super().__init__(project, sources)
        self.arguments["metadata_size"] = 0
        del self.views["annulus_radii"]
        self.fitting = self.settings.segmentation.model_copy(update={"share_weights": False})

    def learnable(self) -> list[Source]:
        """All pairs, most of them without ejecta."""
        return list(self.sources.sources)

    def normalisations(self, learnt: ChipDataset) -> tuple[Normalisation, None]:
        """Scaling of the channels."""
        return super().normalisations(learnt)[0], None


class AgnosticRecipe(DistanceOnlyRecipe):
    """The first of the earlier approaches: each tile once, its bands alone, and every crater's ejecta in it."""

    kind = "agnostic"

    def __init__(self, project: Project, sources: Sources) -> None:
        super().__init__(project, sources)
        self.arguments["in_channels"] = self.bands

    def learnable(self) -> list[Source]:
        """Each tile once."""
        return once_per_tile(self.sources.sources)

    def dataset(self, sources: Sequence[Source], augmented: bool, seed: int) -> AnyEjectaDataset:
        """Chips of all tiles, each of the same weight."""
        return AnyEjectaDataset(sources, self.settings.chip_views, self.fitting, augmented, seed)

    def normalisations(self, learnt: ChipDataset) -> tuple[Normalisation, None]:
        """Scaling of the bands."""
        inputs = [picture[:-2] for picture in learnt.pictures]
        return _normalise(inputs, self.bands, self.views["scaling"]), None


class ContextRecipe(Recipe):
    """The context network: polar pictures of whole craters."""

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
        self.views = {
            "scaling": context.scaling,
            "polar_px": list(views.polar_px),
            "polar_power": views.polar_power,
        }
        if context.scaling != "ejecta":  # whose axes are as many on every mosaic
            self.views["bands"] = self.bands

    def split(self, seed: int) -> tuple[list[Source], list[Source]]:
        """Whole craters."""
        fraction = self.settings.training.validation_fraction
        return hold_out_craters(self.learnable(), fraction, seed)

    def dataset(self, sources: Sequence[Source], augmented: bool, seed: int) -> PolarDataset:
        """Polar pictures of all craters."""
        views, context = self.settings.views, self.settings.context
        return PolarDataset(sources, views, context, augmented, seed)

    def normalisations(self, learnt: PolarDataset) -> tuple[Normalisation, None]:
        """Scaling of the channels."""
        channels = self.arguments["in_channels"]
        if self.views["scaling"] == "training":
            pictures = [learnt[0, k]["inputs"].numpy() for k in range(min(len(learnt), _ENOUGH))]
            return _normalise(pictures, channels, "training"), None
        # Brings the logarithms of range near 0.
        offset = (*[0.0] * (channels - 4), 1.0, 5.5, 0.0, 0.5)
        return Normalisation(offset, (1.0,) * channels), None


RECIPES: dict[str, type[Recipe]] = {
    recipe.kind: recipe
    for recipe in (
        ConnectionRecipe,
        SegmentationRecipe,
        ContextRecipe,
        GuidedRecipe,
        DistanceOnlyRecipe,
        AgnosticRecipe,
    )
}


def _normalise(pictures: Sequence[Numbers], channels: int, scaling: str) -> Normalisation:
    """Standardise channels by their mean and spread in the training pictures; the poster leaves them as they are."""
    # No picture: nothing to learn from, as the caller will say.
    if scaling == "255" or not pictures:
        return Normalisation((0.0,) * channels, (1.0,) * channels)
    some = pictures[:: max(1, len(pictures) // _ENOUGH)]
    values = np.concatenate([picture.reshape(channels, -1) for picture in some], axis=1)
    offset, spread = values.mean(axis=1, dtype=np.float64), values.std(axis=1, dtype=np.float64)
    divisor = np.where(spread > 1e-6, spread, 1.0)
    return Normalisation(tuple(offset.tolist()), tuple(divisor.tolist()))
