"""Import labels that a person drew or corrected in another program.

They are written to the project's folder `labels-corrected`, which starts as a copy of the project's labels; the
original labels are not modified. Only the files of changed labels are written there.
"""

import shutil
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

from ejectamap.errors import LabelError
from ejectamap.files import move_into_place, partial_path, replace_file
from ejectamap.interop.label_changes import LabelChanges, read_label_changes
from ejectamap.interop.label_writing import write_label
from ejectamap.maps.edits import Edit, add_edit
from ejectamap.maps.rasters import stored_window
from ejectamap.maps.state import probability_path
from ejectamap.progress import status
from ejectamap.project.folder import Project
from ejectamap.project.lock import writes_project
from ejectamap.project.yaml import write_settings
from ejectamap.world.label_files import check_reach, format_tiles, label_path
from ejectamap.world.label_sources import source_path
from ejectamap.world.labels import Tile

CORRECTED_LABELS = "labels-corrected"
"""Folder of the corrected labels, in the project folder."""


@writes_project("import labels")
@status("comparing with the present labels and the map")
def import_labels(project: Project, path: Path, pin: bool = False) -> LabelChanges:
    """Import labels that a person drew, as labels of the project.

    Parameters
    ----------
    project : Project
    path : Path
        One of

        - a GeoPackage of `export qgis` that was edited: pixels that its polygons gained or lost change in the label of
          their crater. A crater without a label, or an accepted one, gets its map with these changes as its label; one
          without a label whose map was deleted as a whole gets none;
        - the folder `corrections` of `view`: within its tiles it replaces the labels of the corrected craters;
        - a table of tiles of QClassiPy (CSV) with the masks that it names, or a folder of masks and tiles.csv: within
          the tiles they replace the present labels;
        - labels in any other form that a project takes: each replaces the label of its crater.
    pin : bool
        Whether the ground that was corrected also stays as corrected in the map (see `maps.edits`), from the next time
        that it is written.

    Returns
    -------
    LabelChanges
        What was changed. If nothing was, no file of labels is written.

    Raises
    ------
    LabelError
        If the file cannot be read, or does not fit the mosaic, the catalogue or, if pinned, the map.
    """
    changes = read_label_changes(project, path)
    _check(project, path, changes)
    if pin:
        _check_edits(project, path, changes.edits)
    if not changes.is_empty:
        _write_labels(project, changes)
    if pin:
        for crater_id, edit in changes.edits.items():
            add_edit(project, crater_id, edit)
    return changes


def _write_labels(project: Project, changes: LabelChanges) -> None:
    """Write changed labels into the folder of corrected labels, and make it the project's."""
    folder = project.folder / CORRECTED_LABELS
    is_new = not _are_corrected(project)
    target = partial_path(folder) if is_new else folder
    try:
        if is_new:
            _copy_labels(project, target)
        for crater_id, change in changes.labels.items():
            write_label(target, crater_id, change.label, project.grid)
        if is_new:
            move_into_place(target, folder)
    finally:
        if is_new:
            shutil.rmtree(target, ignore_errors=True)
    _update_settings(project, changes.tiles)


def _are_corrected(project: Project) -> bool:
    """Whether the project's labels are the corrected ones already."""
    labels = project.settings.inputs.labels
    corrected = (project.folder / CORRECTED_LABELS).resolve()
    return labels is not None and project.input_path(labels) == corrected


def _check(project: Project, path: Path, changes: LabelChanges) -> None:
    """Raise `LabelError` for changes that the project could not read back."""
    craters = {crater.crater_id: crater for crater in project.craters}
    for crater_id, change in changes.labels.items():
        label = change.label
        if label.mask.any():
            check_reach(path, craters[crater_id], label.window, label.mask, project.grid)
    kept = {} if project.labels is None else project.labels.masks
    others = (kept[k][1] for k in kept if k not in changes.labels)
    changed = (change.label.mask for change in changes.labels.values())
    if changes.labels and not any(mask.any() for mask in chain(changed, others)):
        raise LabelError(
            f"{path}: leaves no crater with labelled ejecta: keep or draw those of at least one crater"
        )
    if changes.tiles and not changes.labels and project.labels is None:
        raise LabelError(
            f"{path}: has tiles, but the project has no labels that they belong to: correct or accept the map of at"
            " least one crater too"
        )
    folder = project.folder / CORRECTED_LABELS
    if folder.exists() and not _are_corrected(project):
        raise LabelError(
            f"{folder}: has earlier corrections, but inputs.labels in project.yaml names other labels:"
            f" set it to {CORRECTED_LABELS}, or move them away"
        )


def _check_edits(project: Project, path: Path, edits: Mapping[int, Edit]) -> None:
    """Raise `LabelError` for edits that the map cannot hold."""
    if not edits:
        raise LabelError(
            f"{path}: has no corrections of a map to pin: give a GeoPackage of export qgis in which polygons were"
            " changed, or the folder corrections of view"
        )
    for crater in project.chosen_craters(edits):
        edit, map_file = edits[crater.crater_id], probability_path(project, crater)
        if not map_file.is_file():
            raise LabelError(
                f"{path}: crater {crater.crater_id} has no map to pin corrections to: run ejectamap map"
                f" {project.folder} --craters {crater.crater_id} first"
            )
        window = stored_window(map_file, project.grid)
        outside = edit.outside(window, project.grid.width)
        if outside:
            raise LabelError(
                f"{path}: crater {crater.crater_id}: {outside} corrected pixels are beyond its map: set a larger reach"
                " (inputs.reach in project.yaml) and map it again, or cut the polygon"
            )


def _copy_labels(project: Project, folder: Path) -> None:
    """Make a folder with the project's present labels; mask files and their sources are copied unchanged."""
    folder.mkdir()
    labels, setting = project.labels, project.settings.inputs.labels
    if labels is None or setting is None:
        return
    present = project.input_path(setting)
    for crater_id in labels.masks:
        mask, source = label_path(present, crater_id), source_path(present, crater_id)
        if mask.is_file():
            shutil.copyfile(mask, folder / mask.name)
            if source.is_file():
                shutil.copyfile(source, folder / source.name)
        else:
            label = project.label_sources.label(labels, crater_id)
            write_label(folder, crater_id, label, project.grid)


def _update_settings(project: Project, tiles: Sequence[Tile] | None) -> None:
    """Make the folder the labels, and its table the tiles, in the project's settings; None keeps the tiles."""
    changes = {"labels": CORRECTED_LABELS}
    if tiles is not None:
        name = f"{CORRECTED_LABELS}/tiles.csv"
        replace_file(project.folder / name, format_tiles(tiles).encode())
        changes["tiles"] = name
    inputs = project.settings.inputs.model_copy(update=changes)
    settings = project.settings.model_copy(update={"inputs": inputs})
    write_settings(settings, project.folder / "project.yaml")
