"""How far expected areas are off as a whole: what labels that no network has seen say about it.

The random part of an area's error shrinks with the number of patches of ground (`extent.expected_area_km2`). The other
part, probabilities that are too high or too low over all of a crater's ejecta, does not. It is measured on labelled
craters, which are few, so that what was measured on other bodies counts as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ejectamap.analysis.extent import expected_area_km2
from ejectamap.analysis.pattern import EjectaPixels
from ejectamap.maps.reader import MapReader
from ejectamap.project.folder import Project
from ejectamap.project.pairs import labelled_tiles
from ejectamap.project.seen import SeenLabels, read_seen_labels
from ejectamap.views.tiling import tiles_in_reach
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Bools, Window
from ejectamap.world.labels import Labels

PRIOR_ERROR = 0.4
"""Relative error of expected areas on planets without labels, measured on Mercury, the Moon and simulated planets."""
PRIOR_CRATERS = 4
"""Number of labelled craters that this counts as."""
LEAST_CRATERS = 3
"""Number of labelled craters below which the prior alone counts: one or two may be far off by chance."""
_LEAST_ERROR = 0.1


@dataclass(frozen=True)
class AreaError:
    """Error that a crater's expected area has as a whole, beside its random error.

    Attributes
    ----------
    relative : float
        One standard deviation, as a fraction of the area.
    craters : int
        Number of craters with labelled ejecta, seen by no network, that it could be measured on; with fewer than
        `LEAST_CRATERS` it is `PRIOR_ERROR`.
    """

    relative: float
    craters: int

    def total_km2(self, area_km2: float, random_km2: float) -> float:
        """Standard deviation of an area whose random error is known."""
        return float(np.hypot(random_km2, self.relative * area_km2))


def measure_area_error(
    project: Project, ejecta_map: MapReader, craters: Sequence[Crater]
) -> AreaError:
    """Compare expected areas with the labelled ones, on ground that no network has seen the label of.

    The relative difference of two areas T and E is 2 (T - E) / (T + E). Of its mean square over the craters the mean
    square random error is taken off; the prior counts as `PRIOR_CRATERS` further craters. Labels without ejecta do not
    count: the difference to no area is the largest that there is, however small E. Where a network's history is not
    recorded, it may have seen any label, and the prior alone counts, as with fewer than `LEAST_CRATERS` craters.
    """
    labels = project.labels
    seen = None if labels is None else read_seen_labels(project)
    if labels is None or seen is None or seen.unrecorded:
        return AreaError(PRIOR_ERROR, 0)
    squares = []
    with_ejecta = {k for k, (_, mask) in labels.masks.items() if mask.any()}
    for crater in (crater for crater in craters if crater.crater_id in with_ejecta):
        window, mask = ejecta_map.as_labels(crater.crater_id).masks[crater.crater_id]
        unseen = _unseen_ground(project, labels, seen, crater, window)
        if not unseen.any():
            continue
        stored = ejecta_map.stored(crater.crater_id, window)
        expected_km2, random_km2 = expected_area_km2(crater, project.grid, window, stored, unseen)
        truth = labels.read(crater.crater_id, window) & unseen
        pixels = EjectaPixels.of_mask(crater, project.grid, window, truth, np.zeros_like(mask))
        true_km2 = float(pixels.area_km2.sum())
        if expected_km2 + true_km2 > 0 and expected_km2 > 0:
            difference = 2 * (true_km2 - expected_km2) / (true_km2 + expected_km2)
            squares.append(difference**2 - (random_km2 / expected_km2) ** 2)
    if len(squares) < LEAST_CRATERS:
        return AreaError(PRIOR_ERROR, len(squares))
    total = sum(squares) + PRIOR_CRATERS * PRIOR_ERROR**2
    variance = max(total / (len(squares) + PRIOR_CRATERS), _LEAST_ERROR**2)
    return AreaError(float(np.sqrt(variance)), len(squares))


def _unseen_ground(
    project: Project, labels: Labels, seen: SeenLabels, crater: Crater, window: Window
) -> Bools:
    """Where a window's ground is labelled for a crater and no network has seen that label; shape of the window."""
    grid = project.grid
    ground = np.zeros(grid.shape, bool)
    if crater.crater_id in labels.masks:
        tiles = tiles_in_reach(crater, labelled_tiles(labels, grid, project.tile_side_px), grid)
        windows = [tile.window for tile in tiles]
        for tile, was_seen in zip(windows, seen.tiles(crater, windows), strict=True):
            if not was_seen:
                ground[tile.row : tile.row + tile.height, grid.columns(tile)] = True
    return ground[window.row : window.row + window.height][:, grid.columns(window)]
