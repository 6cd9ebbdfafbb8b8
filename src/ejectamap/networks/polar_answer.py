"""What the context networks say of a crater's whole surroundings, and how it is looked up anywhere near the crater."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from ejectamap.networks.ensemble import Ensemble
from ejectamap.views.chip import Chip
from ejectamap.views.ejecta_axes import EjectaAxes
from ejectamap.views.inputs import BandScaling, polar_input, polar_scaling
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

    def on_grid(self, grid: Grid, window: Window) -> Floats:
        """Probabilities (height, width) on the mosaic's grid; nan beyond the reach."""
        return self.view.onto_grid(self.probability, grid, window)

    def in_chip(self, chip: Chip, size_px: int) -> Floats:
        """Probabilities (size, size) at the pixels of a chip; 0 beyond the reach."""
        found = self.view.look_up(self.probability, *chip.pixel_east_north(size_px))
        return np.nan_to_num(found, nan=0.0)

    def beside(self, picture: Floats, chip: Chip) -> Floats:
        """What is seen of a chip (channel, n, n) with its probabilities as one more channel, the last."""
        return np.concatenate([picture, self.in_chip(chip, picture.shape[-1])[None]])

    def largest_in(self, chip: Chip) -> float:
        """Largest probability in a chip, looked up at 64 x 64 points; in [0, 1]."""
        return float(self.in_chip(chip, _CHIP_POINTS).max())


@dataclass(frozen=True)
class PolarSurvey:
    """Context networks that are asked about the craters of one planet.

    Attributes
    ----------
    networks : Ensemble
    mosaic : Mosaic
    catalogue : sequence of Crater
        All fresh craters: those that are asked about, and their rivals.
    """

    networks: Ensemble
    mosaic: Mosaic
    catalogue: Sequence[Crater]

    @cached_property
    def _scaling(self) -> BandScaling | EjectaAxes:
        return polar_scaling(self.mosaic, self.catalogue, self.networks.views["scaling"])

    def __len__(self) -> int:
        return len(self.networks)

    def alone(self, member: int) -> "PolarSurvey":
        """One of the networks by itself; they are taken in turns."""
        return replace(self, networks=self.networks.alone(member))

    def ask(self, crater: Crater) -> PolarAnswer:
        """Ask about a crater.

        Each network looks at the polar view and at its mirror image; the mean of both answers is brought to what it is
        worth (`networks.calibration`), and those of all networks are averaged.
        """
        radius_m, views = self.mosaic.grid.radius_m, self.networks.views
        size = polar_size(crater.reach, *views["polar_px"])
        reach_m = crater.reach_m(radius_m)
        view = PolarView(crater, radius_m, reach_m, *size, power=views["polar_power"])
        picture = torch.from_numpy(polar_input(self.mosaic, self._scaling, view, self.catalogue))
        answers = self.networks.probabilities(torch.stack([picture, picture.flip(-1)]))
        both = np.asarray((answers[0] + answers[1].flip(-1)) / 2)
        radii = view.row_ranges_m() / crater.radius_m
        worth = [
            said if calibration is None else calibration.apply(said, radii)
            for calibration, said in zip(self.networks.calibrations, both, strict=True)
        ]
        return PolarAnswer(view, np.mean(worth, axis=0))
