"""A method as somebody would add one: a class in a file of its own."""

import numpy as np

from ejectamap.mapping.methods import Method, mask_no_data
from ejectamap.maps.crater_map import CraterMap
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Window
from ejectamap.world.sphere import distance


class Disc(Method):
    """Ejecta of probability 0.9 within three crater radii, 0.1 elsewhere within reach."""

    def predict(self, crater: Crater) -> CraterMap:
        """Map one crater; see `CraterMap`."""
        grid = self.project.mosaic.grid
        reach_m = crater.reach_m(grid.radius_m)
        assert len(self.ensembles["context"]) == 1

        def disc(strip: Window) -> np.ndarray:
            away_m = distance(crater.lon, crater.lat, *grid.centres(strip), grid.radius_m)
            probability = np.where(away_m < 3 * crater.radius_m, 0.9, 0.1).astype(np.float32)
            return np.where(away_m <= reach_m, probability, np.float32(np.nan))

        window = grid.cap_window(crater.lon, crater.lat, reach_m)
        return CraterMap(crater, window, mask_no_data(disc, self.project))
