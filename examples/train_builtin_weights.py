"""Train the context network that comes with the program, on simulated planets alone.

    python examples/train_builtin_weights.py FOLDER --planets 30 --minutes 120

simulates the planets (seeds 1000, 1001, ..., of several resolutions), trains, and writes the bundle in half precision
to FOLDER/weights/context/member-00. To ship it, put it into src/ejectamap/weights/context/ and bring
docs/model-card.md up to date.
"""

import argparse
from pathlib import Path

from ejectamap.demo import simulated_project
from ejectamap.networks.bundle import load_bundle, save_bundle
from ejectamap.project import Project
from ejectamap.training import train

FIRST_SEED = 1000
WIDTHS_PX = (2048, 2048, 3072, 1536)


def make_project(folder: Path, k: int, changes: list[str]) -> Project:
    """Planet k and a project on it, made where they are not there yet."""
    polar = ["method=polar", "training.start_from=none", "training.test_fraction=0"]
    width_px = WIDTHS_PX[k % len(WIDTHS_PX)]
    return simulated_project(
        folder, f"project-{k}", k, FIRST_SEED + k, width_px, changes=[*polar, *changes]
    )


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--planets", type=int, default=30)
    parser.add_argument("--minutes", type=float, default=120.0)
    arguments = parser.parse_args()
    others = [make_project(arguments.folder, k, []) for k in range(1, arguments.planets)]
    changes = [
        "context.augment.mixing=0.4",  # it is to map any mosaic
        "training.also_train_on=[" + ", ".join(f"../{p.folder.name}" for p in others) + "]",
        "training.validation_fraction=0.04",
        "context.optimiser={name: AdamW, arguments: {lr: 0.002, weight_decay: 0.01}}",
    ]
    project = make_project(arguments.folder, 0, changes)
    train(project, arguments.minutes)
    bundle = load_bundle(project.models / "context" / "member-00")
    save_bundle(bundle, arguments.folder / "weights" / "context" / "member-00", half=True)


if __name__ == "__main__":
    main()
