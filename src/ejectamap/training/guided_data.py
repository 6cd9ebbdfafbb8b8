"""Training data set of the guided network: chips with the context networks' probabilities as one more channel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ejectamap.networks.ensemble import Ensemble
from ejectamap.networks.polar_prediction import GUIDE_THRESHOLD, PolarPrediction, PolarPredictor
from ejectamap.progress import track
from ejectamap.project.folder import Project
from ejectamap.project.pairs import Pair
from ejectamap.training.datasets import ChipDataset, Sample, SampleKey
from ejectamap.training.sources import Source
from ejectamap.views.chip import largest_chip
from ejectamap.views.chip_sampler import ChipSampler
from ejectamap.views.scaling import ChannelScaling
from ejectamap.world.craters import Crater

_LOG_ODDS_STD = 1.0


@dataclass(frozen=True)
class GuidedSource(Source):
    """A source with the context networks' predictions for its craters.

    Attributes
    ----------
    guides : mapping of Crater to PolarPrediction
    """

    guides: Mapping[Crater, PolarPrediction]


class GuidedDataset(ChipDataset):
    """Chips as in `ChipDataset`, with the guide, polar probabilities, as last channel of `inputs`.

    In training, one normal random number of standard deviation 1 is added to the log-odds of a chip's guide. The level
    of the guide is unreliable for craters that the context networks were not trained on; so the guided network learns
    to take the outline of ejecta from the bands.
    """

    kind = "guided"

    def __getitem__(self, key: SampleKey) -> Sample:
        sample = super().__getitem__(key)
        if self.augment is None:
            return sample
        rng = np.random.default_rng((self.seed, *key, 1))
        odds_factor = float(np.exp(rng.normal(0, _LOG_ODDS_STD)))
        inputs = sample["inputs"].clone()
        guide = inputs[-1]
        inputs[-1] = odds_factor * guide / (1 - guide + odds_factor * guide)
        return sample | {"inputs": inputs}

    def _sampler(
        self, source: Source, scaling: ChannelScaling, pair: Pair, size_px: int
    ) -> ChipSampler:
        assert isinstance(source, GuidedSource)
        sampler = super()._sampler(source, scaling, pair, size_px)
        return sampler.with_channel(source.guides[pair.crater].write_guide)


def guide_sources(project: Project, sources: Sequence[Source]) -> list[Source]:
    """Predict a guide for every crater, and keep only the pairs whose tile has labelled or predicted ejecta.

    Predictions are better for craters that a context network was trained on than for others, and a guided network that
    is trained on such predictions relies on the guide too much. So the guide is predicted by the networks that training
    starts from, which were not trained on these labels. If there are none, the project's own networks predict it.

    Raises
    ------
    BundleError
        If there are no context networks, or they take another number of bands.
    """
    folder = project.start_networks("context") or project.networks_folder("context")
    networks = Ensemble.load(folder, project.mosaic.bands)
    return [_add_guides(networks, source) for source in sources]


def _add_guides(networks: Ensemble, source: Source) -> GuidedSource:
    mosaic = source.world.mosaic
    predictor = PolarPredictor(networks, mosaic, source.world.craters)
    craters = list(dict.fromkeys(pair.crater for pair in source.pairs))
    guides = {crater: predictor.predict(crater) for crater in track(craters, "predicting guides")}

    def has_ejecta(pair: Pair) -> bool:
        chip = largest_chip(pair.crater, pair.window, mosaic.grid)
        return pair.connected or guides[pair.crater].largest_in(chip) > GUIDE_THRESHOLD

    return GuidedSource(source.world, [p for p in source.pairs if has_ejecta(p)], guides)
