"""The release's data folder: paths of its files, and its tables of craters, labelled tiles and pairs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ejectamap.errors import EjectamapError, ReleaseError
from ejectamap.progress import track
from ejectamap.world.craters import Crater, load_craters
from ejectamap.world.grid import Grid, Window
from ejectamap.world.label_masks import read_mask
from ejectamap.world.labels import Labels, Tile
from ejectamap.world.sphere import distance
from ejectamap.world.tables import read_table

# Names and reaches as published; the release itself numbers its craters and names only few.
_NAMES = {
    0: "Hokusai",
    3: "Han Kan",
    8: "Basho",
    10: "Amaral",
    12: "Debussy",
    13: "Degas",
    17: "Kuiper",
    22: "Enwonwu",
    34: "Xiao Zhao",
    71: "Waters",
}
_REACHES = (0.25, 0.5, 0.75, 1.0)
_FAR_REACH = {"debussy": 0.5, "degas": 0.5, "copley": 0.5, "han kan": 0.5, "hokusai": 0.75}


@dataclass(frozen=True)
class Release:
    """Paths of the files of an unpacked release.

    Attributes
    ----------
    data : Path
        The folder with ejc_data, cyl_data, conn_data, mosaics and man_data.
    results : Path or None
        The folder with conn_results, ejc_results and output_masks.
    split : int
        Number of the split into training and test pairs; 61 is the published one.
    """

    data: Path
    results: Path | None
    split: int

    @property
    def mosaic(self) -> Path:
        """Mosaic."""
        return self.data / "mosaics" / "cylindrical_mosaic.tif"

    @property
    def rims(self) -> Path:
        """Shapefile of the rims of the fresh craters."""
        return self.data / "ejc_data" / "fresh_craters.shp"

    @property
    def tiles(self) -> Path:
        """Table of labelled tiles."""
        return self.data / "ejc_data" / "human_positions.csv"

    @property
    def pairs(self) -> Path:
        """Table of pairs of a crater and a tile."""
        return self.data / "conn_data" / "az_positions_all.csv"

    @property
    def masks(self) -> Path:
        """Folder of labels, one mask per crater."""
        return self.data / "cyl_data"

    def mask(self, crater_id: int) -> Path:
        """Label of one crater."""
        return self.masks / f"mask_crater_{crater_id}.tif"

    def positions(self, crater_id: int) -> Path:
        """Table of labelled tiles of one crater."""
        return self.masks / f"positions_crater_{crater_id}.csv"

    def missing_files(self) -> list[str]:
        """One line for each indispensable file or folder that does not exist."""
        required = [self.mosaic, self.rims, self.tiles, self.pairs, self.masks]
        required += [] if self.results is None else [self.results]
        return [f"{path}: is missing" for path in required if not path.exists()]


@dataclass(frozen=True)
class ReleasePair:
    """A crater and a tile, and the part of the split that they belong to.

    Attributes
    ----------
    crater_id, tile_id : int
    distance_m : float
        Ground distance, as the release's table states it.
    test : int
        1 test, 0 training and validation, -1 unused.
    """

    crater_id: int
    tile_id: int
    distance_m: float
    test: int


def read_tiles(release: Release) -> dict[int, Tile]:
    """Read the labelled tiles, by tile id."""
    return {tile.tile_id: tile for tile in _read_tile_table(release.tiles)}


def _read_tile_table(path: Path) -> list[Tile]:
    table = read_table(path, ReleaseError)
    ids = table.unique_ids(table.require("pos_index"))
    sides = [table.integers(table.require(name)) for name in ("y", "x", "height", "width")]
    return [Tile(tile_id, Window(*place)) for tile_id, *place in zip(ids, *sides, strict=True)]


def read_pairs(release: Release, tiles: Mapping[int, Tile]) -> list[ReleasePair]:
    """Read all pairs of the release with their part of its split.

    Raises
    ------
    ReleaseError
        If the table has no such split, names an unknown tile, or has a part other than 1, 0 and -1.
    """
    table = read_table(release.pairs, ReleaseError)
    column = table.find(f"test_{release.split}")
    if column is None:
        splits = [name.removeprefix("test_") for name in table.columns if name.startswith("test_")]
        table.fail(f"has no split {release.split}: use --split with one of {', '.join(splits)}")
    pairs = [
        ReleasePair(*row)
        for row in zip(
            table.integers(table.require("crat_fid")),
            table.integers(table.require("pos_index")),
            table.numbers(table.require("distance")).tolist(),
            table.integers(column),
            strict=True,
        )
    ]
    for row, pair in enumerate(pairs, start=1):
        if pair.tile_id not in tiles:
            table.fail(f"row {row}: tile {pair.tile_id} is not in {release.tiles.name}")
        if pair.test not in (-1, 0, 1):
            table.fail(f"column {column}, row {row}: {pair.test} is none of 1, 0 and -1")
    return pairs


def read_catalogue(
    release: Release, grid: Grid, tiles: Mapping[int, Tile], pairs: list[ReleasePair]
) -> tuple[list[Crater], set[int]]:
    """Read the crater catalogue.

    Returns
    -------
    craters : list of Crater
        All craters, with names and reaches as published.
    labelled : set of int
        Ids of the craters with labels.
    """
    craters = [_with_name(crater) for crater in load_craters(release.rims, grid)]
    table = read_table(release.rims, ReleaseError)
    ids = table.integers(table.require("crat_fid"))
    flags = table.integers(table.require("train"))
    labelled = {crater_id for crater_id, flag in zip(ids, flags, strict=True) if flag == 1}
    unknown = {pair.crater_id for pair in pairs} - set(ids)
    if unknown:
        raise ReleaseError(f"{release.pairs}: crater {min(unknown)} is not in {release.rims.name}")
    used = [pair for pair in pairs if pair.test >= 0]
    return [_with_reach(crater, grid, tiles, used) for crater in craters], labelled


def _with_name(crater: Crater) -> Crater:
    unnamed = crater.name == f"crater {crater.crater_id}"
    return replace(crater, name=_NAMES.get(crater.crater_id, crater.name)) if unnamed else crater


def _with_reach(
    crater: Crater, grid: Grid, tiles: Mapping[int, Tile], used: list[ReleasePair]
) -> Crater:
    """Give a crater its published reach: the one of its name, or the smallest that contains all of its pairs."""
    own = [pair for pair in used if pair.crater_id == crater.crater_id]
    half_m = np.pi * grid.radius_m
    least = _FAR_REACH.get(crater.name.casefold(), _REACHES[0])
    farthest = max((pair.distance_m for pair in own), default=0.0) / half_m
    reach = next((r for r in _REACHES if r >= least and r >= farthest), 1.0)
    # The release states distances to chips; the centre of a tile may be slightly farther away.
    centres = grid.window_centres([tiles[pair.tile_id].window for pair in own])
    to_tiles = distance(crater.lon, crater.lat, *centres, grid.radius_m) / half_m
    beyond = np.ceil(1e4 * to_tiles.max(initial=0.0)) / 1e4
    return replace(crater, reach=min(max(reach, float(beyond)), 1.0))


def check_labels(
    release: Release, grid: Grid, tiles: Mapping[int, Tile], labelled: set[int]
) -> tuple[list[str], list[str]]:
    """Read every label and compare it with its table.

    Returns
    -------
    errors : list of str
        One line for each label that is missing, cannot be read, or whose table places a tile elsewhere than the table
        of all tiles.
    warnings : list of str
        One line for each label with a tile whose number of ejecta pixels differs from its table.
    """
    errors, warnings = [], []
    for crater_id in track(sorted(labelled), "reading labels"):
        path = release.positions(crater_id)
        try:
            labels = Labels(grid, {crater_id: read_mask(release.mask(crater_id), grid)}, None)
            own = _read_tile_table(path)
            table = read_table(path, ReleaseError)
            counts = dict(zip(own, table.integers(table.require("num_1")), strict=True))
        except EjectamapError as problem:
            errors.append(str(problem))
            continue
        moved = [tile.tile_id for tile in own if tiles.get(tile.tile_id, tile) != tile]
        if moved:
            errors.append(f"{path}: tile {moved[0]} is elsewhere than in {release.tiles.name}")
        mask_counts = {tile: int(labels.read(crater_id, tile.window).sum()) for tile in own}
        different = [tile for tile in own if mask_counts[tile] != counts[tile]]
        if different:
            first = different[0]
            warnings.append(
                f"{path}: tile {first.tile_id} should hold {counts[first]} ejecta pixels,"
                f" its mask has {mask_counts[first]}"
            )
    return errors, warnings
