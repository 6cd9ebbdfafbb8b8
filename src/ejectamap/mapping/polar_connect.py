"""The published recipe with a polar look in place of the vote: it decides which chips are outlined."""

from typing import ClassVar

import numpy as np
import pandas as pd

from ejectamap.mapping.backend import load_ensemble
from ejectamap.mapping.from_chips import Outline, map_from_chips
from ejectamap.mapping.methods import CraterMap
from ejectamap.mapping.two_stage import chip_grid, ejecta_outliner
from ejectamap.networks.polar_answer import PolarAnswer, PolarSurvey
from ejectamap.project import Project
from ejectamap.views.tiling import ChipGrid
from ejectamap.world.craters import Crater


class PolarConnect:
    """Chips in which the context networks see ejecta are connected; the segmentation networks outline these.

    A chip's score is the largest polar probability in it, and it is connected if that is above `map.threshold`: if the
    polar map would show ejecta there.
    """

    outliner: ClassVar[str] = "segmentation"
    settings: ClassVar[tuple[str, ...]] = ("views.overlap", "map.threshold")
    looks_at_rivals: ClassVar[bool] = True

    def __init__(self, project: Project) -> None:
        self.project = project
        context = load_ensemble(project, "context")
        self.survey = PolarSurvey(context, project.mosaic, project.craters)
        self.outlining = load_ensemble(project, self.outliner)

    def predict(self, crater: Crater) -> CraterMap:
        """Map one crater; see `CraterMap`."""
        chips = chip_grid(self.project, crater, self.outlining)
        answer = self.survey.ask(crater)
        connections = connect(answer, chips, self._level())
        chosen = np.flatnonzero(connections["connected"].to_numpy())
        outline = self._outliner(answer)
        return map_from_chips(self.project, crater, chips, chosen, outline, connections)

    def _level(self) -> float:
        """Polar probability above which a chip is outlined."""
        return self.project.settings.map.threshold

    def _outliner(self, answer: PolarAnswer) -> Outline:
        """How the connected chips are outlined."""
        return ejecta_outliner(self.project, self.outlining, answer.view.crater)


def connect(answer: PolarAnswer, chips: ChipGrid, threshold: float) -> pd.DataFrame:
    """Score every chip by the largest polar probability in it; the answer has the one vote."""
    score = np.array([answer.largest_in(chip) for chip in chips.chips()], np.float32)
    connected = score > threshold
    return pd.DataFrame(
        {
            "crater_id": answer.view.crater.crater_id,
            "tile": np.arange(len(chips)),
            "distance_m": [chip.distance_m for chip in chips.chips()],
            "score": score,
            "votes": connected.astype(np.int64),
            "connected": connected,
        }
    )
