"""Read what a file that a person drew in changes in a project's labels, in whichever form the file is.

A pixel keeps its value where the person did not change it, and its source for as long as it keeps its value. Only an
accepted map replaces a label as a whole.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyogrio
from pyproj import CRS

from ejectamap.errors import LabelError
from ejectamap.interop.qgis import EDITED, MAPPED, TILES
from ejectamap.maps.edits import ADDED, REMOVED, Edit
from ejectamap.maps.state import mask_path
from ejectamap.project.folder import Project
from ejectamap.views.tiling import tiles_in_reach
from ejectamap.world.craters import Crater
from ejectamap.world.georeference import check_radius, one_line
from ejectamap.world.grid import Bools, Grid, Window
from ejectamap.world.label_files import LABELLED_CRATERS, load_labels, load_tiles, parse_crater_ids
from ejectamap.world.label_masks import read_mask
from ejectamap.world.label_polygons import rasterise, to_mosaic_px
from ejectamap.world.label_sources import LabelSource, LabelSources, SourcedMask
from ejectamap.world.labels import Labels, Tile, extract_window, joint_window
from ejectamap.world.tables import read_table

Mask = tuple[Window, Bools]
"""A window and, in it, where the ejecta are."""
_EMPTY: Mask = Window(0, 0, 0, 0), np.zeros((0, 0), bool)


@dataclass(frozen=True)
class NewLabel:
    """A label as a person left it.

    Attributes
    ----------
    label : SourcedMask
    action : str
        What the person did, as in `LabelChange`.
    start : SourcedMask or None
        The map that was taken as the label of a crater without one; None where the label was there before, was drawn
        or was accepted.
    edit : Edit or None
        What the person changed in the map, where the label got that alone.
    """

    label: SourcedMask
    action: str
    start: SourcedMask | None = None
    edit: Edit | None = None


@dataclass(frozen=True)
class LabelChange:
    """A crater's changed label.

    Attributes
    ----------
    label : SourcedMask
        The new one.
    action : str
        What the person did: "drawn", "corrected", "accepted", "accepted and corrected" or "imported".
    added_px, removed_px : int
        Pixels of ejecta that the present label lacks, and that it alone has; with `from_map` the same of the map.
    from_map : bool
        Whether the crater had no label and its map was taken as its label.
    edit : Edit or None
        What the person changed in the map, where the label got that alone.
    """

    label: SourcedMask
    action: str
    added_px: int
    removed_px: int
    from_map: bool = False
    edit: Edit | None = None

    def describe(self) -> str:
        """Describe the change: "corrected, 120 px added, 812 px removed"."""
        if self.from_map:
            return (
                f"{self.action}: it had no label, so that its map was taken as its label:"
                f" {int(self.label.mask.sum()):,} px, after {self.added_px:,} px were added and"
                f" {self.removed_px:,} px removed by hand"
            )
        parts = [part for kind in (ADDED, REMOVED) if (part := self._describe_part(kind))]
        return ", ".join([self.action, *(parts or ["no pixel changes"])])

    def _describe_part(self, kind: int) -> str:
        """Describe what was added, or removed, and how much of an edit of the map the label had already."""
        px = self.added_px if kind == ADDED else self.removed_px
        word = "added" if kind == ADDED else "removed"
        edited_px = px if self.edit is None else int((self.edit.values == kind).sum())
        if edited_px == px:
            return f"{px:,} px {word}" if px else ""
        labelled = "of them not labelled before" if kind == ADDED else "of them labelled"
        edited = "added to the map" if kind == ADDED else "of the map removed"
        return f"{edited_px:,} px {edited}, {px:,} {labelled}"


@dataclass(frozen=True)
class LabelChanges:
    """Changes to a project's labels.

    Attributes
    ----------
    labels : mapping of int to LabelChange
        By crater id, of the labels that differ from the present ones.
    edits : mapping of int to Edit
        By crater id, the ground that the person corrected in the map, whether or not the label changes there.
    tiles : tuple of Tile or None
        All tiles of the changed labels; None if they stay as they are.
    left_out : tuple of int
        Ids of craters without a label whose map was deleted as a whole: no label is made of what is left of it.
    """

    labels: dict[int, LabelChange]
    edits: dict[int, Edit] = field(default_factory=dict)
    tiles: tuple[Tile, ...] | None = None
    left_out: tuple[int, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether no label and no tile changes."""
        return not self.labels and self.tiles is None


def read_label_changes(project: Project, path: Path) -> LabelChanges:
    """Compare a file with a project's labels; see `import_labels.import_labels` for the forms of the file.

    Raises
    ------
    LabelError
        If it cannot be read, or does not fit the mosaic, the catalogue or the labels.
    """
    grid = project.grid
    if path.suffix.lower() == ".csv":
        masks, tiles = _read_qclassipy(path, grid)
        return _changes_within_tiles(project, path, Labels(grid, masks, tiles))
    if path.suffix.lower() == ".gpkg" and path.is_file():
        try:
            layers = {str(name) for name, _ in pyogrio.list_layers(path)}
        except pyogrio.errors.DataSourceError as problem:
            raise LabelError(
                f"{path}: cannot be read ({one_line(problem)}): give a GeoPackage"
            ) from problem
        if {EDITED, MAPPED} <= layers:
            return _changes_of_export(project, path, layers)
    if (path / "tiles.csv").exists():
        labels = load_labels(path, grid, project.craters, path / "tiles.csv", may_be_empty=True)
        return _changes_within_tiles(project, path, labels)
    labels = load_labels(path, grid, project.craters)
    changes = {k: _replaced(project, path, labels, k, None) for k in labels.masks}
    return LabelChanges(_differing(project, changes))


def apply_difference(
    base: SourcedMask, mapped: Mask, edited: Mask, grid_width: int, source: LabelSource
) -> SourcedMask:
    """Change a label where a map was edited: what was added becomes ejecta, what was removed becomes none.

    All other pixels keep their values and sources; `source` becomes that of each pixel whose value changes.
    """
    window = joint_window([base.window, mapped[0], edited[0]], grid_width)
    before, after = (extract_window(*mask, window, grid_width) for mask in (mapped, edited))
    old = base.extract(window, grid_width)
    new = np.where(before == after, old.mask, after)
    return SourcedMask(window, new, np.where(new == old.mask, old.source, np.uint8(source)))


def _changes_of_export(project: Project, path: Path, layers: set[str]) -> LabelChanges:
    """Changes to a GeoPackage since `export qgis` wrote it: compares its layers `ejecta` and `mapped`.

    A deleted row counts as a row whose polygons were all deleted.
    """
    grid = project.grid
    edited, mapped = _read_masks(path, EDITED, grid), _read_masks(path, MAPPED, grid)
    accepted = (
        _accepted_ids(path) & mapped.keys()
    )  # of a map that does not exist nothing is accepted
    changes: dict[int, NewLabel] = {}
    edits: dict[int, Edit] = {}
    left_out: list[int] = []
    for k in sorted(edited.keys() | mapped.keys()):
        before, after = mapped.get(k, _EMPTY), edited.get(k, _EMPTY)
        is_edited = not _are_equal(before, after)
        if is_edited:
            edits[k] = _edit(before, after, grid.width)
        if is_edited or k in accepted:
            masks = mapped.get(k), after
            new = _edited(project, path, k, masks, edits.get(k), k in accepted)
            if new.start is not None and not new.label.mask.any():
                left_out.append(k)
            else:
                changes[k] = new
    tiles = _read_tile_layer(path, grid) if TILES in layers else ()
    present = None if project.labels is None else project.labels.tiles
    changed_tiles = None if set(tiles) == set(present or ()) else tiles
    return LabelChanges(_differing(project, changes), edits, changed_tiles, tuple(left_out))


def _edited(
    project: Project,
    path: Path,
    crater_id: int,
    masks: tuple[Mask | None, Mask],
    edit: Edit | None,
    is_accepted: bool,
) -> NewLabel:
    """A crater's label after an edit of its map, or its acceptance.

    The masks are those before the edit, None for a crater that was not mapped, and after it.
    """
    before, after = masks
    base = _base(project, _crater(project, path, crater_id), before, is_accepted)
    is_labelled = _is_labelled(project, crater_id)
    is_drawn = not is_labelled and before is None
    source = LabelSource.DRAWN if is_drawn else LabelSource.CORRECTED
    actions = ["accepted"] * is_accepted
    actions += ["drawn" if is_drawn else "corrected"] * (edit is not None)
    label = apply_difference(base, before or _EMPTY, after, project.grid.width, source)
    start = None if is_labelled or is_accepted or is_drawn else base
    return NewLabel(label, " and ".join(actions), start, None if is_accepted else edit)


def _changes_within_tiles(project: Project, path: Path, new: Labels) -> LabelChanges:
    """Changes by labels that are complete within tiles: inside these they replace the present labels."""
    present, tiles = project.labels, new.tiles or ()
    by_crater = all(tile.craters is not None for tile in tiles)
    if present is not None and present.tiles is None and not by_crater:
        raise LabelError(
            f"{path}: its labels are complete within tiles, the project's within the whole reach of each crater, and"
            " these cannot be combined: set inputs.labels and inputs.tiles of project.yaml to one of the two"
        )
    changes, edits = {}, {}
    for k in new.masks:
        windows = [tile.window for tile in tiles if tile.is_labelled_for(k)]
        changes[k] = _replaced(project, path, new, k, windows)
        edit = _recorded_edit(path, new, k, windows)
        if edit.values.any():
            edits[k] = edit
    differing = _differing(project, changes)
    if present is None:
        return LabelChanges(differing, edits, tiles)
    joined = None if present.tiles is None else _join_tiles(present.tiles, tiles)
    return LabelChanges(differing, edits, None if joined == present.tiles else joined)


def _replaced(
    project: Project, path: Path, new: Labels, crater_id: int, windows: Sequence[Window] | None
) -> NewLabel:
    """A crater's present label replaced by a new one, within some windows or, for None, as a whole."""
    grid, recorded = project.grid, LabelSources(path, project.grid)
    crater = _crater(project, path, crater_id)
    base = _base(project, crater, None if windows is None else _mapped(project, crater), False)
    covered = recorded.label(new, crater_id).window
    window = joint_window([base.window, covered, *(windows or ())], grid.width)
    inside = np.full(window.shape, windows is None)
    for part in windows or ():
        inside |= extract_window(part, np.ones(part.shape, bool), window, grid.width)
    old = base.extract(window, grid.width)
    mask = np.where(inside, new.read(crater_id, window), old.mask)
    sources = np.where(mask == old.mask, old.source, np.uint8(LabelSource.IMPORTED))
    codes = np.where(inside, recorded.read(crater_id, window), np.uint8(0))
    label = SourcedMask(window, mask, np.where(codes > 0, codes, sources))
    start = base if base.mask.any() and not _is_labelled(project, crater_id) else None
    return NewLabel(label, _action(codes), start)


def _action(codes: npt.NDArray[np.uint8]) -> str:
    """What a person did, from the sources that a file of corrections has; "imported" if it has none."""
    present = {LabelSource(code) for code in np.unique(codes).tolist()}
    words = {LabelSource.ACCEPTED: "accepted", LabelSource.CORRECTED: "corrected"}
    actions = [word for source, word in words.items() if source in present]
    return " and ".join(actions) or ("drawn" if LabelSource.DRAWN in present else "imported")


def _base(project: Project, crater: Crater, mapped: Mask | None, is_accepted: bool) -> SourcedMask:
    """What a correction of a crater starts from: its present label or, without one or where it is accepted, its map."""
    labels = project.labels
    if _is_labelled(project, crater.crater_id) and not is_accepted:
        return _present(project, crater.crater_id)
    window, mask = mapped or _EMPTY
    mask = mask.copy()
    if labels is not None and not is_accepted:
        # In tiles where all craters were labelled, a crater without a mask is labelled to have no ejecta.
        for tile in tiles_in_reach(crater, labels.tiles or (), project.grid):
            labelled = np.ones(tile.window.shape, bool)
            mask &= ~extract_window(tile.window, labelled, window, project.grid.width)
    return SourcedMask(window, mask, np.where(mask, np.uint8(LabelSource.ACCEPTED), np.uint8(0)))


def _mapped(project: Project, crater: Crater) -> Mask | None:
    """Mask of a crater's present map, where labels need one for the ground beyond the corrected tiles."""
    labels, path = project.labels, mask_path(project, crater)
    if labels is None or labels.tiles is not None or not path.is_file():
        return None
    return read_mask(path, project.grid)


def _differing(project: Project, labels: Mapping[int, NewLabel]) -> dict[int, LabelChange]:
    """The labels that differ from the present ones, in a pixel's value or in its source."""
    changes, width = {}, project.grid.width
    for k, changed in labels.items():
        label = changed.label
        old = changed.start or _present(project, k)
        window = joint_window([old.window, label.window], width)
        old, new = old.extract(window, width), label.extract(window, width)
        is_same = np.array_equal(old.mask, new.mask) and np.array_equal(old.source, new.source)
        if not is_same or not _is_labelled(project, k):
            added, removed = new.mask & ~old.mask, old.mask & ~new.mask
            changes[k] = LabelChange(
                label,
                changed.action,
                int(added.sum()),
                int(removed.sum()),
                from_map=changed.start is not None,
                edit=changed.edit,
            )
    return changes


def _present(project: Project, crater_id: int) -> SourcedMask:
    """A crater's present label; empty if it has none."""
    labels = project.labels or Labels(project.grid, {}, None)
    if crater_id not in labels.masks:
        return SourcedMask(*_EMPTY, np.zeros((0, 0), np.uint8))
    return project.label_sources.label(labels, crater_id)


def _is_labelled(project: Project, crater_id: int) -> bool:
    return project.labels is not None and crater_id in project.labels.masks


def _crater(project: Project, path: Path, crater_id: int) -> Crater:
    """A crater of the catalogue by its id."""
    for crater in project.craters:
        if crater.crater_id == crater_id:
            return crater
    raise LabelError(
        f"{path}: crater {crater_id} is not in the catalogue: add it there, or remove its row"
    )


def _edit(before: Mask, after: Mask, grid_width: int) -> Edit:
    """What a person changed in a map."""
    window = joint_window([before[0], after[0]], grid_width)
    old, new = (extract_window(*mask, window, grid_width) for mask in (before, after))
    return Edit(window, np.uint8(ADDED) * (new & ~old) + np.uint8(REMOVED) * (old & ~new))


def _recorded_edit(path: Path, new: Labels, crater_id: int, windows: Iterable[Window]) -> Edit:
    """What a person changed in a map, from the sources in a folder of corrections."""
    window = joint_window(windows, new.grid.width)
    is_corrected = LabelSources(path, new.grid).read(crater_id, window) == LabelSource.CORRECTED
    values = np.where(new.read(crater_id, window), np.uint8(ADDED), np.uint8(REMOVED))
    return Edit(window, values * is_corrected)


def _join_tiles(present: Sequence[Tile], new: Sequence[Tile]) -> tuple[Tile, ...]:
    """Present tiles and new ones; those of the same window become one, which is labelled for the craters of both."""
    joined = {tile.window: tile for tile in present}
    next_id = max((tile.tile_id for tile in present), default=-1) + 1
    for tile in new:
        known = joined.get(tile.window)
        if known is None:
            joined[tile.window] = replace(tile, tile_id=next_id)
            next_id += 1
        elif known.craters is not None:
            craters = None if tile.craters is None else known.craters | tile.craters
            joined[tile.window] = replace(known, craters=craters)
    return tuple(joined.values())


def _accepted_ids(path: Path) -> set[int]:
    """Ids of the craters that are marked as accepted in the edited layer."""
    table = gpd.read_file(path, layer=EDITED, ignore_geometry=True)
    if "accepted" not in table or not len(table):
        return set()
    return {int(k) for k in table["crater_id"][table["accepted"].fillna(False).astype(bool)]}


def _read_masks(path: Path, layer: str, grid: Grid) -> dict[int, Mask]:
    """Read a layer of polygons as masks, by crater id."""
    frame = gpd.read_file(path, layer=layer)
    crs = CRS.from_user_input(frame.crs)
    check_radius(path, crs, grid.radius_m, LabelError)
    if frame["crater_id"].isna().any():
        raise LabelError(f"{path}: a row of layer {layer} has no crater_id: fill it in")
    if (frame["crater_id"] % 1 != 0).any():
        raise LabelError(f"{path}: layer {layer}: a crater_id is no whole number: correct it")
    shapes, ids = np.asarray(frame.geometry.array), frame["crater_id"].to_numpy(np.int64)
    return {int(k): rasterise(path, int(k), shapes[ids == k], crs, grid) for k in np.unique(ids)}


def _are_equal(first: Mask, second: Mask) -> bool:
    """Whether two masks, each in the smallest window that contains its ejecta, are the same."""
    return first[0] == second[0] and np.array_equal(first[1], second[1])


def _read_tile_layer(path: Path, grid: Grid) -> tuple[Tile, ...]:
    """Read a layer of rectangles as tiles, rounded to whole pixels; missing and repeated ids are replaced."""
    frame = gpd.read_file(path, layer=TILES)
    crs = CRS.from_user_input(frame.crs)
    labelled = frame[LABELLED_CRATERS] if LABELLED_CRATERS in frame else [None] * len(frame)
    craters = [None if pd.isna(text) else parse_crater_ids(path, str(text)) for text in labelled]
    given_ids = [None if pd.isna(k) else int(k) for k in frame["tile_id"]]
    next_id = max((k for k in given_ids if k is not None), default=-1) + 1
    tiles: list[Tile] = []
    for given_id, ids, shape in zip(given_ids, craters, frame.geometry, strict=True):
        if shape is None or shape.is_empty:
            continue
        left, bottom, right, top = shape.bounds
        corners = to_mosaic_px(path, crs, np.array([[left, right], [top, bottom]]), grid)
        (first, last), (upper, lower) = np.rint(corners).astype(int).tolist()
        upper, lower = max(upper, 0), min(lower, grid.height)
        tile_id = given_id
        if tile_id is None or tile_id in {tile.tile_id for tile in tiles}:
            tile_id, next_id = next_id, next_id + 1
        window = Window(upper, first % grid.width, lower - upper, min(last - first, grid.width))
        if window.height > 0 and window.width > 0:
            tiles.append(Tile(tile_id, window, ids))
    return tuple(tiles)


def _read_qclassipy(path: Path, grid: Grid) -> tuple[dict[int, Mask], tuple[Tile, ...]]:
    """Read a table of QClassiPy (y, x, height, width, filename) and its masks; rows without ids are numbered.

    The crater id of a mask is taken from its file name, mask_crater_{id}.tif.
    """
    table = read_table(path, LabelError)
    tiles = load_tiles(path, grid, numbered=True)
    names = sorted(set(table.texts(table.find("filename"))) - {""})
    masks: dict[int, Mask] = {}
    for name in names:
        raster = path.parent / Path(name.replace("\\", "/")).name
        digits = raster.stem.rsplit("_", 1)[-1]
        if not raster.exists() or not digits.isdigit():
            raise LabelError(
                f"{path}: its mask {name} should be beside it under the name mask_crater_{{id}}.tif:"
                " copy or rename it"
            )
        masks[int(digits)] = read_mask(raster, grid)
    return masks, tiles
