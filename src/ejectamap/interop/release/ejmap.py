"""Make a project of the release: craters, labels, split, chips, reference masks, trained networks, published masks."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console

from ejectamap.errors import EjectamapError, ProjectError, ReleaseError
from ejectamap.interop.release.data import (
    Release,
    ReleasePair,
    check_labels,
    read_catalogue,
    read_pairs,
    read_tiles,
)
from ejectamap.interop.release.frames import read_chips, read_on_grid, write_reference
from ejectamap.interop.release.results import (
    CheckpointSet,
    find_checkpoints,
    find_masks,
    read_published_maps,
)
from ejectamap.maps.writing import import_maps
from ejectamap.progress import track
from ejectamap.project.folder import Project
from ejectamap.project.pairs import make_pairs
from ejectamap.project.splits import make_split, write_split
from ejectamap.texts import write_csv
from ejectamap.world.craters import Crater
from ejectamap.world.label_files import label_path
from ejectamap.world.labels import Tile
from ejectamap.world.mosaic_files import read_mosaic_grid


def import_ejmap(
    data: Path, folder: Path, results: Path | None, split: int, console: Console
) -> Project:
    """Make a project of an unpacked release; the mosaic and the labels stay where they are.

    Beside `project.yaml`, the folder gets

    - `release/craters.csv`, `release/tiles.csv`: the catalogue with names and reaches, and the labelled tiles;
    - `release/split.csv`: the part of the release's split that each pair belongs to (test: 1, 0, or -1 for unused);
      training in the project uses the same split, and the evaluation reads from it which pairs are test pairs;
    - `release/chips.csv`: the chips from which the release mapped each crater;
    - `release/reference/mask_crater_{id}.tif`: whole ejecta patterns drawn by hand, on the mosaic's grid. To evaluate
      a map against them, set `inputs.labels: release/reference` and `inputs.tiles: null`;
    - `models/`: the trained networks, if their checkpoints can be read;
    - `map/`: the published masks; `provenance.json` lists them as imported.

    A line is printed for each file that is missing or damaged.

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
        If an indispensable file is missing or damaged.
    """
    if (folder / "project.yaml").exists():
        raise ProjectError(f"{folder}: already holds a project: choose another folder")
    release = Release(data, results, split)
    _stop_on_errors(console, release, release.missing_files())
    grid = read_mosaic_grid(release.mosaic)
    tiles = read_tiles(release)
    pairs = read_pairs(release, tiles)
    craters, labelled = read_catalogue(release, grid, tiles, pairs)
    errors, warnings = check_labels(release, grid, tiles, labelled)
    _stop_on_errors(console, release, errors)
    _print_lines(console, warnings)
    checkpoints, masks = find_checkpoints(release), find_masks(release)
    tile_px = _tile_side_px(tiles.values())
    _write_inputs(folder / "release", craters, tiles.values(), pairs)
    project = Project.create(
        folder,
        release.mosaic,
        folder / "release" / "craters.csv",
        release.masks,
        folder / "release" / "tiles.csv",
        preset="release",
        changes=_preset_changes(checkpoints, tile_px),
    )
    write_split(project, make_split(project, make_pairs(project.world, tile_px)))
    _print_lines(console, _write_chips(project, release, labelled))
    _print_lines(console, _write_references(project, release, craters))
    _print_lines(console, _import_networks(project, release, checkpoints, tile_px))
    _print_lines(console, _import_masks(project, release, masks, labelled))
    return project


def _stop_on_errors(console: Console, release: Release, errors: Sequence[str]) -> None:
    """Print errors, one line each, and raise `ReleaseError` if there are any."""
    _print_lines(console, errors)
    if errors:
        raise ReleaseError(
            f"{release.data}: {len(errors)} of the files that are needed are missing or damaged: see above"
        )


def _print_lines(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(line, markup=False, soft_wrap=True, highlight=False)


def _tile_side_px(tiles: Iterable[Tile]) -> int:
    """Side of the labelled tiles, in mosaic pixels."""
    return round(float(np.median([tile.window.height for tile in tiles])))


def _preset_changes(checkpoints: Mapping[str, CheckpointSet], tile_px: int) -> list[str]:
    """Changes to the preset: the networks of the release, and chips and corridors of the tiles' own size."""
    changes = [
        "inputs.split=release/split.csv",
        "views.tile_km=null",
        f"views.chip_px={tile_px}",
        f"views.corridor_px=[{2 * tile_px}, {tile_px // 2}]",
    ]
    if "connection" in checkpoints:
        version = checkpoints["connection"].version
        changes += [
            f"connection.architecture={version.values['model_name']}",
            f"connection.members={len(checkpoints['connection'].paths)}",
            f"connection.vote_threshold={version.vote_threshold}",
        ]
    if "segmentation" in checkpoints:
        version = checkpoints["segmentation"].version
        inner, outer = version.annulus_radii
        arguments = version.network_arguments(bands=0)
        changes += [
            f"segmentation.decoder={arguments['decoder']}",
            f"segmentation.encoder={arguments['encoder']}",
            f"views.annulus_radii=[{inner}, {outer}]",
            f"segmentation.members={len(checkpoints['segmentation'].paths)}",
        ]
    return changes


def _write_inputs(
    folder: Path, craters: Iterable[Crater], tiles: Iterable[Tile], pairs: Iterable[ReleasePair]
) -> None:
    """Write the project's input tables: craters.csv, tiles.csv, split.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    crater_rows = [(c.crater_id, c.name, c.lon, c.lat, c.radius_m, c.reach) for c in craters]
    columns = ["crater_id", "name", "lon", "lat", "radius_m", "reach"]
    craters_csv = write_csv(pd.DataFrame(crater_rows, columns=columns))
    (folder / "craters.csv").write_bytes(craters_csv)
    windows = [(tile.tile_id, tile.window) for tile in tiles]
    tile_rows = [(tile_id, w.row, w.col, w.height, w.width) for tile_id, w in windows]
    columns = ["tile_id", "row", "col", "height", "width"]
    pd.DataFrame(tile_rows, columns=columns).to_csv(folder / "tiles.csv", index=False)
    split_rows = [(pair.crater_id, pair.tile_id, pair.test) for pair in pairs]
    columns = ["crater_id", "tile_id", "test"]
    pd.DataFrame(split_rows, columns=columns).to_csv(folder / "split.csv", index=False)


def _write_chips(project: Project, release: Release, labelled: Iterable[int]) -> list[str]:
    """Write the release's chips of all craters as one table; return a line for each table that cannot be read."""
    tables, warnings = [], []
    for crater_id in sorted(labelled):
        name = f"eval_positions_crater_{crater_id}.csv"
        path = release.data / "conn_data" / "eval_positions" / name
        try:
            table = read_chips(path, project.grid)
        except ReleaseError as problem:
            warnings.append(str(problem))
            continue
        table.insert(0, "crater_id", crater_id)
        tables.append(table)
    if tables:
        pd.concat(tables).to_csv(project.folder / "release" / "chips.csv", index=False)
    return warnings


def _write_references(project: Project, release: Release, craters: Iterable[Crater]) -> list[str]:
    """Resample whole patterns that were drawn by hand to the mosaic's grid; return a line for each that fails."""
    paths = sorted((release.data / "man_data").glob("az_manual_*.tif*"))
    if not paths:
        return [
            f"{release.data / 'man_data'}: has no az_manual_NAME.tif: no whole patterns to evaluate against"
        ]
    by_name = {_comparable_name(crater.name): crater for crater in craters}
    folder = project.folder / "release" / "reference"
    folder.mkdir(parents=True, exist_ok=True)
    warnings = []
    for path in track(paths, "resampling reference masks"):
        crater = by_name.get(_comparable_name(path.stem.removeprefix("az_manual_")))
        if crater is None:
            warnings.append(f"{path}: no crater has this name")
            continue
        try:
            strips = read_on_grid(path, crater, project.grid)
            write_reference(label_path(folder, crater.crater_id), project.grid, strips)
        except EjectamapError as problem:
            warnings.append(str(problem))
    return warnings


def _comparable_name(name: str) -> str:
    """A crater's name without case, blanks, underscores and hyphens."""
    return re.sub(r"[\s_-]+", "", name).casefold()


def _import_networks(
    project: Project, release: Release, checkpoints: Mapping[str, CheckpointSet], tile_px: int
) -> list[str]:
    """Convert the networks; return a line for each kind that is left out because a checkpoint cannot be converted."""
    if not checkpoints:
        return [f"{release.results or release.data}: has no checkpoints of split {release.split}"]
    from ejectamap.interop.release.checkpoints import convert_checkpoints  # noqa: PLC0415

    warnings = []
    for kind, checkpoint_set in checkpoints.items():
        try:
            convert_checkpoints(project, checkpoint_set, tile_px)
        except EjectamapError as problem:
            warnings.append(f"{problem}; no {kind} network was imported")
    return warnings


def _import_masks(
    project: Project, release: Release, masks: Mapping[int, Path], labelled: Iterable[int]
) -> list[str]:
    """Import the published masks as the project's map; return a line for each that is missing or damaged."""
    if not masks:
        return [f"{release.results or release.data}: has no published masks"]
    folder = masks[min(masks)].parent
    warnings = [f"{folder}: has no mask of crater {k}" for k in sorted(set(labelled) - set(masks))]
    import_maps(project, read_published_maps(masks, project.craters, project.grid, warnings))
    return warnings
