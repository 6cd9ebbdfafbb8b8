"""The published recipe with a polar look in place of the vote: it decides which chips are outlined."""

from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from ejectamap.mapping.backend import load_ensemble
from ejectamap.mapping.methods import CraterMap
from ejectamap.mapping.two_stage import chip_grid, merge_to_map, outline_ejecta
from ejectamap.networks.polar_answer import PolarAnswer, PolarSurvey
from ejectamap.project import Project
from ejectamap.views.chip import Chip
from ejectamap.views.tiling import ChipGrid
from ejectamap.world.craters import Crater

Floats = npt.NDArray[np.float32]


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
        connected = [chips.chip(int(k)) for k in chosen]
        probabilities = self._outline(answer, connected)
        return merge_to_map(self.project, crater, chips, chosen, probabilities, connections)

    def _level(self) -> float:
        """Polar probability above which a chip is outlined."""
        return self.project.settings.map.threshold

    def _outline(self, answer: PolarAnswer, chips: list[Chip]) -> Floats:
        """Probabilities (k, n, n) of the connected chips."""
        return outline_ejecta(self.project, self.outlining, answer.view.crater, chips)


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
