"""How well does a map show craters whose labels the networks never saw?

    python examples/leave_craters_out.py DATA WORK --folds 2 --minutes 5 --set training.start_from=builtin

takes a folder with mosaic.tif, craters.csv and labels/mask_crater_{id}.tif, and deals the labelled craters out to
folds. Once per fold it trains on the craters of the others (`--minutes 0`: not at all; `--taught 3`: on three of them)
and maps the fold's own; then it judges all of them together.
"""

import argparse
import random
import shutil
from pathlib import Path

from rich.console import Console

from ejectamap.evaluation import print_tables
from ejectamap.evaluation.pixels import evaluate
from ejectamap.mapping import map_project
from ejectamap.mapping.mapfiles import MapFiles
from ejectamap.project import Project
from ejectamap.training import train
from ejectamap.world.grid import Window
from ejectamap.world.mosaic import Bools


def make_fold(data: Path, folder: Path, taught: list[int], changes: list[str]) -> Project:
    """A project that knows the labels of some craters only."""
    if (folder / "project.yaml").exists():
        return Project.open(folder)
    labels = folder / "labels"
    labels.mkdir(parents=True, exist_ok=True)
    for crater_id in taught:
        shutil.copy(data / "labels" / f"mask_crater_{crater_id}.tif", labels)
    return Project.create(
        folder,
        mosaic=data / "mosaic.tif",
        craters=data / "craters.csv",
        labels=labels,
        changes=["training.test_fraction=0", *changes],
    )


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--taught", type=int, help="craters to learn from, of each fold; all")
    parser.add_argument("--set", action="append", default=[], dest="changes")
    arguments = parser.parse_args()
    whole = Project.create(
        arguments.work / "whole",
        mosaic=arguments.data / "mosaic.tif",
        craters=arguments.data / "craters.csv",
        labels=arguments.data / "labels",
    )
    assert whole.labels is not None
    labelled = sorted(whole.labels.masks)
    maps: dict[int, MapFiles] = {}
    for k in range(arguments.folds):
        held_out = labelled[k :: arguments.folds]
        others = [crater_id for crater_id in labelled if crater_id not in held_out]
        taught = random.Random(0).sample(others, arguments.taught or len(others))
        fold = make_fold(arguments.data, arguments.work / f"fold-{k}", taught, arguments.changes)
        if arguments.minutes > 0:
            train(fold, arguments.minutes)
        map_project(fold, held_out)
        maps |= dict.fromkeys(held_out, MapFiles(fold.maps, fold.mosaic.grid))

    def predicted_mask(crater_id: int, window: Window) -> Bools:
        return maps[crater_id].mask(crater_id, window)

    judged = [crater for crater in whole.craters if crater.crater_id in maps]
    evaluation = evaluate(whole.labels, judged, predicted_mask, None, tile_px=128)
    print_tables(evaluation, Console())


if __name__ == "__main__":
    main()
