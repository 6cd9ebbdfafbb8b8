"""What does each loss gain over Dice?

    python examples/compare_losses.py WORK --losses dice-bce tversky-bce dice-bce-cldice --seeds 0 1

trains the polar network from random weights on two simulated planets, once for each loss and seed, and judges it on two
planets that no network has seen. All trainings look at the same pictures in the same order, as often: what a loss costs
in processor time stands beside what it gains. Some losses make all probabilities higher than others, which a threshold
can undo; so each map is cut at the threshold that would have been best on the other of the two judged planets.

Writes a table for each training, WORK/LOSS-SEED.csv, and one of all, WORK/losses.csv, a row for each judged planet. A
training whose table is there is not done again, so that several processes can share the work.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch

from ejectamap.demo import simulated_project
from ejectamap.evaluation import evaluate_project
from ejectamap.evaluation.scores import value_of
from ejectamap.mapping import map_project
from ejectamap.project import Project
from ejectamap.training import train

LOSSES = (
    "dice-bce",
    "tversky-bce",
    "lovasz-bce",
    "dice-bce-cldice",
    "dice-bce-skeleton",
    "dice-bce-boundary",
)
FIRST_SEED = 7000
TEACHERS, JUDGES = (0, 1), (2, 3)
WIDTH_PX = 1024
POLAR_PX = "views.polar_px=[96, 256]"
FIGURES = {
    "pixel_f1": "all.pixel.f1",
    "precision": "all.pixel.precision",
    "recall": "all.pixel.recall",
    "tile_f1": "all.tile.f1",
    "recall_beyond_10": "all.distance.>10.recall",
    "structure": "structure.mean.structure",
    "cldice": "structure.mean.cldice",
    "reached_length": "structure.mean.reached_length",
}


def make_project(work: Path, name: str, planet: int, seed: int, *changes: str) -> Project:
    """A project on one of the planets; both are made where they are not there yet."""
    return simulated_project(
        work, name, planet, FIRST_SEED + planet, WIDTH_PX, seed, (POLAR_PX, *changes)
    )


def taught(work: Path, loss: str, seed: int, epochs: int) -> Project:
    """A project whose network has learnt from the teachers by a loss."""
    others = [make_project(work, f"teacher-{planet}", planet, 0) for planet in TEACHERS[1:]]
    project = make_project(
        work,
        f"{loss}-{seed}",
        TEACHERS[0],
        seed,
        f"context.loss={{name: {loss}}}",
        f"context.max_epochs={epochs}",
        "training.start_from=none",
        "training.max_minutes=null",
        "training.test_fraction=0",
        "training.validation_fraction=0.04",
        "training.also_train_on=[" + ", ".join(f"../{other.folder.name}" for other in others) + "]",
    )
    train(project)
    return project


def judged(work: Path, teacher: Project, seed: int) -> list[dict[str, float]]:
    """Figures on each judged planet, at the threshold that was best on the other one."""
    changes = f"training.start_from=../{teacher.folder.name}/models"
    projects = [
        make_project(work, f"{teacher.folder.name}-on-{planet}", planet, seed, changes)
        for planet in JUDGES
    ]
    best = []
    for project in projects:
        map_project(project)
        best.append(value_of(evaluate_project(project), "all.calibration.best_threshold"))
    rows = []
    for project, threshold in zip(projects, reversed(best), strict=True):
        how = project.settings.map.model_copy(update={"threshold": threshold})
        cut = replace(project, settings=project.settings.model_copy(update={"map": how}))
        map_project(cut)
        found = evaluate_project(cut, structure=True)
        figures = {name: value_of(found, wanted) for name, wanted in FIGURES.items()}
        rows.append({"threshold": threshold} | figures)
    return rows


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--losses", nargs="+", default=LOSSES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int, default=12)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for seed in arguments.seeds:
        for loss in arguments.losses:
            path = arguments.work / f"{loss}-{seed}.csv"
            if path.exists():
                continue
            started = time.process_time()
            teacher = taught(arguments.work, loss, seed, arguments.epochs)
            about = {"loss": loss, "seed": seed, "training_s": time.process_time() - started}
            rows = zip(JUDGES, judged(arguments.work, teacher, seed), strict=True)
            table = pd.DataFrame([about | {"planet": planet} | row for planet, row in rows])
            table.to_csv(path, index=False, float_format="%.4f")
    tables = [pd.read_csv(path) for path in sorted(arguments.work.glob("*-[0-9]*.csv"))]
    pd.concat(tables).to_csv(arguments.work / "losses.csv", index=False)


if __name__ == "__main__":
    main()
