"""The context method: one look at a crater's whole surroundings gives its map."""

from ejectamap.mapping.methods import CraterMap, hide_no_data
from ejectamap.networks.ensemble import Ensemble
from ejectamap.networks.polar_answer import PolarAnswer
from ejectamap.project import Project
from ejectamap.world.craters import Crater


class Polar:
    """Probabilities of the context networks in the crater's polar view, brought back onto the mosaic's grid."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.context = Ensemble.load(project.networks("context"), project.mosaic.bands)

    def predict(self, crater: Crater) -> CraterMap:
        """Map one crater; see `CraterMap`."""
        mosaic = self.project.mosaic
        answer = PolarAnswer.of(self.context, mosaic, self.project.craters, crater)
        window = mosaic.grid.cap_window(crater.lon, crater.lat, answer.view.range_m)
        on_grid = answer.on_grid(mosaic.grid, window)
        return CraterMap(crater, window, hide_no_data(on_grid, self.project, window))
