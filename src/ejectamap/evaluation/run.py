"""Evaluation of a project's map against its labels."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ejectamap.errors import LabelError, ProjectError
from ejectamap.evaluation.pixels import compare_annotators, evaluate
from ejectamap.evaluation.scores import Evaluation
from ejectamap.evaluation.structure import evaluate_structure
from ejectamap.files import replace_file
from ejectamap.maps.edits import edited_areas_km2
from ejectamap.maps.mapped import require_mapped
from ejectamap.maps.provenance import global_files_are_current
from ejectamap.maps.state import is_imported
from ejectamap.maps.unedited import UneditedMap
from ejectamap.progress import status
from ejectamap.project.folder import Project
from ejectamap.project.seen import SeenLabels, read_seen_labels
from ejectamap.project.splits import leakage_of, read_split
from ejectamap.world.craters import Crater
from ejectamap.world.grid import Bools, Window
from ejectamap.world.label_files import load_labels


@status("comparing map and labels")
def evaluate_project(
    project: Project, second_labels: Path | None = None, structure: bool = False
) -> Evaluation:
    """Compare a project's map with its labels and write evaluation.json.

    Pairs that the networks were trained on count only in the table over all pairs; the other pairs make up the test
    table. Those of them that were seen by the networks that training started from are told apart. Craters that are not
    mapped yet are not evaluated.

    Parameters
    ----------
    project : Project
    second_labels : Path, optional
        Labels of the same craters by another annotator, as a folder of masks or a layer of polygons. How well the two
        annotators agree is as much as can be expected of any map.
    structure : bool
        Whether to evaluate the shape of the ejecta too.

    Raises
    ------
    LabelError
        If the project has no labels, or the second ones are not valid.
    ProjectError
        If there is no map of the present settings, networks and inputs.
    """
    labels = project.labels
    if labels is None:
        raise LabelError(
            f"{project.folder}: has no labels to compare with: set inputs.labels in its project.yaml"
        )
    craters = _evaluated_craters(project)
    split = read_split(project)
    seen = read_seen_labels(project)
    ejecta_map = UneditedMap(project, craters)
    evaluation = evaluate(
        labels,
        craters,
        ejecta_map.mask,
        split,
        tile_px=project.tile_side_px,
        stored=ejecta_map.stored,
        origin=ejecta_map.origin,
        seen=partial(_find_seen, project, seen),
    )
    evaluation = replace(
        evaluation,
        unrecorded=seen.unrecorded,
        labels={
            crater.crater_id: project.label_sources.areas_of(labels, crater.crater_id)
            for crater in craters
            if crater.crater_id in labels.masks
        },
        edited_km2=edited_areas_km2(project),
    )
    if split and evaluation.has_training_pairs:
        evaluation = replace(
            evaluation, leakage=leakage_of(project, split, partial(seen.ground, project.craters))
        )
    if second_labels is not None:
        second = load_labels(second_labels, project.grid, project.craters)
        agreement = compare_annotators(evaluation, labels, second, craters, project.tile_side_px)
        evaluation = replace(evaluation, annotator_agreement=agreement)
    if structure:
        shape = evaluate_structure(labels, craters, ejecta_map.as_labels)
        evaluation = replace(evaluation, structure=shape)
    text = json.dumps(evaluation.to_dict(), indent=2) + "\n"
    replace_file(project.outputs / "evaluation.json", memoryview(text.encode()))
    return evaluation


def _find_seen(
    project: Project, seen: SeenLabels, crater: Crater, windows: Sequence[Window]
) -> Bools:
    """In which tiles a crater's label was seen by the networks that its map was made with."""
    if is_imported(project, crater):  # made with other networks, of which nothing is known
        return np.zeros(len(windows), bool)
    return seen.tiles(crater, windows)


def _evaluated_craters(project: Project) -> list[Crater]:
    """Craters mapped with the present settings, networks and inputs, all of them merged into the global files too."""
    mapped = require_mapped(project)
    if not global_files_are_current(project, mapped):
        raise ProjectError(
            f"{project.maps / 'origin.tif'}: is not of the same run as the craters' maps:"
            f" run ejectamap map {project.folder} again"
        )
    return mapped
