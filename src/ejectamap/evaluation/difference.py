"""Two maps of one planet beside each other: where they agree, crater by crater, and their figures of merit.

Only craters that both maps hold are compared. The figures of both are of the same labels, and the intervals of their
differences are paired over craters (`evaluation.paired`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ejectamap.errors import ProjectError
from ejectamap.evaluation.counts import Counts, compare, none_if_nan
from ejectamap.evaluation.paired import CraterFigure, PairedDifference, paired_difference
from ejectamap.evaluation.pixels import evaluate
from ejectamap.evaluation.scores import Evaluation
from ejectamap.files import replace_file
from ejectamap.maps.rasters import stored_window
from ejectamap.maps.reader import MapReader
from ejectamap.maps.runs import PRESENT, Run, find_run, kept_runs, require_finished
from ejectamap.maps.state import crater_path
from ejectamap.maps.trained_on import read_training
from ejectamap.maps.unedited import UneditedMap
from ejectamap.progress import track
from ejectamap.project.folder import Project
from ejectamap.project.seen import SeenLabels
from ejectamap.project.splits import read_split
from ejectamap.texts import write_csv
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Bools, Window
from ejectamap.world.mosaic_files import read_mosaic_grid
from ejectamap.world.sphere import Array

FIGURES = {
    "pixel.f1": "Pixel F1",
    "pixel.precision": "Pixel precision",
    "pixel.recall": "Pixel recall",
    "pixel.iou": "Pixel IoU",
    "outside_km2.f1": "F1 beyond the rims",
    "tile.f1": "Tile F1",
    "owner.fraction": "Attribution accuracy",
}
"""Figures of merit that are compared, by their names in evaluation.json, with their titles."""
_M2_PER_KM2 = 1e6


@dataclass(frozen=True)
class CraterAgreement:
    """How far two maps of a crater agree.

    Attributes
    ----------
    crater_id : int
    name : str
    pixels, area_km2 : Counts
        Pixels, and ground area: `tp` in both masks, `fp` gained (in the second alone), `fn` lost (in the first alone).
    origin_gained_km2, origin_lost_km2 : float
        Ground with ejecta on both maps whose origin is this crater on the second alone, or on the first alone.
    """

    crater_id: int
    name: str
    pixels: Counts
    area_km2: Counts
    origin_gained_km2: float
    origin_lost_km2: float

    def row(self) -> dict[str, Any]:
        """Its row in craters.csv."""
        both, gained, lost = self.area_km2.tp, self.area_km2.fp, self.area_km2.fn
        return {
            "crater_id": self.crater_id,
            "name": self.name,
            "before_km2": both + lost,
            "after_km2": both + gained,
            "kept_km2": both,
            "gained_km2": gained,
            "lost_km2": lost,
            "f1": none_if_nan(self.pixels.f1),
            "iou": none_if_nan(self.pixels.iou),
            "origin_gained_km2": self.origin_gained_km2,
            "origin_lost_km2": self.origin_lost_km2,
        }


@dataclass(frozen=True)
class FigureDifference:
    """A figure of merit of both maps.

    Attributes
    ----------
    title : str
    before, after : float
        nan where undefined.
    paired : PairedDifference
    """

    title: str
    before: float
    after: float
    paired: PairedDifference

    def to_dict(self) -> dict[str, Any]:
        """Its values for JSON."""
        values = {"before": none_if_nan(self.before), "after": none_if_nan(self.after)}
        return values | self.paired.to_dict()


@dataclass(frozen=True)
class Difference:
    """Two maps beside each other.

    Attributes
    ----------
    before, after : Run
    craters : tuple of CraterAgreement
        Craters that both maps hold.
    only_before, only_after : tuple of int
        Craters that one of them holds alone.
    origin_changed_km2 : float
        Ground whose origin is another crater on the second map than on the first.
    settings : mapping of str to (object, object)
        Settings that differ, by dotted name; None where one has no such setting.
    same_networks : bool
    figures : mapping of str to mapping of str to FigureDifference
        By subset of the labels ("all", "test", "unseen") and name; empty without labels.
    by_crater : mapping of int to (float, float)
        Pixel F1 of both maps against each crater's label, over all labels.
    unrecorded : tuple of str
        Networks of which it is not known what they were trained on.
    """

    before: Run
    after: Run
    craters: tuple[CraterAgreement, ...]
    only_before: tuple[int, ...]
    only_after: tuple[int, ...]
    origin_changed_km2: float
    settings: Mapping[str, tuple[object, object]]
    same_networks: bool
    figures: Mapping[str, Mapping[str, FigureDifference]]
    by_crater: Mapping[int, tuple[float, float]]
    unrecorded: tuple[str, ...]

    @property
    def pixels(self) -> Counts:
        """Agreement over all craters, in pixels."""
        return reduce(add, (row.pixels for row in self.craters), Counts())

    @property
    def area_km2(self) -> Counts:
        """Agreement over all craters, by ground area."""
        return reduce(add, (row.area_km2 for row in self.craters), Counts())

    @property
    def judged(self) -> str | None:
        """The subset of the labels that tells most: those no network was trained on, as far as they hold ejecta."""
        for subset in ("unseen", "test", "all"):
            figures = self.figures.get(subset)
            if figures and not np.isnan(figures["pixel.recall"].before):
                return subset
        return None

    def to_dict(self) -> dict[str, Any]:
        """Content of difference.json."""
        sides = {"before": self.before, "after": self.after}
        area = self.area_km2
        return {
            **{key: {"name": r.name, "folder": str(r.folder)} for key, r in sides.items()},
            "settings": {k: {"before": a, "after": b} for k, (a, b) in self.settings.items()},
            "same_networks": self.same_networks,
            "only_before": list(self.only_before),
            "only_after": list(self.only_after),
            "agreement": {
                "f1": none_if_nan(self.pixels.f1),
                "iou": none_if_nan(self.pixels.iou),
                "kept_km2": area.tp,
                "gained_km2": area.fp,
                "lost_km2": area.fn,
                "origin_changed_km2": self.origin_changed_km2,
            },
            "judged": self.judged,
            "unrecorded": list(self.unrecorded),
            "figures": {
                subset: {name: figure.to_dict() for name, figure in figures.items()}
                for subset, figures in self.figures.items()
            },
            "craters": self._rows(),
        }

    def table(self) -> pd.DataFrame:
        """Content of craters.csv: a row a crater."""
        return pd.DataFrame(self._rows())

    def _rows(self) -> list[dict[str, Any]]:
        rows = []
        for crater in self.craters:
            before, after = self.by_crater.get(crater.crater_id, (np.nan, np.nan))
            figures = {"before_f1": none_if_nan(before), "after_f1": none_if_nan(after)}
            rows.append(crater.row() | figures)
        return rows


def compare_maps(project: Project, before: str, after: str = PRESENT) -> Difference:
    """Set two maps of a project beside each other.

    Parameters
    ----------
    project : Project
        Whose labels and catalogue are used.
    before, after : str
        The name of a kept run, `PRESENT`, or the folder of another project with a map on the same grid.

    Raises
    ------
    ProjectError
        If there is no such map, it is not finished, or has another grid, or they have no crater in common.
    OutputError, MosaicError
        If a file of a map is missing or damaged.
    """
    first, second = (_open_run(project, text) for text in (before, after))
    if first.folder.resolve() == second.folder.resolve():
        raise ProjectError(f"{before} and {after}: are the same map: name another one")
    for run in (first, second):
        _require_same_grid(project, run)
    ids = [set(run.crater_ids) for run in (first, second)]
    common = sorted(ids[0] & ids[1])
    if not common:
        raise ProjectError(f"{before} and {after}: have no crater in common: map more craters")
    maps = [MapReader(run.maps, project.grid) for run in (first, second)]
    numbers, changes_km2 = _origin_changes_km2(maps[0], maps[1])
    names = {crater.crater_id: crater.name for crater in project.craters}
    craters = []
    for crater_id in track(common, "comparing craters"):
        name = names.get(crater_id, f"crater {crater_id}")
        here = numbers == crater_id + 1
        origin_km2 = float(changes_km2[:, here].sum()), float(changes_km2[here].sum())
        craters.append(_agreement(maps[0], maps[1], crater_id, name, origin_km2))
    settings, same_networks = _changed_settings(first, second)
    return Difference(
        before=first,
        after=second,
        craters=tuple(craters),
        only_before=tuple(sorted(ids[0] - ids[1])),
        only_after=tuple(sorted(ids[1] - ids[0])),
        origin_changed_km2=float(changes_km2.sum()),
        settings=settings,
        same_networks=same_networks,
        **_judge(project, first, second, common),
    )


def write_difference(difference: Difference, folder: Path) -> None:
    """Write difference.json and craters.csv into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(difference.to_dict(), indent=2, allow_nan=False) + "\n"
    replace_file(folder / "difference.json", text.encode())
    replace_file(folder / "craters.csv", write_csv(difference.table(), float_format="%.10g"))


def _open_run(project: Project, text: str) -> Run:
    """The map that a person named."""
    if text == PRESENT:
        return require_finished(project)
    if text in {run.name for run in kept_runs(project)}:
        return find_run(project, text)
    folder = Path(text)
    if (folder / "project.yaml").is_file():
        other = require_finished(Project.open(folder))
        return Run(folder.resolve().name, other.folder)
    raise ProjectError(
        f"{text}: is neither {PRESENT!r}, nor a run of {project.folder}, nor the folder of a project:"
        f" ejectamap runs {project.folder} lists the runs"
    )


def _require_same_grid(project: Project, run: Run) -> None:
    """Check that a map is on the project's grid, pixel by pixel."""
    grid, mine = read_mosaic_grid(run.maps / "origin.tif"), project.grid
    here, there = (
        (g.radius_m, g.lon_west, g.lat_north, g.lat_south, *g.transform[:6]) for g in (grid, mine)
    )
    if grid.shape != mine.shape or not np.allclose(here, there, rtol=1e-6, atol=1e-6):
        raise ProjectError(
            f"{run.folder}: its map is not on the grid of {project.mosaic_path}: only maps on one grid can be"
            " compared pixel by pixel"
        )


def _agreement(
    before: MapReader,
    after: MapReader,
    crater_id: int,
    name: str,
    origin_km2: tuple[float, float],
) -> CraterAgreement:
    """Compare two masks of a crater, strip by strip."""
    grid = before.grid
    windows = [
        stored_window(crater_path(m.folder, crater_id, "mask"), grid) for m in (before, after)
    ]
    pixels, area_km2 = Counts(), Counts()
    for strip in grid.strips(_hull(windows)):
        first, second = (m.mask(crater_id, strip) for m in (before, after))
        row_km2 = grid.row_area_m2[strip.row : strip.row + strip.height] / _M2_PER_KM2
        pixels += compare(second, first)
        area_km2 += compare(second, first, weight=row_km2[:, None])
    return CraterAgreement(crater_id, name, pixels, area_km2, *origin_km2)


def _hull(windows: Sequence[Window]) -> Window:
    """Smallest window that holds some windows, none of which wraps around."""
    top, left = min(w.row for w in windows), min(w.col for w in windows)
    bottom = max(w.row + w.height for w in windows)
    right = max(w.col + w.width for w in windows)
    return Window(top, left, bottom - top, right - left)


def _origin_changes_km2(before: MapReader, after: MapReader) -> tuple[Array, Array]:
    """Ground area whose origin differs, by id + 1 of both origins: those numbers, and the matrix (before, after).

    Ground without an origin on either map is left out: it was gained or lost.
    """
    grid = before.grid
    strips = list(grid.strips(grid.whole))
    found = {0}
    for strip in strips:
        found |= {k for m in (before, after) for k in np.unique(m.origin(strip)).tolist()}
    numbers = np.array(sorted(found))
    index = np.zeros(numbers[-1] + 1, np.intp)
    index[numbers] = np.arange(len(numbers))
    changes_km2 = np.zeros((len(numbers), len(numbers)))
    for strip in strips:
        first, second = (index[m.origin(strip)] for m in (before, after))
        row, col = np.nonzero((first != second) & (first > 0) & (second > 0))
        area_km2 = grid.row_area_m2[strip.row + row] / _M2_PER_KM2
        np.add.at(changes_km2, (first[row, col], second[row, col]), area_km2)
    return numbers, changes_km2


def _changed_settings(before: Run, after: Run) -> tuple[dict[str, tuple[object, object]], bool]:
    """Settings of two maps that differ, by dotted name, without inputs; and whether their networks are the same."""
    first, second = (dict(_flatten(run.provenance["settings"])) for run in (before, after))
    names = sorted({*first, *second})
    changed = {
        name: (first.get(name), second.get(name))
        for name in names
        if first.get(name) != second.get(name) and not name.startswith("inputs.")
    }
    return changed, before.networks == after.networks


def _flatten(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, object]]:
    """All values of nested settings with their dotted names."""
    flat: list[tuple[str, object]] = []
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat += _flatten(value, f"{prefix}{key}.")
        else:
            flat.append((f"{prefix}{key}", value))
    return flat


def _judge(project: Project, before: Run, after: Run, crater_ids: Sequence[int]) -> dict[str, Any]:
    """Figures of merit of both maps on the project's labels; empty without labels."""
    if project.labels is None:
        return {"figures": {}, "by_crater": {}, "unrecorded": ()}
    craters = [crater for crater in project.craters if crater.crater_id in set(crater_ids)]
    seen = [(run, read_training(run.maps, project.grid)) for run in (before, after)]
    first, second = (_evaluate(project, run, craters, seen) for run in (before, after))
    figures = {}
    for subset in ("all", "test", "unseen"):
        pairs = {n: [CraterFigure.of(e, f"{subset}.{n}") for e in (first, second)] for n in FIGURES}
        figures[subset] = {
            name: FigureDifference(FIGURES[name], a.value, b.value, paired_difference(a, b))
            for name, (a, b) in pairs.items()
            if a is not None and b is not None
        }
    f1 = [{row.crater_id: row.scores.pixel.f1 for row in e.craters} for e in (first, second)]
    unrecorded = tuple(f"{run.name}: {name}" for run, labels in seen for name in labels.unrecorded)
    by_crater = {k: (f1[0][k], f1[1][k]) for k in f1[0]}
    return {"figures": figures, "by_crater": by_crater, "unrecorded": unrecorded}


def _evaluate(
    project: Project,
    run: Run,
    craters: Sequence[Crater],
    seen: Sequence[tuple[Run, SeenLabels]],
) -> Evaluation:
    """Evaluate a map; what the networks of either map were trained on counts as seen."""
    labels = project.labels
    assert labels is not None
    imported = {id(labels): set(run.provenance.get("imported", [])) for run, labels in seen}
    threshold = {"threshold": run.provenance["settings"]["map"]["threshold"]}
    mapping = project.settings.map.model_copy(update=threshold)
    settings = project.settings.model_copy(update={"map": mapping})
    made = replace(
        project,
        folder=run.folder,
        settings=settings,
        results=".",
        shared_inputs=project.input_files,
    )
    ejecta_map = UneditedMap(made, craters)

    def find_seen(crater: Crater, windows: Sequence[Window]) -> Bools:
        # Imported maps were made with other networks, of which nothing is known.
        known = [s for _, s in seen if crater.crater_id not in imported[id(s)]]
        return reduce(
            np.logical_or, (s.tiles(crater, windows) for s in known), np.zeros(len(windows), bool)
        )

    return evaluate(
        labels,
        craters,
        ejecta_map.mask,
        read_split(project),
        tile_px=project.tile_side_px,
        stored=ejecta_map.stored,
        origin=ejecta_map.origin,
        seen=find_seen,
    )
