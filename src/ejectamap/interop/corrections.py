"""Labels that a person drew or corrected elsewhere, brought back into a project.

They go to the folder `labels-corrected` of the project, which begins as a copy of the labels that the project had;
those stay as they are. Only what was changed is changed there.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ejectamap.errors import LabelError
from ejectamap.interop.drawn import Corrections, Mask, mask_file, read_drawn
from ejectamap.mapping.colours import crater_colour
from ejectamap.mapping.files import replace_file, write_cog
from ejectamap.project import Project
from ejectamap.project.yaml import write_settings
from ejectamap.world.grid import Grid, Window
from ejectamap.world.label_files import check_reach
from ejectamap.world.labels import Labels, Tile

FOLDER = "labels-corrected"


def import_labels(project: Project, path: Path) -> Corrections:
    """Take over what a person drew, as labels of the project.

    Parameters
    ----------
    project : Project
    path : Path
        A GeoPackage of `export qgis`, edited: changed polygons become the label of their crater, accepted ones too, and
        a deleted row takes a label away. Or QClassiPy's table of tiles (CSV) with the masks that it names, or a folder
        of masks and tiles.csv as `view` saves them: within the tiles they replace what was drawn before. Or labels in
        any other form that a project takes: each replaces its crater's.

    Returns
    -------
    Corrections
        What was changed. If nothing was, no file is written.

    Raises
    ------
    LabelError
        If the file cannot be read, or does not fit the mosaic or the catalogue.
    """
    found = read_drawn(project, path)
    _check(project, path, found)
    if not (found.drawn or found.accepted or found.removed or found.tiles is not None):
        return found
    folder, grid = project.folder / FOLDER, project.mosaic.grid
    if project.settings.inputs.labels != FOLDER:
        _copy_labels(project, folder)
    for crater_id, mask in found.drawn.items():
        _write_mask(_label_path(folder, crater_id), crater_id, mask, grid)
    for crater_id in found.accepted:
        content = mask_file(project, crater_id).read_bytes()
        replace_file(_label_path(folder, crater_id), memoryview(content))
    for crater_id in found.removed:
        _label_path(folder, crater_id).unlink(missing_ok=True)
    _adopt(project, found.tiles)
    return found


def _check(project: Project, path: Path, found: Corrections) -> None:
    """Refuse what the project could not use afterwards."""
    known = {crater.crater_id: crater for crater in project.craters}
    for crater_id in (*found.drawn, *found.accepted):
        if crater_id not in known:
            raise LabelError(
                f"{path}: crater {crater_id} is not in the catalogue: add it there, or remove its row"
            )
    for crater_id, (window, mask) in found.drawn.items():
        if mask.any():
            check_reach(path, known[crater_id], window, mask, project.mosaic.grid)
    if (project.folder / FOLDER).exists() and project.settings.inputs.labels != FOLDER:
        raise LabelError(
            f"{project.folder / FOLDER}: has earlier corrections, but inputs.labels in project.yaml is another:"
            f" set it to {FOLDER}, or move them away"
        )


def _copy_labels(project: Project, folder: Path) -> None:
    """Begin the folder with the labels that the project has, byte by byte where they are masks."""
    folder.mkdir()
    labels, given = project.labels, project.settings.inputs.labels
    if labels is None or given is None:
        return
    grid = project.mosaic.grid
    for crater_id, mask in labels.masks.items():
        path, copy = (
            project.input_path(given) / f"mask_crater_{crater_id}.tif",
            _label_path(folder, crater_id),
        )
        if path.is_file():
            replace_file(copy, memoryview(path.read_bytes()))
        else:
            _write_mask(copy, crater_id, mask, grid)


def _write_mask(path: Path, crater_id: int, mask: Mask, grid: Grid) -> None:
    """Write a label; whole rows where it wraps around, and one pixel without ejecta where it is empty."""
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


def _adopt(project: Project, tiles: Sequence[Tile] | None) -> None:
    """Make the folder, and new tiles, the inputs of the project."""
    changes = {"labels": FOLDER}
    if tiles is not None:
        name = f"{FOLDER}/tiles.csv"
        replace_file(project.folder / name, memoryview(_tile_table(tiles).encode()))
        changes["tiles"] = name
    inputs = project.settings.inputs.model_copy(update=changes)
    settings = project.settings.model_copy(update={"inputs": inputs})
    write_settings(settings, project.folder / "project.yaml")


def _tile_table(tiles: Sequence[Tile]) -> str:
    """Tiles as a table that a project takes."""
    lines = [
        f"{t.tile_id},{t.window.row},{t.window.col},{t.window.height},{t.window.width}"
        for t in tiles
    ]
    return "\n".join(["tile_id,row,col,height,width", *lines]) + "\n"


def _label_path(folder: Path, crater_id: int) -> Path:
    return folder / f"mask_crater_{crater_id}.tif"
