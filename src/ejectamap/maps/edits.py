"""Edits: ground of a crater's map that a person corrected, and that stays so whatever the networks predict.

They are kept beside the map, `edits/edit_crater_{id}.tif`: uint8, a window of the mosaic's grid, 1 where
the person added ejecta, 2 where they removed some, 0 elsewhere. Mask, polygons and origin map follow them; the
probabilities stay those of the networks. Without the file the map is the networks' own again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ejectamap.errors import LabelError, OutputError
from ejectamap.files import hash_file
from ejectamap.maps.files import write_cog
from ejectamap.project.folder import Project
from ejectamap.world.grid import Grid, Window
from ejectamap.world.label_masks import Codes, read_codes
from ejectamap.world.labels import as_raster, extract_window, joint_window

ADDED, REMOVED = 1, 2
"""Values in the file."""
CERTAIN = 251
"""Stands for the probability of added ejecta: above every stored one (`rasters.STEPS`), below `rasters.NO_DATA`."""


@dataclass(frozen=True)
class Edit:
    """The edited ground of one crater's map.

    Attributes
    ----------
    window : Window
        It may wrap around the grid's right edge.
    values : uint8 array (height, width)
        `ADDED`, `REMOVED` or 0.
    """

    window: Window
    values: Codes

    def apply(self, strip: Window, stored: Codes, grid_width: int) -> Codes:
        """Stored probabilities of a strip as mask and origin map take them: `CERTAIN` or 0 on edited ground."""
        values = extract_window(self.window, self.values, strip, grid_width)
        return np.select(
            [values == ADDED, values == REMOVED], [np.uint8(CERTAIN), np.uint8(0)], stored
        )

    def sample(self, grid: Grid, lon: npt.ArrayLike, lat: npt.ArrayLike) -> Codes:
        """Values at places (degrees, any shape), 0 outside the window."""
        col, row = np.broadcast_arrays(*grid.to_pixel(lon, lat))
        r = row.astype(np.intp) - self.window.row
        c = (col.astype(np.intp) - self.window.col) % grid.width
        inside = (r >= 0) & (r < self.window.height) & (c < self.window.width)
        sampled = np.zeros(col.shape, np.uint8)
        sampled[inside] = self.values[r[inside], c[inside]]
        return sampled

    def area_km2(self, grid: Grid) -> float:
        """Edited ground area, in square kilometres."""
        rows = slice(self.window.row, self.window.row + self.window.height)
        return float((self.values > 0).sum(axis=1) @ grid.row_area_m2[rows]) / 1e6

    def outside(self, window: Window, grid_width: int) -> int:
        """Number of edited pixels outside a window."""
        inside = extract_window(self.window, self.values, window, grid_width)
        return int(np.count_nonzero(self.values)) - int(np.count_nonzero(inside))

    def with_later(self, later: "Edit", grid_width: int) -> "Edit":
        """An edit made of this one and a later one, which counts where both are."""
        window = joint_window([self.window, later.window], grid_width)
        earlier, values = (
            extract_window(edit.window, edit.values, window, grid_width) for edit in (self, later)
        )
        return Edit(window, np.where(values > 0, values, earlier))


def edit_path(project: Project, crater_id: int) -> Path:
    """Path of the edit of a crater's map."""
    return project.outputs / "edits" / f"edit_crater_{crater_id}.tif"


def read_edit(project: Project, crater_id: int) -> Edit | None:
    """Read the edit of a crater's map; None if there is none.

    Raises
    ------
    OutputError
        If the file cannot be read, or is none of edits.
    """
    path, grid = edit_path(project, crater_id), project.grid
    if not path.is_file():
        return None
    remedy = "remove it, and the map is the networks' own there, or pin the corrections again"
    try:
        window, values = read_codes(path, grid)
    except LabelError as problem:
        raise OutputError(f"{path}: is no file of edits: {remedy}") from problem
    if values.max(initial=0) > REMOVED:
        raise OutputError(f"{path}: holds values that are no edits: {remedy}")
    return Edit(window, values)


def add_edit(project: Project, crater_id: int, edit: Edit) -> None:
    """Add an edit to those of a crater's map; raises `OutputError` if the file cannot be read or written."""
    earlier, grid, path = read_edit(project, crater_id), project.grid, edit_path(project, crater_id)
    joined = edit if earlier is None else earlier.with_later(edit, grid.width)
    window, values = as_raster(joined.window, joined.values, grid)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_cog(
        path,
        [(window, values)],
        grid,
        window,
        description="edited by hand: 1 = ejecta added, 2 = ejecta removed",
        nodata=0,
        resampling="nearest",
        colours={ADDED: (40, 160, 70, 255), REMOVED: (220, 60, 50, 255)},
    )


def edit_digest(project: Project, crater_id: int) -> str | None:
    """Digest of the edit of a crater's map; None if there is none."""
    path = edit_path(project, crater_id)
    return hash_file(path) if path.is_file() else None


def edited_areas_km2(project: Project) -> Mapping[int, float]:
    """Edited ground area by crater id, of the craters with an edit; `OutputError` as in `read_edit`."""
    edits = {c.crater_id: read_edit(project, c.crater_id) for c in project.craters}
    return {k: edit.area_km2(project.grid) for k, edit in edits.items() if edit is not None}


def describe_edits(project: Project) -> str | None:
    """Describe all edits of a map: "120 km² of the maps of 2 craters"; None if there are none."""
    areas_km2 = edited_areas_km2(project)
    if not areas_km2:
        return None
    noun = "crater" if len(areas_km2) == 1 else "craters"
    return f"{sum(areas_km2.values()):,.0f} km² of the maps of {len(areas_km2)} {noun}"
