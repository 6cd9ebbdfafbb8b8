"""Train the context network that comes with the program, on simulated planets alone.

    python examples/train_builtin_weights.py FOLDER --minutes 8 --workers 15 [--start models/context]

Every process simulates planets (seeds 20 000, 20 001, ...), takes a few pictures of each of their craters and goes on
to the next, while the network learns: on a GPU best with a process for each core. Then it is measured on eight other
planets what the network's probabilities are worth. The bundle, in half precision, is in
FOLDER/weights/context/member-00. To ship it, put it into src/ejectamap/weights/context/ and bring
docs/model-card.md up to date.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from fresh_planets import FreshPlanets, Pool, simulated_world
from torch.utils.data import DataLoader

from ejectamap.demo import simulated_project
from ejectamap.networks.bundle import Bundle, library_versions, load_bundle, save_bundle
from ejectamap.networks.calibration import fit_calibration
from ejectamap.networks.ensemble import Ensemble
from ejectamap.networks.losses import build_loss
from ejectamap.networks.polar_answer import PolarSurvey
from ejectamap.project import Project
from ejectamap.training.loaders import make_loader
from ejectamap.training.recipes import ContextRecipe
from ejectamap.training.sources import gather_sources
from ejectamap.training.task import Task
from ejectamap.training.trainer import fit
from ejectamap.world.world import World

FIRST_SEED, VALIDATION_SEED, CALIBRATION_SEED = 20_000, 19_000, 19_001
CHANGES = (
    "method=polar",
    "training.start_from=none",
    "training.test_fraction=0",
    "context.max_epochs=100000",
    "context.patience=100000",
    "context.augment.fewer_bands=0.15",
)


def trained(project: Project, options: argparse.Namespace) -> Bundle:
    """Train a context network, from nothing or from another one; the project's own planet says how it gets on."""
    settings, sources = project.settings.context, gather_sources(project)
    recipe = ContextRecipe(project, sources)
    unseen = recipe.dataset(sources.sources, augmented=False, seed=0)
    batches = list(make_loader(unseen, options.batch, 0, 0, shuffle=False))
    validation: DataLoader = DataLoader(batches, batch_size=None)  # the same each epoch
    pool = Pool(
        FreshPlanets(project, options.seed),
        options.workers,
        options.held,
        options.batch,
        options.steps,
    )
    network = recipe.network(pretrained=False)
    if options.start is not None:
        network.load_state_dict(load_bundle(options.start).model.state_dict())
    normalisations = recipe.normalisations(unseen)
    task = Task(network, build_loss(settings.loss.name), settings, *normalisations, seed=0)
    torch.backends.cudnn.benchmark = True
    result = fit(
        task, pool, validation, options.folder / "logs", project.settings.training, options.minutes
    )
    pool.close()
    summary = {
        "samples": pool.made,
        "steps": result.epochs * options.steps,
        "validation_f1": result.f1,
        "minutes": result.minutes,
    }
    return Bundle(
        "context",
        recipe.arguments,
        recipe.views,
        *normalisations,
        training=summary,
        versions=library_versions(),
        model=task.network.cpu(),
        calibration=None,
    )


def calibrated(bundle: Bundle, worlds: Sequence[World]) -> Bundle:
    """Measure on planets that taught nothing what the probabilities are worth; each planet counts the same."""
    networks = Ensemble((replace(bundle, calibration=None),))
    cells = np.concatenate([_cells(networks, world) for world in worlds], axis=1)
    return replace(bundle, calibration=fit_calibration(*cells))


def _cells(networks: Ensemble, world: World) -> np.ndarray:
    """Probability, range in radii, truth and weight of the cells around all labelled craters, (4, n)."""
    found = []
    survey = PolarSurvey(networks, world.mosaic, world.craters)
    for crater in world.craters:
        answer = survey.ask(crater)
        places = answer.view.places()
        radii = answer.view.row_ranges_m()[:, None] / crater.radius_m
        cells = np.stack(
            np.broadcast_arrays(
                answer.probability,
                radii,
                world.labels.sample(crater.crater_id, places.lon, places.lat),
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
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--workers", type=int, default=1, help="processes that simulate")
    parser.add_argument("--start", type=Path, help="bundle of a context network to go on from")
    parser.add_argument("--seed", type=int, default=FIRST_SEED, help="of the first planet")
    parser.add_argument("--rate", type=float, default=0.001, help="learning rate at first")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument(
        "--steps", type=int, default=250, help="batches between looks at the validation"
    )
    parser.add_argument("--held", type=int, default=4000, help="pictures in memory, 4 MB each")
    parser.add_argument("--calibration-planets", type=int, default=8)
    options = parser.parse_args()
    optimiser = f"{{name: AdamW, arguments: {{lr: {options.rate}, weight_decay: 0.01}}}}"
    changes = [*CHANGES, f"context.optimiser={optimiser}"]
    project = simulated_project(
        options.folder, "project", 0, VALIDATION_SEED, 1536, changes=changes
    )
    bundle = trained(project, options)
    place = options.folder / "weights" / "context" / "member-00"
    save_bundle(bundle, place, half=True)
    if options.calibration_planets:
        seeds = range(CALIBRATION_SEED, CALIBRATION_SEED + options.calibration_planets)
        bundle = calibrated(bundle, [simulated_world(seed) for seed in seeds])
        save_bundle(bundle, place, half=True)


if __name__ == "__main__":
    main()
