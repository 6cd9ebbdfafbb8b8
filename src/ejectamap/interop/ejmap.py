"""Make a project of the published release EJMAP: craters, labels, splits, networks, masks."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track

from ejectamap.errors import EjectamapError, MosaicError, ProjectError, ReleaseError
from ejectamap.interop.frames import onto_grid, read_chips, write_reference
from ejectamap.interop.release import (
    Release,
    ReleasePair,
    check_labels,
    read_catalogue,
    read_pairs,
    read_tiles,
)
from ejectamap.interop.results import (
    Networks,
    convert_networks,
    find_masks,
    find_networks,
    published_maps,
)
from ejectamap.mapping.run import bring_in
from ejectamap.project import Project
from ejectamap.training.pairs import make_pairs
from ejectamap.training.sources import split_parts, write_split
from ejectamap.world.craters import Crater
from ejectamap.world.georeference import open_raster
from ejectamap.world.grid import Grid
from ejectamap.world.labels import Tile
from ejectamap.world.mosaic import read_grid


def import_ejmap(
    data: Path, folder: Path, results: Path | None, split: int, console: Console
) -> Project:
    """Make a project of an unpacked release; the mosaic and the labels stay where they are.

    Beside `project.yaml`, the folder gets

    - `release/craters.csv`, `release/tiles.csv`: the catalogue with names and reaches, and the labelled tiles;
    - `release/split.csv`: what the release used each pair for (test: 1, 0, or -1 for unused); a training of one's own
      does the same, and the evaluation tells training from test by it;
    - `release/chips.csv`: the chips that the release looked at to map each crater;
    - `release/reference/mask_crater_{id}.tif`: whole patterns drawn by hand, on the mosaic's grid. To judge a map by
      them, set `inputs.labels: release/reference` and `inputs.tiles: null`;
    - `models/`: the trained networks, if their checkpoints can be read safely;
    - `map/`: the published masks; `provenance.json` lists them as imported.

    What is missing or damaged is printed, a line each.

    Parameters
    ----------
    data : Path
        The folder with ejc_data, cyl_data, conn_data, mosaics and man_data.
    folder : Path
        Of the project; without a `project.yaml`.
    results : Path or None
        The folder with conn_results, ejc_results and output_masks.
    split : int
        Number of the split.
    console : Console

    Raises
    ------
    EjectamapError
        If a piece that nothing can be done without is missing or damaged.
    """
    if (folder / "project.yaml").exists():
        raise ProjectError(f"{folder}: already holds a project: choose another folder")
    release = Release(data, results, split)
    _refuse(console, release, release.lacking())
    with open_raster(release.mosaic, MosaicError) as source:
        grid = read_grid(source)
    tiles = read_tiles(release)
    pairs = read_pairs(release, tiles)
    craters, labelled = read_catalogue(release, grid, tiles, pairs)
    damaged, doubtful = check_labels(release, grid, tiles, labelled)
    _refuse(console, release, damaged)
    _say(console, doubtful)
    networks, masks = find_networks(release), find_masks(release)
    side_px = _side_px(tiles.values())
    _write_inputs(folder / "release", craters, tiles.values(), pairs)
    project = Project.create(
        folder,
        release.mosaic,
        folder / "release" / "craters.csv",
        release.masks,
        folder / "release" / "tiles.csv",
        preset="release",
        changes=_settings(networks, side_px),
    )
    write_split(project, split_parts(project, make_pairs(project.world, side_px)))
    _say(console, _chips(project, release, grid, labelled))
    _say(console, _references(project, release, grid, craters))
    _say(console, _networks(project, release, networks, side_px))
    _say(console, _masks(project, release, masks, labelled))
    return project


def _refuse(console: Console, release: Release, problems: Sequence[str]) -> None:
    """Name what is wrong, a line each, and stop."""
    _say(console, problems)
    if problems:
        raise ReleaseError(
            f"{release.data}: {len(problems)} of the pieces that are needed are missing or damaged: see above"
        )


def _say(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(line, markup=False, soft_wrap=True, highlight=False)


def _side_px(tiles: Iterable[Tile]) -> int:
    """Side of the labelled tiles, in mosaic pixels."""
    return round(float(np.median([tile.window.height for tile in tiles])))


def _settings(networks: Mapping[str, Networks], side_px: int) -> list[str]:
    """Changes to the preset: the networks that are there, and pictures of the tiles' own size."""
    changes = [
        "inputs.split=release/split.csv",
        "views.tile_km=null",
        f"views.chip_px={side_px}",
        f"views.corridor_px=[{2 * side_px}, {side_px // 2}]",
    ]
    if "connection" in networks:
        version = networks["connection"].version
        changes += [
            f"connection.architecture={version.values['model_name']}",
            f"connection.members={len(networks['connection'].checkpoints)}",
            f"connection.vote_threshold={version.vote_threshold}",
        ]
    if "segmentation" in networks:
        version = networks["segmentation"].version
        inner, outer = version.annulus_radii
        arguments = version.network(bands=0)
        changes += [
            f"segmentation.decoder={arguments['decoder']}",
            f"segmentation.encoder={arguments['encoder']}",
            f"views.annulus_radii=[{inner}, {outer}]",
            f"segmentation.members={len(networks['segmentation'].checkpoints)}",
        ]
    return changes


def _write_inputs(
    folder: Path, craters: Iterable[Crater], tiles: Iterable[Tile], pairs: Iterable[ReleasePair]
) -> None:
    """Write the tables that the project starts from."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [(c.crater_id, c.name, c.lon, c.lat, c.radius_m, c.reach) for c in craters]
    columns = ["crater_id", "name", "lon", "lat", "radius_m", "reach"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "craters.csv", index=False)
    windows = [(tile.tile_id, tile.window) for tile in tiles]
    places = [(tile_id, w.row, w.col, w.height, w.width) for tile_id, w in windows]
    columns = ["tile_id", "row", "col", "height", "width"]
    pd.DataFrame(places, columns=columns).to_csv(folder / "tiles.csv", index=False)
    uses = [(pair.crater_id, pair.tile_id, pair.test) for pair in pairs]
    columns = ["crater_id", "tile_id", "test"]
    pd.DataFrame(uses, columns=columns).to_csv(folder / "split.csv", index=False)


def _chips(project: Project, release: Release, grid: Grid, labelled: Iterable[int]) -> list[str]:
    """Write the release's chips of all craters as one table."""
    tables, lines = [], []
    for crater_id in sorted(labelled):
        name = f"eval_positions_crater_{crater_id}.csv"
        try:
            table = read_chips(release.data / "conn_data" / "eval_positions" / name, grid)
        except ReleaseError as problem:
            lines.append(str(problem))
            continue
        table.insert(0, "crater_id", crater_id)
        tables.append(table)
    if tables:
        pd.concat(tables).to_csv(project.folder / "release" / "chips.csv", index=False)
    return lines


def _references(
    project: Project, release: Release, grid: Grid, craters: Iterable[Crater]
) -> list[str]:
    """Bring whole patterns that were drawn by hand onto the mosaic's grid."""
    paths = sorted((release.data / "man_data").glob("az_manual_*.tif*"))
    if not paths:
        return [
            f"{release.data / 'man_data'}: has no az_manual_NAME.tif: no whole patterns to judge by"
        ]
    by_name = {_plain(crater.name): crater for crater in craters}
    folder = project.folder / "release" / "reference"
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for path in track(paths, "bringing manual masks onto the grid", transient=True):
        crater = by_name.get(_plain(path.stem.removeprefix("az_manual_")))
        if crater is None:
            lines.append(f"{path}: no crater has this name")
            continue
        try:
            strips = onto_grid(path, crater, grid)
            write_reference(folder / f"mask_crater_{crater.crater_id}.tif", grid, strips)
        except EjectamapError as problem:
            lines.append(str(problem))
    return lines


def _plain(name: str) -> str:
    """A name without case, blanks and hyphens."""
    return re.sub(r"[\s_-]+", "", name).casefold()


def _networks(
    project: Project, release: Release, networks: Mapping[str, Networks], tile_px: int
) -> list[str]:
    """Convert the networks; a kind of which one cannot be converted is left out."""
    lines = (
        []
        if networks
        else [f"{release.results or release.data}: has no checkpoints of split {release.split}"]
    )
    for kind, found in networks.items():
        try:
            convert_networks(project, {kind: found}, tile_px)
        except EjectamapError as problem:
            lines.append(f"{problem}; no {kind} network was imported")
    return lines


def _masks(
    project: Project, release: Release, masks: Mapping[int, Path], labelled: Iterable[int]
) -> list[str]:
    """Take the published masks as the project's map."""
    if not masks:
        return [f"{release.results or release.data}: has no published masks"]
    folder = masks[min(masks)].parent
    lines = [f"{folder}: has no mask of crater {k}" for k in sorted(set(labelled) - set(masks))]
    bring_in(project, published_maps(masks, project.craters, project.mosaic.grid, lines))
    return lines
