"""Method `polar`: context networks predict all ejecta of a crater at once, in its polar view."""

from collections.abc import Mapping
from functools import partial

from ejectamap.mapping.methods import Method, mask_no_data
from ejectamap.maps.crater_map import CraterMap
from ejectamap.networks.ensemble import Ensemble
from ejectamap.networks.polar_prediction import PolarPredictor
from ejectamap.project.folder import Project
from ejectamap.world.craters import Crater


class Polar(Method):
    """Probabilities in the crater's polar view, interpolated to the mosaic's grid."""

    def __init__(self, project: Project, ensembles: Mapping[str, Ensemble]) -> None:
        super().__init__(project, ensembles)
        self.predictor = PolarPredictor(ensembles["context"], project.mosaic, project.craters)

    def predict(self, crater: Crater) -> CraterMap:
        """Map one crater; see `CraterMap`."""
        grid = self.project.mosaic.grid
        prediction = self.predictor.predict(crater)
        window = grid.cap_window(crater.lon, crater.lat, prediction.view.range_m)
        on_grid = partial(prediction.on_grid, grid)
        return CraterMap(crater, window, mask_no_data(on_grid, self.project))
