"""Judge a project's map by its labels."""

import json
from dataclasses import replace
from pathlib import Path

from ejectamap.errors import LabelError, ProjectError
from ejectamap.evaluation.ceiling import find_ceiling
from ejectamap.evaluation.pixels import evaluate
from ejectamap.evaluation.scores import Evaluation
from ejectamap.evaluation.structure import evaluate_structure
from ejectamap.mapping import require_mapped
from ejectamap.mapping.files import replace_file
from ejectamap.mapping.mapfiles import MapFiles
from ejectamap.mapping.provenance import is_put_together
from ejectamap.project import Project
from ejectamap.training.sources import leakage_of, read_split
from ejectamap.world.craters import Crater
from ejectamap.world.label_files import load_labels


def evaluate_project(
    project: Project, second_labels: Path | None = None, structure: bool = False
) -> Evaluation:
    """Compare a project's map with its labels and write evaluation.json.

    Pairs that the networks were trained on count in the table over all pairs only; pairs they never saw make the test
    table. Craters that are not mapped yet are not judged.

    Parameters
    ----------
    project : Project
    second_labels : Path, optional
        What another person drew of the same craters, as a folder of masks or a layer of polygons: how well the two
        people agree is the ceiling for any map.
    structure : bool
        Judge the shape of the ejecta too.

    Raises
    ------
    LabelError
        If the project has no labels, or the second ones are not possible.
    ProjectError
        If there is no map of the present settings, networks and inputs.
    """
    if project.labels is None:
        raise LabelError(
            f"{project.folder}: has no labels to compare with: set inputs.labels in its project.yaml"
        )
    mapped = _judged_craters(project)
    split = read_split(project)
    files = MapFiles(project.maps, project.grid)
    evaluation = evaluate(
        project.labels,
        mapped,
        files.mask,
        split,
        tile_px=project.tile_side_px,
        stored=files.stored,
        origin=files.origin,
    )
    if split and evaluation.split:
        evaluation = replace(evaluation, leakage=leakage_of(project, split))
    if second_labels is not None:
        second = load_labels(second_labels, project.grid, project.craters)
        ceiling = find_ceiling(evaluation, project.labels, second, mapped, project.tile_side_px)
        evaluation = replace(evaluation, ceiling=ceiling)
    if structure:
        shape = evaluate_structure(project.labels, mapped, files.labels)
        evaluation = replace(evaluation, structure=shape)
    text = json.dumps(evaluation.to_dict(), indent=2) + "\n"
    replace_file(project.outputs / "evaluation.json", memoryview(text.encode()))
    return evaluation


def _judged_craters(project: Project) -> list[Crater]:
    """Craters mapped with the present settings, networks and inputs, all of them in the global files too."""
    mapped = require_mapped(project)
    if not is_put_together(project, mapped):
        raise ProjectError(
            f"{project.maps / 'origin.tif'}: is not of the same run as the craters' maps:"
            f" run ejectamap map {project.folder} again"
        )
    return mapped
