"""What the guided network learns from: chips, with what the context networks say of them as one more channel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.progress import track

from ejectamap.networks.ensemble import Ensemble
from ejectamap.networks.polar_answer import FAINT, PolarAnswer, PolarSurvey
from ejectamap.project import Project
from ejectamap.project.settings import Views
from ejectamap.training.datasets import ChipDataset, Draw, Picture, Sample
from ejectamap.training.pairs import Pair
from ejectamap.training.sources import Source
from ejectamap.views.chip import Chip, largest_chip
from ejectamap.views.inputs import BandScaling
from ejectamap.world.craters import Crater

_SHIFT = 1.0


@dataclass(frozen=True)
class GuidedSource(Source):
    """A source with what the context networks said of its craters.

    Attributes
    ----------
    answers : mapping of Crater to PolarAnswer
    """

    answers: Mapping[Crater, PolarAnswer]


class GuidedDataset(ChipDataset):
    """Chips with a guide: as `ChipDataset`, but with one more channel of `inputs`, the last: polar probabilities.

    In training the log-odds of a whole chip's guide are shifted, by a normal number of spread 1: where exactly the
    guide passes a half says little about a crater that the context networks do not know, and the ground has to say it.
    """

    kept = 3

    def __getitem__(self, draw: Draw) -> Sample:
        sample = super().__getitem__(draw)
        if self.augment is None:
            return sample
        odds = float(np.exp(np.random.default_rng((self.seed, *draw, 1)).normal(0, _SHIFT)))
        inputs = sample["inputs"].clone()
        guide = inputs[-1]
        inputs[-1] = odds * guide / (1 - guide + odds * guide)
        return sample | {"inputs": inputs}

    @staticmethod
    def _picture(
        source: Source, scaling: BandScaling, pair: Pair, chip: Chip, views: Views
    ) -> Picture:
        assert isinstance(source, GuidedSource)
        picture = ChipDataset._picture(source, scaling, pair, chip, views)
        return source.answers[pair.crater].beside(picture, chip)


def guide_sources(project: Project, sources: Sequence[Source]) -> list[Source]:
    """Ask the context networks about every crater, and keep the pairs whose tile shows ejecta, labelled or guessed.

    What networks say of craters that they learnt from is better than what they say of others, and whoever learns from
    it trusts them too much. So the guide comes from the networks that training starts from, which have not seen these
    labels; only where it starts from nothing, from the project's own.

    Raises
    ------
    BundleError
        If there are no context networks, or they were made for another number of bands.
    """
    folder = project.start_networks("context") or project.networks("context")
    networks = Ensemble.load(folder, project.mosaic.bands)
    radial_up = project.settings.chip_views.radial_up
    return [_guided(networks, source, radial_up) for source in sources]


def _guided(networks: Ensemble, source: Source, radial_up: bool) -> GuidedSource:
    mosaic = source.world.mosaic
    survey = PolarSurvey(networks, mosaic, source.world.craters)
    craters = list(dict.fromkeys(pair.crater for pair in source.pairs))
    answers = {
        crater: survey.ask(crater)
        for crater in track(craters, "looking around craters", transient=True)
    }

    def shows_ejecta(pair: Pair) -> bool:
        chip = largest_chip(pair.crater, pair.window, mosaic.grid, radial_up)
        return pair.connected or answers[pair.crater].largest_in(chip) > FAINT

    return GuidedSource(source.world, [p for p in source.pairs if shows_ejecta(p)], answers)
