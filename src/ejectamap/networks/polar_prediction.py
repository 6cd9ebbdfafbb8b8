"""Probabilities of the context networks in a crater's polar view, and their interpolation to grids and chips."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from ejectamap.networks.bundle import Bundle
from ejectamap.networks.ensemble import Ensemble
from ejectamap.networks.faint_rays import raise_faint_rays
from ejectamap.project.bundle_views import PolarViews
from ejectamap.views.chip import Chip
from ejectamap.views.ejecta_axes import EjectaAxes
from ejectamap.views.inputs import polar_input, polar_scaling
from ejectamap.views.polar import PolarView
from ejectamap.views.scaling import ChannelScaling
from ejectamap.world.craters import DEFAULT_REACH, Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.mosaic import Floats, Mosaic

GUIDE_THRESHOLD = 0.1
"""Polar probability above which method `guided` segments a chip: low, so that faint ejecta are not lost."""
_CHIP_SAMPLES = 64


@dataclass(frozen=True)
class PolarPrediction:
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
        """Interpolate probabilities (height, width) to a window of the mosaic's grid; nan beyond the reach."""
        return self.view.to_grid(self.probability, grid, window)

    def in_chip(self, chip: Chip, size_px: int) -> Floats:
        """Interpolate probabilities (size, size) to the pixels of a chip; 0 beyond the reach."""
        values = self.view.interpolate(self.probability, *chip.pixel_xy(size_px))
        return np.nan_to_num(values, nan=0.0)

    def write_guide(self, chip: Chip, out: Floats) -> None:
        """Write the guide channel of a chip, its polar probabilities, into `out` (size, size)."""
        out[:] = self.in_chip(chip, len(out))

    def largest_in(self, chip: Chip) -> float:
        """Largest probability in a chip, sampled at 64 x 64 points; in [0, 1]."""
        return float(self.in_chip(chip, _CHIP_SAMPLES).max())


@dataclass(frozen=True)
class PolarPredictor:
    """Context networks applied to the craters of one planet.

    Attributes
    ----------
    networks : Ensemble
    mosaic : Mosaic
    catalogue : sequence of Crater
        All fresh craters; the distance to the nearest of the others is an input channel.
    """

    networks: Ensemble
    mosaic: Mosaic
    catalogue: Sequence[Crater]

    @cached_property
    def _scaling(self) -> ChannelScaling | EjectaAxes:
        return polar_scaling(self.mosaic, self.catalogue, self.networks.views.scaling)

    def predict(self, crater: Crater) -> PolarPrediction:
        """Predict the probabilities of one crater's ejecta.

        Each network is applied to the polar view and to its mirror image. The mean of the two is calibrated
        (`networks.calibration`), faint rays of giants are raised (`networks.faint_rays`), and the probabilities of all
        networks are averaged.
        """
        radius_m, views = self.mosaic.grid.radius_m, self.networks.views.narrow(PolarViews)
        view = PolarView.of_crater(crater, radius_m, views.polar_px, views.polar_power)
        inputs = torch.from_numpy(polar_input(self.mosaic, self._scaling, view, self.catalogue))
        direct, mirrored = self.networks.probabilities(torch.stack([inputs, inputs.flip(-1)]))
        means = np.asarray((direct + mirrored.flip(-1)) / 2)
        calibrated = [
            _calibrate(bundle, view, mean)
            for bundle, mean in zip(self.networks.bundles, means, strict=True)
        ]
        return PolarPrediction(view, np.mean(calibrated, axis=0))


def _calibrate(bundle: Bundle, view: PolarView, probability: Floats) -> Floats:
    """Calibrate a network's probabilities (rows, cols) in a polar view, as its bundle says."""
    radii = view.row_ranges_m() / view.crater.radius_m
    if bundle.calibration is not None:
        probability = bundle.calibration.apply(probability, radii)
    if bundle.description.raises_faint_rays and view.crater.reach > DEFAULT_REACH:
        probability = raise_faint_rays(probability, radii, view.cell_area_m2())
    return probability
