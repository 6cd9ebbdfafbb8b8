"""The context method: one look at a crater's whole surroundings gives its map."""

from functools import partial
from typing import ClassVar

from ejectamap.mapping.backend import load_ensemble
from ejectamap.mapping.methods import CraterMap, hide_no_data
from ejectamap.networks.polar_answer import PolarSurvey
from ejectamap.project import Project
from ejectamap.world.craters import Crater


class Polar:
    """Probabilities of the context networks in the crater's polar view, brought back onto the mosaic's grid."""

    settings: ClassVar[tuple[str, ...]] = ()
    looks_at_rivals: ClassVar[bool] = True

    def __init__(self, project: Project) -> None:
        self.project = project
        context = load_ensemble(project, "context")
        self.survey = PolarSurvey(context, project.mosaic, project.craters)

    def predict(self, crater: Crater) -> CraterMap:
        """Map one crater; see `CraterMap`."""
        mosaic = self.project.mosaic
        answer = self.survey.ask(crater)
        window = mosaic.grid.cap_window(crater.lon, crater.lat, answer.view.range_m)
        on_grid = partial(answer.on_grid, mosaic.grid)
        return CraterMap(crater, window, hide_no_data(on_grid, self.project))
