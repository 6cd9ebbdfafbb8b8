"""Which tiles to label next: where the map is unsure, of craters and at distances that labels know little of."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.progress import track

from ejectamap.evaluation.mapfiles import MapFiles
from ejectamap.evaluation.rings import DISTANCES
from ejectamap.mapping import require_mapped
from ejectamap.mapping.export import STEPS
from ejectamap.mapping.files import replace_file
from ejectamap.project import Project
from ejectamap.training.sources import tile_side_px
from ejectamap.views.tiling import planet_tiles, tiles_in_reach
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.labels import Labels, Tile
from ejectamap.world.sphere import distance

Floats = npt.NDArray[np.float64]

NAME = "suggestions.csv"
COLUMNS = ("tile_id", "row", "col", "height", "width", "crater_ids", "score", "reason")
_RADII = 3.0, 10.0  # where the classes of distance meet, in crater radii, as in the evaluation
_LEAST_BITS = 0.05  # a pair with less entropy is not looked at


@dataclass(frozen=True)
class Pairs:
    """Craters and tiles in their reach that labels say nothing of, where the map is not sure.

    Attributes
    ----------
    crater, tile : int array (n,)
        Indices of crater and tile.
    ring : int array (n,)
        Class of distance: 0 to 3, 3 to 10, or more crater radii.
    bits : float array (n,)
        Mean entropy of the pixels' probabilities, 0 to 1.
    """

    crater: npt.NDArray[np.intp]
    tile: npt.NDArray[np.intp]
    ring: npt.NDArray[np.intp]
    bits: Floats


def suggest_tiles(project: Project, most: int) -> pd.DataFrame:
    """Rank unlabelled tiles by what labelling them would teach, and write suggestions.csv.

    A tile teaches, of each crater in whose reach it is, the mean entropy of the map's probabilities in it, in bits,
    times the mean of 1 / (1 + n) for n labelled tiles of this crater and for n at this distance (0 to 3, 3 to 10, or
    more crater radii). Tiles are chosen one after another, each counting as labelled from then on: so they spread
    over craters and distances. Uncertainty sampling: Lewis and Gale 1994, A sequential algorithm for training text
    classifiers.

    Parameters
    ----------
    project : Project
    most : int
        Number of tiles.

    Returns
    -------
    DataFrame
        `COLUMNS`, a row a tile, the best first. crater_ids are those that the map is unsure of, the most unsure first.
        Once all ejecta in these tiles are drawn, the file can be `inputs.tiles`.

    Raises
    ------
    ProjectError
        If no crater is mapped.
    """
    craters, grid, labels = require_mapped(project), project.mosaic.grid, project.labels
    taken = () if labels is None else labels.tiles or ()
    tiles = tuple(
        tile
        for tile in planet_tiles(grid, tile_side_px(project))
        if not any(_overlap(tile.window, other.window, grid.width) for other in taken)
    )
    # Without tiles the labels of a crater are complete within its reach.
    open_craters = [
        crater
        for crater in craters
        if labels is None or labels.tiles is not None or crater.crater_id not in labels.masks
    ]
    pairs = _unsure_pairs(project, open_craters, tiles)
    per_crater, per_ring = _labelled(open_craters, labels, taken, grid)
    first_id = max((tile.tile_id for tile in taken), default=-1) + 1
    rows: list[tuple[object, ...]] = []
    for tile, score, of_tile in _choose(pairs, per_crater, per_ring, most):
        window, ranked = (
            tiles[tile].window,
            of_tile[np.argsort(-pairs.bits[of_tile], kind="stable")],
        )
        ids = [open_craters[pairs.crater[k]].crater_id for k in ranked]
        reason = _reason(open_craters, pairs, int(ranked[0]), labels)
        place = window.row, window.col, window.height, window.width
        rows.append((first_id + len(rows), *place, " ".join(map(str, ids)), score, reason))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    text = table.to_csv(index=False, lineterminator="\n", float_format="%.6g")
    replace_file(project.folder / NAME, memoryview(text.encode()))
    return table


def entropy_bits(stored: npt.NDArray[np.uint8]) -> float:
    """Mean entropy, in bits, of probabilities as they are stored; 0 where nothing is known.

    1 is a map that knows nothing (0.5 everywhere), 0 one that is certain.
    """
    counts = np.bincount(stored.ravel(), minlength=256)[: STEPS + 1]
    p = np.arange(1, STEPS) / STEPS
    bits = np.zeros(STEPS + 1)
    bits[1:-1] = -p * np.log2(p) - (1 - p) * np.log2(1 - p)
    known = int(counts.sum())
    return float(counts @ bits) / known if known else 0.0


def _unsure_pairs(project: Project, craters: Sequence[Crater], tiles: tuple[Tile, ...]) -> Pairs:
    """Look at every crater's map, one at a time."""
    grid = project.mosaic.grid
    files = MapFiles(project.maps, grid)
    index = {tile.tile_id: k for k, tile in enumerate(tiles)}
    found = []
    for c, crater in enumerate(track(craters, "looking for doubt", transient=True)):
        for tile in tiles_in_reach(crater, tiles, grid):
            bits = entropy_bits(files.stored(crater.crater_id, tile.window))
            if bits >= _LEAST_BITS:
                found.append((c, index[tile.tile_id], _ring(crater, tile, grid), bits))
    table = np.array(found, np.float64).reshape(-1, 4)
    crater, tile_index, ring = table[:, :3].astype(np.intp).T
    return Pairs(crater, tile_index, ring, table[:, 3])


def _labelled(
    craters: Sequence[Crater], labels: Labels | None, taken: Sequence[Tile], grid: Grid
) -> tuple[Floats, Floats]:
    """Number of labelled tiles in reach of each crater, and at each distance from all of them."""
    per_crater, per_ring = np.zeros(len(craters)), np.zeros(len(DISTANCES))
    for c, crater in enumerate(craters):
        if labels is not None and crater.crater_id in labels.masks:
            near = tiles_in_reach(crater, tuple(taken), grid)
            per_crater[c] = len(near)
            for ring, count in Counter(_ring(crater, tile, grid) for tile in near).items():
                per_ring[ring] += count
    return per_crater, per_ring


def _choose(
    pairs: Pairs, per_crater: Floats, per_ring: Floats, most: int
) -> Iterator[tuple[int, float, npt.NDArray[np.intp]]]:
    """Index, score and pairs of one tile after another, the best of those left first."""
    left = np.ones(pairs.bits.size, bool)
    while most > 0 and left.any():
        rarity = 1 / (1 + per_crater[pairs.crater]) + 1 / (1 + per_ring[pairs.ring])
        scores = np.bincount(pairs.tile, pairs.bits * rarity / 2 * left)
        best = int(np.argmax(scores))
        mine = np.flatnonzero(pairs.tile == best)
        yield best, float(scores[best]), mine
        left[mine] = False
        np.add.at(per_crater, pairs.crater[mine], 1)
        np.add.at(per_ring, pairs.ring[mine], 1)
        most -= 1


def _reason(craters: Sequence[Crater], pairs: Pairs, k: int, labels: Labels | None) -> str:
    """Why a tile was chosen: what is least sure in it."""
    crater = craters[pairs.crater[k]]
    known = labels is not None and crater.crater_id in labels.masks
    new = "" if known else "; no labels of this crater yet"
    place = f"{DISTANCES[pairs.ring[k]]} radii out"
    return f"unsure of {crater.name} ({pairs.bits[k]:.2f} bits), {place}{new}"


def _ring(crater: Crater, tile: Tile, grid: Grid) -> int:
    """Class of distance of a tile's centre."""
    window = tile.window
    lon, lat = grid.to_lonlat(window.col + window.width / 2, window.row + window.height / 2)
    radii = distance(crater.lon, crater.lat, lon, lat, grid.radius_m) / crater.radius_m
    return int(np.searchsorted(_RADII, float(radii), "right"))


def _overlap(one: Window, other: Window, grid_width: int) -> bool:
    """Whether two windows share a pixel; they may wrap around."""
    if one.row >= other.row + other.height or other.row >= one.row + one.height:
        return False
    return (other.col - one.col) % grid_width < one.width or (
        one.col - other.col
    ) % grid_width < other.width
