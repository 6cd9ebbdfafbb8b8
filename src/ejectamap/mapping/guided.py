"""Method `guided`: chips segmented at full resolution by networks that also see the context networks' probabilities."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ejectamap.mapping.chip_maps import map_from_chips
from ejectamap.mapping.chips import chip_grid, chip_predictor
from ejectamap.mapping.methods import Method
from ejectamap.maps.crater_map import CraterMap
from ejectamap.networks.ensemble import Ensemble
from ejectamap.networks.polar_prediction import GUIDE_THRESHOLD, PolarPrediction, PolarPredictor
from ejectamap.project.folder import Project
from ejectamap.views.tiling import ChipGrid
from ejectamap.world.craters import Crater


class Guided(Method):
    """Segmentation of the chips in which context networks predict even faint ejecta, with their probabilities as guide.

    The guide locates this crater's ejecta to the resolution of a polar cell; the chip, as fine as the mosaic, resolves
    their edges. A chip whose polar probabilities are all below `GUIDE_THRESHOLD` counts as 0.
    """

    def __init__(self, project: Project, ensembles: Mapping[str, Ensemble]) -> None:
        super().__init__(project, ensembles)
        self.predictor = PolarPredictor(ensembles["context"], project.mosaic, project.craters)

    def predict(self, crater: Crater) -> CraterMap:
        """Map one crater; see `CraterMap`."""
        segmentation = self.ensembles["guided"]
        chips = chip_grid(self.project, crater, segmentation)
        guide = self.predictor.predict(crater)
        connections = connect_chips(guide, chips)
        chosen = np.flatnonzero(connections["connected"].to_numpy())
        predict_chips = chip_predictor(self.project, "guided", segmentation, crater, guide)
        return map_from_chips(self.project, crater, chips, chosen, predict_chips, connections)


def connect_chips(guide: PolarPrediction, chips: ChipGrid) -> pd.DataFrame:
    """The connection table: a chip's score is its largest polar probability, connected above `GUIDE_THRESHOLD`."""
    score = np.array([guide.largest_in(chip) for chip in chips.chips()], np.float32)
    connected = score > GUIDE_THRESHOLD
    return pd.DataFrame(
        {
            "crater_id": guide.view.crater.crater_id,
            "tile": np.arange(len(chips)),
            "distance_m": [chip.distance_m for chip in chips.chips()],
            "score": score,
            "votes": connected.astype(np.int64),
            "connected": connected,
        }
    )
