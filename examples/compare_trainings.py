"""What does each loss, channel, change of the pictures, size and encoder gain?

    python examples/compare_trainings.py WORK --what "as it is" "without likeness" "loss tversky-bce" --seeds 0 1 2

trains the polar network from random weights on two simulated planets, once for each variant and seed, and judges it on
three planets that no network has seen. All trainings look at the same pictures in the same order, as often: what a
variant costs in processor time stands beside what it gains. Some make all probabilities higher than others, which a
threshold can undo; so each map is cut at the threshold that is best for it.

Writes a table for each training, WORK/VARIANT-SEED.csv, and one of all, WORK/all.csv, a row for each judged planet. A
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
from ejectamap.networks.bundle import Normalisation
from ejectamap.project import Project
from ejectamap.training import train
from ejectamap.training.polar import PolarDataset
from ejectamap.training.recipes import RECIPES, ContextRecipe

POLAR_PX = "views.polar_px=[96, 256]"
SETTINGS = {
    "as it is": (),
    "without turns and mirrors": ("context.augment.turns=false", "context.augment.flips=false"),
    "without stretch": ("context.augment.stretch=1",),
    "without brightness and contrast": (
        "context.augment.brightness=0",
        "context.augment.contrast=0",
    ),
    "bands instead of axes": ("context.scaling=mosaic",),
    "64 x 160 cells": ("views.polar_px=[64, 160]",),
    "128 x 384 cells": ("views.polar_px=[128, 384]",),
    "encoder resnet18": ("context.encoder=resnet18",),
    "decoder UnetPlusPlus": ("context.decoder=UnetPlusPlus",),
    "from the built-in weights": ("training.start_from=builtin",),
    "loss tversky-bce": ("context.loss={name: tversky-bce}",),
    "loss lovasz-bce": ("context.loss={name: lovasz-bce}",),
    "loss dice-bce-cldice": ("context.loss={name: dice-bce-cldice}",),
    "loss dice-bce-skeleton": ("context.loss={name: dice-bce-skeleton}",),
    "loss dice-bce-boundary": ("context.loss={name: dice-bce-boundary}",),
}
"""Variants that are settings."""
HIDDEN = {
    "without local contrast": (3, 4, 5),
    "without likeness": (6,),
    "without range in radii": (7,),
    "without range in metres": (8,),
    "without rivals": (9,),
}
"""Variants that hide channels (see `views.inputs.polar_picture`)."""
VARIANTS = (*SETTINGS, *HIDDEN)
FIRST_SEED = 7000
TEACHERS, JUDGES = (0, 1), (2, 3, 4)
WIDTH_PX = 1024
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


class Blindfolded(ContextRecipe):
    """The context network, some of whose channels are next to nothing."""

    hidden: tuple[int, ...] = ()

    def normalisations(self, learnt: PolarDataset) -> tuple[Normalisation, None]:
        """Scaling of the channels."""
        scaling, _ = super().normalisations(learnt)
        divisor = [1e9 if k in self.hidden else d for k, d in enumerate(scaling.divisor)]
        return replace(scaling, divisor=tuple(divisor)), None


def make_project(work: Path, name: str, planet: int, seed: int, *changes: str) -> Project:
    """A project on one of the planets; both are made where they are not there yet."""
    return simulated_project(
        work, name, planet, FIRST_SEED + planet, WIDTH_PX, seed, (POLAR_PX, *changes)
    )


def taught(work: Path, variant: str, seed: int, epochs: int) -> Project:
    """A project whose network has learnt from the teachers in one of the ways."""
    others = [make_project(work, f"teacher-{planet}", planet, 0) for planet in TEACHERS[1:]]
    project = make_project(
        work,
        f"{file_name(variant)}-{seed}",
        TEACHERS[0],
        seed,
        f"context.max_epochs={epochs}",
        "context.blend=1",
        "training.start_from=none",
        "training.max_minutes=null",
        "training.test_fraction=0",
        "training.validation_fraction=0.04",
        "training.also_train_on=[" + ", ".join(f"../{other.folder.name}" for other in others) + "]",
        *SETTINGS.get(variant, ()),
    )
    Blindfolded.hidden = HIDDEN.get(variant, ())
    RECIPES["context"] = Blindfolded
    train(project)
    return project


def file_name(variant: str) -> str:
    """A variant's name without spaces."""
    return variant.replace(" ", "-")


def judged(work: Path, teacher: Project, seed: int) -> list[dict[str, float]]:
    """Figures on each judged planet, at the threshold that is best there."""
    changes = f"training.start_from=../{teacher.folder.name}/models"
    rows = []
    for planet in JUDGES:
        project = make_project(work, f"{teacher.folder.name}-on-{planet}", planet, seed, changes)
        map_project(project)
        threshold = value_of(evaluate_project(project), "all.calibration.best_threshold")
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
    parser.add_argument("--what", nargs="+", default=VARIANTS, choices=VARIANTS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--epochs", type=int, default=12)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for seed in arguments.seeds:
        for variant in arguments.what:
            path = arguments.work / f"{file_name(variant)}-{seed}.csv"
            if path.exists():
                continue
            started = time.process_time()
            teacher = taught(arguments.work, variant, seed, arguments.epochs)
            about = {"variant": variant, "seed": seed, "training_s": time.process_time() - started}
            rows = zip(JUDGES, judged(arguments.work, teacher, seed), strict=True)
            table = pd.DataFrame([about | {"planet": planet} | row for planet, row in rows])
            table.to_csv(path, index=False, float_format="%.4f")
    tables = [pd.read_csv(path) for path in sorted(arguments.work.glob("*-[0-9]*.csv"))]
    pd.concat(tables).to_csv(arguments.work / "all.csv", index=False)


if __name__ == "__main__":
    main()
