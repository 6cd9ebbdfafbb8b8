"""Judge a project's map by its labels."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd

from ejectamap.errors import LabelError, ProjectError
from ejectamap.evaluation.ceiling import find_ceiling
from ejectamap.evaluation.mapfiles import MapFiles
from ejectamap.evaluation.pixels import evaluate
from ejectamap.evaluation.scores import Evaluation
from ejectamap.mapping.files import replace_file
from ejectamap.project import Project
from ejectamap.training.sources import tile_side_px
from ejectamap.world.label_files import load_labels


def evaluate_project(project: Project, second_labels: Path | None = None) -> Evaluation:
    """Compare a project's map with its labels and write evaluation.json.

    Pairs that the networks were trained on count in the table over all pairs only; pairs they never saw make the test
    table. Craters that are not mapped yet are not judged.

    Parameters
    ----------
    project : Project
    second_labels : Path, optional
        What another person drew of the same craters, as a folder of masks or a layer of polygons: how well the two
        people agree is the ceiling for any map.

    Raises
    ------
    LabelError
        If the project has no labels, or the second ones are not possible.
    ProjectError
        If there is no map.
    """
    if project.labels is None:
        raise LabelError(
            f"{project.folder}: has no labels to compare with: set inputs.labels in its project.yaml"
        )
    mapped = [c for c in project.craters if _mask_exists(project, c.crater_id)]
    if not mapped or not (project.maps / "origin.tif").exists():
        raise ProjectError(
            f"{project.maps}: holds no map: run ejectamap map {project.folder} first"
        )
    files = MapFiles(project.maps, project.mosaic.grid)
    evaluation = evaluate(
        project.labels,
        mapped,
        files.mask,
        read_split(project),
        tile_px=tile_side_px(project),
        stored=files.stored,
        origin=files.origin,
    )
    if second_labels is not None:
        second = load_labels(second_labels, project.mosaic.grid, project.craters)
        ceiling = find_ceiling(evaluation, project.labels, second, mapped, tile_side_px(project))
        evaluation = replace(evaluation, ceiling=ceiling)
    text = json.dumps(evaluation.to_dict(), indent=2) + "\n"
    replace_file(project.folder / "evaluation.json", memoryview(text.encode()))
    return evaluation


def read_split(project: Project) -> dict[tuple[int, int], str] | None:
    """What each (crater_id, tile_id) pair of this project was used for; None if its labels trained nothing."""
    if not project.split_path.exists():
        return None
    table = pd.read_csv(project.split_path)
    keys = zip(table["crater_id"].tolist(), table["tile_id"].tolist(), strict=True)
    return dict(zip(keys, table["split"].tolist(), strict=True))


def _mask_exists(project: Project, crater_id: int) -> bool:
    return (project.maps / f"crater_{crater_id}_mask.tif").exists()
