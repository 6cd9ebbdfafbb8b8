"""Apply segmentation networks to a crater's chips."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch

from ejectamap.mapping.batches import batch_size, read_batches
from ejectamap.networks.ensemble import Ensemble
from ejectamap.networks.polar_prediction import PolarPrediction
from ejectamap.project.bundle_views import ChipViews
from ejectamap.project.folder import Project
from ejectamap.project.methods import NETWORK_KINDS
from ejectamap.views.chip import Chip
from ejectamap.views.chip_sampler import ChipSampler, chip_sampler
from ejectamap.views.inputs import crater_metadata
from ejectamap.views.scaling import ChannelScaling
from ejectamap.views.tiling import ChipGrid
from ejectamap.world.craters import Crater
from ejectamap.world.mosaic import Floats

ChipPredictor = Callable[[Sequence[Chip]], Iterator[Floats]]
"""From chips to their probabilities, (k, n, n) of some of them at a time, in their order."""


def chip_grid(project: Project, crater: Crater, networks: Ensemble) -> ChipGrid:
    """The chips that cover a crater's reach, of the size that the networks were trained on."""
    radius_m, side_m = project.mosaic.grid.radius_m, networks.views.narrow(ChipViews).tile_m
    return ChipGrid.of_crater(crater, radius_m, side_m, project.settings.views.overlap)


def chip_predictor(
    project: Project,
    kind: str,
    networks: Ensemble,
    crater: Crater,
    guide: PolarPrediction | None = None,
) -> ChipPredictor:
    """A function that gives a crater's chips the mean probabilities of networks of a kind.

    Channels and metadata are those of the kind in `project.methods`, sizes and scaling those of the bundles.

    Parameters
    ----------
    project : Project
    kind : str
    networks : Ensemble
    crater : Crater
    guide : PolarPrediction, optional
        For kinds with the channel "guide".
    """
    mosaic, views = project.mosaic, networks.views.narrow(ChipViews)
    description = NETWORK_KINDS[kind]
    scaling = ChannelScaling.of_bands(mosaic, views.scaling)
    sampler = chip_sampler(mosaic, scaling, crater, views.chip_px, description.channels)
    if guide is not None:
        sampler = sampler.with_channel(guide.write_guide)
    metadata = None
    if description.metadata:
        assert views.annulus_radii is not None
        numbers = crater_metadata(mosaic, scaling, crater, views.annulus_radii)
        metadata = torch.from_numpy(numbers)
    return partial(_predict_chips, networks, sampler, metadata)


def _predict_chips(
    networks: Ensemble, sampler: ChipSampler, metadata: torch.Tensor | None, chips: Sequence[Chip]
) -> Iterator[Floats]:
    """Probabilities (k, n, n) of chips, averaged over the networks, batch by batch; metadata (m,) are the crater's."""
    for batch in read_batches(sampler, chips, batch_size(networks), networks.device):
        repeated = None if metadata is None else metadata.expand(len(batch), -1)
        yield networks.mean(batch, repeated).numpy()
