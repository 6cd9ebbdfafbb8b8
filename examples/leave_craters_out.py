"""Cross-validate a map over craters: evaluate each labelled crater with networks that were not trained on it.

    python examples/leave_craters_out.py DATA WORK --folds 2 --minutes 5 --set training.start_from=builtin

DATA is a folder with mosaic.tif, craters.csv and labels/mask_crater_{id}.tif. The labelled craters are divided into
folds. For each fold, networks are trained on the craters of the other folds (`--minutes 0`: no training;
`--training-craters 3`: on three of them) and the fold's craters are mapped; then all of them are evaluated together.
"""

import argparse
import random
import shutil
from pathlib import Path

from rich.console import Console

from ejectamap.evaluation.pixels import evaluate
from ejectamap.evaluation.tables import print_tables
from ejectamap.mapping.run import map_project
from ejectamap.maps.ejecta_map import EjectaMap
from ejectamap.project.folder import Project
from ejectamap.training.run import train
from ejectamap.world.grid import Bools, Window

TILE_PX = 128


def make_fold(data: Path, folder: Path, training_ids: list[int], changes: list[str]) -> Project:
    """Open or make a project with the labels of the training craters only."""
    if (folder / "project.yaml").exists():
        return Project.open(folder)
    labels = folder / "labels"
    labels.mkdir(parents=True, exist_ok=True)
    for crater_id in training_ids:
        shutil.copy(data / "labels" / f"mask_crater_{crater_id}.tif", labels)
    return Project.create(
        folder,
        mosaic=data / "mosaic.tif",
        craters=data / "craters.csv",
        labels=labels,
        changes=["training.test_fraction=0", *changes],
    )


def open_whole(data: Path, folder: Path) -> Project:
    """Open or make a project with all labels."""
    if (folder / "project.yaml").exists():
        return Project.open(folder)
    return Project.create(
        folder, mosaic=data / "mosaic.tif", craters=data / "craters.csv", labels=data / "labels"
    )


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path, help="folder of the projects")
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=5.0, help="of training, for each fold")
    parser.add_argument("--training-craters", type=int, help="of each fold; default: all")
    parser.add_argument("--set", action="append", default=[], dest="changes", help="KEY=VALUE")
    arguments = parser.parse_args()
    whole = open_whole(arguments.data, arguments.work / "whole")
    assert whole.labels is not None
    labelled = sorted(whole.labels.masks)
    maps: dict[int, EjectaMap] = {}
    for k in range(arguments.folds):
        held_out = labelled[k :: arguments.folds]
        others = [crater_id for crater_id in labelled if crater_id not in held_out]
        count = arguments.training_craters or len(others)
        training_ids = random.Random(0).sample(others, count)
        fold = make_fold(
            arguments.data, arguments.work / f"fold-{k}", training_ids, arguments.changes
        )
        if arguments.minutes > 0:
            train(fold, arguments.minutes)
        map_project(fold, held_out)
        maps |= dict.fromkeys(held_out, EjectaMap(fold.maps, fold.mosaic.grid))

    def predicted_mask(crater_id: int, window: Window) -> Bools:
        return maps[crater_id].mask(crater_id, window)

    craters = [crater for crater in whole.craters if crater.crater_id in maps]
    print_tables(evaluate(whole.labels, craters, predicted_mask, None, tile_px=TILE_PX), Console())


if __name__ == "__main__":
    main()
