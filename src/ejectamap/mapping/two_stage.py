"""Method `two-stage`, the poster's: connection networks vote on each chip, a segmentation network marks its ejecta."""

import numpy as np
import pandas as pd

from ejectamap.mapping.batches import batch_size, read_batches
from ejectamap.mapping.chip_maps import map_from_chips
from ejectamap.mapping.chips import chip_grid, chip_predictor
from ejectamap.mapping.methods import Method
from ejectamap.maps.connections import no_connections
from ejectamap.maps.crater_map import CraterMap
from ejectamap.networks.ensemble import Ensemble
from ejectamap.project.bundle_views import CorridorViews
from ejectamap.views.chip_sampler import corridor_sampler
from ejectamap.views.scaling import ChannelScaling
from ejectamap.views.tiling import ChipGrid
from ejectamap.world.craters import Crater

_BATCHES = (
    8  # of corridors voted on together, so that batches stay full when some are decided early
)


class TwoStage(Method):
    """Vote of the connection ensemble, segmentation of connected chips, average of overlapping probabilities.

    With `map.ignore_connections` there is no vote: every chip within reach is segmented.
    """

    def predict(self, crater: Crater) -> CraterMap:
        """Map one crater; see `CraterMap`."""
        segmentation = self.ensembles["segmentation"]
        chips = chip_grid(self.project, crater, segmentation)
        connections, chosen = no_connections(), np.arange(len(chips))
        if "connection" in self.ensembles:
            connections = self._vote(self.ensembles["connection"], crater, chips)
            chosen = np.flatnonzero(connections["connected"].to_numpy())
        predict_chips = chip_predictor(self.project, "segmentation", segmentation, crater)
        return map_from_chips(self.project, crater, chips, chosen, predict_chips, connections)

    def _vote(self, networks: Ensemble, crater: Crater, chips: ChipGrid) -> pd.DataFrame:
        """The connection table: the vote of the networks on every chip, stopped as soon as it is decided."""
        mosaic, views = self.project.mosaic, networks.views.narrow(CorridorViews)
        scaling = ChannelScaling.of_bands(mosaic, views.scaling)
        sampler = corridor_sampler(mosaic, scaling, crater, views.corridor_px)
        threshold, size = self.project.settings.connection.vote_threshold, batch_size(networks)
        votes = [
            networks.vote(corridors, threshold, size)
            for corridors in read_batches(sampler, chips.chips(), _BATCHES * size, networks.device)
        ]
        return pd.DataFrame(
            {
                "crater_id": crater.crater_id,
                "tile": np.arange(len(chips)),
                "distance_m": [chip.distance_m for chip in chips.chips()],
                "score": np.concatenate([vote.score for vote in votes]),
                "votes": np.concatenate([vote.votes for vote in votes]),
                "connected": np.concatenate([vote.positive for vote in votes]),
            }
        )
