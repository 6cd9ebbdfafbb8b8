"""Import labels that a person drew or corrected in another program.

They are written to the project's folder `labels-corrected`, which starts as a copy of the project's labels; the
original labels are not modified. Only the files of changed labels are written there.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ejectamap.errors import LabelError
from ejectamap.files import replace_file
from ejectamap.interop.label_changes import LabelChanges, Mask, read_label_changes
from ejectamap.maps.colours import crater_colour
from ejectamap.maps.files import write_cog
from ejectamap.maps.state import mask_path
from ejectamap.project.folder import Project
from ejectamap.project.yaml import write_settings
from ejectamap.world.grid import Grid, Window
from ejectamap.world.label_files import check_reach, label_path
from ejectamap.world.labels import Labels, Tile

CORRECTED_LABELS = "labels-corrected"
"""Folder of the corrected labels, in the project folder."""


def import_labels(project: Project, path: Path) -> LabelChanges:
    """Import labels that a person drew, as labels of the project.

    Parameters
    ----------
    project : Project
    path : Path
        One of

        - a GeoPackage of `export qgis` that was edited: a changed polygon, or an accepted row, becomes the label of
          its crater, and a deleted row removes the label;
        - a table of tiles of QClassiPy (CSV) with the masks that it names, or a folder of masks and tiles.csv as
          `view` saves them: within the tiles they replace the present labels;
        - labels in any other form that a project takes: each replaces the label of its crater.

    Returns
    -------
    LabelChanges
        What was changed. If nothing was, no file is written.

    Raises
    ------
    LabelError
        If the file cannot be read, or does not fit the mosaic or the catalogue.
    """
    changes = read_label_changes(project, path)
    _check(project, path, changes)
    if changes.is_empty:
        return changes
    folder = project.folder / CORRECTED_LABELS
    if project.settings.inputs.labels != CORRECTED_LABELS:
        _copy_labels(project, folder)
    for crater_id, mask in changes.drawn.items():
        _write_mask(label_path(folder, crater_id), crater_id, mask, project.grid)
    for crater in project.chosen_craters(changes.accepted):
        _copy_file(mask_path(project, crater), label_path(folder, crater.crater_id))
    for crater_id in changes.removed:
        label_path(folder, crater_id).unlink(missing_ok=True)
    _update_settings(project, changes.tiles)
    return changes


def _check(project: Project, path: Path, changes: LabelChanges) -> None:
    """Raise `LabelError` for changes that the project could not read back."""
    craters = {crater.crater_id: crater for crater in project.craters}
    for crater_id in (*changes.drawn, *changes.accepted):
        if crater_id not in craters:
            raise LabelError(
                f"{path}: crater {crater_id} is not in the catalogue: add it there, or remove its row"
            )
    for crater_id, (window, mask) in changes.drawn.items():
        if mask.any():
            check_reach(path, craters[crater_id], window, mask, project.grid)
    folder = project.folder / CORRECTED_LABELS
    if folder.exists() and project.settings.inputs.labels != CORRECTED_LABELS:
        raise LabelError(
            f"{folder}: has earlier corrections, but inputs.labels in project.yaml names other labels:"
            f" set it to {CORRECTED_LABELS}, or move them away"
        )


def _copy_labels(project: Project, folder: Path) -> None:
    """Make the folder with the project's present labels; mask files are copied unchanged."""
    folder.mkdir()
    labels, setting = project.labels, project.settings.inputs.labels
    if labels is None or setting is None:
        return
    for crater_id, mask in labels.masks.items():
        source = label_path(project.input_path(setting), crater_id)
        target = label_path(folder, crater_id)
        if source.is_file():
            _copy_file(source, target)
        else:
            _write_mask(target, crater_id, mask, project.grid)


def _copy_file(source: Path, target: Path) -> None:
    replace_file(target, memoryview(source.read_bytes()))


def _write_mask(path: Path, crater_id: int, mask: Mask, grid: Grid) -> None:
    """Write a label; as whole rows if its window wraps around, as one pixel without ejecta if it is empty."""
    window, _ = mask
    if window.width == 0:
        window = Window(0, 0, 1, 1)
    elif window.col + window.width > grid.width:
        window = Window(window.row, 0, window.height, grid.width)
    values = Labels(grid, {crater_id: mask}, None).read(crater_id, window).view(np.uint8)
    write_cog(
        path,
        [(window, values)],
        grid,
        window,
        description="1 = ejecta, drawn by hand",
        nodata=None,
        resampling="mode",
        colours={1: (*crater_colour(crater_id), 255)},
    )


def _update_settings(project: Project, tiles: Sequence[Tile] | None) -> None:
    """Make the folder the labels, and its table the tiles, in the project's settings; None keeps the tiles."""
    changes = {"labels": CORRECTED_LABELS}
    if tiles is not None:
        name = f"{CORRECTED_LABELS}/tiles.csv"
        replace_file(project.folder / name, memoryview(_tile_table(tiles).encode()))
        changes["tiles"] = name
    inputs = project.settings.inputs.model_copy(update=changes)
    settings = project.settings.model_copy(update={"inputs": inputs})
    write_settings(settings, project.folder / "project.yaml")


def _tile_table(tiles: Sequence[Tile]) -> str:
    """Tiles as the content of a tiles.csv."""
    lines = [
        f"{t.tile_id},{t.window.row},{t.window.col},{t.window.height},{t.window.width}"
        for t in tiles
    ]
    return "\n".join(["tile_id,row,col,height,width", *lines]) + "\n"
