"""Train the context network that comes with the program, on simulated planets alone.

    python examples/train_builtin_weights.py FOLDER --planets 30 --minutes 120

simulates the planets (seeds 1000, 1001, ..., of several resolutions), trains on all but the last eight, measures on
those what the network's probabilities are worth, and writes the bundle in half precision to
FOLDER/weights/context/member-00. To ship it, put it into src/ejectamap/weights/context/ and bring
docs/model-card.md up to date.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ejectamap.demo import simulated_project
from ejectamap.networks.bundle import Bundle, load_bundle, save_bundle
from ejectamap.networks.calibration import fit_calibration
from ejectamap.networks.ensemble import Ensemble
from ejectamap.networks.polar_answer import PolarSurvey
from ejectamap.project import Project
from ejectamap.training import train

FIRST_SEED = 1000
CALIBRATION_PLANETS = 8
WIDTHS_PX = (2048, 2048, 3072, 1536)


def make_project(folder: Path, k: int, changes: list[str]) -> Project:
    """Planet k and a project on it, made where they are not there yet."""
    polar = ["method=polar", "training.start_from=none", "training.test_fraction=0"]
    width_px = WIDTHS_PX[k % len(WIDTHS_PX)]
    return simulated_project(
        folder, f"project-{k}", k, FIRST_SEED + k, width_px, changes=[*polar, *changes]
    )


def calibrated(bundle: Bundle, projects: Sequence[Project]) -> Bundle:
    """Measure on planets that taught nothing what the probabilities are worth; each planet counts the same."""
    networks = Ensemble((replace(bundle, calibration=None),))
    cells = np.concatenate([_cells(networks, project) for project in projects], axis=1)
    return replace(bundle, calibration=fit_calibration(*cells))


def _cells(networks: Ensemble, project: Project) -> np.ndarray:
    """Probability, range in radii, truth and weight of the cells around all labelled craters, (4, n)."""
    found = []
    survey = PolarSurvey(networks, project.mosaic, project.craters)
    for crater in project.craters:
        answer = survey.ask(crater)
        places = answer.view.places()
        radii = answer.view.row_ranges_m()[:, None] / crater.radius_m
        cells = np.stack(
            np.broadcast_arrays(
                answer.probability,
                radii,
                project.labels.sample(crater.crater_id, places.lon, places.lat),
                answer.view.cell_area_m2(),
            )
        )
        found.append(cells[:, (answer.probability > 0.02) & (radii > 1)])
    all_cells = np.concatenate(found, axis=1)
    all_cells[3] /= all_cells[3].sum()
    return all_cells


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--planets", type=int, default=38)
    parser.add_argument("--minutes", type=float, default=120.0)
    arguments = parser.parse_args()
    taught = range(1, arguments.planets - CALIBRATION_PLANETS)
    others = [make_project(arguments.folder, k, []) for k in taught]
    changes = [
        "training.also_train_on=[" + ", ".join(f"../{p.folder.name}" for p in others) + "]",
        "training.validation_fraction=0.04",
        "context.augment.fewer_bands=0.15",
        "context.optimiser={name: AdamW, arguments: {lr: 0.002, weight_decay: 0.01}}",
    ]
    project = make_project(arguments.folder, 0, changes)
    train(project, arguments.minutes)
    unseen = [make_project(arguments.folder, k, []) for k in range(taught.stop, arguments.planets)]
    bundle = calibrated(load_bundle(project.models / "context" / "member-00"), unseen)
    save_bundle(bundle, arguments.folder / "weights" / "context" / "member-00", half=True)


if __name__ == "__main__":
    main()
