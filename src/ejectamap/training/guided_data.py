"""Training data of the guided network: chips, with the probabilities of the context networks as one more channel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.progress import track

from ejectamap.networks.ensemble import Ensemble
from ejectamap.networks.polar_prediction import FAINT, PolarPrediction, PolarPredictor
from ejectamap.project.folder import Project
from ejectamap.project.pairs import Pair
from ejectamap.training.datasets import ChipDataset, Sample, SampleKey
from ejectamap.training.sources import Source
from ejectamap.views.chip import largest_chip
from ejectamap.views.chip_sampler import ChipSampler
from ejectamap.views.scaling import ChannelScaling
from ejectamap.world.craters import Crater

_SHIFT = 1.0


@dataclass(frozen=True)
class GuidedSource(Source):
    """A source with the context networks' predictions for its craters.

    Attributes
    ----------
    guides : mapping of Crater to PolarPrediction
    """

    guides: Mapping[Crater, PolarPrediction]


class GuidedDataset(ChipDataset):
    """Chips with a guide: as `ChipDataset`, with one more channel of `inputs`, the last: polar probabilities.

    In training the log-odds of a whole chip's guide are shifted by a normal random number of standard deviation 1: the
    exact level of the guide is unreliable for craters that the context networks were not trained on, so the network
    has to take the outline from the bands.
    """

    kind = "guided"

    def __getitem__(self, key: SampleKey) -> Sample:
        sample = super().__getitem__(key)
        if self.augment is None:
            return sample
        odds = float(np.exp(np.random.default_rng((self.seed, *key, 1)).normal(0, _SHIFT)))
        inputs = sample["inputs"].clone()
        guide = inputs[-1]
        inputs[-1] = odds * guide / (1 - guide + odds * guide)
        return sample | {"inputs": inputs}

    def _sampler(
        self, source: Source, scaling: ChannelScaling, pair: Pair, size_px: int
    ) -> ChipSampler:
        assert isinstance(source, GuidedSource)
        sampler = super()._sampler(source, scaling, pair, size_px)
        return sampler.with_channel(source.guides[pair.crater].write_guide)


def guide_sources(project: Project, sources: Sequence[Source]) -> list[Source]:
    """Predict a guide for every crater, and keep the pairs whose tile has labelled or predicted ejecta.

    Predictions for craters that a network was trained on are better than for others, and a network trained on such a
    guide relies on it too much. So the guide comes from the networks that training starts from, which have not seen
    these labels; only where training starts from nothing, from the project's own.

    Raises
    ------
    BundleError
        If there are no context networks, or they were made for another number of bands.
    """
    folder = project.start_networks("context") or project.networks("context")
    networks = Ensemble.load(folder, project.mosaic.bands)
    return [_with_guides(networks, source) for source in sources]


def _with_guides(networks: Ensemble, source: Source) -> GuidedSource:
    mosaic = source.world.mosaic
    predictor = PolarPredictor(networks, mosaic, source.world.craters)
    craters = list(dict.fromkeys(pair.crater for pair in source.pairs))
    guides = {
        crater: predictor.predict(crater)
        for crater in track(craters, "predicting guides", transient=True)
    }

    def has_ejecta(pair: Pair) -> bool:
        chip = largest_chip(pair.crater, pair.window, mosaic.grid)
        return pair.connected or guides[pair.crater].largest_in(chip) > FAINT

    return GuidedSource(source.world, [p for p in source.pairs if has_ejecta(p)], guides)
