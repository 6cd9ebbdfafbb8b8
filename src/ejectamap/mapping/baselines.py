"""Methods `distance-only` and `agnostic`: the poster's two earlier approaches, without a connection network.

Both segment every chip within a crater's reach by one ensemble of segmentation networks.
"""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from ejectamap.mapping.chip_maps import map_from_chips
from ejectamap.mapping.chips import chip_grid, chip_predictor
from ejectamap.mapping.methods import Method
from ejectamap.maps.connections import no_connections
from ejectamap.maps.crater_map import CraterMap
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.mosaic import Floats
from ejectamap.world.sphere import distance

_STRIP_PIXELS = 2**18


class DistanceOnly(Method):
    """Segmentation of every chip, from its bands and its distance from the crater."""

    kind: ClassVar[str] = "distance-only"

    def predict(self, crater: Crater) -> CraterMap:
        """Map one crater; see `CraterMap`."""
        networks = self.ensembles[self.kind]
        chips = chip_grid(self.project, crater, networks)
        every_chip = np.arange(len(chips))
        predict_chips = chip_predictor(self.project, self.kind, networks, crater)
        return map_from_chips(
            self.project, crater, chips, every_chip, predict_chips, no_connections()
        )


class Agnostic(DistanceOnly):
    """Segmentation of any crater's ejecta; each pixel is assigned to the crater that is nearest in crater radii.

    The networks cannot tell craters apart. So that the map can be judged crater by crater like any other, a crater gets
    the probability where no other crater of the catalogue, within that one's own reach, is nearer when distances are
    measured in each crater's radii; elsewhere it gets 0.
    """

    kind: ClassVar[str] = "agnostic"

    def predict(self, crater: Crater) -> CraterMap:
        """Map one crater; see `CraterMap`."""
        unassigned = super().predict(crater)
        others = [c for c in self.project.craters if c.crater_id != crater.crater_id]

        def assigned(strip: Window) -> Floats:
            probability = unassigned.probability(strip)
            nearer_other = ~nearest_in_radii(crater, others, self.project.mosaic.grid, strip)
            probability[nearer_other & ~np.isnan(probability)] = 0
            return probability

        return replace(unassigned, probability=assigned)


def nearest_in_radii(
    crater: Crater, others: list[Crater], grid: Grid, window: Window
) -> npt.NDArray[np.bool_]:
    """Where a crater is nearer, in its radii, than every other crater whose reach includes the pixel is in its own."""
    separation_m = {
        c: float(distance(crater.lon, crater.lat, c.lon, c.lat, grid.radius_m)) for c in others
    }
    reach_m = crater.reach_m(grid.radius_m)
    overlapping = [c for c, d_m in separation_m.items() if d_m < reach_m + c.reach_m(grid.radius_m)]
    nearest = np.ones(window.shape, bool)
    for strip in grid.strips(window, _STRIP_PIXELS):
        top = strip.row - window.row
        part = nearest[top : top + strip.height]
        lon, lat = grid.centres(strip)
        radii = distance(crater.lon, crater.lat, lon, lat, grid.radius_m) / crater.radius_m
        for other in overlapping:
            other_m = distance(other.lon, other.lat, lon, lat, grid.radius_m)
            part &= (other_m / other.radius_m >= radii) | (other_m > other.reach_m(grid.radius_m))
    return nearest
