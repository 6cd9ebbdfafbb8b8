"""Where each pixel of a label comes from: drawn by hand, corrected by hand, accepted from a map, or imported.

A folder of labels may hold `source_crater_{id}.tif` beside a `mask_crater_{id}.tif`: one band, uint8, a window of the
mosaic's grid, whose values are those of `LabelSource`. Ejecta without a value there, or of a label without such a file,
count as drawn by hand.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import IntEnum
from pathlib import Path

import numpy as np

from ejectamap.errors import LabelError
from ejectamap.world.grid import Bools, Grid, Window
from ejectamap.world.label_masks import Codes, read_codes
from ejectamap.world.labels import Labels, extract_window, joint_window


class LabelSource(IntEnum):
    """Where a pixel of a label comes from; the values are those in the file.

    A pixel without ejecta has a source where a person decided so: removed ejecta, or reviewed the ground.
    """

    NOT_RECORDED = 0
    DRAWN = 1
    """By a person, or in a label without a file of sources."""
    CORRECTED = 2
    """Changed by a person: added to a map or a label, or removed from it."""
    ACCEPTED = 3
    """Taken over from a map, which a person accepted, or corrected elsewhere."""
    IMPORTED = 4
    """Read from a file of another program."""


DESCRIPTION = "source of the label: 1 = drawn, 2 = corrected, 3 = accepted from a map, 4 = imported"
"""Description of the band, for programs that show the file."""
COLOURS = {
    LabelSource.DRAWN: (38, 115, 200, 255),
    LabelSource.CORRECTED: (220, 60, 50, 255),
    LabelSource.ACCEPTED: (240, 180, 40, 255),
    LabelSource.IMPORTED: (120, 120, 130, 255),
}
"""Colour table of the file: red, green, blue, alpha."""


@dataclass(frozen=True)
class SourcedMask:
    """A crater's label, and where each pixel of it comes from.

    Attributes
    ----------
    window : Window
        It may wrap around the grid's right edge.
    mask : bool array (height, width)
        Where the ejecta are.
    source : uint8 array (height, width)
        Values of `LabelSource`.
    """

    window: Window
    mask: Bools
    source: Codes

    def extract(self, window: Window, grid_width: int) -> "SourcedMask":
        """The same label over another window; it has no ejecta and no sources outside its own."""
        mask = extract_window(self.window, self.mask, window, grid_width)
        source = extract_window(self.window, self.source, window, grid_width)
        return SourcedMask(window, mask, source)


@dataclass(frozen=True)
class SourceAreas:
    """Ground area of a label by its source, in square kilometres.

    Attributes
    ----------
    drawn_km2, corrected_km2, accepted_km2, imported_km2 : float
        Of the ejecta.
    removed_km2 : float
        Of the ground that a person corrected to be without ejecta.
    """

    drawn_km2: float = 0.0
    corrected_km2: float = 0.0
    accepted_km2: float = 0.0
    imported_km2: float = 0.0
    removed_km2: float = 0.0

    def __add__(self, other: "SourceAreas") -> "SourceAreas":
        names = [field.name for field in fields(self)]
        return SourceAreas(*(getattr(self, name) + getattr(other, name) for name in names))

    @property
    def ejecta_km2(self) -> float:
        """Of all ejecta."""
        return self.drawn_km2 + self.corrected_km2 + self.accepted_km2 + self.imported_km2

    @property
    def is_drawn(self) -> bool:
        """Whether all of it was drawn by hand, or it is empty."""
        return self.drawn_km2 == self.ejecta_km2 and self.removed_km2 == 0

    @property
    def fractions(self) -> dict[LabelSource, float]:
        """Fraction of each source; removed ejecta count as corrected. All 0 for a label that is empty."""
        areas = {
            LabelSource.DRAWN: self.drawn_km2,
            LabelSource.CORRECTED: self.corrected_km2 + self.removed_km2,
            LabelSource.ACCEPTED: self.accepted_km2,
            LabelSource.IMPORTED: self.imported_km2,
        }
        total = sum(areas.values())
        return {source: area / total if total else 0.0 for source, area in areas.items()}

    def describe(self) -> str:
        """Describe the label in a few words: "labelled by hand, 12 % corrected"."""
        present = {source: part for source, part in self.fractions.items() if part > 0}
        if not present:
            return "labelled: no ejecta"
        started = {k: part for k, part in present.items() if k != LabelSource.CORRECTED} or present
        first = max(started, key=lambda source: started[source])
        others = (
            f"{format_fraction(part)} {_OTHER[k]}" for k, part in present.items() if k != first
        )
        return ", ".join([_FIRST[first], *others])

    def to_dict(self) -> dict[str, float]:
        """All areas by their names."""
        return asdict(self)


_FIRST = {
    LabelSource.DRAWN: "labelled by hand",
    LabelSource.CORRECTED: "corrected by hand",
    LabelSource.ACCEPTED: "accepted from a map",
    LabelSource.IMPORTED: "imported label",
}
_OTHER = {
    LabelSource.DRAWN: "by hand",
    LabelSource.CORRECTED: "corrected",
    LabelSource.ACCEPTED: "accepted from a map",
    LabelSource.IMPORTED: "imported",
}


@dataclass(frozen=True)
class LabelSources:
    """The sources of a project's labels, read from their folder when they are asked for.

    Attributes
    ----------
    folder : Path or None
        None, or the path of a layer of polygons, where no sources are recorded.
    grid : Grid
        The mosaic's.
    """

    folder: Path | None
    grid: Grid

    def read(self, crater_id: int, window: Window) -> Codes:
        """Recorded sources over a window, uint8 (height, width); 0 where there are none.

        Raises
        ------
        LabelError
            If the file cannot be read, or is none of sources on this grid.
        """
        return extract_window(*self._load(crater_id), window, self.grid.width)

    def label(self, labels: Labels, crater_id: int) -> SourcedMask:
        """A crater's label with its sources, in the smallest window that holds both; `LabelError` as in `read`."""
        window = labels.masks[crater_id][0] if crater_id in labels.masks else Window(0, 0, 0, 0)
        recorded = self._load(crater_id)
        joint = joint_window([window, recorded[0]], self.grid.width)
        mask = labels.read(crater_id, joint)
        source = extract_window(*recorded, joint, self.grid.width)
        source[mask & (source == LabelSource.NOT_RECORDED)] = LabelSource.DRAWN
        return SourcedMask(joint, mask, source)

    def areas(self, labels: Labels) -> dict[int, SourceAreas]:
        """Ground area by source of each label, by crater id; `LabelError` as in `read`."""
        return {crater_id: self.areas_of(labels, crater_id) for crater_id in sorted(labels.masks)}

    def areas_of(self, labels: Labels, crater_id: int) -> SourceAreas:
        """Ground area by source of one crater's label; `LabelError` as in `read`."""
        label = self.label(labels, crater_id)
        rows = slice(label.window.row, label.window.row + label.window.height)
        row_km2 = self.grid.row_area_m2[rows] / 1e6

        def area_km2(source: LabelSource, ejecta: bool) -> float:
            pixels = (label.source == source) & (label.mask == ejecta)
            return float(pixels.sum(axis=1) @ row_km2)

        return SourceAreas(
            drawn_km2=area_km2(LabelSource.DRAWN, True),
            corrected_km2=area_km2(LabelSource.CORRECTED, True),
            accepted_km2=area_km2(LabelSource.ACCEPTED, True),
            imported_km2=area_km2(LabelSource.IMPORTED, True),
            removed_km2=area_km2(LabelSource.CORRECTED, False),
        )

    def _load(self, crater_id: int) -> tuple[Window, Codes]:
        """A crater's recorded sources and their window; of no pixels if there is no file."""
        path = None if self.folder is None else source_path(self.folder, crater_id)
        if path is None or not path.is_file():
            return Window(0, 0, 0, 0), np.zeros((0, 0), np.uint8)
        remedy = "remove it, and the label counts as drawn by hand"
        try:
            window, values = read_codes(path, self.grid)
        except LabelError as problem:
            raise LabelError(f"{path}: is no file of label sources: {remedy}") from problem
        if values.max(initial=0) > max(LabelSource):
            raise LabelError(f"{path}: holds values that are no label sources: {remedy}")
        return window, values


def source_path(folder: Path, crater_id: int) -> Path:
    """Path of the sources of a crater's label, in a folder of labels."""
    return folder / f"source_crater_{crater_id}.tif"


def describe_all(areas: Mapping[int, SourceAreas]) -> str:
    """Describe all labels together: "3 craters: labelled by hand, 12 % corrected"."""
    total = sum(areas.values(), SourceAreas())
    return f"{len(areas)} {'crater' if len(areas) == 1 else 'craters'}: {total.describe()}"


def format_fraction(fraction: float) -> str:
    """A fraction as a percentage that is 0 or 100 % only where the fraction is."""
    if 0 < fraction < 0.01:
        return "<1 %"
    return "100 %" if fraction == 1 else f"{min(99, round(100 * fraction))} %"
