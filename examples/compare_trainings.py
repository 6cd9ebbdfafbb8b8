"""Compare trainings of the context network: losses, channels, augmentations, sizes of the polar view, architectures.

    python examples/compare_trainings.py WORK --variants default "without similarity" "loss dice" --seeds 0 1 2

For each variant and seed, a context network is trained from random weights on two simulated planets and evaluated on
three others. All trainings see the same number of polar views in the same order; their processor time is in the column
`training_s`. Variants differ in the level of their probabilities, so each map is thresholded at its own best threshold.

Each training writes a table WORK/VARIANT-SEED.csv with one row per test planet; WORK/all.csv joins them. A training
whose table exists is skipped, so that several processes can share the work.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pandas as pd
import torch

from ejectamap.demo import simulated_project
from ejectamap.evaluation.run import evaluate_project
from ejectamap.evaluation.scores import value_of
from ejectamap.mapping.run import map_project
from ejectamap.project.folder import Project
from ejectamap.project.methods import NETWORK_KINDS
from ejectamap.training.polar_data import PolarDataset
from ejectamap.training.run import train
from ejectamap.training.setups import ContextSetup
from ejectamap.views.scaling import ChannelScaling

POLAR_PX = "views.polar_px=[96, 256]"
SETTINGS = {
    "default": (),
    "without turns and flips": ("context.augment.turns=false", "context.augment.flips=false"),
    "without stretch": ("context.augment.stretch=1",),
    "without brightness and contrast": (
        "context.augment.brightness=0",
        "context.augment.contrast=0",
    ),
    "bands instead of ejecta axes": ("context.scaling=mosaic",),
    "64 x 160 cells": ("views.polar_px=[64, 160]",),
    "128 x 384 cells": ("views.polar_px=[128, 384]",),
    "encoder resnet18": ("context.encoder=resnet18",),
    "decoder UnetPlusPlus": ("context.decoder=UnetPlusPlus",),
    "from the built-in weights": ("training.start_from=builtin",),
    "loss bce": ("context.loss={name: bce}",),
    "loss dice": ("context.loss={name: dice}",),
    "loss dice-bce-skeleton": ("context.loss={name: dice-bce-skeleton}",),
}
"""Variants that change settings."""
MASKED_CHANNELS = {
    "without local contrast": (3, 4, 5),
    "without similarity": (6,),
    "without range in radii": (7,),
    "without range in metres": (8,),
    "without other craters": (9,),
}
"""Variants that mask input channels; indices as in `views.inputs.assemble_polar_input` with three ejecta axes."""
VARIANTS = (*SETTINGS, *MASKED_CHANNELS)
FIRST_SEED = 7000
TRAINING_PLANETS, TEST_PLANETS = (0, 1), (2, 3, 4)
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
"""Columns of the tables, and the figures of the evaluation that they hold."""


class MaskedContextSetup(ContextSetup):
    """Setup of a context network some of whose input channels are scaled to nearly 0."""

    masked: ClassVar[tuple[int, ...]] = ()

    def normalisations(self, training_set: PolarDataset) -> tuple[ChannelScaling, None]:
        """Normalisation of the channels; a masked channel has a very large divisor."""
        scaling, _ = super().normalisations(training_set)
        divisor = [1e9 if k in self.masked else d for k, d in enumerate(scaling.divisor)]
        return replace(scaling, divisor=tuple(divisor)), None


def make_project(
    work: Path, name: str, planet: int, seed: int, width_px: int, *changes: str
) -> Project:
    """Open a project on one of the planets; both are made if they do not exist."""
    return simulated_project(
        work, name, planet, FIRST_SEED + planet, width_px, seed, (POLAR_PX, *changes)
    )


def train_variant(work: Path, variant: str, seed: int, epochs: int, width_px: int) -> Project:
    """Train one variant on the training planets and return its project."""
    first, *others = TRAINING_PLANETS
    folders = [
        make_project(work, f"training-{planet}", planet, 0, width_px).folder for planet in others
    ]
    project = make_project(
        work,
        f"{file_name(variant)}-{seed}",
        first,
        seed,
        width_px,
        f"context.max_epochs={epochs}",
        "context.blend=1",
        "training.start_from=none",
        "training.max_minutes=null",
        "training.test_fraction=0",
        "training.validation_fraction=0.04",
        "training.also_train_on=[" + ", ".join(f"../{folder.name}" for folder in folders) + "]",
        *SETTINGS.get(variant, ()),
    )
    MaskedContextSetup.masked = MASKED_CHANNELS.get(variant, ())
    NETWORK_KINDS["context"] = replace(
        NETWORK_KINDS["context"], setup=f"{__name__}:{MaskedContextSetup.__name__}"
    )
    train(project)
    return project


def file_name(variant: str) -> str:
    """A variant's name without spaces."""
    return variant.replace(" ", "-")


def evaluate_variant(
    work: Path, trained: Project, seed: int, width_px: int
) -> list[dict[str, float]]:
    """Figures on each test planet, at the threshold with the best pixel F1 there."""
    start = f"training.start_from=../{trained.folder.name}/models"
    rows = []
    for planet in TEST_PLANETS:
        name = f"{trained.folder.name}-on-{planet}"
        project = make_project(work, name, planet, seed, width_px, start)
        map_project(project)
        threshold = value_of(evaluate_project(project), "all.calibration.best_threshold")
        mapping = project.settings.map.model_copy(update={"threshold": threshold})
        settings = project.settings.model_copy(update={"map": mapping})
        project = replace(project, settings=settings)
        map_project(project)
        evaluation = evaluate_project(project, structure=True)
        figures = {column: value_of(evaluation, name) for column, name in FIGURES.items()}
        rows.append({"threshold": threshold} | figures)
    return rows


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path, help="folder of planets, projects and tables")
    parser.add_argument("--variants", nargs="+", default=VARIANTS, choices=VARIANTS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="of the trainings")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--width", type=int, default=1024, help="of the mosaics, in pixels")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    work, width_px = arguments.work, arguments.width
    for seed in arguments.seeds:
        for variant in arguments.variants:
            path = work / f"{file_name(variant)}-{seed}.csv"
            if path.exists():
                continue
            started_s = time.process_time()
            trained = train_variant(work, variant, seed, arguments.epochs, width_px)
            training = {
                "variant": variant,
                "seed": seed,
                "training_s": time.process_time() - started_s,
            }
            rows = evaluate_variant(work, trained, seed, width_px)
            table = pd.DataFrame(
                [
                    training | {"planet": planet} | row
                    for planet, row in zip(TEST_PLANETS, rows, strict=True)
                ]
            )
            table.to_csv(path, index=False, float_format="%.4f")
    tables = [pd.read_csv(path) for path in sorted(work.glob("*-[0-9]*.csv"))]
    pd.concat(tables).to_csv(work / "all.csv", index=False)


if __name__ == "__main__":
    main()
