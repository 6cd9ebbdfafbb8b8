"""What the context networks say of a crater's whole surroundings, and how it is looked up anywhere near the crater."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from ejectamap.networks.ensemble import Ensemble
from ejectamap.views.chip import Chip
from ejectamap.views.inputs import BandScaling, polar_input
from ejectamap.views.polar import PolarView, polar_size
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.mosaic import Mosaic

Floats = npt.NDArray[np.float32]
FAINT = 0.1
"""Polar probability below which a closer look is not worth it; above it false ejecta can still be taken away."""
_CHIP_POINTS = 64


@dataclass(frozen=True)
class PolarAnswer:
    """Probabilities of a crater's ejecta in its polar view.

    Attributes
    ----------
    view : PolarView
        Out to the crater's reach.
    probability : float32 array (rows, cols)
        In [0, 1].
    """

    view: PolarView
    probability: Floats

    @classmethod
    def of(
        cls, networks: Ensemble, mosaic: Mosaic, catalogue: Sequence[Crater], crater: Crater
    ) -> "PolarAnswer":
        """Ask context networks about a crater.

        Each looks at the polar view and at its mirror image; the mean of both answers is brought to what it is worth
        (`networks.calibration`), and those of all networks are averaged.

        Parameters
        ----------
        networks : Ensemble
            Of context networks.
        mosaic : Mosaic
        catalogue : sequence of Crater
            All craters, this one and its rivals.
        crater : Crater
        """
        radius_m, views = mosaic.grid.radius_m, networks.views
        size = polar_size(crater.reach, *views["polar_px"])
        reach_m = crater.reach_m(radius_m)
        view = PolarView(crater, radius_m, reach_m, *size, power=views["polar_power"])
        scaling = BandScaling.for_mosaic(mosaic, views["scaling"])
        picture = torch.from_numpy(polar_input(mosaic, scaling, view, catalogue))
        answers = networks.probabilities(torch.stack([picture, picture.flip(-1)]))
        both = np.asarray((answers[0] + answers[1].flip(-1)) / 2)
        radii = view.row_ranges_m() / crater.radius_m
        worth = [
            said if calibration is None else calibration.apply(said, radii)
            for calibration, said in zip(networks.calibrations, both, strict=True)
        ]
        return cls(view, np.mean(worth, axis=0))

    def on_grid(self, grid: Grid, window: Window) -> Floats:
        """Probabilities (height, width) on the mosaic's grid; nan beyond the reach."""
        return self.view.onto_grid(self.probability, grid, window)

    def in_chip(self, chip: Chip, size_px: int) -> Floats:
        """Probabilities (size, size) at the pixels of a chip; 0 beyond the reach."""
        found = self.view.look_up(self.probability, *chip.pixel_xy(size_px))
        return np.nan_to_num(found, nan=0.0)

    def beside(self, picture: Floats, chip: Chip) -> Floats:
        """What is seen of a chip (channel, n, n) with its probabilities as one more channel, the last."""
        return np.concatenate([picture, self.in_chip(chip, picture.shape[-1])[None]])

    def largest_in(self, chip: Chip) -> float:
        """Largest probability in a chip, looked up at 64 x 64 points; in [0, 1]."""
        return float(self.in_chip(chip, _CHIP_POINTS).max())
