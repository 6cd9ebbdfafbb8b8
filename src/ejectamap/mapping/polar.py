"""The context method: one look at a crater's whole surroundings gives its map."""

import numpy as np
import torch

from ejectamap.mapping.methods import CraterMap, hide_no_data
from ejectamap.networks.ensemble import Ensemble
from ejectamap.project import Project
from ejectamap.views.inputs import BandScaling, polar_input
from ejectamap.views.polar import PolarView, polar_size
from ejectamap.world.craters import Crater


class Polar:
    """Probabilities of the context networks in the crater's polar view, brought back onto the mosaic's grid.

    Each network looks at the view and at its mirror image, and all their answers are averaged.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self.context = Ensemble.load(project.networks("context"), project.mosaic.bands)

    def predict(self, crater: Crater) -> CraterMap:
        """Map one crater; see `CraterMap`."""
        mosaic, views = self.project.mosaic, self.context.views
        grid = mosaic.grid
        reach_m = crater.reach_m(grid.radius_m)
        size = polar_size(crater.reach, *views["polar_px"])
        view = PolarView(crater, grid.radius_m, reach_m, *size, power=views["polar_power"])
        scaling = BandScaling.for_mosaic(mosaic, views["scaling"])
        picture = torch.from_numpy(polar_input(mosaic, scaling, view, self.project.craters))
        looks = torch.stack([picture, picture.flip(-1)])
        answers = self.context.probabilities(looks)
        straight, mirrored = answers.mean(dim=1)
        probability = np.asarray((straight + mirrored.flip(-1)) / 2)
        window = grid.cap_window(crater.lon, crater.lat, reach_m)
        on_grid = view.onto_grid(probability, grid, window)
        return CraterMap(crater, window, hide_no_data(on_grid, self.project, window))
