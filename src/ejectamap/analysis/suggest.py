"""Which tiles to label next: where networks disagree or the map is unsure, and labels know little of the crater."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.progress import track

from ejectamap.evaluation.rings import DISTANCES
from ejectamap.mapping import require_mapped
from ejectamap.mapping.export import NO_DATA, STEPS, quantise
from ejectamap.mapping.files import replace_file
from ejectamap.mapping.mapfiles import MapFiles
from ejectamap.mapping.methods import Method
from ejectamap.mapping.registry import committee, load_method
from ejectamap.mapping.state import is_imported
from ejectamap.project import Project
from ejectamap.views.tiling import planet_tiles, tiles_in_reach
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, Window
from ejectamap.world.labels import Labels, Tile, cut
from ejectamap.world.sphere import distance

Floats = npt.NDArray[np.float64]
Stored = npt.NDArray[np.uint8]

NAME = "suggestions.csv"
COLUMNS = ("tile_id", "row", "col", "height", "width", "crater_ids", "score", "reason")
_RADII = 3.0, 10.0  # where the classes of distance meet, in crater radii, as in the evaluation
_STRIP_PIXELS = 2**22
_LEAST_BITS = 0.05  # a pair with less entropy is not looked at


@dataclass(frozen=True)
class Pairs:
    """Craters and tiles in their reach that labels say nothing of, where networks disagree or the map is not sure.

    Attributes
    ----------
    crater, tile : int array (n,)
        Indices of crater and tile.
    ring : int array (n,)
        Class of distance: 0 to 3, 3 to 10, or more crater radii.
    bits : float array (n,)
        How much labelling would tell, 0 to 1: see `suggest_tiles`.
    reason : str
        Why: "networks disagree on", or "unsure of" where there is only one.
    """

    crater: npt.NDArray[np.intp]
    tile: npt.NDArray[np.intp]
    ring: npt.NDArray[np.intp]
    bits: Floats
    reason: npt.NDArray[np.str_]


def suggest_tiles(project: Project, most: int) -> pd.DataFrame:
    """Rank unlabelled tiles by what labelling them would teach, and write suggestions.csv.

    A tile teaches, of each crater in whose reach it is, what its networks disagree on: the entropy of their mean
    probability less the mean of their entropies, in bits a pixel. That is what a label would tell of which network is
    right; ground on which all of them hesitate alike has none (Houlsby et al. 2011, Bayesian active learning for
    classification and preference learning). Each network is asked about the craters again, for the map keeps only
    their mean: with n networks about n times the work of mapping. Where there is only one, or a crater's map was made
    elsewhere, it is the entropy of the map's probability (Lewis and Gale 1994, A sequential algorithm for training
    text classifiers).

    That is multiplied by the mean of 1 / (1 + n) for n labelled tiles of this crater and for n at this distance (0 to
    3, 3 to 10, or more crater radii). Tiles are chosen one after another, each counting as labelled from then on: so
    they spread over craters and distances.

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
        for tile in planet_tiles(grid, project.tile_side_px)
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


def disagreement_bits(members: Sequence[Stored]) -> float:
    """Mean over pixels of what networks disagree on, in bits: entropy of their mean less mean of their entropies.

    Parameters
    ----------
    members : sequence of uint8 array (height, width)
        Probabilities of each as they are stored. A pixel counts where all of them know something.
    """
    known = np.all([stored != NO_DATA for stored in members], axis=0)
    if not known.any():
        return 0.0
    p = np.stack([stored[known] for stored in members]) / STEPS
    return float(np.mean(_entropy(p.mean(axis=0)) - _entropy(p).mean(axis=0)))


def _entropy(p: Floats) -> Floats:
    """Entropy of a yes with probability p, in bits."""
    q = np.clip(p, 1e-12, 1 - 1e-12)
    return np.asarray(-q * np.log2(q) - (1 - q) * np.log2(1 - q))


def _unsure_pairs(project: Project, craters: Sequence[Crater], tiles: tuple[Tile, ...]) -> Pairs:
    """Look at every crater's map, one at a time, and ask its networks where it is unsure."""
    grid = project.mosaic.grid
    files = MapFiles(project.maps, grid)
    index = {tile.tile_id: k for k, tile in enumerate(tiles)}
    members = _committee(project, craters)
    found, reasons = [], []
    for c, crater in enumerate(track(craters, "looking for doubt", transient=True)):
        entropy = {
            tile: entropy_bits(files.stored(crater.crater_id, tile.window))
            for tile in tiles_in_reach(crater, tiles, grid)
        }
        bits = {tile: doubt for tile, doubt in entropy.items() if doubt >= _LEAST_BITS}
        reason = "unsure of"
        if bits and len(members) > 1 and not is_imported(project, crater):
            # Never more than the entropy: what the map is sure of need not be asked again.
            bits, reason = _disagreement(members, crater, list(bits), grid), "networks disagree on"
        for tile, value in bits.items():
            found.append((c, index[tile.tile_id], _ring(crater, tile, grid), value))
            reasons.append(reason)
    table = np.array(found, np.float64).reshape(-1, 4)
    crater, tile_index, ring = table[:, :3].astype(np.intp).T
    return Pairs(crater, tile_index, ring, table[:, 3], np.array(reasons, np.str_))


def _committee(project: Project, craters: Sequence[Crater]) -> list[Method]:
    """The project's networks one at a time; none where all maps were made elsewhere."""
    if all(is_imported(project, crater) for crater in craters):
        return []
    return committee(load_method(project))


def _disagreement(
    members: Sequence[Method], crater: Crater, tiles: Sequence[Tile], grid: Grid
) -> dict[Tile, float]:
    """Bits of disagreement on a crater's ejecta in some tiles; tiles without any are left out."""
    answers = []
    for member in members:
        answer = member.predict(crater)
        stored = [
            quantise(answer.probability(s)) for s in grid.strips(answer.window, _STRIP_PIXELS)
        ]
        answers.append((answer.window, np.concatenate(stored)))
    bits = {
        tile: disagreement_bits(
            [cut(*answer, tile.window, grid.width, fill=NO_DATA) for answer in answers]
        )
        for tile in tiles
    }
    return {tile: value for tile, value in bits.items() if value > 1e-9}  # less is rounding


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
    """Why a tile was chosen: what would tell most in it."""
    crater = craters[pairs.crater[k]]
    known = labels is not None and crater.crater_id in labels.masks
    new = "" if known else "; no labels of this crater yet"
    place = f"{DISTANCES[pairs.ring[k]]} radii out"
    return f"{pairs.reason[k]} {crater.name} ({pairs.bits[k]:.2f} bits), {place}{new}"


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
