"""The poster's two earlier approaches, from before there was a connection network, with the same inputs and outputs.

Both outline every chip within a crater's reach, by one ensemble of segmentation networks.
"""

from dataclasses import replace
from functools import partial
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from ejectamap.mapping.backend import load_ensemble
from ejectamap.mapping.from_chips import map_from_chips
from ejectamap.mapping.methods import CraterMap, no_connections
from ejectamap.mapping.two_stage import chip_grid, look_at_chips, outline
from ejectamap.project import Project
from ejectamap.views.sight import Sight
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.sphere import distance

Floats = npt.NDArray[np.float32]
_STRIP_PIXELS = 2**18


class DistanceOnly:
    """Outline a crater's ejecta in every chip, knowing the chip and its distance from the crater alone."""

    kind = "distance-only"
    settings: ClassVar[tuple[str, ...]] = ("views.overlap",)
    looks_at_rivals: ClassVar[bool] = False

    def __init__(self, project: Project) -> None:
        self.project = project
        self.networks = load_ensemble(project, self.kind)

    def predict(self, crater: Crater) -> CraterMap:
        """Map one crater; see `CraterMap`."""
        sight = self._sight(crater)
        chips = chip_grid(self.project, crater, self.networks)
        everywhere = np.arange(len(chips))
        outliner = partial(outline, self.networks, sight=sight)
        return map_from_chips(self.project, crater, chips, everywhere, outliner, no_connections())

    def _sight(self, crater: Crater) -> Sight:
        """How the networks look at chips: bands and distance, and rivals where they know them."""
        return look_at_chips(self.project, self.networks, crater)


class Agnostic(DistanceOnly):
    """Outline anybody's ejecta, and give each pixel to the crater that is nearest in crater radii.

    The approach itself tells no crater from another. So that its map can be judged crater by crater like any other, a
    crater gets the probability where no other crater of the catalogue, within that one's own reach, is nearer when
    distances are measured in each crater's radii; elsewhere it gets 0.
    """

    kind = "agnostic"
    looks_at_rivals: ClassVar[bool] = True

    def predict(self, crater: Crater) -> CraterMap:
        """Map one crater; see `CraterMap`."""
        found = super().predict(crater)
        rivals = [c for c in self.project.craters if c.crater_id != crater.crater_id]

        def own(strip: Window) -> Floats:
            probability = found.probability(strip)
            lost = ~nearest_in_radii(crater, rivals, self.project.mosaic.grid, strip)
            probability[lost & ~np.isnan(probability)] = 0
            return probability

        return replace(found, probability=own)

    def _sight(self, crater: Crater) -> Sight:
        """How the networks look at chips: the bands alone."""
        return super()._sight(crater).telling_nothing()


def nearest_in_radii(
    crater: Crater, rivals: list[Crater], grid: Grid, window: Window
) -> npt.NDArray[np.bool_]:
    """Where no rival whose reach goes there is nearer than a crater, each by its own radii; (height, width)."""
    apart_m = {
        c: float(distance(crater.lon, crater.lat, c.lon, c.lat, grid.radius_m)) for c in rivals
    }
    reach_m = crater.reach_m(grid.radius_m)
    meeting = [c for c, gap_m in apart_m.items() if gap_m < reach_m + c.reach_m(grid.radius_m)]
    own = np.ones(window.shape, bool)
    for strip in grid.strips(window, _STRIP_PIXELS):
        top = strip.row - window.row
        part = own[top : top + strip.height]
        lon, lat = grid.centres(strip)
        here = distance(crater.lon, crater.lat, lon, lat, grid.radius_m) / crater.radius_m
        for rival in meeting:
            away_m = distance(rival.lon, rival.lat, lon, lat, grid.radius_m)
            part &= (away_m / rival.radius_m >= here) | (away_m > rival.reach_m(grid.radius_m))
    return own
