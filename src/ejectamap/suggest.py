"""Suggest tiles to label next: where networks disagree or the map is uncertain, and the crater has few labels."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from ejectamap.evaluation.rings import DISTANCE_EDGES, DISTANCES
from ejectamap.files import replace_file
from ejectamap.mapping.methods import Method, load_method, single_network_methods
from ejectamap.maps.mapped import require_mapped
from ejectamap.maps.rasters import NO_DATA, STEPS, quantise
from ejectamap.maps.reader import MapReader
from ejectamap.maps.state import is_imported
from ejectamap.progress import track
from ejectamap.project.folder import Project
from ejectamap.texts import write_csv
from ejectamap.views.tiling import planet_tiles, tiles_in_reach
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Grid, windows_overlap
from ejectamap.world.labels import Labels, Tile, extract_window
from ejectamap.world.sphere import Array, distance

Stored = npt.NDArray[np.uint8]

NAME = "suggestions.csv"
COLUMNS = ("tile_id", "row", "col", "height", "width", "crater_ids", "score", "reason")
_LEAST_BITS = 0.05  # pairs with less entropy are left out


@dataclass(frozen=True)
class UncertainPairs:
    """Pairs of a crater and an unlabelled tile in its reach where networks disagree or the map is uncertain.

    Attributes
    ----------
    crater, tile : int array (n,)
        Indices of crater and tile.
    ring : int array (n,)
        Class of distance: 0 to 3, 3 to 10, or more crater radii.
    bits : float array (n,)
        Expected information of a label, 0 to 1 bit a pixel: see `suggest_tiles`.
    reason : str array (n,)
        "networks disagree on", or "unsure of" where there is only one network.
    """

    crater: npt.NDArray[np.intp]
    tile: npt.NDArray[np.intp]
    ring: npt.NDArray[np.intp]
    bits: Array
    reason: npt.NDArray[np.str_]


def suggest_tiles(project: Project, most: int) -> pd.DataFrame:
    """Rank unlabelled tiles by the expected information of a label, and write suggestions.csv.

    For each crater in whose reach a tile is, the information is the disagreement of the networks: the entropy of their
    mean probability less the mean of their entropies, in bits a pixel. It is 0 where all networks are uncertain alike
    (Houlsby et al. 2011, Bayesian active learning for classification and preference learning). Each network predicts
    the craters again, because the map keeps only their mean: with n networks about n times the work of mapping. Where
    there is only one, or a crater's map was imported, it is the entropy of the map's probability (Lewis and Gale 1994,
    A sequential algorithm for training text classifiers).

    The information is multiplied by the mean of 1 / (1 + n) for n labelled tiles of this crater and for n at this
    distance (0 to 3, 3 to 10, or more crater radii). Tiles are chosen one after another, each counting as labelled from
    then on, so that they spread over craters and distances.

    Parameters
    ----------
    project : Project
    most : int
        Number of tiles.

    Returns
    -------
    DataFrame
        `COLUMNS`, a row a tile, the best first. crater_ids are those of uncertain craters, the most uncertain first.
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
        if not any(windows_overlap(tile.window, other.window, grid.width) for other in taken)
    )
    # Without tiles the labels of a crater are complete within its reach.
    open_craters = [
        crater
        for crater in craters
        if labels is None or labels.tiles is not None or crater.crater_id not in labels.masks
    ]
    pairs = _uncertain_pairs(project, open_craters, tiles)
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
    replace_file(project.folder / NAME, write_csv(table, float_format="%.6g"))
    return table


def entropy_bits(stored: npt.NDArray[np.uint8]) -> float:
    """Mean entropy, in bits, of stored probabilities; 0 if none is known.

    1 where the probability is 0.5 everywhere, 0 where it is 0 or 1.
    """
    counts = np.bincount(stored.ravel(), minlength=256)[: STEPS + 1]
    p = np.arange(1, STEPS) / STEPS
    bits = np.zeros(STEPS + 1)
    bits[1:-1] = -p * np.log2(p) - (1 - p) * np.log2(1 - p)
    known = int(counts.sum())
    return float(counts @ bits) / known if known else 0.0


def disagreement_bits(members: Sequence[Stored]) -> float:
    """Mean over pixels of the networks' disagreement, in bits: entropy of their mean less mean of their entropies.

    Parameters
    ----------
    members : sequence of uint8 array (height, width)
        Stored probabilities of each network. A pixel counts where all of them are known.
    """
    known = np.all([stored != NO_DATA for stored in members], axis=0)
    if not known.any():
        return 0.0
    p = np.stack([stored[known] for stored in members]) / STEPS
    return float(np.mean(_entropy(p.mean(axis=0)) - _entropy(p).mean(axis=0)))


def _entropy(p: Array) -> Array:
    """Entropy, in bits, of a binary variable that is 1 with probability p."""
    q = np.clip(p, 1e-12, 1 - 1e-12)
    return np.asarray(-q * np.log2(q) - (1 - q) * np.log2(1 - q))


def _uncertain_pairs(
    project: Project, craters: Sequence[Crater], tiles: tuple[Tile, ...]
) -> UncertainPairs:
    """Uncertain pairs of every crater, one crater's map at a time."""
    grid = project.mosaic.grid
    files = MapReader(project.maps, grid)
    index = {tile.tile_id: k for k, tile in enumerate(tiles)}
    methods = _single_network_methods(project, craters)
    rows, reasons = [], []
    for c, crater in enumerate(track(craters, "uncertainty of each crater")):
        entropy = {
            tile: entropy_bits(files.stored(crater.crater_id, tile.window))
            for tile in tiles_in_reach(crater, tiles, grid)
        }
        bits = {tile: value for tile, value in entropy.items() if value >= _LEAST_BITS}
        reason = "unsure of"
        if bits and len(methods) > 1 and not is_imported(project, crater):
            # Disagreement never exceeds the entropy, so tiles of low entropy can be left out.
            bits, reason = _disagreement(methods, crater, list(bits), grid), "networks disagree on"
        for tile, value in bits.items():
            rows.append((c, index[tile.tile_id], _ring(crater, tile, grid), value))
            reasons.append(reason)
    table = np.array(rows, np.float64).reshape(-1, 4)
    crater, tile_index, ring = table[:, :3].astype(np.intp).T
    return UncertainPairs(crater, tile_index, ring, table[:, 3], np.array(reasons, np.str_))


def _single_network_methods(project: Project, craters: Sequence[Crater]) -> list[Method]:
    """The project's method with one network at a time; none where all maps were imported."""
    if all(is_imported(project, crater) for crater in craters):
        return []
    return single_network_methods(load_method(project))


def _disagreement(
    methods: Sequence[Method], crater: Crater, tiles: Sequence[Tile], grid: Grid
) -> dict[Tile, float]:
    """Bits of disagreement on a crater's ejecta in some tiles; tiles without any are left out."""
    maps = []
    for method in methods:
        crater_map = method.predict(crater)
        strips = grid.strips(crater_map.window)
        stored = [quantise(crater_map.probability(strip)) for strip in strips]
        maps.append((crater_map.window, np.concatenate(stored)))
    bits = {
        tile: disagreement_bits(
            [
                extract_window(*window_and_values, tile.window, grid.width, fill=NO_DATA)
                for window_and_values in maps
            ]
        )
        for tile in tiles
    }
    return {
        tile: value for tile, value in bits.items() if value > 1e-9
    }  # smaller values are rounding errors


def _labelled(
    craters: Sequence[Crater], labels: Labels | None, taken: Sequence[Tile], grid: Grid
) -> tuple[Array, Array]:
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
    pairs: UncertainPairs, per_crater: Array, per_ring: Array, most: int
) -> Iterator[tuple[int, float, npt.NDArray[np.intp]]]:
    """Index, score and pairs of one tile after another, the best of the remaining ones first."""
    remaining = np.ones(pairs.bits.size, bool)
    while most > 0 and remaining.any():
        rarity = 1 / (1 + per_crater[pairs.crater]) + 1 / (1 + per_ring[pairs.ring])
        scores = np.bincount(pairs.tile, pairs.bits * rarity / 2 * remaining)
        best = int(np.argmax(scores))
        of_tile = np.flatnonzero(pairs.tile == best)
        yield best, float(scores[best]), of_tile
        remaining[of_tile] = False
        np.add.at(per_crater, pairs.crater[of_tile], 1)
        np.add.at(per_ring, pairs.ring[of_tile], 1)
        most -= 1


def _reason(craters: Sequence[Crater], pairs: UncertainPairs, k: int, labels: Labels | None) -> str:
    """Why a tile was chosen: its pair of most information."""
    crater = craters[pairs.crater[k]]
    labelled = labels is not None and crater.crater_id in labels.masks
    new = "" if labelled else "; no labels of this crater yet"
    place = f"{DISTANCES[pairs.ring[k]]} radii out"
    return f"{pairs.reason[k]} {crater.name} ({pairs.bits[k]:.2f} bits), {place}{new}"


def _ring(crater: Crater, tile: Tile, grid: Grid) -> int:
    """Class of distance of a tile's centre."""
    lon, lat = grid.window_centre(tile.window)
    radii = distance(crater.lon, crater.lat, lon, lat, grid.radius_m) / crater.radius_m
    return int(np.searchsorted(DISTANCE_EDGES, float(radii), "right"))
